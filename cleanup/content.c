/* content.c -- the content of a message, from the submitter's stream to finished bytes.
 */
#include "message.h"
#include "log.h"
#include "service.h"
#include <errno.h>

/* Bytes that all messages in this process keep in memory. */
static size_t kept_together;

/* Does anything depend on what the parts are? */
static bool
wants_parts(const struct message *m)
{
	return message_checks_parts(m) || strict_wants_parts(m) ||
	       (m->conf->p.detect_8bit_encoding_header && !m->to_spool &&
		       !(m->envelope.flags & ENVELOPE_8BIT));
}

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
	if (!wants_parts(m)) /* the envelope has left */
		parts_ignore(&m->parts);
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
	if (message_has_milters(m) || message_may_be_signed(m) || m->sealer ||
		message_is_verified(m)) {
		/* They may change all of it, and a signature, or what is said of one,
		 * stands in front of what it is made over. One alone may be of any size.
		 */
		if (kept_together > CONTENT_KEPT_TOGETHER &&
			kept_together > m->content.len + m->raw.len)
			message_fail(m, TEMPFAIL, 451, "4.3.1",
				"Insufficient system resources");
		return;
	}
	if ((m->content.len >= CONTENT_KEPT && !message_checks_body(m)) ||
		(kept_together > CONTENT_KEPT_TOGETHER && m->content.len >= IPC_CHUNK))
		content_flush(m);
}

void
content_replace(struct message *m, struct buf *fresh)
{
	int64_t limit = m->conf->p.message_size_limit;

	kept_together += fresh->len;
	content_free(m);
	m->content = *fresh;
	*fresh = (struct buf)BUF_INIT;
	m->size = m->content.len;
	if (limit > 0 && m->size > (octets_t)limit)
		message_fail(m, PERMFAIL, 552, "5.3.4", "message file too big");
}

void
content_free_raw(struct message *m)
{
	kept_together -= m->raw.len;
	buf_free(&m->raw);
}

static void
keep_raw(struct message *m, struct str chunk)
{
	if (!message_is_verified(m))
		return;
	buf_add(&m->raw, chunk);
	kept_together += chunk.len;
}

void
content_free(struct message *m)
{
	kept_together -= m->content.len;
	buf_free(&m->content);
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
	strict_field(m, f);
	if (m->parts.header == HEADER_PRIMARY)
		content_field(m, f);
	else if (checks_field(&m->checks, m->parts.header, f)) {
		(void)header_see_encoding(m, f);
		content_add(m, f->text);
	}
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
	strict_header_end(m);
	if (primary && strict_adds_header(m))
		content_add(m, STR("MIME-Error: message header was not terminated by "
				   "empty line\n"));
	if (!wants_parts(m))
		parts_ignore(&m->parts);
	if (!cut_short)
		content_add(m, STR("\n"));
	checks_part_begins(&m->checks);
}

static void
on_text(void *arg, struct str bytes)
{
	struct message *m = arg;

	strict_text(m, bytes);
	checks_body(&m->checks, bytes);
}

/* Boundary lines are looked at like text. */
static const struct parts_calls part_calls = { on_field, on_header_end, on_text,
	on_text };

static void
parts_begin(struct message *m)
{
	const struct params *p = &m->conf->p;

	m->parts = (struct parts){ .calls = &part_calls,
		.arg = m,
		.field_limit = (size_t)p->header_size_limit,
		.nesting_limit = (size_t)p->mime_nesting_limit,
		.boundary_limit = (size_t)p->mime_boundary_length_limit,
		.only_primary = p->disable_mime_input_processing };
	message_checks_begin(m);
	strict_begin(m);
	input_begin(m);
}

static void
content_finish(struct message *m)
{
	input_end(m);
	checks_body_end(&m->checks);
	strict_judge(m);
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
		input_own(m, m->ask.prepend.items[i]);
		input_own(m, STR("\n"));
	}
	input_own(m, m->ask.received);
	while ((got = ipc_request_read(m->rq, &chunk, DEADLINE_NEVER)) > 0)
		if (m->verdict == ACCEPT) {
			keep_raw(m, chunk);
			input_add(m, chunk);
		}
	if (got < 0) /* nobody waits for an answer any more */
		message_fail(m, TEMPFAIL, 451, "4.3.0", "the submitter went away");
	else if (m->verdict == ACCEPT)
		content_finish(m);
}
