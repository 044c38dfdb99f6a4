/* strict.c -- what RFC 2045 and RFC 5322 forbid, and what is refused where
 * strict_8bitmime and its like ask for it: 8-bit data that nothing announces, encodings
 * of multiparts. Nesting beyond mime_nesting_limit is refused wherever something depends
 * on all parts being seen.
 *
 * As in Postfix the message is read to its end, and refused for the worst that was found.
 */
#include "message.h"
#include "conf.h"
#include "log.h"

enum {
	TOO_DEEP = 1,
	HEADER_8BIT = 2,
	BODY_8BIT = 4,
	COMPOSITE_ENCODED = 8,
	UNTERMINATED = 16,
};

/* The worst ones first. */
static const struct {
	unsigned what;
	const char *text;
} problems[] = {
	{ TOO_DEEP, "MIME nesting exceeds safety limit" },
	{ HEADER_8BIT, "improper use of 8-bit data in message header" },
	{ BODY_8BIT, "improper use of 8-bit data in message body" },
	/* in pieces, for it looks like a comment */
	{ COMPOSITE_ENCODED, "invalid message/"
			     "* or multipart/"
			     "* encoding domain" },
	{ UNTERMINATED, "message header was not terminated by empty line" },
};

static const char *
text_of(unsigned what)
{
	size_t i = 0;

	while (!(problems[i].what & what))
		i++;
	return problems[i].text;
}

static const char *const end_of_header_actions[] = {
	[EOH_FIX_QUIETLY] = "fix_quietly",
	[EOH_ADD_HEADER] = "add_header",
	[EOH_REJECT] = "reject",
};
static enum end_of_header_action end_of_header_action;

void
strict_open(const struct conf *c)
{
	struct str said = c->p.non_empty_end_of_header_action;
	size_t i = 0;

	while (i < COUNT(end_of_header_actions) &&
		!str_case_is(said, end_of_header_actions[i]))
		i++;
	if (i == COUNT(end_of_header_actions))
		log_fatal("bad non_empty_end_of_header_action: \"" STR_FMT "\"",
			STR_ARG(said));
	end_of_header_action = (enum end_of_header_action)i;
}

void
strict_begin(struct message *m)
{
	const struct params *p = &m->conf->p;
	unsigned watched = 0;

	/* Notices and forwarded mail were looked at before, or are our own. */
	if (m->checks.off || p->disable_mime_input_processing)
		return;
	if (p->strict_8bitmime || p->strict_7bit_headers)
		watched |= HEADER_8BIT;
	if (p->strict_8bitmime || p->strict_8bitmime_body)
		watched |= BODY_8BIT;
	if (p->strict_mime_encoding_domain)
		watched |= COMPOSITE_ENCODED;
	if (watched || message_checks_header())
		watched |= TOO_DEEP;
	if (end_of_header_action == EOH_REJECT)
		watched |= UNTERMINATED;
	m->strict.watched = watched;
}

bool
strict_wants_parts(const struct message *m)
{
	return m->strict.watched & (HEADER_8BIT | BODY_8BIT | COMPOSITE_ENCODED);
}

/* The first of each kind is told. */
static void
report(struct message *m, unsigned what, struct str where)
{
	if (!(m->strict.watched & what) || (m->strict.met & what))
		return;
	m->strict.met |= what;
	log_line(CLEANUP_ACTION, str_c(m->queue_id), STR("reject"),
		arena_printf(m->arena, "mime-error %s: %.*s", text_of(what),
			STR_ARG(str_sub(where, 0, MIN(where.len, 100)))),
		m->ask.origin, m->envelope.sender,
		m->rcpts.n > 0 ? m->rcpts.items[m->rcpts.n - 1].address : STR_NONE,
		STR_NONE, STR_NONE, STR_NONE);
}

static bool
has_eight_bit(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= 0x80)
			return true;
	return false;
}

void
strict_field(struct message *m, const struct field *f)
{
	if ((m->strict.watched & TOO_DEEP) && field_is(f, "Content-Type"))
		m->strict.type =
			arena_str(m->arena, str_sub(f->text, 0, f->text.len - 1));
	if ((m->strict.watched & HEADER_8BIT) && has_eight_bit(f->text))
		report(m, HEADER_8BIT, str_sub(f->text, 0, f->text.len - 1));
}

/* RFC 2045 section 6.4: what holds other bodies is not encoded itself; RFC 2046 sections
 * 5.2.2 and 5.2.3: some messages are 7-bit only. */
void
strict_header_end(struct message *m)
{
	static const char *const names[] = {
		[ENCODING_8BIT] = "8bit",
		[ENCODING_BINARY] = "binary",
		[ENCODING_QUOTED_PRINTABLE] = "quoted-printable",
		[ENCODING_BASE64] = "base64",
	};
	enum part_encoding most =
		m->parts.entity == ENTITY_FRAGMENT ? ENCODING_7BIT : ENCODING_BINARY;

	if (m->parts.too_deep)
		report(m, TOO_DEEP, m->strict.type);
	if (m->parts.entity != ENTITY_LEAF && m->parts.encoding > most)
		report(m, COMPOSITE_ENCODED, str_c(names[m->parts.encoding]));
	m->strict.unterminated =
		m->parts.header == HEADER_PRIMARY && m->parts.unterminated;
}

bool
strict_adds_header(const struct message *m)
{
	return end_of_header_action == EOH_ADD_HEADER && m->parts.unterminated &&
	       !m->checks.off;
}

void
strict_text(struct message *m, struct str bytes)
{
	ssize_t lf = str_chr(bytes, '\n');
	struct str line = lf < 0 ? bytes : str_sub(bytes, 0, (size_t)lf);

	if (m->strict.unterminated)
		report(m, UNTERMINATED, line);
	m->strict.unterminated = false;
	if (m->parts.encoding != ENCODING_7BIT || !(m->strict.watched & BODY_8BIT) ||
		(m->strict.met & BODY_8BIT))
		return;
	while (bytes.len > 0) {
		if (has_eight_bit(line)) {
			report(m, BODY_8BIT, line);
			return;
		}
		bytes = str_from(bytes, line.len + (lf >= 0));
		lf = str_chr(bytes, '\n');
		line = lf < 0 ? bytes : str_sub(bytes, 0, (size_t)lf);
	}
}

void
strict_judge(struct message *m)
{
	if (m->parts.too_deep) /* where they were converted */
		report(m, TOO_DEEP, m->strict.type);
	if (m->strict.met && m->verdict == ACCEPT && !m->discarded) {
		message_fail(m, PERMFAIL, 550, "5.6.0", "%s", text_of(m->strict.met));
		m->verbatim = true;
	}
}
