/* format.c -- headers of segments, batches and records: packing and checking them. */
#include "format.h"

static const char segment_magic[8] = { 'P', 'o', 's', 't', 'L', 'o', 'g', SPOOL_VERSION };
static const char batch_magic[4] = { 'B', 'a', 't', 'c' };
static const char mark_magic[8] = { 'P', 'o', 's', 't', 'M', 'r', 'k', SPOOL_VERSION };

/* ---- segments ---- */
void
segment_put(char out[SEGMENT_HEADER], const struct segment_id *id)
{
	memset(out, 0, SEGMENT_HEADER);
	memcpy(out, segment_magic, sizeof(segment_magic));
	put_u32(out + 8, id->generation);
	put_u32(out + 12, id->slot);
	put_u64(out + 16, id->salt);
	put_u32(out + 24, id->size);
	put_u32(out + 60, crc32c(0, out, 60));
}

int
segment_get(const char in[SEGMENT_HEADER], struct segment_id *out)
{
	if (memcmp(in, segment_magic, sizeof(segment_magic)) != 0 ||
		get_u32(in + 60) != crc32c(0, in, 60))
		return -1;
	*out = (struct segment_id){
		.generation = get_u32(in + 8),
		.slot = get_u32(in + 12),
		.salt = get_u64(in + 16),
		.size = get_u32(in + 24),
	};
	return 0;
}

/* ---- batches ---- */
void
batch_put(char *out, const struct segment_id *id, const struct batch *b)
{
	memset(out, 0, BATCH_HEADER);
	put_u64(out, id->salt);
	memcpy(out + 8, batch_magic, sizeof(batch_magic));
	put_u32(out + 12, id->generation);
	put_u32(out + 16, b->offset);
	put_u32(out + 20, b->length);
	put_u64(out + 24, b->first_sequence);
	put_u32(out + 32, b->count);
	put_u32(out + 36, b->durable.generation);
	put_u32(out + 40, b->durable.offset);
	out[44] = (char)b->stream;
	out[45] = (char)b->flags;
	put_u64(out + 48, b->written_us);
	put_u32(out + 60, crc32c(0, out, 60));
}

bool
batch_get(const char *in, const struct segment_id *id, uint32_t offset, struct batch *out)
{
	if (get_u64(in) != id->salt ||
		memcmp(in + 8, batch_magic, sizeof(batch_magic)) != 0 ||
		get_u32(in + 12) != id->generation || get_u32(in + 16) != offset ||
		get_u32(in + 60) != crc32c(0, in, 60))
		return false;
	*out = (struct batch){
		.offset = offset,
		.length = get_u32(in + 20),
		.first_sequence = get_u64(in + 24),
		.count = get_u32(in + 32),
		.durable = { get_u32(in + 36), get_u32(in + 40) },
		.stream = (uint8_t)in[44],
		.flags = (uint8_t)in[45],
		.written_us = get_u64(in + 48),
	};
	return out->stream < STREAMS && out->length >= BATCH_HEADER &&
	       out->length <= id->size - SPOOL_BLOCK - offset;
}

/* ---- records ---- */

/* The CRC starts from the segment's salt and number, so that a record of an earlier use
 * of the file, or one that a sender wrote into a message, is not taken for ours. */
static uint32_t
record_crc(const char *at, const struct segment_id *id, uint32_t head)
{
	uint32_t seed = (uint32_t)(id->salt ^ (id->salt >> 32)) ^ id->generation;

	return crc32c(seed, at + 4, head - 4);
}

void
record_seal(char *at, const struct segment_id *id, const struct record *r)
{
	put_u32(at + 4, r->length);
	put_u32(at + 8, r->head);
	put_u32(at + 12, id->generation);
	put_u64(at + 16, r->sequence);
	at[24] = (char)r->type;
	at[25] = (char)r->flags;
	memset(at + 26, 0, RECORD_HEADER - 26);
	put_u32(at, record_crc(at, id, r->head));
}

int
record_get(const char *in, size_t room, const struct segment_id *id, struct record *out)
{
	if (room < RECORD_HEADER)
		return -1;
	*out = (struct record){
		.length = get_u32(in + 4),
		.head = get_u32(in + 8),
		.sequence = get_u64(in + 16),
		.type = (uint8_t)in[24],
		.flags = (uint8_t)in[25],
	};
	if (out->length > room || out->head < RECORD_HEADER || out->head > out->length ||
		get_u32(in + 12) != id->generation)
		return -1;
	return get_u32(in) == record_crc(in, id, out->head) ? 0 : -1;
}

