/* deliver.h -- the content of a message as agents get it, and how it becomes a mailbox:
 * Maildir and mbox. */
#ifndef DELIVER_H
#define DELIVER_H

#include "base.h"
#include "quota.h"

/* Walks the content: first the bytes of the request, then the descriptor. 1 and a chunk,
 * 0, -1. */
struct content_cursor {
	struct str first;
	int fd;
	octets_t left, at;
	char *buffer;
};
void content_open(struct content_cursor *c, struct str first, int fd, octets_t rest);
int content_next(struct content_cursor *c, struct str *chunk); /* BLOCKS briefly */
void content_close(struct content_cursor *c);

/* ---- lines ---- */
/* Zero-initialised but for what is wanted. The state between chunks is how much of
 * "From " the current line has matched so far. */
struct line_filter {
	bool quote_from; /* > in front of "From " at the start of a line */
	bool quote_dot;  /* . in front of . there */
	struct str eol;  /* instead of LF; data NULL: LF */
	size_t matched;
	bool inside; /* a line that has begun and has not ended */
};
void line_filter(struct line_filter *f, struct str chunk, struct buf *out);
void line_filter_end(struct line_filter *f, struct buf *out); /* ends the last line */
/* "From sender  date\n", the first line of a message in an mbox. */
void from_line(struct str sender, struct buf *out);

/* ---- mailboxes; in the process that runs as the recipient's user. All BLOCK, and may
 * run in several threads at once. ---- */
struct mailbox_order {
	const char *path;   /* Maildir: ends in / */
	struct str headers; /* Return-Path:, X-Original-To:, Delivered-To: lines */
	struct str sender;  /* for the From_ line of an mbox */
	struct str first;   /* content */
	int rest_fd;        /* the rest of it, or -1 */
	octets_t rest;
	octets_t limit; /* of a message in a Maildir, of the whole file for mbox; 0: none
			 */
	const char *hostname; /* for file names (Maildir) */
	struct quota quota;   /* of a Maildir and its folders */
	bool quota_waits;     /* 4.2.2 instead of 5.2.2 when it has no room */
	bool lock_fcntl, lock_flock, lock_dotlock; /* mbox */
	int lock_attempts;
	msec_t lock_delay, lock_stale; /* between attempts; a lock file's greatest age */
	bool strict;                   /* refuse an mbox of somebody else */
	bool gives_up; /* names and rights do not change by themselves: 5.2.0 */
	bool named; /* by a user: refuse programs, do without dotlock where it cannot be
		     */
};
/* Writes into tmp/, syncs, renames into new/, syncs the directory: ACCEPT survives a
 * power cut. Makes a Maildir that does not exist. Where there is a quota the name tells
 * the size (,S=1234). why: 5.2.2 over the limit or quota, else 4.x.x "maildir delivery
 * failed: ..."; nothing is left behind. */
BLOCKS enum verdict maildir_deliver(const struct mailbox_order *o, struct why *why);
/* Appends to a file under its locks and syncs; truncates back to where it was when it
 * cannot write all. Refuses what is not a plain file with one link. Lines that begin with
 * "From " get a > in front. why: as above, "cannot update mailbox ...". */
BLOCKS enum verdict mbox_deliver(const struct mailbox_order *o, struct why *why);
/* The first half of that: the file open, made when it is missing, under its locks. No
 * lock is left where it fails. */
struct mailbox_lock {
	int fd;
	char dotlock[4096 + 8]; /* empty: none */
};
BLOCKS enum verdict mailbox_lock(const struct mailbox_order *o, struct mailbox_lock *l,
	struct why *why) MUST_CHECK;
void mailbox_unlock(struct mailbox_lock *l);
/* Which locks a list like "fcntl, dotlock" asks for. Gives the first word that it does
 * not know; STR_NONE: all is well. */
struct str mailbox_locks(struct str list, struct mailbox_order *o) MUST_CHECK;
/* What errno means for a mailbox: 5.2.2 (full), 4.3.0 (disk full), 4.2.0, or 5.2.0
 * (o->gives_up). */
const char *mailbox_code(const struct mailbox_order *o, int error);

#endif
