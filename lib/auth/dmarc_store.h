/* dmarc_store.h -- what strangers' mail was worth, kept until it is reported to the
 * domains in whose name it was sent (RFC 9990). A file that processes of cleanup append
 * to, and that a command empties once a day; what is lost with the machine is a few lines
 * of statistics, so nobody waits for the disk. */
#ifndef DMARC_STORE_H
#define DMARC_STORE_H

#include "messages.h"

enum { DMARC_STORE_MOST = 64 << 20 }; /* octets; what comes then is not counted */

/* Why less was done than a policy wants. */
enum dmarc_departure {
	DEPART_NOT,
	DEPART_TEST,  /* t=y */
	DEPART_ARC,   /* a trusted sealer vouches */
	DEPART_LOCAL, /* nothing is done to anybody */
};

/* Made when there is none, for its owner only. -1 and errno. */
int dmarc_store_open(const char *path) MUST_CHECK;
/* BLOCKS for as long as the command needs to empty it. -1 and errno: EFBIG, it is full.
 */
int dmarc_store_add(int fd, struct str records) MUST_CHECK;
/* Appends what one message is in the file. */
void dmarc_store_put(struct buf *out, const struct dmarc_seen *seen);

/* ---- for the command ---- */
/* Moves all of it to the file `aside` and reads it; when there is one of that name, from
 * a time that did not come to its end, reads only that. *fd keeps others away from it
 * until it is closed. -1 and errno: EWOULDBLOCK, somebody else is at it. */
int dmarc_store_take(int store, const char *aside, int *fd, struct buf *out) MUST_CHECK;
/* The next message, and its bytes. False: at the end, or (*rest is not empty) at
 * something that is no message. */
bool dmarc_store_next(struct str *rest, struct dmarc_seen *seen, struct str *bytes,
	struct arena *arena) MUST_CHECK;

#endif
