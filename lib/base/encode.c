/* encode.c -- base64 (RFC 4648 section 4), xtext (RFC 3461 section 4), C's escapes. */
#include "base.h"

static const char digits64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct str in, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.data;

	buf_need(out, (in.len + 2) / 3 * 4);
	for (size_t left = in.len; left > 0;) {
		size_t n = MIN(left, 3);
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
			     (n > 2 ? p[2] : 0);
		char four[4] = { digits64[v >> 18], digits64[v >> 12 & 63],
			n > 1 ? digits64[v >> 6 & 63] : '=',
			n > 2 ? digits64[v & 63] : '=' };

		buf_add(out, str_of(four, 4));
		p += n;
		left -= n;
	}
}

/* The value of a digit, -1 for anything else. */
static int
value64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes four digits, of which the last `padding` are '='. The bits that padding leaves
 * over must be zero: each text has one encoding only. */
static int
decode_four(const char *four, size_t padding, struct buf *out)
{
	uint32_t v = 0;
	char three[3];

	for (size_t i = 0; i < 4; i++) {
		int digit = i < 4 - padding ? value64(four[i]) : 0;

		if (digit < 0)
			return -1;
		v = v << 6 | (uint32_t)digit;
	}
	if (padding > 0 && (v & ((1U << 8 * padding) - 1)) != 0)
		return -1;
	three[0] = (char)(v >> 16);
	three[1] = (char)(v >> 8);
	three[2] = (char)v;
	buf_add(out, str_of(three, 3 - padding));
	return 0;
}

int
base64_decode(struct str in, struct buf *out)
{
	size_t before = out->len;

	if (in.len % 4 != 0)
		return -1;
	buf_need(out, in.len / 4 * 3);
	for (size_t at = 0; at < in.len; at += 4) {
		const char *four = in.data + at;
		size_t padding = 0;

		if (at + 4 == in.len && four[3] == '=')
			padding = four[2] == '=' ? 2 : 1;
		if (decode_four(four, padding, out) < 0) {
			out->len = before;
			return -1;
		}
	}
	return 0;
}

/* xchar: printable ASCII except "+" and "=". */
void
xtext_encode(struct str in, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.data[i];

		if (c > ' ' && c <= '~' && c != '+' && c != '=') {
			buf_addc(out, (char)c);
		} else {
			buf_addc(out, '+');
			buf_addc(out, hex[c >> 4]);
			buf_addc(out, hex[c & 15]);
		}
	}
}

static int
value16(char c)
{
	char low = ascii_lower(c);

	if (ascii_is_digit(c))
		return c - '0';
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The RFC wants upper case; lower case has one meaning only, so it is taken too. */
int
xtext_decode(struct str in, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < in.len; i++) {
		int high, low;

		if (in.data[i] != '+') {
			buf_addc(out, in.data[i]);
			continue;
		}
		high = i + 1 < in.len ? value16(in.data[i + 1]) : -1;
		low = i + 2 < in.len ? value16(in.data[i + 2]) : -1;
		if (high < 0 || low < 0) {
			out->len = before;
			return -1;
		}
		buf_addc(out, (char)(high << 4 | low));
		i += 2;
	}
	return 0;
}

/* ---- escapes of C ---- */

static const char escape_letters[] = "abfnrtv", escape_meant[] = "\a\b\f\n\r\t\v";

void
c_escape(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i];
		const char *letter = c ? strchr(escape_meant, c) : NULL;

		if (letter)
			buf_printf(out, "\\%c", escape_letters[letter - escape_meant]);
		else if (c == '\\')
			buf_addz(out, "\\\\");
		else if (ascii_is_print(c))
			buf_addc(out, c);
		else
			buf_printf(out, "\\%03o", (unsigned char)c);
	}
}

/* Up to three octal digits off the front of *rest. False: there is none. */
static bool
take_octal(struct str *rest, unsigned *value)
{
	size_t n = 0;

	for (*value = 0;
		n < 3 && n < rest->len && rest->data[n] >= '0' && rest->data[n] <= '7';
		n++)
		*value = *value * 8 + (unsigned)(rest->data[n] - '0');
	*rest = str_from(*rest, n);
	return n > 0;
}

void
c_unescape(struct str in, struct buf *out)
{
	while (in.len) {
		char c = in.data[0];
		const char *letter;
		unsigned value;

		in = str_from(in, 1);
		if (c != '\\' || in.len == 0) {
			buf_addc(out, c);
		} else if (take_octal(&in, &value)) {
			buf_addc(out, (char)value);
		} else {
			letter = in.data[0] ? strchr(escape_letters, in.data[0]) : NULL;
			buf_addc(out, letter ? escape_meant[letter - escape_letters]
					     : in.data[0]);
			in = str_from(in, 1);
		}
	}
}
