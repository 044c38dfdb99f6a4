/* recover.h -- what a start finds before it is sorted out. */
#ifndef SPOOL_RECOVER_H
#define SPOOL_RECOVER_H

#include "private.h"

/* A state record, or a snapshot: its effects are effects[first .. first + n). */
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
};
/* A second record of a message. */
struct twin {
	uint64_t mid;
	struct place where;
};
struct recovery {
	struct spool *s;
	bool writes;       /* not when it only looks */
	struct segment *g; /* being walked */
	char *image;
	VEC(struct found_state) states;
	VEC(struct effect) effects;
	VEC(struct twin) twins;
	VEC(struct bad_range) bad;
	VEC(struct manifest_item) manifest; /* the newest one */
	uint64_t manifest_sequence, last_sequence;
	struct log_point durable[STREAMS];
	struct arena *arena; /* for decoding; reset for each record */
	octets_t image_room;
};
/* survey.c: reads a segment. */
BLOCKS void survey_segment(struct recovery *r, struct segment *g);
/* torn.c: messages that were being written when the power went. */
BLOCKS void torn_messages(struct recovery *r);
/* damage.c: torn remains are covered, damage is kept and told. */
bool is_flushed(const struct recovery *r, const struct segment *g, uint32_t offset);
BLOCKS void damage_cover_record(
	const struct segment *g, uint32_t offset, uint32_t length);
BLOCKS void damage_judge(struct recovery *r);
void damage_missing(struct recovery *r);

#endif
