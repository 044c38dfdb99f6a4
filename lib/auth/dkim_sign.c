/* dkim_sign.c -- see dkim_sign.h. */
#include "dkim_sign.h"
#include <stdio.h>

#define LINE_MOST 76 /* columns; a word longer than that has a line of its own */
#define INDENT    8

/* ---- names ---- */

/* sub-domain *("." sub-domain), with underscores; RFC 5321 section 4.1.2. */
bool
dkim_name_is_domain(struct str name)
{
	struct str rest = name, label;

	if (name.len == 0 || name.len > 253 || str_ends(name, STR(".")))
		return false;
	while (str_split(&rest, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-' &&
				label.data[i] != '_')
				return false;
	}
	return true;
}

/* hdr-name = field-name (section 3.5); a semicolon would end the tag. */
bool
dkim_name_is_field(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_print(name.data[i]) || name.data[i] == ' ' ||
			name.data[i] == ':' || name.data[i] == ';')
			return false;
	return name.len > 0 && name.len <= 78 &&
	       !str_case_is(name, "DKIM-Signature"); /* one of them is not there yet */
}

/* ---- the message ---- */

struct dkim_content {
	struct buf header;
	VEC(struct str) fields; /* views into header, once it is whole */
	size_t line;            /* where the header's last line begins */
	bool in_body;
	struct dkim_body body[DKIM_RELAXED + 1];
	struct digest_run *run[DKIM_RELAXED + 1]; /* NULL: not wanted */
	unsigned char hash[DKIM_RELAXED + 1][DIGEST_MOST];
};

static void
hash_add(void *arg, struct str bytes)
{
	digest_add(arg, bytes);
}

struct dkim_content *
dkim_content_new(bool simple, bool relaxed)
{
	const bool wanted[] = { [DKIM_SIMPLE] = simple, [DKIM_RELAXED] = relaxed };
	struct dkim_content *c = mem_alloc(sizeof(*c));

	for (size_t i = 0; i < COUNT(wanted); i++) {
		if (!wanted[i])
			continue;
		c->run[i] = digest_begin(DIGEST_SHA256);
		if (!c->run[i]) {
			dkim_content_free(c);
			return NULL;
		}
		dkim_body_begin(&c->body[i], (enum dkim_canon)i, hash_add, c->run[i]);
	}
	return c;
}

void
dkim_content_free(struct dkim_content *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < COUNT(c->run); i++)
		if (c->run[i])
			(void)digest_end(c->run[i], NULL);
	buf_free(&c->header);
	vec_free(&c->fields);
	mem_free(c);
}

/* Takes whole or partial lines off *bytes, up to the empty line. */
static void
header_add(struct dkim_content *c, struct str *bytes)
{
	while (bytes->len > 0 && !c->in_body) {
		ssize_t end = str_chr(*bytes, '\n');
		size_t n = end < 0 ? bytes->len : (size_t)end + 1;
		struct str line;

		buf_add(&c->header, str_sub(*bytes, 0, n));
		*bytes = str_from(*bytes, n);
		if (end < 0)
			return;
		line = str_from(buf_str(&c->header), c->line);
		c->in_body = str_is(line, "\n") || str_is(line, "\r\n");
		if (c->in_body)
			c->header.len = c->line;
		c->line = c->header.len;
	}
}

void
dkim_content_add(struct dkim_content *c, struct str bytes)
{
	header_add(c, &bytes);
	for (size_t i = 0; bytes.len > 0 && i < COUNT(c->run); i++)
		if (c->run[i])
			dkim_body_add(&c->body[i], bytes);
}

/* A field is a line and those behind it that begin with a blank (RFC 5322 section 2.2.3).
 */
static void
find_fields(struct dkim_content *c)
{
	struct str rest = buf_str(&c->header);

	while (rest.len > 0) {
		ssize_t end = str_chr(rest, '\n');
		size_t n = end < 0 ? rest.len : (size_t)end + 1;

		if (ascii_is_blank(rest.data[0]) && c->fields.n > 0)
			c->fields.items[c->fields.n - 1].len += n;
		else
			*vec_push(&c->fields) = str_sub(rest, 0, n);
		rest = str_from(rest, n);
	}
}

int
dkim_content_end(struct dkim_content *c)
{
	int result = 0;

	find_fields(c);
	for (size_t i = 0; i < COUNT(c->run); i++) {
		struct digest_run *run = c->run[i];

		if (!run)
			continue;
		dkim_body_end(&c->body[i]);
		c->run[i] = NULL;
		if (digest_end(run, c->hash[i]) < 0)
			result = -1;
	}
	return result;
}

struct strs
dkim_content_fields(const struct dkim_content *c)
{
	return (struct strs){ c->fields.items, c->fields.n };
}

/* ---- the field ---- */

const char *
dkim_algorithm_name(enum dkim_algorithm algorithm)
{
	return algorithm == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

struct writer {
	const struct dkim_plan *plan;
	const struct dkim_content *content;
	struct buf *field;
	size_t column;
	struct buf signed_fields; /* in their canonical form, in the order of h= */
	bool first;               /* of the names in h= */
};

/* A word that a line must not part; folding white space may stand before it. */
static void
word(struct writer *w, struct str text)
{
	if (w->column + text.len > LINE_MOST && w->column > INDENT) {
		buf_addz(w->field, "\n\t");
		w->column = INDENT;
	}
	buf_add(w->field, text);
	w->column += text.len;
}

/* A tag, "x=value;", behind a blank or on a new line. */
static void
tag(struct writer *w, const char *name, struct str value)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&text, "%s=" STR_FMT ";", name, STR_ARG(value));
	if (w->column + 1 + text.len <= LINE_MOST) {
		buf_addc(w->field, ' ');
		w->column++;
	} else {
		w->column = LINE_MOST;
	}
	word(w, buf_str(&text));
}

