/* build.c -- a batch while it gathers: records one after the other behind the room for
 * the header. Where it goes is known only at the end, so numbers and CRCs are sealed
 * then. */
#include "private.h"

void
build_free(struct build *b)
{
	buf_free(&b->bytes);
	vec_free(&b->records);
}

void
build_clear(struct build *b)
{
	b->bytes.len = 0;
	b->records.n = 0;
}

char *
build_record(struct build *b, const struct record *r)
{
	size_t padded = round_up(r->length, SPOOL_ALIGN), at;

	if (b->bytes.len == 0) {
		buf_need(&b->bytes, BATCH_HEADER);
		b->bytes.len = BATCH_HEADER;
	}
	at = b->bytes.len;
	buf_need(&b->bytes, padded);
	b->bytes.len += padded;
	memset(b->bytes.data + at + r->length, 0, padded - r->length);
	*vec_push(&b->records) = (struct built){ (uint32_t)at, *r };
	return b->bytes.data + at;
}

struct str
build_finish(struct build *b, const struct segment_id *id, uint8_t stream,
	uint32_t offset, struct log_point durable)
{
	uint32_t len = (uint32_t)b->bytes.len;
	uint32_t padded = round_up(offset + len, SPOOL_BLOCK) - offset;
	struct batch head = {
		.offset = offset,
		.length = len,
		.first_sequence = b->records.n ? b->records.items[0].r.sequence : 0,
		.count = (uint32_t)b->records.n,
		.durable = durable,
		.stream = stream,
		.written_us = (uint64_t)time_wall_us(),
	};

	buf_need(&b->bytes, padded - len);
	memset(b->bytes.data + len, 0, padded - len);
	for (size_t i = 0; i < b->records.n; i++)
		record_seal(b->bytes.data + b->records.items[i].at, id,
			&b->records.items[i].r);
	batch_put(b->bytes.data, id, &head);
	return str_of(b->bytes.data, padded);
}

void
build_states(struct build *b, uint64_t mid, uint64_t sequence, uint8_t type,
	const struct str *items, size_t n)
{
	struct record r = { .sequence = sequence, .type = type, .length = STATES_HEAD };
	char *p;

	for (size_t i = 0; i < n; i++)
		r.length += 4 + (uint32_t)items[i].len;
	r.head = r.length;
	p = build_record(b, &r) + RECORD_HEADER;
	put_u64(p, mid);
	put_u32(p + 8, (uint32_t)n);
	p += 12;
	for (size_t i = 0; i < n; i++) {
		put_u32(p, (uint32_t)items[i].len);
		if (items[i].len)
			memcpy(p + 4, items[i].data, items[i].len);
		p += 4 + items[i].len;
	}
}
