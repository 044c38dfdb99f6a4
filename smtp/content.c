/* content.c -- the message as it goes over the wire (RFC 5321 section 4.5.2). */
#include "smtp.h"

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

enum conn_result
content_send(struct conn *conn, const struct delivery *d, bool *unreadable)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	size_t limit = (size_t)d->conf->p.smtp_line_length_limit, column = 0;
	struct str chunk;
	int got;

	*unreadable = false;
	content_open(&c, d->ask.content, d->rest_fd, d->ask.rest);
	while ((got = content_next(&c, &chunk)) > 0) {
		deadline_t patience = deadline_in(d->conf->p.smtp_data_xfer_timeout);
		enum conn_result sent = CONN_OK;

		content_write(conn, chunk, limit, &column);
		if (c.left > 0)
			sent = conn_flush(conn, patience);
		if (sent != CONN_OK)
			return sent;
	}
	*unreadable = got < 0;
	if (got < 0)
		return CONN_ERROR;
	conn_write(conn, column > 0 ? STR("\r\n.\r\n") : STR(".\r\n"));
	return CONN_OK;
}
