/* buf.c -- bytes that grow. */
#include "base.h"
#include <stdio.h>

void
buf_free(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf)BUF_INIT;
}

void
buf_wipe(struct buf *b)
{
	mem_wipe(b->data, b->room);
	buf_free(b);
}

void
buf_need(struct buf *b, size_t more)
{
	size_t room = b->room ? b->room : 64;

	if (b->room - b->len >= more)
		return;
	ensure(more < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	while (room - b->len < more)
		room *= 2;
	b->data = mem_resize(b->data, room);
	b->room = room;
}

void
buf_add(struct buf *b, struct str s)
{
	if (s.len == 0)
		return;
	buf_need(b, s.len);
	memcpy(b->data + b->len, s.data, s.len);
	b->len += s.len;
}

void
buf_addc(struct buf *b, char c)
{
	buf_need(b, 1);
	b->data[b->len++] = c;
}

void
buf_addz(struct buf *b, const char *z)
{
	buf_add(b, str_c(z));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

/* Most texts fit at the first try; the others are measured by it. */
void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	buf_need(b, 80);
	va_copy(again, ap);
	len = vsnprintf(b->data + b->len, b->room - b->len, fmt, ap);
	ensure(len >= 0);
	if ((size_t)len >= b->room - b->len) {
		buf_need(b, (size_t)len + 1);
		vsnprintf(b->data + b->len, b->room - b->len, fmt, again);
	}
	va_end(again);
	b->len += (size_t)len;
}

void
buf_drop(struct buf *b, size_t n)
{
	ensure(n <= b->len);
	b->len -= n;
	if (n > 0 && b->len > 0)
		memmove(b->data, b->data + n, b->len);
}

const char *
buf_cstr(struct buf *b)
{
	ensure(str_chr(buf_str(b), '\0') < 0);
	buf_need(b, 1);
	b->data[b->len] = '\0';
	return b->data;
}
