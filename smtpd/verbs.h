/* verbs.h -- the commands of SMTP, one row for each, in the order in which the disconnect
 * line counts them. */
#ifndef VERBS_H
#define VERBS_H

#include "base.h"

struct session;

enum {
	VERB_PRE_TLS = 1, /* allowed before STARTTLS where TLS is required */
	VERB_LAST = 2,    /* ends a pipelined group (RFC 2920 section 3.1) */
	VERB_JUNK = 4,    /* counts towards smtpd_junk_command_limit */
};
struct verb {
	struct str name;
	/* Runs the command; `rest` is what follows the verb, without its blanks in front.
	 * False: it failed, which counts as an error of the client's. */
	bool (*run)(struct session *s, struct str rest);
	unsigned flags;
};
enum { VERBS = 17 }; /* the last is the unknown command */
extern const struct verb verbs[VERBS];

/* Runs one line. */
void verbs_run(struct session *s, struct str line);
/* "ehlo=1 mail=1 rcpt=0/1 commands=2/3" */
struct str verbs_counts(const struct session *s, struct arena *arena);

bool cmd_helo(struct session *s, struct str rest);
bool cmd_ehlo(struct session *s, struct str rest);
bool cmd_xclient(struct session *s, struct str rest);
bool cmd_xforward(struct session *s, struct str rest);
bool cmd_starttls(struct session *s, struct str rest);
bool cmd_auth(struct session *s, struct str rest);
bool cmd_mail(struct session *s, struct str rest);
bool cmd_rcpt(struct session *s, struct str rest);
bool cmd_data(struct session *s, struct str rest);
bool cmd_bdat(struct session *s, struct str rest);
bool cmd_rset(struct session *s, struct str rest);
bool cmd_noop(struct session *s, struct str rest);
bool cmd_vrfy(struct session *s, struct str rest);
bool cmd_etrn(struct session *s, struct str rest);
bool cmd_quit(struct session *s, struct str rest);
bool cmd_help(struct session *s, struct str rest);

#endif
