/* spf_record.c -- the grammar of RFC 7208 section 12. */
#include "spf_record.h"
#include <arpa/inet.h>
#include <stdio.h>

#define SHOWN_MOST 80 /* octets of a term in complaints */

static bool
is_alpha(char c)
{
	return ascii_is_alnum(c) && !ascii_is_digit(c);
}

bool
spf_is_record(struct str text, struct str *rest)
{
	static const struct str version = STR_INIT("v=spf1");

	*rest = str_from(text, version.len);
	return str_case_starts(text, version) && (rest->len == 0 || rest->data[0] == ' ');
}

/* ---- macro strings (section 7.1) ---- */

/* macro-expand = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
 * transformers = *DIGIT [ "r" ]
 * delimiter    = "." / "-" / "+" / "," / "/" / "_" / "="
 * What is behind the brace comes in `inner`. */
static int
macro_read(struct str inner, bool is_explanation, struct spf_macro *out)
{
	static const struct str letters = STR_INIT("slodiphvcrt");
	static const struct str delimiters = STR_INIT(".-+,/_=");
	static const size_t letters_anywhere = 8; /* c, r, t are for explanations */
	size_t at = 1, digits;

	if (inner.len == 0)
		return -1;
	out->letter = ascii_lower(inner.data[0]);
	out->url_escaped = out->letter != inner.data[0];
	if (str_chr(str_sub(letters, 0, is_explanation ? letters.len : letters_anywhere),
		    out->letter) < 0)
		return -1;
	for (; at < inner.len && ascii_is_digit(inner.data[at]); at++)
		/* More parts than a name can have are all of them. */
		out->parts =
			MIN(out->parts * 10 + (unsigned)(inner.data[at] - '0'), 1000);
	digits = at - 1;
	if (digits > 0 && out->parts == 0)
		return -1;
	if (at < inner.len && ascii_lower(inner.data[at]) == 'r') {
		out->reversed = true;
		at++;
	}
	out->delimiters = str_from(inner, at);
	for (size_t i = 0; i < out->delimiters.len; i++)
		if (str_chr(delimiters, out->delimiters.data[i]) < 0)
			return -1;
	return 1;
}

int
spf_macro_next(struct str *rest, bool is_explanation, struct spf_macro *out)
{
	struct str s = *rest;
	ssize_t brace;

	memset(out, 0, sizeof(*out));
	if (s.len == 0)
		return 0;
	if (s.data[0] != '%') {
		if (!ascii_is_print(s.data[0]))
			return -1;
		out->literal = str_sub(s, 0, 1);
		*rest = str_from(s, 1);
		return 1;
	}
	*rest = str_from(s, 2);
	if (s.len == 1)
		return -1;
	switch (s.data[1]) {
	case '%':
		out->literal = STR("%");
		return 1;
	case '_':
		out->literal = STR(" ");
		return 1;
	case '-':
		out->literal = STR("%20");
		return 1;
	case '{':
		brace = str_chr(*rest, '}');
		if (brace < 0)
			return -1;
		s = str_sub(*rest, 0, (size_t)brace);
		*rest = str_from(*rest, (size_t)brace + 1);
		return macro_read(s, is_explanation, out);
	default:
		return -1;
	}
}

/* toplabel = ( *alphanum ALPHA *alphanum ) /
 *            ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
static bool
is_toplabel(struct str s)
{
	bool has_more_than_digits = false;

	if (s.len == 0 || s.data[0] == '-' || s.data[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_alnum(s.data[i]) && s.data[i] != '-')
			return false;
		has_more_than_digits |= !ascii_is_digit(s.data[i]);
	}
	return has_more_than_digits;
}

/* domain-end = ( "." toplabel [ "." ] ) / macro-expand; `tail` is what follows the last
 * macro-expand. */
static bool
has_domain_end(struct str tail, bool behind_macro)
{
	ssize_t dot;

	if (tail.len == 0)
		return behind_macro;
	if (tail.data[tail.len - 1] == '.')
		tail.len--;
	dot = str_rchr(tail, '.');
	return dot >= 0 && is_toplabel(str_from(tail, (size_t)dot + 1));
}

/* macro-string, and with `needs_end` domain-spec = macro-string domain-end. Blanks end
 * terms, so there are none in it. */
