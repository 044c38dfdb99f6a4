/* file.c -- see file.h. */
#include "file.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_LINE "Postern queue file 1\n"
enum { CRC_LINE = 13 }; /* "crc 01234567\n", the end of the head */

void
file_head_put(char out[FILE_HEAD], const struct file_head *h)
{
	int n;

	memset(out, '\n', FILE_HEAD);
	n = snprintf(out, FILE_HEAD - CRC_LINE,
		FIRST_LINE "mid %016" PRIx64 "\nid %s\narrival %" PRIu64 "\nsize %" PRIu64
			   "\nrecipients %" PRIu32 "\nhold %d\nenvelope %d %" PRIu32
			   " %08" PRIx32 "\ncontent %" PRIu64 " %" PRIu32 " %08" PRIx32
			   "\nbody %016" PRIx64 " %08" PRIx32 "\nstates %" PRIu64 "\n",
		h->mid, h->queue_id, h->arrival_us, (uint64_t)h->size, h->recipients,
		h->hold, FILE_HEAD, h->envelope, h->envelope_crc,
		FILE_HEAD + (uint64_t)h->envelope, h->content, h->content_crc, h->body,
		h->body_crc, (uint64_t)h->states);
	ensure(n > 0 && n < FILE_HEAD - CRC_LINE);
	out[n] = '\n';
	snprintf(out + FILE_HEAD - CRC_LINE, CRC_LINE, "crc %08" PRIx32,
		crc32c(0, out, FILE_HEAD - CRC_LINE));
	out[FILE_HEAD - 1] = '\n';
}

int
file_head_get(const char in[FILE_HEAD], struct file_head *out)
{
	char text[FILE_HEAD - CRC_LINE + 1], crc[CRC_LINE];
	uint64_t size, states, content_at;
	unsigned hold, envelope_at;
	int end = -1;

	memcpy(text, in, sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	snprintf(crc, sizeof(crc), "crc %08" PRIx32, crc32c(0, in, sizeof(text) - 1));
	if (memcmp(in + FILE_HEAD - CRC_LINE, crc, CRC_LINE - 1) != 0 ||
		in[FILE_HEAD - 1] != '\n')
		return -1;
	memset(out, 0, sizeof(*out));
	if (sscanf(text,
		    FIRST_LINE "mid %16" SCNx64 " id %31s arrival %20" SCNu64
			       " size %20" SCNu64 " recipients %10" SCNu32
			       " hold %1u envelope %3u %10" SCNu32 " %8" SCNx32
			       " content %20" SCNu64 " %10" SCNu32 " %8" SCNx32
			       " body %16" SCNx64 " %8" SCNx32 " states %20" SCNu64 "%n",
		    &out->mid, out->queue_id, &out->arrival_us, &size, &out->recipients,
		    &hold, &envelope_at, &out->envelope, &out->envelope_crc, &content_at,
		    &out->content, &out->content_crc, &out->body, &out->body_crc, &states,
		    &end) != 15 ||
		end < 0)
		return -1;
	out->size = size;
	out->states = states;
	out->hold = hold != 0;
	if (!is_file_mid(out->mid) || envelope_at != FILE_HEAD ||
		content_at != FILE_HEAD + (uint64_t)out->envelope ||
		out->states < content_at + out->content || out->states % FILE_ALIGN ||
		out->states > content_at + out->content + FILE_ALIGN ||
		out->size < out->content)
		return -1;
	return 0;
}

void
file_path(char out[FILE_PATH], uint64_t mid, const char *suffix)
{
	snprintf(out, FILE_PATH, "%02x/%016" PRIx64 "%.5s", (unsigned)(mid & 0xff), mid,
		suffix);
}

uint64_t
file_mid_of(const char *name)
{
	char again[FILE_PATH], *end;
	uint64_t mid = strtoull(name, &end, 16);

	file_path(again, mid, "");
	return *end == 0 && is_file_mid(mid) && strcmp(again + 3, name) == 0 ? mid : 0;
}

/* ---- states ---- */
enum { BLOCK = 4096 };

octets_t
file_state_place(octets_t end, size_t length)
{
	octets_t at = (end + FILE_ALIGN - 1) / FILE_ALIGN * FILE_ALIGN;
	size_t size = file_state_size(length);

	if (size <= BLOCK && at / BLOCK != (at + size - 1) / BLOCK)
		at = (at / BLOCK + 1) * BLOCK;
	return at;
}

void
file_state_put(struct buf *out, uint64_t mid, octets_t at, octets_t durable,
	uint32_t number, struct str state)
{
	size_t size = file_state_size(state.len);
	char *p;

	buf_need(out, size);
	p = out->data + out->len;
	memset(p, 0, size);
	memcpy(p, FILE_STATE_MARK, FILE_STATE_MARK_SIZE);
	put_u32(p + 8, (uint32_t)state.len);
	put_u32(p + 12, number);
	put_u64(p + 16, mid);
	put_u64(p + 24, at);
	put_u64(p + 32, durable);
	if (state.len)
		memcpy(p + FILE_STATE, state.data, state.len);
	put_u32(p + 4, crc32c(0, p + 8, FILE_STATE - 8 + state.len));
	out->len += size;
}

/* The state that begins here; false: none does. */
static bool
state_get(struct str area, octets_t at, uint64_t mid, struct str *out)
{
	const char *p = area.data;
	uint32_t length;

	if (area.len < FILE_STATE ||
		memcmp(p, FILE_STATE_MARK, FILE_STATE_MARK_SIZE) != 0)
		return false;
	length = get_u32(p + 8);
	if (length > area.len - FILE_STATE || get_u64(p + 16) != mid ||
		get_u64(p + 24) != at ||
		get_u32(p + 4) != crc32c(0, p + 8, FILE_STATE - 8 + length))
		return false;
	*out = str_of(p + FILE_STATE, length);
	return true;
}

/* Behind the last good state: bytes that are no state. One that lies in a single block is
 * written whole or not at all; a longer one may be torn. */
static void
look_behind(struct str rest, octets_t begin, struct file_walk *w)
{
	size_t first = 0;
	bool is_long;

	while (first < rest.len && rest.data[first] == 0)
		first++;
	if (first == rest.len)
		return;
	if (rest.len - first >= 12 &&
		memcmp(rest.data + first, FILE_STATE_MARK, FILE_STATE_MARK_SIZE) == 0)
		is_long = file_state_size(get_u32(rest.data + first + 8)) > BLOCK;
	else
		is_long = begin / BLOCK != (begin + first) / BLOCK;
	if (is_long)
		w->torn = true;
	else
		w->damaged = true;
}

void
file_walk(struct str area, octets_t begin, uint64_t mid, struct file_walk *w)
{
	octets_t durable = 0, first_gap = 0;
	size_t at = 0;

	w->end = begin;
	w->records = 0;
	w->damaged = w->torn = false;
	while (at + FILE_STATE <= area.len) {
		struct str state;

		if (!state_get(str_from(area, at), begin + at, mid, &state)) {
			at += FILE_ALIGN;
			continue;
		}
		if (get_u32(area.data + at + 12) != w->records && !first_gap)
			first_gap = w->end + 1;
		w->records = get_u32(area.data + at + 12) + 1;
		durable = MAX(durable, get_u64(area.data + at + 32));
		at += file_state_size(state.len);
		w->end = begin + at;
		w->state(w->arg, state);
	}
	if (first_gap && first_gap <= durable)
		w->damaged = true;
	else if (first_gap)
		w->torn = true;
	if (w->end - begin < area.len)
		look_behind(str_from(area, (size_t)(w->end - begin)), w->end, w);
}
