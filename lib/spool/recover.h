/* recover.h -- what a start finds before it is sorted out.
 *
 * First what new mail needs: the newest segments of both streams, where the power may
 * have torn something, and those that look empty. The others are read behind the first
 * new mail, one at a time in the keeper's thread. Old mail counts when all of them are
 * read: the record of its end may be in any. */
#ifndef SPOOL_RECOVER_H
#define SPOOL_RECOVER_H

#include "private.h"

/* A state record, or a snapshot: its effects are effects[first .. first + n). A manifest:
 * of no message. */
struct found_state {
	uint64_t mid, sequence;
	struct place where;
	size_t first, n;
	bool snapshot;
};
struct effect {
	uint64_t when_us;
	uint8_t kind;
};
/* Bytes that are no batch, or no record. */
struct bad_range {
	struct segment *g;
	uint32_t from, to;
	bool in_batch;
	bool missing_end; /* the manifest knows that there was more */
	/* Of the messages around it in the segment; 0: none there. */
	uint64_t after, before;
};
/* Messages of a segment of the hot stream: there they lie in the order of their
 * sequences. */
struct span {
	uint32_t generation;
	uint64_t first, last;
};
/* A second record of a message. */
struct twin {
	uint64_t mid;
	struct place where;
};

/* What is in one segment; made in any thread, merged in the loop's. */
struct survey {
	struct job job;
	struct recovery *r;
	struct segment *g;
	VEC(struct entry *) messages;
	VEC(struct found_state) states;
	VEC(struct effect) effects;
	VEC(struct bad_range) bad;
	VEC(struct manifest_item) manifest; /* the newest one in it */
	uint64_t manifest_sequence;
	uint64_t first, last; /* sequences of messages; 0: none */
	size_t open_bad;      /* of those behind no message was seen yet */
	struct segment_walk walk;
	struct arena *arena; /* for decoding */
	int error;           /* of reading some of it */
};
struct image;
struct recovery {
	struct spool *s;
	struct image *image; /* of the segment being surveyed */
	uint64_t last_old;   /* mids up to this one are from before the start */
	VEC(struct found_state) states;
	VEC(struct effect) effects;
	VEC(struct twin) twins;
	VEC(struct bad_range) bad;
	VEC(struct span) spans;
	VEC(struct manifest_item) manifest; /* the newest one */
	uint64_t manifest_sequence, last_sequence;
	struct log_point durable[STREAMS];
	struct mark marks[STREAMS];   /* generation 0: none that counts */
	VEC(struct found_state) late; /* states of old mail, written since the start */
	uint32_t next;                /* slot to be looked at */
	bool sorted;
	size_t applied;
	uint64_t applied_sequence;
	struct job job; /* sorting, or giving way */
};

/* survey.c: reads a segment. */
struct survey *survey_new(struct recovery *r, struct segment *g);
BLOCKS void survey_run(struct survey *v);
/* Only the records between two places, whether they are in batches or not. */
BLOCKS void survey_range(struct survey *v, uint32_t from, uint32_t to);
void survey_merge(struct survey *v); /* frees it */
/* Which stream the segment belongs to, by its first batch; false: none is there. */
BLOCKS bool survey_peek(struct segment *g);
void survey_free(struct survey *v);
void image_free(struct image *image);
/* settle.c: what became of the messages that were found. */
void settle_sort(struct recovery *r);
bool settle_has(const struct recovery *r, uint64_t sequence); /* once sorted */
/* True when there is more to do. */
bool settle_some(struct recovery *r, size_t most);
void settle_late(struct recovery *r);
/* torn.c: messages that were being written when the power went; and second records. */
BLOCKS void torn_messages(struct recovery *r);
void torn_tell(struct str ids);
void twins_settle(struct recovery *r);
/* damage.c: torn remains are covered, damage is kept and told. */
bool is_flushed(const struct recovery *r, const struct segment *g, uint32_t offset);
BLOCKS void damage_cover_record(
	const struct segment *g, uint32_t offset, uint32_t length);
void damage_find_missing_ends(struct recovery *r);
BLOCKS void damage_cover_torn(struct recovery *r);
/* Finds whole records in what is damaged around them. */
BLOCKS void damage_salvage(struct recovery *r);
BLOCKS void damage_tell(struct recovery *r);
void damage_missing(struct recovery *r);

#endif
