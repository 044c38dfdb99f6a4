/* encode.c -- the bytes of declared messages.
 *
 * Integers are big endian. A string is u32 length + 1 and the bytes; 0 stands for none,
 * so that STR_NONE and "" stay different. A list is u32 count, then for each item u32
 * size and its fields. A message that ends early reads as zeros from there on, and bytes
 * behind the last known field are skipped: that is how fields are added. */
#include "ipc.h"
#include <errno.h>

void
ipc_put_u8(struct buf *b, uint8_t v)
{
	buf_addc(b, (char)v);
}

void
ipc_put_u16(struct buf *b, uint16_t v)
{
	buf_need(b, sizeof(v));
	put_u16(b->data + b->len, v);
	b->len += sizeof(v);
}

void
ipc_put_u32(struct buf *b, uint32_t v)
{
	buf_need(b, sizeof(v));
	put_u32(b->data + b->len, v);
	b->len += sizeof(v);
}

void
ipc_put_u64(struct buf *b, uint64_t v)
{
	buf_need(b, sizeof(v));
	put_u64(b->data + b->len, v);
	b->len += sizeof(v);
}

void
ipc_put_str(struct buf *b, struct str v)
{
	ensure(v.len < UINT32_MAX);
	buf_need(b, sizeof(uint32_t) + v.len);
	ipc_put_u32(b, v.data ? (uint32_t)v.len + 1 : 0);
	buf_add(b, v);
}

void
ipc_put_strs(struct buf *b, struct strs v)
{
	ipc_put_u32(b, (uint32_t)v.n);
	for (size_t i = 0; i < v.n; i++)
		ipc_put_str(b, v.items[i]);
}

size_t
ipc_item_open(struct buf *b)
{
	ipc_put_u32(b, 0);
	return b->len;
}

void
ipc_item_close(struct buf *b, size_t at)
{
	put_u32(b->data + at - sizeof(uint32_t), (uint32_t)(b->len - at));
}

/* The next n bytes, or NULL: at the very end of the message that is a field which an
 * older peer does not send, elsewhere it is a broken message. */
static const char *
take(struct ipc_reader *r, size_t n)
{
	const char *at = r->at;

	if ((size_t)(r->end - r->at) < n) {
		if (r->at != r->end)
			r->bad = true;
		r->at = r->end;
		return NULL;
	}
	r->at += n;
	return at;
}

uint8_t
ipc_get_u8(struct ipc_reader *r)
{
	const char *p = take(r, 1);

	return p ? (uint8_t)*p : 0;
}

uint16_t
ipc_get_u16(struct ipc_reader *r)
{
	const char *p = take(r, 2);

	return p ? get_u16(p) : 0;
}

uint32_t
ipc_get_u32(struct ipc_reader *r)
{
	const char *p = take(r, 4);

	return p ? get_u32(p) : 0;
}

uint64_t
ipc_get_u64(struct ipc_reader *r)
{
	const char *p = take(r, 8);

	return p ? get_u64(p) : 0;
}

/* n bytes that were announced: here the end of the message is no excuse. */
static struct str
take_announced(struct ipc_reader *r, size_t n)
{
	const char *p;

	if ((size_t)(r->end - r->at) < n) {
		r->bad = true;
		r->at = r->end;
		return STR_NONE;
	}
	p = r->at;
	r->at += n;
	return str_of(p, n);
}

struct str
ipc_get_str(struct ipc_reader *r)
{
	uint32_t len = ipc_get_u32(r);

	return len == 0 ? STR_NONE : take_announced(r, len - 1);
}

struct str
ipc_get_item(struct ipc_reader *r)
{
	if (r->at == r->end) {
		r->bad = true;
		return STR_NONE;
	}
	return take_announced(r, ipc_get_u32(r));
}

size_t
ipc_list_count(struct ipc_reader *r)
{
	size_t n = ipc_get_u32(r);

	if (n > (size_t)(r->end - r->at) / sizeof(uint32_t)) {
		r->bad = true;
		r->at = r->end;
		return 0;
	}
	return n;
}

struct strs
ipc_get_strs(struct ipc_reader *r, struct arena *arena)
{
	struct strs v = { NULL, ipc_list_count(r) };

	if (v.n > 0)
		v.items = arena_alloc(arena, v.n * sizeof(*v.items));
	for (size_t i = 0; i < v.n; i++)
		v.items[i] = ipc_get_str(r);
	return v;
}

int
ipc_decoded(int result)
{
	if (result < 0)
		errno = EPROTO;
	return result;
}

void
ipc_show_num(struct buf *b, const char *field, uint64_t v)
{
	buf_printf(b, " %s=%llu", field, (unsigned long long)v);
}

enum { SHOWN_LIMIT = 80 }; /* bytes of a string worth showing */

void
ipc_show_str(struct buf *b, const char *field, struct str v)
{
	if (!v.data) {
		buf_printf(b, " %s=none", field);
		return;
	}
	buf_printf(b, " %s=\"", field);
	for (size_t i = 0; i < MIN(v.len, (size_t)SHOWN_LIMIT); i++) {
		if (ascii_is_print(v.data[i]) && v.data[i] != '"' && v.data[i] != '\\')
			buf_addc(b, v.data[i]);
		else
			buf_printf(b, "\\x%02x", (unsigned char)v.data[i]);
	}
	if (v.len > SHOWN_LIMIT)
		buf_printf(b, "\"... (%zu)", v.len);
	else
		buf_addc(b, '"');
}

void
ipc_show_strs(struct buf *b, const char *field, struct strs v)
{
	for (size_t i = 0; i < v.n; i++)
		ipc_show_str(b, field, v.items[i]);
}
