/* parts.c -- see parts.h. */
#include "parts.h"

void
parts_free(struct parts *p)
{
	fields_free(&p->fields);
	buf_free(&p->name);
	buf_free(&p->names);
	buf_free(&p->line);
	vec_free(&p->levels);
}

/* ---- Content-Type (RFC 2045 section 5.1) ---- */

/* Blanks, line ends and comments, which may hold comments (RFC 5322 section 3.2.2). */
static void
skip_comments(struct str *s)
{
	int depth = 0;

	for (; s->len > 0; *s = str_from(*s, 1)) {
		char c = s->data[0];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && s->len > 1)
			*s = str_from(*s, 1);
		else if (depth == 0 && !ascii_is_space(c))
			return;
	}
}

/* A token, or the text of a quoted string. */
static void
take_word(struct str *s, struct buf *out)
{
	bool quoted;

	skip_comments(s);
	quoted = s->len > 0 && s->data[0] == '"';
	if (quoted)
		*s = str_from(*s, 1);
	for (; s->len > 0; *s = str_from(*s, 1)) {
		char c = s->data[0];

		if (quoted && c == '"') {
			*s = str_from(*s, 1);
			return;
		}
		if (!quoted && (ascii_is_space(c) || strchr("()<>@,;:\\\"/[]?=", c)))
			return;
		if (quoted && c == '\\' && s->len > 1) {
			*s = str_from(*s, 1);
			c = s->data[0];
		}
		if (c != '\n')
			buf_addc(out, c);
	}
}

