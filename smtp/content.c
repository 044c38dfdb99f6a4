/* content.c -- the message as it goes over the wire (RFC 5321 section 4.5.2). */
#include "smtp.h"
#include "downgrade.h"

#define LINE_LIMIT_LEAST ((size_t)12)

/* Folds as Postfix does: a line end and a blank. No more than the limit on any line. */
static void
fold(struct conn *conn, struct str *text, size_t *len, size_t limit, size_t *column)
{
	while (*column + *len > limit) {
		size_t part = limit - *column;

		conn_write(conn, str_sub(*text, 0, part));
		conn_write(conn, STR("\r\n "));
		*text = str_from(*text, part);
		*len -= part;
		*column = 1;
	}
}

void
content_write(struct conn *conn, struct str text, size_t limit, size_t *column)
{
	if (limit > 0 && limit < LINE_LIMIT_LEAST)
		limit = LINE_LIMIT_LEAST;
	while (text.len > 0) {
		const char *lf = memchr(text.data, '\n', text.len);
		size_t len = lf ? (size_t)(lf - text.data) : text.len;

		if (*column == 0 && text.data[0] == '.')
			conn_write(conn, STR("."));
		if (limit > 0)
			fold(conn, &text, &len, limit, column);
		conn_write(conn, str_sub(text, 0, len));
		*column += len;
		if (!lf)
			return;
		conn_write(conn, STR("\r\n"));
		*column = 0;
		text = str_from(text, len + 1);
	}
}

/* RFC 6152 section 3: what a server without 8BITMIME gets has to be 7-bit. */
static bool
needs_downgrade(const struct session *s, const struct conf *c)
{
	return !(s->offers & OFFERS_8BITMIME) && !c->p.disable_mime_output_conversion;
}

/* One chunk, or the end of the content (an empty one), on its way through the conversion,
 * if any. */
static void
send_chunk(struct conn *conn, struct str chunk, struct downgrade *mime,
	struct buf *converted, size_t limit, size_t *column)
{
	if (mime) {
		buf_clear(converted);
		if (chunk.len > 0)
			downgrade_add(mime, chunk, converted);
		else
			downgrade_end(mime, converted);
		chunk = buf_str(converted);
	}
	content_write(conn, chunk, limit, column);
}

static enum conn_result
send_all(struct session *s, const struct delivery *d, struct content_cursor *c,
	struct downgrade *mime, struct why *why)
{
	size_t limit = (size_t)d->conf->p.smtp_line_length_limit, column = 0;
	struct buf converted CLEANUP(buf_free) = BUF_INIT;
	struct str chunk;
	int got;

	while ((got = content_next(c, &chunk)) > 0) {
		deadline_t patience = deadline_in(d->conf->p.smtp_data_xfer_timeout);
		enum conn_result sent = CONN_OK;

		send_chunk(s->conn, chunk, mime, &converted, limit, &column);
		if (c->left > 0)
			sent = conn_flush(s->conn, patience);
		if (sent != CONN_OK)
			return sent;
	}
	if (got < 0) {
		why_set(why, "4.3.0", "cannot read the content of the message");
		return CONN_ERROR;
	}
	send_chunk(s->conn, STR_NONE, mime, &converted, limit, &column);
	if (mime && mime->problem) {
		why_set(why, "5.6.0", "MIME conversion failed: %s", mime->problem);
		return CONN_ERROR;
	}
	conn_write(s->conn, column > 0 ? STR("\r\n.\r\n") : STR(".\r\n"));
	return CONN_OK;
}

enum conn_result
content_send(struct session *s, const struct delivery *d, struct why *why)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct downgrade mime CLEANUP(downgrade_free) = { 0 };
	const struct params *p = &d->conf->p;
	bool convert = needs_downgrade(s, d->conf);

	why->code[0] = '\0';
	downgrade_begin(&mime, (size_t)p->mime_nesting_limit,
		(size_t)p->mime_boundary_length_limit);
	content_open(&c, d->ask.content, d->rest_fd, d->ask.rest);
	return send_all(s, d, &c, convert ? &mime : NULL, why);
}
