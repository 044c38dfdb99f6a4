/* format_fuzz.c -- segments that somebody damaged on purpose: the walk must stay inside
 * of them. The first byte says whether CRCs are made right, so that what lies behind them
 * is reached, too. */
#include "private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct segment_id id = {
	.generation = 7, .slot = 1, .salt = 0x1122334455667788, .size = SEGMENT_LEAST
};
static size_t sum;

static void
on_record(void *arg, const struct record *r, const char *bytes, uint32_t offset)
{
	struct arena *arena = arena_new();
	struct message_head m;
	struct states_head h;
	struct manifest_item item;
	struct str one;
	struct spool_state state;

	(void)arg;
	ensure(offset + r->length <= id.size);
	sum += (unsigned char)bytes[r->length - 1];
	if (message_head_get(bytes, r, &m) == 0)
		sum += message_is_whole(bytes, r);
	if (states_head_get(bytes, r, &h) == 0)
		while (states_next(&h.items, &one))
			sum += spool_state_get(one, &state, arena) == 0;
	for (uint32_t i = 0; manifest_item_get(bytes, r, i, &item); i++)
		sum += item.end;
	arena_free(arena);
}

static void
on_bad(void *arg, uint32_t from, uint32_t to, bool in_batch)
{
	(void)arg, (void)in_batch;
	ensure(from < to && to <= id.size);
}

/* A header at each block, and records one after the other, sealed as they are. */
static void
make_genuine(char *image)
{
	for (uint32_t at = SPOOL_BLOCK; at + SPOOL_BLOCK < id.size; at += SPOOL_BLOCK) {
		struct batch b = { .offset = at,
			.length = get_u32(image + at + 20) % (2 * SPOOL_BLOCK),
			.flags = (uint8_t)image[at + 45] };
		uint32_t here = at + BATCH_HEADER;

		batch_put(image + at, &id, &b);
		while (here + RECORD_HEADER < at + b.length && here + 4096 < id.size) {
			struct record r = { .length = get_u32(image + here + 4) % 5000,
				.head = get_u32(image + here + 8) % 5000,
				.type = (uint8_t)image[here + 24] % 6 };

			if (r.head < RECORD_HEADER || here + r.head > id.size)
				break;
			record_seal(image + here, &id, &r);
			here += round_up(MAX(r.length, RECORD_HEADER), SPOOL_ALIGN);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *image = mem_alloc(SEGMENT_LEAST);
	struct segment_walk w = { .record = on_record, .bad = on_bad };

	if (size > 1) {
		memcpy(image + SPOOL_BLOCK, data + 1,
			MIN(size - 1, (size_t)SEGMENT_LEAST - SPOOL_BLOCK));
		if (data[0] & 1)
			make_genuine(image);
		segment_walk(str_of(image, SEGMENT_LEAST), &id, &w);
	}
	mem_free(image);
	return 0;
}
