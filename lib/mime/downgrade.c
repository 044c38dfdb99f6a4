/* downgrade.c -- see downgrade.h. */
#include "downgrade.h"

#define FIELD_MOST ((size_t)256 * 1024)
#define LINE_MOST  72 /* of 76: RFC 2045 section 6.7 (5) */

void
downgrade_begin(struct downgrade *d, size_t nesting_limit, size_t boundary_limit)
{
	*d = (struct downgrade){ .nesting_limit = nesting_limit,
		.boundary_limit = boundary_limit,
		.fields = { .limit = FIELD_MOST } };
}

void
downgrade_free(struct downgrade *d)
{
	fields_free(&d->fields);
	buf_free(&d->boundary);
	buf_free(&d->names);
	buf_free(&d->line);
	vec_free(&d->levels);
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

/* ---- the header of an entity ---- */

static void
see_content_type(struct downgrade *d, const struct field *f)
{
	struct buf type CLEANUP(buf_free) = BUF_INIT;
	struct str said;

	buf_clear(&d->boundary);
	content_type_parse(f->body, &type, &d->boundary);
	said = buf_str(&type);
	d->entity = ENTITY_LEAF;
	if (str_case_is(said, "message/rfc822"))
		d->entity = ENTITY_MESSAGE;
	else if (str_case_starts(said, STR("multipart/")) && d->boundary.len > 0)
		d->entity = str_case_is(said, "multipart/digest") ? ENTITY_DIGEST
								  : ENTITY_MULTIPART;
}

/* RFC 2045 section 6.1: what is neither of these two is 7-bit already. */
static bool
says_eight_bit(const struct field *f)
{
	struct buf how CLEANUP(buf_free) = BUF_INIT;
	struct str body = f->body;

	take_word(&body, &how);
	return str_case_is(buf_str(&how), "8bit") || str_case_is(buf_str(&how), "binary");
}

static void
field_pass(struct downgrade *d, const struct field *f, struct buf *out)
{
	if (field_is(f, "Content-Transfer-Encoding") && says_eight_bit(f)) {
		d->eight_bit = true; /* says something else when the header ends */
		return;
	}
	if (field_is(f, "Content-Type"))
		see_content_type(d, f);
	buf_add(out, f->text);
}

static void
level_push(struct downgrade *d, struct str boundary)
{
	struct downgrade_level *level;

	if (d->levels.n >= d->nesting_limit) {
		d->problem = "MIME nesting exceeds safety limit";
		return;
	}
	level = vec_push(&d->levels);
	level->start = d->names.len;
	level->len = MIN(boundary.len, d->boundary_limit);
	level->cut = level->len < boundary.len;
	level->digest = d->entity == ENTITY_DIGEST;
	buf_add(&d->names, str_sub(boundary, 0, level->len));
}

static void
entity_begin(struct downgrade *d)
{
	bool digest = d->levels.n > 0 && d->levels.items[d->levels.n - 1].digest;

	if (d->fields.cut)
		d->problem = "message header length exceeds safety limit";
	fields_free(&d->fields);
	d->fields = (struct fields){ .limit = FIELD_MOST };
	d->state = DOWNGRADE_HEADER;
	d->entity = digest ? ENTITY_MESSAGE : ENTITY_LEAF;
	d->eight_bit = d->convert = false;
	buf_clear(&d->boundary);
}

/* RFC 2045 section 6.4: what holds other bodies is never encoded itself. */
static void
header_ends(struct downgrade *d, struct buf *out)
{
	if (d->eight_bit)
		buf_addz(out, d->entity == ENTITY_LEAF
				      ? "Content-Transfer-Encoding: quoted-printable\n"
				      : "Content-Transfer-Encoding: 7bit\n");
}

static void
body_begins(struct downgrade *d)
{
	d->state = DOWNGRADE_TEXT;
	d->in_line = false;
	d->column = 0;
	d->convert = d->eight_bit && d->entity == ENTITY_LEAF;
	if (d->entity == ENTITY_MESSAGE) {
		level_push(d, STR_NONE);
		entity_begin(d);
	} else if (d->entity != ENTITY_LEAF) {
		level_push(d, buf_str(&d->boundary));
	}
}

/* ---- text ---- */

/* One unit of the encoded text, which stays together on a line. */
static void
put_unit(struct downgrade *d, struct str unit, struct buf *out)
{
	if (d->column + unit.len > LINE_MOST) {
		buf_addz(out, "=\n");
		d->column = 0;
	}
	buf_add(out, unit);
	d->column += unit.len;
}

static void
put_coded(struct downgrade *d, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char unit[3] = { '=', digits[(unsigned char)c >> 4], digits[c & 15] };

	put_unit(d, str_of(unit, sizeof(unit)), out);
}

/* RFC 2045 section 6.7 (3): a blank before a line end is encoded. */
static void
put_blank(struct downgrade *d, bool last, struct buf *out)
{
	if (d->blank && last)
		put_coded(d, d->blank, out);
	else if (d->blank)
		put_unit(d, str_of(&d->blank, 1), out);
	d->blank = 0;
}

static void
text_encode(struct downgrade *d, struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		put_blank(d, c == '\n', out);
		if (c == '\n') {
			buf_addc(out, c);
			d->column = 0;
		} else if (ascii_is_blank(c)) {
			d->blank = c;
		} else if (c == '=' || !ascii_is_print(c)) {
			put_coded(d, c, out);
		} else {
			put_unit(d, str_of(&text.data[i], 1), out);
		}
	}
}

