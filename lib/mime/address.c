/* address.c -- see address.h. Every reader takes what it understands off the front of a
 * view, so the grammar rules of RFC 5321 section 4.1.2 can be read one by one. */
#include "address.h"

#define DOMAIN_MOST 255 /* RFC 5321 section 4.5.3.1.2 */
#define LABEL_MOST  63  /* RFC 1035 section 2.3.4 */

/* atext of RFC 5322 section 3.2.3. */
static bool
is_atext(unsigned char c)
{
	return ascii_is_alnum((char)c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static size_t
take_while(struct str *s, bool (*is)(unsigned char))
{
	size_t n = 0;

	while (n < s->len && is((unsigned char)s->data[n]))
		n++;
	*s = str_from(*s, n);
	return n;
}

static bool
take(struct str *s, char c)
{
	if (s->len == 0 || s->data[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

bool
address_utf8_is_valid(struct str s)
{
	uint32_t point;
	size_t n;

	for (; s.len; s = str_from(s, n)) {
		n = utf8_step(s, &point);
		if (n == 0)
			return false;
	}
	return true;
}

/* Takes one UTF-8 character above ASCII, except the C1 controls. */
static bool
take_utf8(struct str *s)
{
	uint32_t point = 0;
	size_t n = utf8_step(*s, &point);

	if (n < 2 || point < 0xA0)
		return false;
	*s = str_from(*s, n);
	return true;
}

/* Code points that no U-label may hold: RFC 5892 calls them DISALLOWED. Only the blocks
 * of symbols, punctuation and compatibility forms that people are fooled with; the
 * registry of the domain refuses the rest. */
static bool
is_disallowed_in_domain(uint32_t point)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{ 0x80, 0xB6 }, /* C1 controls, Latin-1 symbols up to the middle dot */
		{ 0xB8, 0xBF },
		{ 0xD7, 0xD7 },
		{ 0xF7, 0xF7 },
		{ 0x2000, 0x200B }, /* spaces; joiners follow, which are CONTEXTJ */
		{ 0x200E, 0x214D },
		{ 0x2150, 0x2183 },
		{ 0x2185, 0x2BFF }, /* symbols */
		{ 0x3000, 0x3004 },
		{ 0xE000, 0xF8FF },
		{ 0xFE00, 0xFE1F },
		{ 0xFE30, 0xFE72 },
		{ 0xFEFF, 0xFF00 },
		{ 0xFFA0, 0xFFA0 },
		{ 0xFFE0, 0xFFFF },
		{ 0x1F000, 0x1FAFF },
		{ 0xE0000, 0x10FFFF },
	};

	for (size_t i = 0; i < COUNT(ranges); i++)
		if (point >= ranges[i].from && point <= ranges[i].to)
			return true;
	return false;
}

static bool
label_is_valid(struct str label, unsigned how)
{
	uint32_t point;
	size_t n;

	if (label.len == 0 || label.len > LABEL_MOST)
		return false;
	if (label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (; label.len; label = str_from(label, n)) {
		n = utf8_step(label, &point);
		if (n == 0 || (n > 1 && !(how & ADDRESS_UTF8)))
			return false;
		if (n > 1 && is_disallowed_in_domain(point))
			return false;
		if (n == 1 && !ascii_is_alnum((char)point) && point != '-' &&
			!(point == '_' && how & ADDRESS_LOOSE))
			return false;
	}
	return true;
}

bool
address_domain_is_valid(struct str domain, unsigned how)
{
	if (domain.len == 0 || domain.len > DOMAIN_MOST)
		return false;
	/* A dot behind the last label says "fully qualified" in the DNS; SMTP has no such
	 * form, but people paste it. */
	if (how & ADDRESS_LOOSE && domain.len > 1 && domain.data[domain.len - 1] == '.')
		domain.len--;
	for (;;) {
		ssize_t dot = str_chr(domain, '.');

		if (!label_is_valid(
			    dot < 0 ? domain : str_sub(domain, 0, (size_t)dot), how))
			return false;
		if (dot < 0)
			return true;
		domain = str_from(domain, (size_t)dot + 1);
	}
}

static bool
is_digit(unsigned char c)
{
	return ascii_is_digit((char)c);
}

static bool
is_hex(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* IPv4-address-literal = Snum 3("." Snum) */
static bool
ipv4_is_valid(struct str s)
{
	for (int i = 0; i < 4; i++) {
		struct str number;
		size_t n;
		uint64_t value;

		if (i && !take(&s, '.'))
			return false;
		number = s;
		n = take_while(&s, is_digit);
		if (n < 1 || n > 3 || str_to_u64(str_sub(number, 0, n), &value) < 0 ||
			value > 255)
			return false;
	}
	return s.len == 0;
}

/* IPv6-addr: eight groups; :: stands for at least two of them, and may appear once; the
 * last two groups may be written as IPv4. RFC 5321 section 4.1.3. */
static bool
ipv6_is_valid(struct str s)
{
	size_t groups = 0;
	bool shortened = false;

	if (str_starts(s, STR("::"))) {
		s = str_from(s, 2);
		shortened = true;
	}
	while (s.len) {
		struct str group = s;
		size_t n = take_while(&s, is_hex);

		if (s.len && s.data[0] == '.') {
			groups += 2;
			return ipv4_is_valid(group) &&
			       (shortened ? groups <= 6 : groups == 8);
		}
		if (n < 1 || n > 4)
			return false;
		groups++;
		if (s.len == 0)
			break;
		if (!take(&s, ':'))
			return false;
		if (take(&s, ':')) {
			if (shortened)
				return false;
			shortened = true;
		} else if (s.len == 0) {
			return false;
		}
	}
	return shortened ? groups <= 6 : groups == 8;
}

bool
address_literal_is_valid(struct str literal)
{
	struct str s = literal;

	if (!take(&s, '[') || s.len == 0 || s.data[s.len - 1] != ']')
		return false;
	s.len--;
	if (str_case_starts(s, STR("IPv6:")))
		return ipv6_is_valid(str_from(s, 5));
	return ipv4_is_valid(s);
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; qtextSMTP and the character behind a
 * backslash are 32..126, with SMTPUTF8 any UTF-8 above that. */
static bool
take_quoted(struct str *s, unsigned how)
{
	if (!take(s, '"'))
		return false;
	while (s->len) {
		bool escaped;

		if (take(s, '"'))
			return true;
		escaped = take(s, '\\');
		if (s->len && ascii_is_print(s->data[0]))
			*s = str_from(*s, 1);
		else if (escaped || !(how & ADDRESS_UTF8) || !take_utf8(s))
			return false;
	}
	return false;
}

/* Dot-string = Atom *("." Atom). Loosely, dots may stand anywhere: such addresses exist.
 */
static bool
take_dot_string(struct str *s, unsigned how)
{
	size_t atom = 0, all = 0;

	for (; s->len; all++) {
		if (take_while(s, is_atext) || (how & ADDRESS_UTF8 && take_utf8(s)))
			atom++;
		else if (s->data[0] == '.' && (atom || how & ADDRESS_LOOSE)) {
			*s = str_from(*s, 1);
			atom = 0;
		} else
			break;
	}
	return all > 0 && (atom || how & ADDRESS_LOOSE);
}

/* A-d-l ":" in front of the mailbox: dropped, as appendix C asks. */
static bool
take_route(struct str *s, unsigned how)
{
	if (s->len == 0 || s->data[0] != '@')
		return true;
	do {
		size_t n = 0;

		if (!take(s, '@'))
			return false;
		while (n < s->len && s->data[n] != ',' && s->data[n] != ':')
			n++;
		if (!address_domain_is_valid(str_sub(*s, 0, n), how))
			return false;
		*s = str_from(*s, n);
	} while (take(s, ','));
	return take(s, ':');
}

/* What stands between the brackets. */
static bool
mailbox_parse(struct str s, unsigned how, struct address *out)
{
	struct address found = { .local = s };

	if (!take_route(&s, how))
		return false;
	found.local = s;
	if (s.len && s.data[0] == '"' ? !take_quoted(&s, how) : !take_dot_string(&s, how))
		return false;
	found.local.len -= s.len;
	if (s.len == 0) { /* only postmaster lives without a domain: section 4.5.1 */
		if (!(how & ADDRESS_LOOSE) && !str_case_is(found.local, "postmaster"))
			return false;
		*out = found;
		return true;
	}
	if (!take(&s, '@'))
		return false;
	if (!(s.len && s.data[0] == '[' ? address_literal_is_valid(s)
					: address_domain_is_valid(s, how)))
		return false;
	found.domain = s;
	*out = found;
	return true;
}

/* Spaces and tabs only: a CR or LF is never forgiven. */
static struct str
trim_blanks(struct str s)
{
	while (s.len && ascii_is_blank(s.data[0]))
		s = str_from(s, 1);
	while (s.len && ascii_is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Takes a comment of RFC 5322 section 3.2.2 and the blanks around it off the front. */
static bool
take_comments(struct str *s)
{
	size_t depth = 0;

	*s = trim_blanks(*s);
	while (s->len && (depth || s->data[0] == '(')) {
		char c = s->data[0];

		if (c == '\\' && s->len > 1)
			*s = str_from(*s, 1);
		depth += c == '(';
		depth -= c == ')';
		*s = depth ? str_from(*s, 1) : trim_blanks(str_from(*s, 1));
	}
	return depth == 0;
}

/* RFC 822 forms around the mailbox: a phrase or comments before <...>, comments behind.
 */
static bool
unwrap_loosely(struct str *path)
{
	struct str s = *path, behind;
	size_t at = 0, end;
	bool quoted = false;

	if (!take_comments(&s))
		return false;
	for (; at < s.len && (quoted || s.data[at] != '<'); at++) {
		if (s.data[at] == '\\' && at + 1 < s.len)
			at++;
		else if (s.data[at] == '"')
			quoted = !quoted;
	}
	if (at >= s.len) { /* no brackets at all: comments may follow a blank */
		ssize_t comment = str_find(s, STR(" ("));

		behind = comment < 0 ? STR_NONE : str_from(s, (size_t)comment);
		*path = trim_blanks(comment < 0 ? s : str_sub(s, 0, (size_t)comment));
		return take_comments(&behind) && behind.len == 0;
	}
	s = str_from(s, at + 1);
	for (end = 0, quoted = false; end < s.len && (quoted || s.data[end] != '>');
		end++) {
		if (s.data[end] == '\\' && end + 1 < s.len)
			end++;
		else if (s.data[end] == '"')
			quoted = !quoted;
	}
	if (end >= s.len)
		return false;
	behind = str_from(s, end + 1);
	*path = trim_blanks(str_sub(s, 0, end));
	return take_comments(&behind) && behind.len == 0;
}

enum verdict
address_parse(struct str path, unsigned how, struct address *out, struct why *why)
{
	struct str s = path;
	bool ok;

	if (how & ADDRESS_LOOSE)
		ok = unwrap_loosely(&s);
	else {
		ok = take(&s, '<') && s.len && s.data[s.len - 1] == '>';
		s.len -= ok;
	}
	if (ok && s.len == 0 && path.len) { /* the null path <>: section 4.5.5 */
		*out = (struct address){ s, s };
		return ACCEPT;
	}
	if (ok && mailbox_parse(s, how, out))
		return ACCEPT;
	return how & ADDRESS_SENDER
		       ? why_set(why, "5.1.7", "Bad sender address syntax")
		       : why_set(why, "5.1.3", "Bad recipient address syntax");
}

struct str
address_path_token(struct str *rest)
{
	struct str s = *rest, token;
	bool quoted = false, bracket = false;
	size_t n;

	while (s.len && ascii_is_blank(s.data[0]))
		s = str_from(s, 1);
	for (n = 0; n < s.len; n++) {
		char c = s.data[n];

		if (c == '\\' && n + 1 < s.len)
			n++;
		else if (c == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (c == '<')
			bracket = true;
		else if (c == '>')
			bracket = false;
		else if (ascii_is_blank(c) && !bracket)
			break;
	}
	token = str_sub(s, 0, n);
	*rest = str_from(s, n);
	return token;
}

struct str
address_internal(const struct address *a, struct arena *arena)
{
	struct str local = a->local;
	char *out;
	size_t n = 0;

	if (a->domain.len && a->domain.data == local.data + local.len + 1 &&
		local.data[0] != '"') /* side by side as sent, the usual case */
		return str_of(local.data, local.len + 1 + a->domain.len);
	if (a->domain.len == 0 && (local.len == 0 || local.data[0] != '"'))
		return local;
	out = arena_alloc(arena, local.len + a->domain.len + 2);
	if (local.len >= 2 && local.data[0] == '"')
		local = str_sub(local, 1, local.len - 2);
	for (size_t i = 0; i < local.len; i++) {
		if (local.data[i] == '\\' && i + 1 < local.len && a->local.data[0] == '"')
			i++;
		out[n++] = local.data[i];
	}
	if (a->domain.len) {
		out[n++] = '@';
		memcpy(out + n, a->domain.data, a->domain.len);
		n += a->domain.len;
	}
	return str_of(out, n);
}
