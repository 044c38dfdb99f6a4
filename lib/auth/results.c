/* results.c -- see results.h. */
#include "results.h"

#define VALUE_MOST ((size_t)256) /* octets of one value */

/* ---- writing ---- */

const char *
dkim_result_name(enum dkim_result result)
{
	static const char *const names[] = {
		[DKIM_NONE] = "none",
		[DKIM_PASS] = "pass",
		[DKIM_FAIL] = "fail",
		[DKIM_POLICY] = "policy",
		[DKIM_NEUTRAL] = "neutral",
		[DKIM_TEMPERROR] = "temperror",
		[DKIM_PERMERROR] = "permerror",
	};

	return names[result];
}

/* token, RFC 2045 section 5.1, or an address: what needs no quotes in a pvalue. */
static bool
is_plain(struct str value)
{
	static const char also[] = "!#$%&'*+-.^_`{|}~@";

	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_alnum(value.data[i]) && !strchr(also, value.data[i]))
			return false;
	return value.len > 0;
}

/* What does not print is left out. */
static void
put_value(struct str value, struct buf *out)
{
	bool quotes;

	value = str_sub(value, 0, VALUE_MOST);
	quotes = !is_plain(value);
	buf_addz(out, quotes ? "\"" : "");
	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_print(value.data[i]))
			continue;
		if (value.data[i] == '"' || value.data[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, value.data[i]);
	}
	buf_addz(out, quotes ? "\"" : "");
}

static void
put_property(const char *name, struct str value, struct buf *out)
{
	if (value.len == 0)
		return;
	buf_printf(out, " %s=", name);
	put_value(value, out);
}

void
results_spf(const struct spf_verdict *v, struct buf *out)
{
	buf_printf(out, "spf=%s", spf_result_name(v->result));
	put_property(v->is_of_helo ? "smtp.helo" : "smtp.mailfrom", v->domain, out);
}

void
results_dkim(const struct dkim_verdict *v, struct buf *out)
{
	buf_printf(out, "dkim=%s",
		v ? dkim_result_name((enum dkim_result)v->result) : "none");
	if (!v)
		return;
	if (v->is_limited)
		buf_addz(out, " (l=)");
	if (v->problem.len) {
		buf_addz(out, " reason=");
		put_value(v->problem, out);
	}
	put_property("header.d", v->domain, out);
	put_property("header.s", v->selector, out);
	put_property("header.a", v->algorithm, out);
	put_property("header.b", v->part, out);
}

void
results_dmarc(const struct dmarc_verdict *v, struct buf *out)
{
	buf_printf(out, "dmarc=%s", dmarc_result_name(v->result));
	if (v->result == DMARC_PASS || v->result == DMARC_FAIL)
		buf_printf(out, " (p=%s dis=%s)", dmarc_policy_name(v->published),
			dmarc_policy_name(v->policy));
	put_property("header.from", v->domain, out);
}

void
results_arc(const struct arc_verdict *v, struct buf *out)
{
	buf_printf(out, "arc=%s", arc_result_name(v->result));
	if (v->n > 0)
		buf_printf(out, " (i=%zu d=" STR_FMT ")", v->n,
			STR_ARG(v->seals[v->n - 1].domain));
	if (v->problem.len) {
		buf_addz(out, " reason=");
		put_value(v->problem, out);
	}
}

size_t
results_identities(enum spf_result spf, struct str spf_domain,
	const struct dkim_verdict *dkim, size_t n, struct dmarc_identity *out)
{
	size_t used = 0;

	if (spf_domain.len > 0)
		out[used++] = (struct dmarc_identity){ .domain = spf_domain,
			.passes = spf == SPF_PASS,
			.may_pass = spf == SPF_TEMPERROR };
	/* What stands behind l= anybody may have written (RFC 6376 section 8.2): such a
	 * signature speaks for nobody. */
	for (size_t i = 0; i < n; i++)
		if (!dkim[i].is_limited &&
			(dkim[i].result == DKIM_PASS || dkim[i].result == DKIM_TEMPERROR))
			out[used++] = (struct dmarc_identity){ .domain = dkim[i].domain,
				.passes = dkim[i].result == DKIM_PASS,
				.may_pass = dkim[i].result == DKIM_TEMPERROR,
				.is_dkim = true };
	return used;
}

