/* postfix_file.h -- the files of Postfix's queue: one for each message, and a log beside
 * it for each kind of outcome. Postfix keeps the format to itself; what stands here was
 * seen in files of Postfix 3.7.
 *
 * A message is a row of records: a type (one byte), a length (seven bits in each byte,
 *the low ones first, the high bit says that more follow), that many bytes.
 *
 *	C  six numbers, 15 columns each: size and place of the content, recipients,
 *	   flags, size of the content again, SMTPUTF8 (1 asked for, 2 in the header,
 *	   4 in the sender); not in maildrop/
 *	T  when it arrived: seconds, and microseconds
 *	A  name=value          F  the sender's full name     S  the sender
 *	L  content filter      >  redirected to              V  VERP delimiters
 *	W  when a delay is to be told; 0: it was
 *	O  the recipient as it was given, R what it became, or D when it is done
 *	p  go on at this place in the file, unless it is 0
 *	M  the content begins: N a line, L a part of one
 *	X  it ended: more of the above, found in it      E  the end
 *
 * Others say nothing that we need. A log has paragraphs of name=value lines.
 *
 * Nothing here blocks or switches. The bytes were written by another program, and are
 * checked like a stranger's. */
#ifndef POSTFIX_FILE_H
#define POSTFIX_FILE_H

#include "base.h"
#include "messages.h"

/* ---- records as they stand ---- */
struct postfix_record {
	char type;
	uint64_t offset; /* in the file */
	struct str data;
};
struct postfix_walk { /* from file and at on */
	struct str file;
	size_t at;
	size_t jumps, seen; /* bounded: the walk ends, whatever pointers say */
};
/* 1; 0 at the end of the file; -1 when it is cut, or no such file. */
int postfix_record_next(struct postfix_walk *w, struct postfix_record *r) MUST_CHECK;
/* Goes on where a pointer says. -1: there is no such place. */
int postfix_record_follow(struct postfix_walk *w, const struct postfix_record *r)
	MUST_CHECK;

/* ---- reading a message ---- */
#define POSTFIX_SIZE_RECORD 97 /* octets of the C record, which comes first */

struct postfix_message {
	struct envelope envelope; /* without queue id */
	uint64_t *offsets;        /* of each recipient's record: logs name it */
	bool *done;               /* for each recipient */
	bool delay_sent;
	struct str full_name;
};
/* Takes a file apart. The envelope's strings are in the arena; content is added to. -1
 * and EBADMSG when it is not a whole message. */
int postfix_get(struct str file, struct arena *a, struct postfix_message *out,
	struct buf *content) MUST_CHECK;

/* One paragraph of defer/, bounce/ or trace/. Strings are in the text. */
struct postfix_outcome {
	bool has_offset;
	uint64_t offset;
	struct str recipient, original, orcpt;
	uint8_t notify;
	struct str status, action, reason;
	struct str remote_mta, diagnostic; /* without their types */
	bool diagnostic_is_smtp;
};
/* The next one off *rest; false at the end. Lines that say nothing to us are skipped. */
bool postfix_outcome_get(struct str *rest, struct postfix_outcome *out);
void postfix_outcome_put(struct buf *b, const struct postfix_outcome *o);

/* ---- writing: size record, envelope, text, end ---- */
/* Everything up to the content. Leaves POSTFIX_SIZE_RECORD octets for postfix_put_size()
 * unless for_maildrop. offsets: room for one for each recipient. warn: the time of the
 * delay notice (seconds), 0 when it was sent, -1 when there will be none. */
void postfix_put_envelope(
	struct buf *b, const struct postfix_message *m, bool for_maildrop, int64_t warn);
/* Content, in any pieces; line holds what has no line end yet. */
void postfix_put_text(struct buf *b, struct buf *line, struct str text);
void postfix_put_end(struct buf *b, struct buf *line);
/* text: place and size of the content's records. */
void postfix_put_size(char at[POSTFIX_SIZE_RECORD], uint64_t place, uint64_t size,
	const struct postfix_message *m, bool utf8_header);
bool postfix_has_8bit_header(struct str content);

/* The sub-folders of a hashed queue: "4/B" for 4BF3... and depth 2, "" for none. Long
 * queue ids are spread by their microseconds. */
void postfix_subfolder(struct str queue_id, unsigned depth, char out[32]);
/* The name that a message's file has by Postfix's rule, with its inode number in it: the
 * microseconds of `id`, and for the long form its seconds or, in a short one, these. A
 * file with another name is renamed when Postfix starts. */
void postfix_file_name(
	struct str id, bool long_form, uint64_t seconds, uint64_t inode, char out[32]);

#endif