static void
number_tag(struct writer *w, const char *name, int64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)value);

	tag(w, name, str_of(text, (size_t)n));
}

static struct str
name_of(struct str field)
{
	ssize_t colon = str_chr(field, ':');

	return str_trim(str_sub(field, 0, colon < 0 ? 0 : (size_t)colon));
}

static void
add_name(struct writer *w, struct str name)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	/* Blanks may stand around the colon (section 3.5, h=). */
	if (!w->first)
		buf_addc(&text, ':');
	w->first = false;
	for (size_t i = 0; i < name.len; i++)
		buf_addc(&text, ascii_lower(name.data[i]));
	word(w, buf_str(&text));
}

/* All fields of a name, the last one first (section 5.4.2); one more name says that there
 * are no others. */
static void
add_fields(struct writer *w, struct str name, bool oversigned)
{
	for (size_t i = w->content->fields.n; i > 0; i--) {
		struct str field = w->content->fields.items[i - 1];

		if (!str_case_eq(name_of(field), name))
			continue;
		add_name(w, name);
		dkim_canon_field(w->plan->header, field, &w->signed_fields);
	}
	if (oversigned)
		add_name(w, name);
}

static bool
is_among(struct strs names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_case_eq(names.items[i], name))
			return true;
	return false;
}

/* From, then the others, each name once. */
static void
add_names(struct writer *w)
{
	const struct strs fields = w->plan->fields, over = w->plan->oversigned;
	struct str from = STR("From");

	add_fields(w, from, true);
	for (size_t i = 0; i < fields.n; i++) {
		struct str name = fields.items[i];

		if (!str_case_eq(name, from) && !is_among(fields, i, name))
			add_fields(w, name, is_among(over, over.n, name));
	}
	for (size_t i = 0; i < over.n; i++) {
		struct str name = over.items[i];

		if (!str_case_eq(name, from) && !is_among(fields, fields.n, name) &&
			!is_among(over, i, name))
			add_fields(w, name, true);
	}
	if (w->plan->instance > 0)
		add_fields(w, STR("DKIM-Signature"), false);
}

static bool
names_are_good(struct strs names)
{
	for (size_t i = 0; i < names.n; i++)
		if (!dkim_name_is_field(names.items[i]))
			return false;
	return true;
}

static int
refuse(struct why *why, const char *text)
{
	why_set(why, "4.7.0", "%s", text);
	return -1;
}

static int
check(const struct dkim_plan *plan, const struct dkim_content *c, struct why *why)
{
	if (!dkim_name_is_domain(plan->domain))
		return refuse(why, "the signing domain is none");
	if (!dkim_name_is_domain(plan->selector))
		return refuse(why, "the selector is none");
	if (!names_are_good(plan->fields) || !names_are_good(plan->oversigned))
		return refuse(why, "a field to be signed has no proper name");
	for (size_t i = 0; i < c->fields.n; i++)
		if (str_case_is(name_of(c->fields.items[i]), "From"))
			return 0;
	return refuse(why, "the message has no From field");
}

static void
write_tags(struct writer *w)
{
	const struct dkim_plan *plan = w->plan;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	word(w, plan->instance > 0 ? STR("ARC-Message-Signature:")
				   : STR("DKIM-Signature:"));
	if (plan->instance > 0)
		number_tag(w, "i", plan->instance);
	else
		tag(w, "v", STR("1"));
	tag(w, "a", str_c(dkim_algorithm_name(plan->algorithm)));
	buf_printf(&text, "%s/%s", dkim_canon_name(plan->header),
		dkim_canon_name(plan->body));
	tag(w, "c", buf_str(&text));
	tag(w, "d", plan->domain);
	tag(w, "s", plan->selector);
	number_tag(w, "t", plan->at);
	if (plan->valid_for > 0)
		number_tag(w, "x", plan->at + plan->valid_for);
	buf_addz(w->field, "\n\th=");
	w->column = INDENT + 2;
	add_names(w);
	buf_addc(w->field, ';');
	buf_clear(&text);
	base64_encode(str_of(w->content->hash[plan->body], DKIM_HASH), &text);
	w->column = LINE_MOST;
	tag(w, "bh", buf_str(&text));
	buf_addz(w->field, "\n\tb=");
}

/* Section 3.7: the signed fields, then this one with an empty b=, without the end of its
 * last line. */
int
dkim_sign_begin(const struct dkim_plan *plan, const struct dkim_content *c,
	struct buf *field, unsigned char hash[DKIM_HASH], struct why *why)
{
	struct writer w = { .plan = plan,
		.content = c,
		.field = field,
		.first = true,
		.signed_fields = BUF_INIT };
	size_t begin = field->len;
	struct str text;
	int got;

	if (check(plan, c, why) < 0)
		return -1;
	write_tags(&w);
	dkim_canon_field(plan->header, str_from(buf_str(field), begin), &w.signed_fields);
	text = buf_str(&w.signed_fields);
	got = digest_of(DIGEST_SHA256, str_sub(text, 0, text.len - 2), hash);
	buf_free(&w.signed_fields);
	if (got == 0)
		return 0;
	field->len = begin;
	return refuse(why, "OpenSSL has no SHA-256");
}

void
dkim_sign_end(struct str signature, struct buf *field)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	size_t room = LINE_MOST - INDENT - 2; /* behind "b=" */

	base64_encode(signature, &text);
	for (struct str rest = buf_str(&text); rest.len > 0;) {
		buf_add(field, str_sub(rest, 0, room));
		rest = str_from(rest, MIN(room, rest.len));
		if (rest.len > 0)
			buf_addz(field, "\n\t");
		room = LINE_MOST - INDENT;
	}
	buf_addc(field, '\n');
}
