/* input.c -- content as the submitter sends it, before it is taken apart: characters that
 * must not be in it, and, for force_mime_input_conversion, 8-bit parts made 7-bit ones.
 */
#include "message.h"
#include "conf.h"
#include "log.h"

static struct charset refused, stripped;

void
input_open(const struct conf *c)
{
	charset_parse(&refused, c->p.message_reject_characters);
	charset_parse(&stripped, c->p.message_strip_characters);
	/* What ends a line is not in it. */
	refused.has['\n'] = stripped.has['\n'] = false;
}

/* cleanup_replace_stray_cr_lf: submitters have made line ends of CRLF; a CR that is left
 * would end a line for one program and not for another. */
static struct str
without_stray_cr(struct message *m, struct str chunk)
{
	char *copy;

	if (!m->conf->p.cleanup_replace_stray_cr_lf || str_chr(chunk, '\r') < 0)
		return chunk;
	buf_clear(&m->input.replaced);
	buf_add(&m->input.replaced, chunk);
	copy = m->input.replaced.data;
	for (size_t i = 0; i < chunk.len; i++)
		if (copy[i] == '\r')
			copy[i] = ' ';
	return buf_str(&m->input.replaced);
}

/* The line around a character. */
static struct str
line_at(struct str text, size_t at)
{
	ssize_t before = str_rchr(str_sub(text, 0, at), '\n');
	ssize_t behind = str_chr(str_from(text, at), '\n');
	size_t from = (size_t)(before + 1);

	return str_sub(text, from, (behind < 0 ? text.len : at + (size_t)behind) - from);
}

static void
refuse_characters(struct message *m, struct str chunk)
{
	ssize_t at = m->checks.off ? -1 : charset_find(&refused, chunk);

	if (at < 0)
		return;
	message_tell(m, "reject",
		arena_printf(
			m->arena, "content %.*s", STR_ARG(line_at(chunk, (size_t)at))),
		STR("5.7.1 disallowed character"));
	message_fail(m, PERMFAIL, 550, "5.7.1", "disallowed character");
	m->verbatim = true;
}

static struct str
strip_characters(struct message *m, struct str chunk)
{
	if (charset_find(&stripped, chunk) < 0)
		return chunk;
	buf_clear(&m->input.stripped);
	charset_strip(&stripped, chunk, &m->input.stripped);
	return buf_str(&m->input.stripped);
}

/* ---- 8-bit parts ---- */

static bool
converts(const struct message *m)
{
	return m->conf->p.force_mime_input_conversion &&
	       !m->conf->p.disable_mime_input_processing;
}

static void
hand_converted(struct message *m)
{
	if (m->verdict == ACCEPT)
		parts_add(&m->parts, buf_str(&m->input.converted));
	buf_clear(&m->input.converted);
}

static void
pass(struct message *m, struct str bytes)
{
	if (!converts(m)) {
		parts_add(&m->parts, bytes);
		return;
	}
	downgrade_add(&m->input.downgrade, bytes, &m->input.converted);
	hand_converted(m);
}

/* ---- the first lines ---- */

#define FIRST_LINE_MOST 2000

/* ">From somebody", or a beginning of that: the envelope of a mailbox file that was
 * pasted into SMTP. *more: only more of the line can tell. */
static bool
is_mailbox_line(struct str line, bool *more)
{
	const struct str from = STR_INIT("From ");

	while (line.len > 0 && line.data[0] == '>')
		line = str_from(line, 1);
	*more = line.len < from.len && str_starts(from, line);
	return str_starts(line, from);
}

/* Nothing that a sender begins with becomes part of our own Received: field: neither a
 * blank line's continuation nor a line that ends the header. Gives what is not to be
 * looked at in this way (any more), STR_NONE while that is unknown. */
static struct str
pass_first_lines(struct message *m, struct str chunk)
{
	struct input *in = &m->input;
	bool more = false;

	/* Most mail begins with a field. */
	if (in->first.len == 0 && chunk.len > 0 && !strchr(" \t>F", chunk.data[0])) {
		in->begun = true;
		return chunk;
	}
	buf_add(&in->first, chunk);
	while (!in->begun && in->first.len > 0) {
		struct str line = buf_str(&in->first);
		ssize_t lf = str_chr(line, '\n');

		if (!is_mailbox_line(line, &more))
			break;
		if (lf < 0 && line.len < FIRST_LINE_MOST)
			return STR_NONE;
		line = lf < 0 ? line : str_sub(line, 0, (size_t)lf + 1);
		pass(m, STR("X-Mailbox-Line: "));
		pass(m, line);
		buf_drop(&in->first, line.len);
		in->begun = lf < 0; /* a line without end is no mailbox's */
	}
	if (more || in->first.len == 0)
		return STR_NONE;
	if (!in->begun && ascii_is_blank(in->first.data[0]))
		pass(m, STR("\n"));
	in->begun = true;
	return buf_str(&in->first);
}

/* ---- all of it ---- */

void
input_begin(struct message *m)
{
	const struct params *p = &m->conf->p;

	if (converts(m))
		downgrade_begin(&m->input.downgrade, (size_t)p->mime_nesting_limit,
			(size_t)p->mime_boundary_length_limit);
}

void
input_own(struct message *m, struct str lines)
{
	pass(m, lines);
}

void
input_add(struct message *m, struct str chunk)
{
	chunk = without_stray_cr(m, chunk);
	refuse_characters(m, chunk);
	if (m->verdict != ACCEPT)
		return;
	chunk = strip_characters(m, chunk);
	if (!m->input.begun)
		chunk = pass_first_lines(m, chunk);
	pass(m, chunk);
}

void
input_end(struct message *m)
{
	if (!m->input.begun)
		pass(m, buf_str(&m->input.first));
	if (converts(m)) {
		downgrade_end(&m->input.downgrade, &m->input.converted);
		hand_converted(m);
		/* The parts below were not looked at. */
		m->parts.too_deep |= m->input.downgrade.parts.too_deep;
	}
	parts_end(&m->parts);
}

void
input_free(struct message *m)
{
	if (converts(m))
		downgrade_free(&m->input.downgrade);
	buf_free(&m->input.first);
	buf_free(&m->input.replaced);
	buf_free(&m->input.stripped);
	buf_free(&m->input.converted);
}
