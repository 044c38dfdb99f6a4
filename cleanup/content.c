/* content.c -- the content of a message, from the submitter's stream to finished bytes.
 */
#include "message.h"
#include "log.h"
#include "service.h"
#include <errno.h>

/* Bytes that all messages in this process keep in memory. */
static size_t kept_together;

static void
content_flush(struct message *m)
{
	size_t kept = m->content.len;

	if (m->verdict != ACCEPT)
		return;
	if (commit_stream(m, buf_str(&m->content)) < 0) {
		commit_stopped(m);
		return;
	}
	buf_free(&m->content);
	kept_together -= kept;
}

/* cleanup_replace_stray_cr_lf: submitters have made line ends of CRLF; a CR that is left
 * would end a line for one program and not for another. */
static struct str
replace_stray_cr(struct message *m, struct str chunk)
{
	char *copy;

	if (!m->conf->p.cleanup_replace_stray_cr_lf || str_chr(chunk, '\r') < 0)
		return chunk;
	buf_clear(&m->replaced);
	buf_add(&m->replaced, chunk);
	copy = m->replaced.data;
	for (size_t i = 0; i < chunk.len; i++)
		if (copy[i] == '\r')
			copy[i] = ' ';
	return buf_str(&m->replaced);
}

/* Appends finished bytes. */
void
content_add(struct message *m, struct str bytes)
{
	int64_t limit = m->conf->p.message_size_limit;

	if (m->verdict != ACCEPT || bytes.len == 0)
		return;
	m->size += bytes.len;
	m->mid_line = bytes.data[bytes.len - 1] != '\n';
	if (limit > 0 && m->size > (octets_t)limit) {
		message_fail(m, PERMFAIL, 552, "5.3.4", "message file too big");
		return;
	}
	if (m->to_spool) {
		if (commit_stream(m, bytes) < 0)
			commit_stopped(m);
		return;
	}
	buf_add(&m->content, bytes);
	kept_together += bytes.len;
	if (m->content.len >= CONTENT_KEPT ||
		(kept_together > CONTENT_KEPT_TOGETHER && m->content.len >= IPC_CHUNK))
		content_flush(m);
}

static void
content_field(struct message *m, struct field *f)
{
	enum field_fate fate = FIELD_KEEP;

	for (size_t i = 0; i < n_steps && fate == FIELD_KEEP && m->verdict == ACCEPT; i++)
		if (steps[i].field)
			fate = steps[i].field(m, f);
	if (fate == FIELD_KEEP)
		content_add(m, f->text);
}

/* The header section is over: what is missing, the empty line where a body follows, and
 * the first bytes of it that the header parser had already taken in. */
static void
content_header_ended(struct message *m, bool body_follows)
{
	for (size_t i = 0; i < n_steps && m->verdict == ACCEPT; i++)
		if (steps[i].fields_end)
			steps[i].fields_end(m);
	if (body_follows)
		content_add(m, STR("\n"));
	content_add(m, buf_str(&m->fields.line));
}

static void
content_take(struct message *m, struct str chunk)
{
	struct field field;
	enum fields_event event;

	if (!m->fields.ended) {
		while ((event = fields_next(&m->fields, &chunk, &field)) == FIELDS_FIELD)
			content_field(m, &field);
		if (event == FIELDS_MORE)
			return;
		content_header_ended(m, true);
	}
	content_add(m, chunk);
}

static void
content_finish(struct message *m)
{
	struct field field;
	bool in_header = !m->fields.ended;

	while (in_header && fields_finish(&m->fields, &field) == FIELDS_FIELD)
		content_field(m, &field);
	if (in_header)
		content_header_ended(m, m->fields.line.len > 0);
	if (m->mid_line)
		content_add(m, STR("\n"));
}

void
content_read(struct message *m)
{
	struct str chunk;
	int got;

	for (size_t i = 0; i < m->ask.prepend.n; i++) {
		content_add(m, m->ask.prepend.items[i]);
		content_add(m, STR("\n"));
	}
	content_add(m, m->ask.received);
	m->received = m->ask.received.len > 0; /* ours counts too */
	while ((got = ipc_request_read(m->rq, &chunk, DEADLINE_NEVER)) > 0)
		if (m->verdict == ACCEPT)
			content_take(m, replace_stray_cr(m, chunk));
	if (got < 0) /* nobody waits for an answer any more */
		message_fail(m, TEMPFAIL, 451, "4.3.0", "the submitter went away");
	else if (m->verdict == ACCEPT)
		content_finish(m);
	kept_together -= m->content.len;
}