void
results_field(struct str who, struct strs items, struct buf *out)
{
	buf_addz(out, "Authentication-Results: ");
	put_value(who, out);
	for (size_t i = 0; i < items.n; i++) {
		buf_addz(out, ";\n\t");
		buf_add(out, items.items[i]);
	}
	if (items.n == 0)
		buf_addz(out, "; none");
	buf_addc(out, '\n');
}

/* ---- reading ---- */

/* Behind blanks, folds and comments (CFWS, RFC 5322 section 3.2.2). */
static struct str
behind_comments(struct str s)
{
	unsigned depth = 0;

	while (s.len > 0) {
		char c = s.data[0];

		if (depth > 0 && c == '\\' && s.len > 1)
			s = str_from(s, 1);
		else if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth == 0 && !ascii_is_space(c))
			break;
		s = str_from(s, 1);
	}
	return s;
}

void
results_who(struct str body, struct buf *out)
{
	body = behind_comments(body);
	if (str_starts(body, STR("\""))) {
		for (size_t i = 1; i < body.len && body.data[i] != '"'; i++) {
			if (body.data[i] == '\\' && i + 1 < body.len)
				i++;
			buf_addc(out, body.data[i]);
		}
		return;
	}
	for (size_t i = 0; i < body.len; i++) {
		char c = body.data[i];

		if (ascii_is_space(c) || c == ';' || c == '(' || c == '"')
			break;
		buf_addc(out, c);
	}
}

/* Appends what is within quotes, in a form that is nothing else: what separates words
 * becomes a question mark. What is behind it. */
static struct str
take_quoted(struct str s, struct buf *out)
{
	for (s = str_from(s, 1); s.len > 0 && s.data[0] != '"'; s = str_from(s, 1)) {
		if (s.data[0] == '\\' && s.len > 1)
			s = str_from(s, 1);
		buf_addc(out,
			ascii_is_space(s.data[0]) || s.data[0] == '=' ? '?' : s.data[0]);
	}
	return str_from(s, 1);
}

/* One result, up to the next semicolon: comments and blanks are one blank each, and none
 * beside the equals sign. */
static void
take_result(struct str *rest, struct buf *out)
{
	while (rest->len > 0 && rest->data[0] != ';') {
		char c = rest->data[0];

		if (ascii_is_space(c) || c == '(') {
			*rest = behind_comments(*rest);
			if (out->len > 0 && out->data[out->len - 1] != '=' &&
				!str_starts(*rest, STR("=")))
				buf_addc(out, ' ');
		} else if (c == '"') {
			*rest = take_quoted(*rest, out);
		} else {
			buf_addc(out, c);
			*rest = str_from(*rest, 1);
		}
	}
	*rest = str_from(*rest, 1);
}

/* The next result of that method: the word behind it, and what follows. False: there is
 * none. *text keeps them. */
static bool
next_of(struct str *body, const char *method, struct buf *text, struct str *word,
	struct str *rest)
{
	while (body->len > 0) {
		struct str name;

		buf_clear(text);
		take_result(body, text);
		*rest = buf_str(text);
		if (!str_token(rest, " ", word) || !str_split(word, '=', &name) ||
			!str_case_is(name, method))
			continue;
		return true;
	}
	return false;
}

struct str
results_of(struct str body, const char *method, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str word, rest;

	if (!next_of(&body, method, &text, &word, &rest))
		return STR_NONE;
	return arena_lower(arena, word);
}

bool
results_pass_dmarc(struct str body, struct str author)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	const struct str from = STR_INIT("header.from=");
	struct str word, rest;

	if (!next_of(&body, "dmarc", &text, &word, &rest) || !str_case_is(word, "pass"))
		return false;
	while (str_token(&rest, " ", &word))
		if (str_case_starts(word, from) &&
			!str_case_eq(str_from(word, from.len), author))
			return false;
	return true;
}
