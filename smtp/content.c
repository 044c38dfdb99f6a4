/* content.c -- the message as it goes over the wire (RFC 5321 section 4.5.2). */
#include "smtp.h"
#include "downgrade.h"
#include "log.h"

#define LINE_LIMIT_LEAST ((size_t)12)

/* Folds as Postfix does: a line end and a blank. No more than the limit on any line. */
static bool
fold(struct conn *conn, struct str *text, size_t *len, size_t limit, size_t *column)
{
	bool folded = *column + *len > limit;

	while (*column + *len > limit) {
		size_t part = limit - *column;

		conn_write(conn, str_sub(*text, 0, part));
		conn_write(conn, STR("\r\n "));
		*text = str_from(*text, part);
		*len -= part;
		*column = 1;
	}
	return folded;
}

bool
content_write(struct conn *conn, struct str text, size_t limit, size_t *column)
{
	bool folded = false;

	if (limit > 0 && limit < LINE_LIMIT_LEAST)
		limit = LINE_LIMIT_LEAST;
	while (text.len > 0) {
		const char *lf = memchr(text.data, '\n', text.len);
		size_t len = lf ? (size_t)(lf - text.data) : text.len;

		if (*column == 0 && text.data[0] == '.')
			conn_write(conn, STR("."));
		if (limit > 0)
			folded |= fold(conn, &text, &len, limit, column);
		conn_write(conn, str_sub(text, 0, len));
		*column += len;
		if (!lf)
			break;
		conn_write(conn, STR("\r\n"));
		*column = 0;
		text = str_from(text, len + 1);
	}
	return folded;
}

/* RFC 6152 section 3: what a server without 8BITMIME gets has to be 7-bit. */
static bool
needs_downgrade(const struct session *s, const struct conf *c)
{
	return !(s->offers & OFFERS_8BITMIME) && !c->p.disable_mime_output_conversion;
}

/* The content's way from the queue to the wire; steps that are not wanted are NULL. */
struct passage {
	struct session *s;
	const struct delivery *d;
	struct downgrade *mime;
	struct edit *edit;
	struct buf converted, edited;
	size_t limit, column;
	bool folded; /* it was told */
};

/* One chunk, or the end of the content (an empty one). */
SWITCHES static void
send_chunk(struct passage *p, struct str chunk)
{
	bool last = chunk.len == 0;

	if (p->mime) {
		buf_clear(&p->converted);
		if (!last)
			downgrade_add(p->mime, chunk, &p->converted);
		else
			downgrade_end(p->mime, &p->converted);
		chunk = buf_str(&p->converted);
	}
	if (p->edit) {
		buf_clear(&p->edited);
		edit_add(p->edit, chunk, &p->edited);
		if (last)
			edit_end(p->edit, &p->edited);
		chunk = buf_str(&p->edited);
	}
	if (content_write(p->s->conn, chunk, p->limit, &p->column) && !p->folded) {
		log_line(SMTP_FOLD, p->d->envelope.queue_id, log_num((int64_t)p->limit));
		p->folded = true;
	}
}

static enum conn_result
send_all(struct passage *p, struct content_cursor *c, struct why *why)
{
	const struct conf *conf = p->d->conf;
	/* smtp_per_request_deadline: time for the whole, stretched by what is sent. */
	deadline_t patience = deadline_in(conf->p.smtp_data_xfer_timeout);
	enum conn_result sent;
	struct str chunk;
	int got;

	while ((got = content_next(c, &chunk)) > 0) {
		sent = CONN_OK;
		send_chunk(p, chunk);
		if (!conf->p.smtp_per_request_deadline)
			patience = deadline_in(conf->p.smtp_data_xfer_timeout);
		else
			patience += (msec_t)chunk.len * 1000 / conf->p.smtp_min_data_rate;
		if (c->left > 0)
			sent = conn_flush(p->s->conn, patience);
		if (sent != CONN_OK)
			return sent;
	}
	if (got < 0) {
		why_set(why, "4.3.0", "cannot read the content of the message");
		return CONN_ERROR;
	}
	send_chunk(p, STR_NONE);
	if (p->mime && p->mime->problem) {
		why_set(why, "5.6.0", "MIME conversion failed: %s", p->mime->problem);
		return CONN_ERROR;
	}
	if (p->edit && p->edit->failed) {
		why_set(why, "4.3.0", "local data error while talking to %.*s",
			STR_ARG(p->s->namaddr));
		return CONN_ERROR;
	}
	if (p->s->pix_delay_dot) {
		if (p->column > 0)
			conn_write(p->s->conn, STR("\r\n"));
		p->column = 0;
		sent = conn_flush(p->s->conn, patience);
		if (sent != CONN_OK)
			return sent;
		(void)co_sleep(deadline_in(conf->p.smtp_pix_workaround_delay_time));
	}
	conn_write(p->s->conn, p->column > 0 ? STR("\r\n.\r\n") : STR(".\r\n"));
	return CONN_OK;
}

enum conn_result
content_send(struct session *s, const struct delivery *d, struct why *why)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct downgrade mime CLEANUP(downgrade_free) = { 0 };
	struct edit edit CLEANUP(edit_free) = { 0 };
	const struct params *p = &d->conf->p;
	struct passage way = { .s = s,
		.d = d,
		.mime = needs_downgrade(s, d->conf) ? &mime : NULL,
		.edit = edit_wants() ? &edit : NULL,
		.limit = (size_t)p->smtp_line_length_limit };
	enum conn_result sent;

	why->code[0] = '\0';
	downgrade_begin(&mime, (size_t)p->mime_nesting_limit,
		(size_t)p->mime_boundary_length_limit);
	edit_begin(&edit, d);
	content_open(&c, d->ask.content, d->rest_fd, d->ask.rest);
	sent = send_all(&way, &c, why);
	buf_free(&way.converted);
	buf_free(&way.edited);
	return sent;
}
