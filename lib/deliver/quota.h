/* quota.h -- Maildir++ quota: what a Maildir and its folders hold is kept in the file
 * maildirsize, which Courier and Dovecot read and write, too.
 *
 *	1000000S,500C          the limits: bytes, messages
 *	81920 12               what was there when it was counted
 *	4096 1                 and what has come and gone since
 *	-2048 -1
 *
 * A file that says anything else is made anew from what is there. */
#ifndef QUOTA_H
#define QUOTA_H

#include "base.h"

/* 0: no limit. */
struct quota {
	uint64_t bytes, count;
};
/* "1000000S", "500C", both with a comma between them, or a number, of bytes. -1: none of
 * these, *out is as it was. */
int quota_parse(struct str text, struct quota *out) MUST_CHECK;
static inline bool
quota_is_set(const struct quota *q)
{
	return q->bytes > 0 || q->count > 0;
}

struct quota_usage {
	uint64_t bytes, count;
	unsigned lines; /* behind the limits */
};
/* False: the file is to be made anew -- it has other limits, a line that is none, less
 * than nothing in sum, or has grown too large (QUOTA_FILE_MOST). */
#define QUOTA_FILE_MOST ((size_t)5120)
bool quota_file_parse(
	struct str text, const struct quota *limits, struct quota_usage *out) MUST_CHECK;
bool quota_is_kept(const struct quota *limits, const struct quota_usage *u);
/* Is there room for one more message of that size? */
bool quota_fits(const struct quota *limits, const struct quota_usage *u, octets_t size);
/* Counts what is in new and cur of a Maildir and its folders, by the sizes in the names
 * (,S=1234) where these have one. No link to a directory is followed. -1 and errno. */
BLOCKS int quota_count(int maildir, struct quota_usage *out) MUST_CHECK;

/* Room taken for one message, which is on its way. */
struct quota_claim {
	int maildir; /* that has the file: a folder's is the one above it; -1: none */
	octets_t size;
	bool taken, kept;
};
/* How long others may be waited for, who have the Maildir locked. */
struct quota_patience {
	int attempts;
	msec_t delay;
};
/* Takes room for a message, or finds that there is none: 1, 0, or -1 and errno. Others
 * who deliver here take theirs at the same time; who finds none looks again while nobody
 * has a message on its way, so that none is refused for what did not come. */
BLOCKS int quota_claim(int maildir, const struct quota *limits, octets_t size,
	struct quota_patience patience, struct quota_claim *out) MUST_CHECK;
/* For CLEANUP, whatever quota_claim() said: gives room back that was taken and not kept,
 * and lets others go on. */
BLOCKS void quota_end(struct quota_claim *c);

#endif
