/* transcript.h -- what was said in an SMTP session, for the postmaster: notify_classes.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "base.h"
#include "conf.h"

/* What went wrong in a session; the words of notify_classes. */
enum {
	FAULT_BOUNCE = 1, /* we refused mail because of its recipient, or of itself */
	FAULT_POLICY = 2,
	FAULT_PROTOCOL = 4,
	FAULT_RESOURCE = 8,
	FAULT_SOFTWARE = 16,
	FAULT_DATA = 32, /* a table could not be asked */
};
/* Those that the postmaster wants to hear of. */
unsigned faults_wanted(const struct conf *c);

/* Zero-initialised; bounded: of a long session only the end is kept. */
struct transcript {
	struct buf text;
	size_t lines;
	unsigned faults; /* so far */
};
enum transcript_side { WE_SAID, THEY_SAID };
void transcript_add(struct transcript *t, enum transcript_side side, struct str line);
/* Sends it, when there was a fault that is wanted, and forgets it; bounce makes a mail of
 * it. whose: TRANSCRIPT_OF_; peer: "name[address]"; reason: why the session ended early,
 * or none. Nobody waits for that, and nobody is told when it fails. */
void transcript_end(struct transcript *t, unsigned wanted, unsigned whose,
	struct str peer, struct str reason);
void transcript_free(struct transcript *t);

#endif