/* The one character that has to be here. */
static bool
take(struct str *s, char c)
{
	skip_comments(s);
	if (s->len == 0 || s->data[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

void
content_type_parse(struct str body, struct buf *type, struct buf *boundary)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	take_word(&body, type);
	if (take(&body, '/')) {
		buf_addc(type, '/');
		take_word(&body, type);
	}
	while (take(&body, ';')) {
		buf_clear(&name);
		buf_clear(&value);
		take_word(&body, &name);
		if (!take(&body, '='))
			continue;
		take_word(&body, &value);
		if (str_case_is(buf_str(&name), "boundary") && boundary->len == 0)
			buf_add(boundary, buf_str(&value));
	}
}

enum part_encoding
transfer_encoding_parse(struct str body)
{
	static const char *const names[] = {
		[ENCODING_7BIT] = "7bit",
		[ENCODING_8BIT] = "8bit",
		[ENCODING_BINARY] = "binary",
		[ENCODING_QUOTED_PRINTABLE] = "quoted-printable",
		[ENCODING_BASE64] = "base64",
	};
	struct buf word CLEANUP(buf_free) = BUF_INIT;
	enum part_encoding found = ENCODING_7BIT;

	take_word(&body, &word);
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_case_is(buf_str(&word), names[i]))
			found = (enum part_encoding)i;
	return found;
}

/* ---- the header of an entity ---- */

static void
see_content_type(struct parts *p, const struct field *f)
{
	struct buf type CLEANUP(buf_free) = BUF_INIT;
	struct str said;

	buf_clear(&p->name);
	content_type_parse(f->body, &type, &p->name);
	said = buf_str(&type);
	p->entity = ENTITY_LEAF;
	if (str_case_is(said, "message/rfc822"))
		p->entity = ENTITY_MESSAGE;
	else if (str_case_is(said, "message/partial") ||
		 str_case_is(said, "message/external-body"))
		p->entity = ENTITY_FRAGMENT;
	else if (str_case_starts(said, STR("multipart/")) && p->name.len > 0)
		p->entity = str_case_is(said, "multipart/digest") ? ENTITY_DIGEST
								  : ENTITY_MULTIPART;
}

static void
give_field(struct parts *p, struct field *f)
{
	if (!p->only_primary && field_is(f, "Content-Type"))
		see_content_type(p, f);
	if (!p->only_primary && field_is(f, "Content-Transfer-Encoding"))
		p->encoding = transfer_encoding_parse(f->body);
	p->calls->field(p->arg, f);
}

static void
level_push(struct parts *p, struct str boundary)
{
	struct parts_level *level = vec_push(&p->levels);

	level->start = p->names.len;
	level->len = MIN(boundary.len, p->boundary_limit);
	level->digest = p->entity == ENTITY_DIGEST;
	buf_add(&p->names, str_sub(boundary, 0, level->len));
}

static void
entity_begin(struct parts *p, enum part_header header)
{
	bool digest = p->levels.n > 0 && p->levels.items[p->levels.n - 1].digest;

	p->cut = p->cut || p->fields.cut;
	fields_free(&p->fields);
	p->fields = (struct fields){ .limit = p->field_limit };
	p->state = PARTS_HEADER;
	p->header = header;
	p->entity = digest ? ENTITY_MESSAGE : ENTITY_LEAF;
	p->encoding = ENCODING_7BIT;
	buf_clear(&p->name);
}

/* Bodies within bodies, and no end of them. Postfix begins to count with the third. */
static bool
goes_too_deep(const struct parts *p)
{
	return p->entity != ENTITY_LEAF && p->entity != ENTITY_FRAGMENT &&
	       p->levels.n > p->nesting_limit + 1;
}

/* What is nested too deep is the text of what it is in. */
static void
body_begins(struct parts *p)
{
	p->state = PARTS_TEXT;
	p->in_line = false;
	if (p->entity == ENTITY_LEAF || p->entity == ENTITY_FRAGMENT || p->only_primary ||
		goes_too_deep(p))
		return;
	p->encoding = ENCODING_7BIT; /* of what is around the parts */
	if (p->entity == ENTITY_MESSAGE) {
		level_push(p, STR_NONE);
		entity_begin(p, HEADER_NESTED);
	} else {
		level_push(p, buf_str(&p->name));
	}
}

static void
give_text(struct parts *p, struct str text)
{
	if (text.len == 0)
		return;
	p->calls->text(p->arg, text);
	p->in_line = text.data[text.len - 1] != '\n';
}

/* ---- boundaries (RFC 2046 section 5.1.1) ---- */

/* "--boundary" or "--boundary--", whatever is behind it: RFC 2046 section 5.1.1 wants no
 * more than the beginning of the line. */
static bool
is_boundary(const struct parts *p, const struct parts_level *level, struct str line,
	bool *closes)
{
	struct str name = str_sub(buf_str(&p->names), level->start, level->len);
	struct str rest;

	if (level->len == 0 || !str_starts(str_from(line, 2), name))
		return false;
	rest = str_from(line, 2 + name.len);
	*closes = str_starts(rest, STR("--"));
	return true;
}

/* Is the line one that any of the bodies around us waits for? What was inside that body
 * ends with it. */
static bool
boundary_met(struct parts *p, struct str line)
{
	if (!str_starts(line, STR("--")))
		return false;
	for (size_t i = p->levels.n; i > 0; i--) {
		struct parts_level *level = &p->levels.items[i - 1];

		if (!is_boundary(p, level, line, &p->closes))
			continue;
		p->levels.n = p->closes ? i - 1 : i;
		p->names.len = level->start + (p->closes ? 0 : level->len);
		return true;
	}
	return false;
}

static void
boundary_ends(struct parts *p)
{
	p->in_line = false;
	p->encoding = ENCODING_7BIT;
	if (p->closes)
		p->state = PARTS_TEXT; /* the epilogue */
	else
		entity_begin(p, HEADER_PART);
}

/* The beginning of a line is known far enough to tell. */
static void
line_judge(struct parts *p)
{
	struct str line = buf_str(&p->line);

	if (!boundary_met(p, line)) {
		give_text(p, line);
	} else {
		p->calls->boundary(p->arg, line);
		if (line.data[line.len - 1] == '\n')
			boundary_ends(p);
		else
			p->state = PARTS_BOUNDARY;
	}
	buf_clear(&p->line);
}

/* ---- all of it ---- */

/* The header section is over. A line that came in pieces and is no field waits in
 * p->fields: the body's first bytes. They are at most a header inside a message/rfc822
 * away from being text, so this calls itself once at the most. */
static void
header_over(struct parts *p)
{
	struct buf left CLEANUP(buf_free) = BUF_INIT;

	p->unterminated = p->fields.unterminated;
	p->too_deep = p->too_deep || goes_too_deep(p);
	p->calls->header_end(p->arg, p->unterminated && p->header != HEADER_PRIMARY);
	buf_add(&left, buf_str(&p->fields.line));
	body_begins(p);
	parts_add(p, buf_str(&left));
}

static void
add_to_header(struct parts *p, struct str *in)
{
	enum fields_event event;
	struct field field;

	while ((event = fields_next(&p->fields, in, &field)) == FIELDS_FIELD)
		give_field(p, &field);
	if (event == FIELDS_END)
		header_over(p);
}

/* How much of `in` cannot be the beginning of a boundary: up to the first line that
 * begins with a hyphen. */
static size_t
text_length(const struct parts *p, struct str in)
{
	const char *next;

	if (!p->in_line && in.data[0] == '-')
		return 0;
	next = memmem(in.data, in.len, "\n-", 2);
	return next ? (size_t)(next - in.data) + 1 : in.len;
}

static void
add_to_text(struct parts *p, struct str *in)
{
	size_t enough = p->boundary_limit + 5; /* "--", and "--" or a blank behind it */
	size_t text;
	const char *lf;
	struct str line;

	if (p->levels.n == 0 && p->line.len == 0) { /* nobody waits for a boundary */
		give_text(p, *in);
		*in = STR_NONE;
		return;
	}
	text = p->line.len == 0 ? text_length(p, *in) : 0;
	if (text > 0) {
		line = str_sub(*in, 0, text);
		*in = str_from(*in, text);
		give_text(p, line);
		return;
	}
	lf = memchr(in->data, '\n', in->len);
	line = str_sub(*in, 0, lf ? (size_t)(lf - in->data) + 1 : in->len);
	line = str_sub(line, 0, enough - MIN(enough, p->line.len));
	*in = str_from(*in, line.len);
	buf_add(&p->line, line);
	if (p->line.len >= enough || p->line.data[p->line.len - 1] == '\n')
		line_judge(p);
}

/* The rest of a boundary line. */
static void
add_to_boundary(struct parts *p, struct str *in)
{
	const char *lf = memchr(in->data, '\n', in->len);
	size_t len = lf ? (size_t)(lf - in->data) + 1 : in->len;

	p->calls->boundary(p->arg, str_sub(*in, 0, len));
	*in = str_from(*in, len);
	if (lf)
		boundary_ends(p);
}

static void
begin(struct parts *p)
{
	if (!p->begun)
		entity_begin(p, HEADER_PRIMARY);
	p->begun = true;
}

void
parts_add(struct parts *p, struct str in)
{
	begin(p);
	while (in.len > 0) {
		if (p->state == PARTS_HEADER)
			add_to_header(p, &in);
		else if (p->state == PARTS_BOUNDARY)
			add_to_boundary(p, &in);
		else
			add_to_text(p, &in);
	}
}

/* A line that may be a boundary is text then, too: no level is left that waits for it. */
void
parts_ignore(struct parts *p)
{
	p->only_primary = true;
	p->levels.n = 0;
	p->names.len = 0;
}

void
parts_end(struct parts *p)
{
	struct field field;

	begin(p);
	while (p->state == PARTS_HEADER) {
		while (fields_finish(&p->fields, &field) == FIELDS_FIELD)
			give_field(p, &field);
		if (p->fields.line.len == 0) {
			p->calls->header_end(p->arg, true);
			break;
		}
		header_over(p);
	}
	if (p->line.len > 0)
		line_judge(p);
	p->cut = p->cut || p->fields.cut;
}