static bool
is_macro_string(struct str spec, bool needs_end, bool any_letter)
{
	struct str rest = spec, tail = spec;
	struct spf_macro macro;
	bool behind_macro = false;
	int got;

	for (;;) {
		bool expands = rest.len > 0 && rest.data[0] == '%';

		got = spf_macro_next(&rest, any_letter, &macro);
		if (got <= 0)
			break;
		if (expands) {
			behind_macro = true;
			tail = rest;
		}
	}
	return got == 0 && (!needs_end || has_domain_end(tail, behind_macro));
}

/* ---- mechanisms (section 5) ---- */

/* "0" / %x31-39 *DIGIT, at most `most`. */
static bool
prefix_length(struct str digits, unsigned most, unsigned *out)
{
	uint64_t value;

	if (digits.len > 3 || str_to_u64(digits, &value) < 0 || value > most ||
		(digits.len > 1 && digits.data[0] == '0'))
		return false;
	*out = (unsigned)value;
	return true;
}

/* Takes "/" 1*DIGIT off the end of *s. False: there is none. */
static bool
take_length(struct str *s, struct str *digits)
{
	size_t at = s->len;

	while (at > 0 && ascii_is_digit(s->data[at - 1]))
		at--;
	if (at == s->len || at == 0 || s->data[at - 1] != '/')
		return false;
	*digits = str_from(*s, at);
	s->len = at - 1;
	return true;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ], off the end, since a
 * domain-spec may have slashes of its own. NULL, or what is wrong. */
static const char *
take_lengths(struct str *s, struct spf_term *out)
{
	struct str digits;

	out->bits4 = 32;
	out->bits6 = 128;
	if (!take_length(s, &digits))
		return NULL;
	if (str_ends(*s, STR("/"))) {
		s->len--;
		if (!prefix_length(digits, 128, &out->bits6))
			return "bad IPv6 prefix length";
		if (!take_length(s, &digits))
			return NULL;
	}
	return prefix_length(digits, 32, &out->bits4) ? NULL : "bad IPv4 prefix length";
}

static const char *
read_domain_spec(struct str spec, struct spf_term *out)
{
	if (!is_macro_string(spec, true, false))
		return "bad domain";
	out->domain_spec = spec;
	return NULL;
}

static const char *
read_nothing(struct str rest, struct spf_term *out)
{
	(void)out;
	return rest.len ? "something behind its name" : NULL;
}

/* ":" domain-spec */
static const char *
read_domain(struct str rest, struct spf_term *out)
{
	if (rest.len == 0)
		return "no domain";
	return rest.data[0] == ':' ? read_domain_spec(str_from(rest, 1), out)
				   : read_nothing(rest, out);
}

/* [ ":" domain-spec ] */
static const char *
read_optional_domain(struct str rest, struct spf_term *out)
{
	return rest.len ? read_domain(rest, out) : NULL;
}

/* [ ":" domain-spec ] [ dual-cidr-length ] */
static const char *
read_hosts(struct str rest, struct spf_term *out)
{
	const char *wrong = take_lengths(&rest, out);

	return wrong ? wrong : read_optional_domain(rest, out);
}

/* ":" ip4-network [ ip4-cidr-length ], and the same for ip6 */
static const char *
read_network(struct str rest, bool v6, struct spf_term *out)
{
	char text[INET6_ADDRSTRLEN];
	ssize_t slash = str_chr(rest, '/');
	struct str network = str_sub(rest, 1, slash < 0 ? rest.len : (size_t)slash - 1);

	if (rest.len == 0 || rest.data[0] != ':')
		return "no network";
	out->block.v6 = v6;
	out->block.bits = v6 ? 128 : 32;
	if (slash >= 0 && !prefix_length(str_from(rest, (size_t)slash + 1),
				  out->block.bits, &out->block.bits))
		return "bad prefix length";
	if (network.len >= sizeof(text) || str_chr(network, 0) >= 0)
		return "bad address";
	snprintf(text, sizeof(text), STR_FMT, STR_ARG(network));
	return inet_pton(v6 ? AF_INET6 : AF_INET, text, out->block.bytes) == 1
		       ? NULL
		       : "bad address";
}

