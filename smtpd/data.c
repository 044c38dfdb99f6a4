/* data.c -- see data.h. The inner loop finds line ends with memchr and copies whole
 * lines; only what happens at their edges is looked at byte by byte. */
#include "data.h"

void
data_scan_init(struct data_scan *d, bool chunked, enum data_end end, bool after_crlf)
{
	*d = (struct data_scan){
		.chunked = chunked,
		.end = end == DATA_END_LF_ONLY && after_crlf ? DATA_END_STRICT : end,
		.last_crlf = after_crlf,
	};
}

/* Writes the end of a line and remembers what kind the client sent. */
static char *
line_end(struct data_scan *d, char *to, bool crlf)
{
	*to++ = '\n';
	d->size++; /* the CR that was or should have been there */
	d->last_crlf = crlf;
	d->bare_lf |= !crlf;
	if (crlf && d->end == DATA_END_LF_ONLY)
		d->end = DATA_END_STRICT;
	d->place = DATA_START;
	return to;
}

/* The rest of the line at `at`, or as much of it as there is. */
static const char *
scan_text(struct data_scan *d, const char *at, const char *end, char **to)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	const char *stop = lf ? lf : end;
	bool cr = stop > at && stop[-1] == '\r';
	size_t n = (size_t)(stop - at) - cr;

	memcpy(*to, at, n);
	*to += n;
	if (!lf) {
		d->place = cr ? DATA_TEXT_CR : DATA_TEXT;
		return end;
	}
	*to = line_end(d, *to, cr);
	return lf + 1;
}

/* Behind a dot at the start of a line, and perhaps a CR. Returns what is to be read next.
 */
static const char *
scan_after_dot(struct data_scan *d, const char *at, char **to)
{
	bool cr = d->place == DATA_DOT_CR;

	if (*at == '\r' && !cr) {
		d->place = DATA_DOT_CR;
		return at + 1;
	}
	if (*at != '\n') { /* transparency: the dot was stuffed (section 4.5.2) */
		if (cr)
			*(*to)++ = '\r';
		d->place = DATA_TEXT;
		return at;
	}
	if ((cr && d->last_crlf) || d->end == DATA_END_ANY ||
		(d->end == DATA_END_LF_ONLY && !cr)) {
		d->ended = true;
		d->place = DATA_START;
		return at + 1;
	}
	/* A line with only a dot, but one of its line ends is not CRLF: content. The dot
	 * stays, so that no one behind us can take it for an end. */
	*(*to)++ = '.';
	*to = line_end(d, *to, cr);
	return at + 1;
}

size_t
data_scan(struct data_scan *d, struct str in, struct buf *out)
{
	const char *at = in.data, *end = in.data + in.len;
	char *to, *begin;

	buf_need(out, in.len + 2);
	begin = to = out->data + out->len;
	while (at < end && !d->ended) {
		switch (d->place) {
		case DATA_START:
			if (*at == '.' && !d->chunked) {
				d->place = DATA_DOT;
				at++;
				break;
			}
			d->place = DATA_TEXT;
			/* fall through */
		case DATA_TEXT:
			at = scan_text(d, at, end, &to);
			break;
		case DATA_TEXT_CR:
			if (*at == '\n') {
				to = line_end(d, to, true);
				at++;
			} else {
				*to++ = '\r';
				d->place = DATA_TEXT;
			}
			break;
		case DATA_DOT:
		case DATA_DOT_CR:
			at = scan_after_dot(d, at, &to);
			break;
		}
	}
	d->size += (octets_t)(to - begin);
	out->len += (size_t)(to - begin);
	return (size_t)(at - in.data);
}

void
data_scan_finish(struct data_scan *d, struct buf *out)
{
	size_t before = out->len;
	char *to;

	if (d->place == DATA_START)
		return;
	buf_need(out, 2);
	to = out->data + out->len;
	if (d->place == DATA_TEXT_CR)
		*to++ = '\r';
	to = line_end(d, to, true);
	out->len = (size_t)(to - out->data);
	d->size += out->len - before;
}
