/* drop.h -- a message on its way from sendmail through postdrop and maildrop/ to pickup:
 *the one format that is spoken on postdrop's standard input and stands in the file.
 *
 *	"PDROP1\n"
 *	u32 length, then that many bytes: struct drop, encoded
 *	chunks of content: u32 length (1 to DROP_CHUNK), bytes
 *	u32 0: the end. Without it the message is not whole.
 *
 * Big endian. Whoever reads it checks everything: any user can write it. */
#ifndef DROP_H
#define DROP_H

#include "base.h"
#include "messages.h"

#define DROP_MAGIC         STR("PDROP1\n")
#define DROP_CHUNK         (64 * 1024)
#define DROP_ENVELOPE_MOST (4 * 1024 * 1024)

/* The flags of envelopes that anybody may set. */
#define DROP_FLAGS \
	(ENVELOPE_8BIT | ENVELOPE_SMTPUTF8 | ENVELOPE_REQUIRETLS | ENVELOPE_REWRITE | \
		ENVELOPE_VERIFY | ENVELOPE_REPORT)

#define drop_FIELDS(FIELD, LIST) \
	FIELD(STR, sender) \
	FIELD(STR, envid) \
	FIELD(U8, ret) \
	FIELD(U32, flags) /* DROP_FLAGS */ \
	LIST(rcpt, rcpts) \
	FIELD(STR, full_name) /* for a From: that is missing */ \
	FIELD(STR, verp)      /* delimiters, or none */
IPC_STRUCT(drop)

/* Reads the format from a descriptor. All BLOCK. */
struct drop_reader {
	int fd;
	char *buffer; /* DROP_CHUNK bytes; drop_reader_close frees it */
};
/* Magic and envelope, not decoded yet. -1 and errno; EBADMSG: not this format. */
int drop_read_envelope(struct drop_reader *r, int fd, struct buf *out);
/* 1 and a chunk (good until the next call), 0 at the announced end, -1 EBADMSG, EPIPE
 * (cut off) or another errno. */
int drop_read_chunk(struct drop_reader *r, struct str *chunk);
void drop_reader_close(struct drop_reader *r);

/* Writes it. -1 and errno. */
int drop_write_envelope(int fd, struct str encoded);
int drop_write_chunk(int fd, struct str bytes); /* any length but 0 */
int drop_write_end(int fd);

#endif