/* ---- messages ---- */
void
message_head_put(char *record, const struct message_head *m)
{
	char *p = record + RECORD_HEADER;

	put_u64(p, m->arrival_us);
	put_u64(p + 8, m->size);
	put_u64(p + 16, m->body);
	put_u32(p + 24, m->recipients);
	put_u32(p + 28, m->envelope);
	put_u32(p + 32, m->content);
	put_u32(p + 36, m->envelope_crc);
	put_u32(p + 40, m->content_crc);
	put_u32(p + 44, m->body_crc);
	memcpy(p + 48, m->queue_id, sizeof(m->queue_id));
}

int
message_head_get(const char *record, const struct record *r, struct message_head *out)
{
	const char *p = record + RECORD_HEADER;

	if (r->type != RECORD_MESSAGE || r->head != MESSAGE_HEAD)
		return -1;
	*out = (struct message_head){
		.arrival_us = get_u64(p),
		.size = get_u64(p + 8),
		.body = get_u64(p + 16),
		.recipients = get_u32(p + 24),
		.envelope = get_u32(p + 28),
		.content = get_u32(p + 32),
		.envelope_crc = get_u32(p + 36),
		.content_crc = get_u32(p + 40),
		.body_crc = get_u32(p + 44),
	};
	memcpy(out->queue_id, p + 48, sizeof(out->queue_id));
	if (out->queue_id[sizeof(out->queue_id) - 1] != 0)
		return -1;
	return (uint64_t)MESSAGE_HEAD + out->envelope + out->content == r->length ? 0
										  : -1;
}

bool
message_is_whole(const char *record, const struct record *r)
{
	const char *p = record + MESSAGE_HEAD;
	struct message_head h;

	return message_head_get(record, r, &h) == 0 &&
	       crc32c(0, p, h.envelope) == h.envelope_crc &&
	       crc32c(0, p + h.envelope, h.content) == h.content_crc;
}

/* ---- states ---- */
int
states_head_get(const char *record, const struct record *r, struct states_head *out)
{
	if ((r->type != RECORD_STATE && r->type != RECORD_SNAPSHOT) ||
		r->head != r->length || r->length < STATES_HEAD)
		return -1;
	out->mid = get_u64(record + RECORD_HEADER);
	out->count = get_u32(record + RECORD_HEADER + 8);
	out->items = str_of(record + STATES_HEAD, r->length - STATES_HEAD);
	return 0;
}

bool
states_next(struct str *items, struct str *state)
{
	uint32_t len;

	if (items->len < 4 || (len = get_u32(items->data)) > items->len - 4)
		return false;
	*state = str_of(items->data + 4, len);
	*items = str_from(*items, 4 + len);
	return true;
}

/* ---- the manifest ---- */
void
manifest_item_put(char *out, const struct manifest_item *m)
{
	put_u32(out, m->id.slot);
	put_u32(out + 4, m->id.generation);
	put_u64(out + 8, m->id.salt);
	put_u32(out + 16, m->id.size);
	put_u32(out + 20, m->end);
	out[24] = (char)m->state;
	out[25] = (char)m->stream;
	put_u16(out + 26, 0);
}

bool
manifest_item_get(
	const char *record, const struct record *r, uint32_t i, struct manifest_item *out)
{
	const char *p = record + MANIFEST_HEAD + (size_t)i * MANIFEST_ITEM;

	if (r->type != RECORD_MANIFEST || r->head != r->length ||
		r->length < MANIFEST_HEAD || i >= get_u32(record + RECORD_HEADER) ||
		i >= (r->length - MANIFEST_HEAD) / MANIFEST_ITEM)
		return false;
	*out = (struct manifest_item){
		.id = { .slot = get_u32(p),
			.generation = get_u32(p + 4),
			.salt = get_u64(p + 8),
			.size = get_u32(p + 16) },
		.end = get_u32(p + 20),
		.state = (uint8_t)p[24],
		.stream = (uint8_t)p[25],
	};
	return true;
}

/* ---- the mark ---- */
void
mark_put(char out[MARK], const struct mark *m)
{
	memset(out, 0, MARK);
	memcpy(out, mark_magic, sizeof(mark_magic));
	put_u32(out + 8, m->durable.generation);
	put_u32(out + 12, m->durable.offset);
	put_u64(out + 16, m->salt);
	put_u64(out + 24, m->next);
	put_u32(out + 60, crc32c(0, out, 60));
}

int
mark_get(const char in[MARK], struct mark *out)
{
	if (memcmp(in, mark_magic, sizeof(mark_magic)) != 0 ||
		get_u32(in + 60) != crc32c(0, in, 60))
		return -1;
	*out = (struct mark){
		.durable = { get_u32(in + 8), get_u32(in + 12) },
		.salt = get_u64(in + 16),
		.next = get_u64(in + 24),
	};
	return 0;
}
