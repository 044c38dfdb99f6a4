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

	if (m->verdict != ACCEPT || m->discarded || bytes.len == 0)
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
	if ((m->content.len >= CONTENT_KEPT && !checks_want_body(m)) ||
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

/* ---- the parts of the message ---- */

static void
on_field(void *arg, struct field *f)
{
	struct message *m = arg;

	if (m->verdict != ACCEPT)
		return;
	if (m->parts.header == HEADER_PRIMARY)
		content_field(m, f);
	else if (checks_field(m, m->parts.header, f) == FIELD_KEEP)
		content_add(m, f->text);
}

/* The header section is over: what is missing, and the empty line. */
static void
on_header_end(void *arg, bool cut_short)
{
	struct message *m = arg;
	bool primary = m->parts.header == HEADER_PRIMARY;

	for (size_t i = 0; primary && i < n_steps && m->verdict == ACCEPT; i++)
		if (steps[i].fields_end)
			steps[i].fields_end(m);
	if (!cut_short)
		content_add(m, STR("\n"));
	m->body_seen = 0;
}

static void
on_text(void *arg, struct str bytes)
{
	struct message *m = arg;

	if (m->body_line.len > 0 || checks_want_body(m))
		checks_body(m, bytes);
	else
		content_add(m, bytes);
}

/* Boundary lines are looked at like text. */
static const struct parts_calls part_calls = { on_field, on_header_end, on_text,
	on_text };

static void
parts_begin(struct message *m)
{
	const struct params *p = &m->conf->p;
	const uint32_t unchecked =
		ENVELOPE_NO_CHECKS | ENVELOPE_BOUNCE | ENVELOPE_FORWARDED;

	m->checked = !(m->envelope.flags & unchecked);
	m->parts = (struct parts){ .calls = &part_calls,
		.arg = m,
		.field_limit = (size_t)p->header_size_limit,
		.nesting_limit = (size_t)p->mime_nesting_limit,
		.boundary_limit = (size_t)p->mime_boundary_length_limit,
		.only_primary =
			p->disable_mime_input_processing || !checks_want_parts(m) };
}

static void
content_finish(struct message *m)
{
	parts_end(&m->parts);
	checks_body_end(m);
	if (m->mid_line)
		content_add(m, STR("\n"));
}

void
content_read(struct message *m)
{
	struct str chunk;
	int got;

	parts_begin(m);
	for (size_t i = 0; i < m->ask.prepend.n; i++) {
		content_add(m, m->ask.prepend.items[i]);
		content_add(m, STR("\n"));
	}
	content_add(m, m->ask.received);
	m->received = m->ask.received.len > 0; /* ours counts too */
	while ((got = ipc_request_read(m->rq, &chunk, DEADLINE_NEVER)) > 0)
		if (m->verdict == ACCEPT)
			parts_add(&m->parts, replace_stray_cr(m, chunk));
	if (got < 0) /* nobody waits for an answer any more */
		message_fail(m, TEMPFAIL, 451, "4.3.0", "the submitter went away");
	else if (m->verdict == ACCEPT)
		content_finish(m);
	kept_together -= m->content.len;
}
