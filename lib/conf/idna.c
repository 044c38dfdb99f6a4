/* idna.c -- see idna.h. A mail domain has a handful of labels of a few letters: the
 * simple quadratic form of punycode (RFC 3492 section 6.3) is the right one. */
#include "idna.h"

enum { LABEL_MOST = 63, DOMAIN_MOST = 255 };

struct code_points {
	uint32_t at[LABEL_MOST];
	size_t n;
};

/* Takes one character off *s; overlong forms, surrogates and what lies above 10FFFF are
 * no UTF-8 (RFC 3629). -1 when there is none. */
static int
take_utf8(struct str *s, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s->data[0];
	size_t len = first < 0x80   ? 1
		     : first < 0xc0 ? 0
		     : first < 0xe0 ? 2
		     : first < 0xf0 ? 3
				    : 4;
	uint32_t c = len == 1 ? first : first & (0x7fu >> len);

	if (len == 0 || first >= 0xf8 || s->len < len)
		return -1;
	for (size_t i = 1; i < len; i++) {
		unsigned char more = (unsigned char)s->data[i];

		if ((more & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (more & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*s = str_from(*s, len);
	*out = c;
	return 0;
}

static const struct {
	uint32_t from, to;
	int32_t distance; /* to the small letter; 0: capitals are the even ones, 1: the
			     odd */
} capitals[] = {
	{ 'A', 'Z', 32 },
	{ 0x00c0, 0x00d6, 32 },
	{ 0x00d8, 0x00de, 32 },
	{ 0x0100, 0x012f, 0 },
	{ 0x0132, 0x0137, 0 },
	{ 0x0139, 0x0148, 1 },
	{ 0x014a, 0x0177, 0 },
	{ 0x0179, 0x017e, 1 },
	{ 0x0391, 0x03a1, 32 },
	{ 0x03a3, 0x03ab, 32 },
	{ 0x0400, 0x040f, 80 },
	{ 0x0410, 0x042f, 32 },
	{ 0x0460, 0x0481, 0 },
	{ 0x048a, 0x04bf, 0 },
};

static uint32_t
small_letter(uint32_t c)
{
	for (size_t i = 0; i < COUNT(capitals); i++) {
		if (c < capitals[i].from || c > capitals[i].to)
			continue;
		if (capitals[i].distance > 1)
			return c + (uint32_t)capitals[i].distance;
		return (c & 1) == (uint32_t)capitals[i].distance ? c + 1 : c;
	}
	return c;
}

static char
digit_of(uint32_t d)
{
	return (char)(d < 26 ? 'a' + d : '0' + (d - 26));
}

/* RFC 3492 section 6.1 with the parameters of section 5. */
static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / points;
	for (; delta > 35 * 26 / 2; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

static void
put_integer(uint32_t q, uint32_t bias, struct buf *out)
{
	for (uint32_t k = 36;; k += 36) {
		uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;

		if (q < t)
			break;
		buf_addc(out, digit_of(t + (q - t) % (36 - t)));
		q = (q - t) / (36 - t);
	}
	buf_addc(out, digit_of(q));
}

/* Numbers stay below 64 * 0x10ffff: no overflow. */
static void
put_punycode(const struct code_points *label, struct buf *out)
{
	uint32_t n = 0x80, delta = 0, bias = 72, basic = 0, done;

	for (size_t i = 0; i < label->n; i++)
		if (label->at[i] < 0x80) {
			buf_addc(out, (char)label->at[i]);
			basic++;
		}
	if (basic > 0)
		buf_addc(out, '-');
	for (done = basic; done < label->n; delta++, n++) {
		uint32_t least = UINT32_MAX;

		for (size_t i = 0; i < label->n; i++)
			if (label->at[i] >= n && label->at[i] < least)
				least = label->at[i];
		delta += (least - n) * (done + 1);
		n = least;
		for (size_t i = 0; i < label->n; i++) {
			delta += label->at[i] < n;
			if (label->at[i] != n)
				continue;
			put_integer(delta, bias, out);
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

static int
put_label(struct str label, struct buf *out)
{
	struct code_points points = { .n = 0 };
	size_t begin = out->len;
	bool ascii = true;

	while (label.len > 0) {
		uint32_t c;

		if (points.n == LABEL_MOST || take_utf8(&label, &c) < 0)
			return -1;
		points.at[points.n++] = small_letter(c);
		ascii = ascii && c < 0x80;
	}
	if (ascii) {
		for (size_t i = 0; i < points.n; i++)
			buf_addc(out, (char)points.at[i]);
		return 0;
	}
	buf_addz(out, "xn--");
	put_punycode(&points, out);
	return out->len - begin <= LABEL_MOST ? 0 : -1;
}

int
idna_to_ascii(struct str domain, struct buf *out)
{
	size_t begin = out->len;

	while (domain.len > 0) {
		ssize_t dot = str_chr(domain, '.');
		size_t n = dot < 0 ? domain.len : (size_t)dot;

		if (put_label(str_sub(domain, 0, n), out) < 0)
			return -1;
		if (dot >= 0)
			buf_addc(out, '.');
		domain = str_from(domain, n + (dot >= 0));
	}
	return out->len - begin <= DOMAIN_MOST ? 0 : -1;
}

/* ---- and back ---- */

static int
value_of_digit(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z' ? c - 'a' : c >= '0' && c <= '9' ? c - '0' + 26 : -1;
}

/* Takes a number in variable-length integers (RFC 3492 section 3.3) off *s. -1: there is
 * none, or it is too large to be a distance. */
static int
take_integer(struct str *s, uint32_t bias, uint32_t *out)
{
	const uint64_t most = (uint64_t)LABEL_MOST * 0x10ffff;
	uint64_t sum = 0, weight = 1;

	for (uint32_t k = 36; s->len > 0; k += 36) {
		uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
		int digit = value_of_digit(s->data[0]);

		if (digit < 0)
			return -1;
		*s = str_from(*s, 1);
		sum += (uint64_t)digit * weight;
		weight *= 36 - t;
		if (sum > most || weight > most * 36)
			return -1;
		*out = (uint32_t)sum;
		if ((uint32_t)digit < t)
			return 0;
	}
	return -1;
}

/* RFC 3492 section 6.2. */
static int
take_punycode(struct str s, struct code_points *label)
{
	ssize_t basic = str_rchr(s, '-');
	uint32_t n = 0x80, at = 0, bias = 72, distance;

	label->n = 0;
	for (ssize_t i = 0; i < basic && label->n < LABEL_MOST; i++)
		label->at[label->n++] = small_letter((unsigned char)s.data[i]);
	s = str_from(s, (size_t)(basic + 1));
	while (s.len > 0) {
		uint32_t points = (uint32_t)label->n + 1;

		if (points > LABEL_MOST || take_integer(&s, bias, &distance) < 0)
			return -1;
		bias = adapt(distance, points, points == (uint32_t)MAX(basic, 0) + 1);
		at += distance;
		n += at / points;
		at %= points;
		if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff))
			return -1;
		memmove(&label->at[at + 1], &label->at[at],
			(label->n - at) * sizeof(label->at[0]));
		label->at[at++] = n;
		label->n++;
	}
	return 0;
}

static void
put_utf8(uint32_t c, struct buf *out)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_addc(out, (char)(0xe0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_addc(out, (char)(0xf0 | c >> 18));
		buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_addc(out, (char)(0x80 | (c & 0x3f)));
}

static void
put_readable(struct str label, struct buf *out)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT, back CLEANUP(buf_free) = BUF_INIT;
	struct code_points points;

	if (str_case_starts(label, STR("xn--")) &&
		take_punycode(str_from(label, 4), &points) == 0) {
		for (size_t i = 0; i < points.n; i++)
			put_utf8(points.at[i], &text);
		if (put_label(buf_str(&text), &back) == 0 &&
			str_case_eq(buf_str(&back), label))
			label = buf_str(&text);
	}
	buf_add(out, label);
}

void
idna_to_utf8(struct str domain, struct buf *out)
{
	while (domain.len > 0) {
		ssize_t dot = str_chr(domain, '.');
		size_t n = dot < 0 ? domain.len : (size_t)dot;

		put_readable(str_sub(domain, 0, n), out);
		if (dot >= 0)
			buf_addc(out, '.');
		domain = str_from(domain, n + (dot >= 0));
	}
}