static const char *
read_ip4(struct str rest, struct spf_term *out)
{
	return read_network(rest, false, out);
}

static const char *
read_ip6(struct str rest, struct spf_term *out)
{
	return read_network(rest, true, out);
}

/* "=" domain-spec */
static const char *
read_modifier_domain(struct str rest, struct spf_term *out)
{
	return read_domain_spec(str_from(rest, 1), out);
}

/* "=" macro-string */
static const char *
read_modifier_text(struct str rest, struct spf_term *out)
{
	(void)out;
	return is_macro_string(str_from(rest, 1), false, true) ? NULL
							       : "bad macro string";
}

struct form {
	const char *name;
	enum spf_kind kind;
	const char *(*read)(
		struct str rest, struct spf_term *out); /* NULL, or a mistake */
};
static const struct form mechanisms[] = {
	{ "all", SPF_ALL, read_nothing },
	{ "include", SPF_INCLUDE, read_domain },
	{ "a", SPF_A, read_hosts },
	{ "mx", SPF_MX, read_hosts },
	{ "ptr", SPF_PTR, read_optional_domain },
	{ "ip4", SPF_IP4, read_ip4 },
	{ "ip6", SPF_IP6, read_ip6 },
	{ "exists", SPF_EXISTS, read_domain },
};
static const struct form modifiers[] = {
	{ "redirect", SPF_REDIRECT, read_modifier_domain },
	{ "exp", SPF_EXP, read_modifier_domain },
};
static const struct form other_modifier = { NULL, SPF_OTHER, read_modifier_text };

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static size_t
name_length(struct str s)
{
	size_t n = 0;

	if (s.len == 0 || !is_alpha(s.data[0]))
		return 0;
	while (n < s.len && (ascii_is_alnum(s.data[n]) || s.data[n] == '-' ||
				    s.data[n] == '_' || s.data[n] == '.'))
		n++;
	return n;
}

static const struct form *
form_find(const struct form *forms, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_case_is(name, forms[i].name))
			return &forms[i];
	return NULL;
}

/* directive = [ qualifier ] mechanism
 * modifier  = redirect / explanation / unknown-modifier
 * A modifier is what has a name and "=". NULL: neither. */
static const struct form *
form_of(struct str term, struct spf_term *out, struct str *rest)
{
	static const struct str qualifiers = STR_INIT("+-~?");
	static const enum spf_result results[] = { SPF_PASS, SPF_FAIL, SPF_SOFTFAIL,
		SPF_NEUTRAL };
	size_t n = name_length(term);
	ssize_t qualifier;

	*rest = str_from(term, n);
	if (n > 0 && n < term.len && term.data[n] == '=') {
		const struct form *form =
			form_find(modifiers, COUNT(modifiers), str_sub(term, 0, n));
		return form ? form : &other_modifier;
	}
	qualifier = str_chr(qualifiers, term.data[0]);
	out->qualifier = qualifier < 0 ? SPF_PASS : results[qualifier];
	if (qualifier >= 0)
		term = str_from(term, 1);
	n = name_length(term);
	*rest = str_from(term, n);
	return form_find(mechanisms, COUNT(mechanisms), str_sub(term, 0, n));
}

int
spf_term_next(struct str *rest, struct spf_term *out, struct why *why)
{
	struct str at = *rest, behind;
	const struct form *form;
	const char *wrong;
	ssize_t end;

	while (at.len > 0 && at.data[0] == ' ')
		at = str_from(at, 1);
	end = str_chr(at, ' ');
	memset(out, 0, sizeof(*out));
	out->text = end < 0 ? at : str_sub(at, 0, (size_t)end);
	*rest = str_from(at, out->text.len);
	if (out->text.len == 0)
		return 0;
	form = form_of(out->text, out, &behind);
	if (form)
		out->kind = form->kind;
	wrong = form ? form->read(behind, out) : "no mechanism or modifier";
	if (wrong) {
		struct buf shown CLEANUP(buf_free) = BUF_INIT;

		c_escape(str_sub(out->text, 0, SHOWN_MOST), &shown);
		why_set(why, "5.7.24", "%s: " STR_FMT, wrong, STR_ARG(buf_str(&shown)));
		return -1;
	}
	return 1;
}
