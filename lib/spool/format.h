/* format.h -- the bytes of the log (man/spool.5), packed, checked and walked.
 *
 * Nothing here opens a file, allocates or waits: everything works on bytes at hand, so
 * that the writer, the readers, the recovery and the fuzzer judge a segment by the same
 * code.
 *
 * A segment is a file of fixed size. Its first block names it, its last block repeats
 * that. Between them lie batches, each on a block boundary with zeroes up to the next
 * one; only a batch of states may follow an unflushed one within its block. A batch is a
 * header and records. What makes a header genuine is the salt of the segment, 64 random
 * bits that no sender of mail can know: content that looks like a batch is never taken
 * for one, and neither is what an earlier use of the file left behind. */
#ifndef SPOOL_FORMAT_H
#define SPOOL_FORMAT_H

#include "base.h"

enum {
	SPOOL_VERSION = 1,
	SPOOL_BLOCK = 4096,
	SPOOL_PACK =
		64, /* within a block, states may follow states on these boundaries */
	SPOOL_ALIGN = 8, /* records within a batch */
	SEGMENT_HEADER = 64,
	BATCH_HEADER = 64,
	RECORD_HEADER = 32,
	MESSAGE_HEAD = RECORD_HEADER + 80,
	STATES_HEAD = RECORD_HEADER + 12, /* mid, count */
	MANIFEST_HEAD = RECORD_HEADER + 4,
	MANIFEST_ITEM = 28,
	SEGMENT_LEAST = 16 * SPOOL_BLOCK, /* for tests; administrators get 16 MB */
};
#define SEGMENT_MOST ((octets_t)1 << 30)

static inline uint32_t
round_up(uint32_t n, uint32_t to)
{
	return (n + to - 1) / to * to;
}

/* ---- which use of which file ---- */
struct segment_id {
	uint32_t generation; /* the segment number; never used twice */
	uint32_t slot;       /* the file: its name */
	uint64_t salt;
	uint32_t size;
};
void segment_put(char out[SEGMENT_HEADER], const struct segment_id *id);
/* -1: no header of a version we know. */
int segment_get(const char in[SEGMENT_HEADER], struct segment_id *out) MUST_CHECK;

/* ---- batches ---- */
enum { STREAM_HOT = 0, STREAM_COLD = 1, STREAMS = 2 };
enum { BATCH_FILL = 1 }; /* no records: recovery covered the remains of a torn write */
/* A point of a stream: what lies before it is ordered by generation, then offset. */
struct log_point {
	uint32_t generation, offset;
};
static inline bool
point_before(struct log_point a, struct log_point b)
{
	return a.generation != b.generation ? a.generation < b.generation
					    : a.offset < b.offset;
}
struct batch {
	uint32_t offset, length; /* length: header and records, without padding */
	uint64_t first_sequence;
	uint32_t count;
	struct log_point durable; /* of its stream, flushed before this was written */
	uint8_t stream, flags;
	uint64_t written_us;
};
void batch_put(char *out, const struct segment_id *id, const struct batch *b);
/* Is there a genuine batch header at this offset, and does the batch fit? */
bool batch_get(
	const char *in, const struct segment_id *id, uint32_t offset, struct batch *out);

/* ---- records ---- */
enum record_type {
	RECORD_MESSAGE = 1,
	RECORD_STATE = 2,
	RECORD_SNAPSHOT = 3, /* supersedes states with smaller sequences */
	RECORD_MANIFEST = 4, /* the segments there are, written first into each new one */
};
enum { RECORD_HOLD = 1, RECORD_MOVED = 2 }; /* flags */
struct record {
	uint32_t length; /* all of it */
	uint32_t head;   /* what its CRC covers: all but envelope and content */
	uint64_t sequence;
	uint8_t type, flags;
};
/* Writes the header into the first bytes of a record whose head is otherwise complete. */
void record_seal(char *at, const struct segment_id *id, const struct record *r);
/* -1: not a whole record of this segment within `room` bytes. */
int record_get(const char *in, size_t room, const struct segment_id *id,
	struct record *out) MUST_CHECK;

struct message_head {
	uint64_t arrival_us;
	octets_t size; /* of the content, body file included */
	uint32_t recipients;
	uint32_t envelope, content; /* bytes in the record */
	uint32_t envelope_crc, content_crc, body_crc;
	uint64_t body;     /* the body file's number; 0: none */
	char queue_id[32]; /* NUL-padded */
};
void message_head_put(char *record, const struct message_head *m);
int message_head_get(const char *record, const struct record *r, struct message_head *out)
	MUST_CHECK;

/* Are envelope and content what their CRCs say? Of a whole record. */
bool message_is_whole(const char *record, const struct record *r);

/* States: mid, count, then items of a u32 length and an encoded struct spool_state. */
struct states_head {
	uint64_t mid;
	uint32_t count;
	struct str items;
};
int states_head_get(const char *record, const struct record *r, struct states_head *out)
	MUST_CHECK;
bool states_next(struct str *items, struct str *state); /* false at the end, or on junk */

/* The manifest. */
enum segment_state {
	SEGMENT_MAKING,
	SEGMENT_SPARE,
	SEGMENT_OPEN,
	SEGMENT_SEALED,
	SEGMENT_FREEING,
	SEGMENT_RETIRED, /* the disk refused it: never written again */
	SEGMENT_GONE,
};
struct manifest_item {
	struct segment_id id;
	uint32_t end; /* where a sealed one ends; else 0 */
	uint8_t state, stream;
};
void manifest_item_put(char *out, const struct manifest_item *m);
/* False past the last one. */
bool manifest_item_get(const char *record, const struct record *r, uint32_t i,
	struct manifest_item *out);

/* ---- the mark: up to where a stream was flushed, noted beside the log (mark.c) ---- */
enum { MARK = 64 };
struct mark {
	struct log_point durable;
	uint64_t salt; /* of that segment */
	uint64_t next; /* messages before that point have smaller sequences */
};
void mark_put(char out[MARK], const struct mark *m);
int mark_get(const char in[MARK], struct mark *out) MUST_CHECK; /* -1: there is none */

/* ---- walking ---- */
struct segment_walk {
	void (*record)(
		void *arg, const struct record *r, const char *bytes, uint32_t offset);
	/* Bytes from..to are no batch, and genuine batches follow behind them; or,
	 * in_batch, they are inside of one. */
	void (*bad)(void *arg, uint32_t from, uint32_t to, bool in_batch);
	/* NULL, or called before bytes of the image are looked at, to read them into it:
	 * contents of messages are not. */
	void (*need)(void *arg, uint32_t from, uint32_t to);
	void *arg;
	/* Filled in: */
	uint32_t end;             /* behind the last genuine batch */
	struct log_point durable; /* the furthest one that its batches know */
	uint64_t last_sequence;
	uint8_t stream;
	uint32_t batches;
};
/* Only the records between two places, whether batches are there or not. */
void records_walk(struct str image, const struct segment_id *id, uint32_t from,
	uint32_t to, struct segment_walk *w);
void segment_walk(struct str image, const struct segment_id *id, struct segment_walk *w);

#endif
