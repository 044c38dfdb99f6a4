/* footer.h -- the footer that an administrator puts behind each refusal
 * (smtpd_reject_footer), as lines of an SMTP reply. */
#ifndef FOOTER_H
#define FOOTER_H

#include "base.h"

/* Calls fn with each line of the reply, with the footer's behind it: `text` is "550 5.1.1
 * No", the footer's lines are separated by "\n" as two characters, and "\c" in front
 * makes its first one go on where the reply ends. Each line has the codes of the reply.
 * The views are good during the call. */
void footer_each_line(struct str text, struct str footer, struct arena *arena,
	void (*fn)(void *arg, struct str line, bool last), void *arg);
/* "Nov 27 10:13:14": $localtime. */
struct str footer_localtime(struct arena *arena);

#endif
