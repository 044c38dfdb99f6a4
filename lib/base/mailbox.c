/* mailbox.c -- the parts of an address, and quotes on and off (RFC 5321 section 4.1.2).
 */
#include "mailbox.h"

/* Where the quoted string that begins at `from` ends (index behind the closing quote), or
 * the length of s when it is not closed. */
static size_t
quoted_end(struct str s, size_t from)
{
	size_t i;

	for (i = from + 1; i < s.len; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '"')
			return i + 1;
	}
	return s.len;
}

void
address_split(struct str address, struct str *local, struct str *domain)
{
	size_t from = 0;
	ssize_t at;

	/* Only a local part that is a quoted string as a whole can hide an @ behind the
	 * last one that counts: "a@b" without a domain. */
	if (address.len && address.data[0] == '"')
		from = quoted_end(address, 0);
	at = str_rchr(str_from(address, from), '@');
	if (at < 0) {
		*local = address;
		*domain = STR_NONE;
		return;
	}
	*local = str_sub(address, 0, from + (size_t)at);
	*domain =
		str_of(address.data + from + at + 1, address.len - from - (size_t)at - 1);
}

/* atext of RFC 5322 section 3.2.3, and the UTF-8 that RFC 6531 adds. */
static bool
is_atext(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 0x80 ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

bool
address_is_dot_string(struct str local)
{
	bool dot = true; /* may not start with one */

	for (size_t i = 0; i < local.len; i++) {
		if (local.data[i] == '.') {
			if (dot)
				return false;
			dot = true;
		} else if (!is_atext(local.data[i])) {
			return false;
		} else {
			dot = false;
		}
	}
	return !dot;
}

static void
put_quoted_local(struct buf *out, struct str local)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.data[i] == '"' || local.data[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, local.data[i]);
	}
	buf_addc(out, '"');
}

struct str
address_quote_local(struct str local, struct arena *arena)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;

	put_quoted_local(&b, local);
	return arena_str(arena, buf_str(&b));
}

/* In a quoted string already? A local part that begins and ends with quotes in internal
 * form cannot be told from it: quoting it twice would be worse. */
static bool
needs_quotes(struct str address, struct str local)
{
	if (address.len == 0 || address_is_dot_string(local))
		return false;
	return local.len < 2 || local.data[0] != '"' || quoted_end(local, 0) != local.len;
}

void
address_put(struct buf *out, struct str address)
{
	struct str local, domain;

	address_split(address, &local, &domain);
	if (!needs_quotes(address, local)) {
		buf_add(out, address);
		return;
	}
	put_quoted_local(out, local);
	if (domain.data)
		buf_printf(out, "@" STR_FMT, STR_ARG(domain));
}

struct str
address_quote(struct str address, struct arena *arena)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	struct str local, domain;

	address_split(address, &local, &domain);
	if (!needs_quotes(address, local))
		return address;
	address_put(&b, address);
	return arena_str(arena, buf_str(&b));
}

static void
put_unquoted_local(struct buf *out, struct str local)
{
	for (size_t i = 0; i < local.len; i++) {
		if (local.data[i] == '"')
			continue;
		if (local.data[i] == '\\' && i + 1 < local.len)
			i++;
		buf_addc(out, local.data[i]);
	}
}

struct str
address_unquote_local(struct str local, struct arena *arena)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;

	put_unquoted_local(&b, local);
	return arena_str(arena, buf_str(&b));
}

struct str
address_unquote(struct str address, struct arena *arena)
{
	struct str local, domain;
	struct buf b CLEANUP(buf_free) = BUF_INIT;

	if (str_chr(address, '"') < 0 && str_chr(address, '\\') < 0)
		return address;
	address_split(address, &local, &domain);
	put_unquoted_local(&b, local);
	if (domain.data) {
		buf_addc(&b, '@');
		buf_add(&b, domain);
	} else if (str_chr(buf_str(&b), '@') >= 0) {
		return address;
	}
	return arena_str(arena, buf_str(&b));
}

/* Names that mean something as a whole, whatever recipient_delimiter says. */
static bool
is_never_split(struct str local, struct str delimiters, bool owner_request_special,
	struct str double_bounce)
{
	if (str_case_is(local, "mailer-daemon") || str_case_eq(local, double_bounce))
		return true;
	/* owner-LIST and LIST-request: only a - could split them. */
	return owner_request_special && str_chr(delimiters, '-') >= 0 &&
	       (str_case_starts(local, STR("owner-")) ||
		       str_case_ends(local, STR("-request")));
}

bool
address_split_extension(struct str local, struct str delimiters,
	bool owner_request_special, struct str double_bounce, struct str *user,
	struct str *extension)
{
	if (is_never_split(local, delimiters, owner_request_special, double_bounce))
		return false;
	/* A name that starts with a delimiter has no user to split off. */
	for (size_t i = 0; i < local.len; i++) {
		if (str_chr(delimiters, local.data[i]) < 0)
			continue;
		if (i == 0)
			return false;
		*user = str_sub(local, 0, i);
		*extension = str_from(local, i + 1);
		return true;
	}
	return false;
}