static void
text_pass(struct downgrade *d, struct str text, struct buf *out)
{
	if (text.len == 0)
		return;
	if (d->convert)
		text_encode(d, text, out);
	else
		buf_add(out, text);
	d->in_line = text.data[text.len - 1] != '\n';
}

/* ---- boundaries (RFC 2046 section 5.1.1) ---- */

/* "--boundary" or "--boundary--", with blanks behind it. */
static bool
is_boundary(const struct downgrade *d, const struct downgrade_level *level,
	struct str line, bool *closes)
{
	struct str name = str_sub(buf_str(&d->names), level->start, level->len);
	struct str rest;

	if (level->len == 0 || !str_starts(str_from(line, 2), name))
		return false;
	rest = str_from(line, 2 + name.len);
	*closes = str_starts(rest, STR("--"));
	return *closes || level->cut || str_trim(rest).len == 0;
}

/* Is the line one that any of the bodies around us waits for? What was inside that body
 * ends with it. */
static bool
boundary_met(struct downgrade *d, struct str line)
{
	if (!str_starts(line, STR("--")))
		return false;
	for (size_t i = d->levels.n; i > 0; i--) {
		struct downgrade_level *level = &d->levels.items[i - 1];

		if (!is_boundary(d, level, line, &d->closes))
			continue;
		d->levels.n = d->closes ? i - 1 : i;
		d->names.len = level->start + (d->closes ? 0 : level->len);
		return true;
	}
	return false;
}

static void
boundary_ends(struct downgrade *d)
{
	d->in_line = false;
	if (d->closes) {
		d->state = DOWNGRADE_TEXT;
		d->convert = false; /* an epilogue belongs to no part */
	} else {
		entity_begin(d);
	}
}

/* The beginning of a line is known far enough to tell. */
static void
line_judge(struct downgrade *d, struct buf *out)
{
	struct str line = buf_str(&d->line);

	if (!boundary_met(d, line)) {
		text_pass(d, line, out);
	} else {
		buf_add(out, line);
		if (line.data[line.len - 1] == '\n')
			boundary_ends(d);
		else
			d->state = DOWNGRADE_BOUNDARY;
	}
	buf_clear(&d->line);
}

/* ---- all of it ---- */

/* The header section is over. A line that came in pieces and is no field waits in
 * d->fields: the body's first bytes. They are at most a header inside a message/rfc822
 * away from being text, so this calls itself once at the most. */
static void
header_over(struct downgrade *d, struct buf *out)
{
	struct buf left CLEANUP(buf_free) = BUF_INIT;

	header_ends(d, out);
	buf_addc(out, '\n');
	buf_add(&left, buf_str(&d->fields.line));
	body_begins(d);
	downgrade_add(d, buf_str(&left), out);
}

static void
add_to_header(struct downgrade *d, struct str *in, struct buf *out)
{
	enum fields_event event;
	struct field field;

	while ((event = fields_next(&d->fields, in, &field)) == FIELDS_FIELD)
		field_pass(d, &field, out);
	if (event == FIELDS_END)
		header_over(d, out);
}

static void
add_to_text(struct downgrade *d, struct str *in, struct buf *out)
{
	size_t enough = d->boundary_limit + 5; /* "--", and "--" or a blank behind it */
	const char *lf = memchr(in->data, '\n', in->len);
	size_t len = lf ? (size_t)(lf - in->data) + 1 : in->len;
	struct str line = str_sub(*in, 0, len);

	if (d->line.len == 0 && (d->in_line || d->levels.n == 0 || line.data[0] != '-')) {
		*in = str_from(*in, len);
		text_pass(d, line, out);
		return;
	}
	line = str_sub(line, 0, enough - MIN(enough, d->line.len));
	*in = str_from(*in, line.len);
	buf_add(&d->line, line);
	if (d->line.len >= enough || d->line.data[d->line.len - 1] == '\n')
		line_judge(d, out);
}

/* The rest of a boundary line. */
static void
add_to_boundary(struct downgrade *d, struct str *in, struct buf *out)
{
	const char *lf = memchr(in->data, '\n', in->len);
	size_t len = lf ? (size_t)(lf - in->data) + 1 : in->len;

	buf_add(out, str_sub(*in, 0, len));
	*in = str_from(*in, len);
	if (lf)
		boundary_ends(d);
}

void
downgrade_add(struct downgrade *d, struct str in, struct buf *out)
{
	while (in.len > 0) {
		if (d->state == DOWNGRADE_HEADER)
			add_to_header(d, &in, out);
		else if (d->state == DOWNGRADE_BOUNDARY)
			add_to_boundary(d, &in, out);
		else
			add_to_text(d, &in, out);
	}
}

void
downgrade_end(struct downgrade *d, struct buf *out)
{
	struct field field;

	while (d->state == DOWNGRADE_HEADER) {
		while (fields_finish(&d->fields, &field) == FIELDS_FIELD)
			field_pass(d, &field, out);
		if (d->fields.line.len == 0) {
			header_ends(d, out);
			break;
		}
		header_over(d, out);
	}
	if (d->line.len > 0)
		line_judge(d, out);
	put_blank(d, true, out);
	if (d->fields.cut)
		d->problem = "message header length exceeds safety limit";
}
