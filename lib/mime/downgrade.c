/* downgrade.c -- see downgrade.h. */
#include "downgrade.h"

#define FIELD_MOST ((size_t)256 * 1024)
#define LINE_MOST  72 /* of 76: RFC 2045 section 6.7 (5) */

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

/* ---- what the message is made of ---- */

/* RFC 2045 section 6.1: what is neither of these two is 7-bit already. */
static bool
says_eight_bit(const struct field *f)
{
	enum part_encoding said = transfer_encoding_parse(f->body);

	return said == ENCODING_8BIT || said == ENCODING_BINARY;
}

static void
on_field(void *arg, struct field *f)
{
	struct downgrade *d = arg;

	if (field_is(f, "Content-Transfer-Encoding") && says_eight_bit(f))
		d->eight_bit = true; /* says something else when the header ends */
	else
		buf_add(d->out, f->text);
}

/* RFC 2045 section 6.4: what holds other bodies is never encoded itself. */
static void
on_header_end(void *arg, bool cut_short)
{
	struct downgrade *d = arg;
	bool leaf = d->parts.entity == ENTITY_LEAF;

	if (d->eight_bit)
		buf_addz(d->out, leaf ? "Content-Transfer-Encoding: quoted-printable\n"
				      : "Content-Transfer-Encoding: 7bit\n");
	if (!cut_short)
		buf_addc(d->out, '\n');
	d->convert = d->eight_bit && leaf;
	d->eight_bit = false;
	d->column = 0;
}

static void
on_text(void *arg, struct str text)
{
	struct downgrade *d = arg;

	if (d->convert)
		text_encode(d, text, d->out);
	else
		buf_add(d->out, text);
}

/* An epilogue behind it belongs to no part. */
static void
on_boundary(void *arg, struct str line)
{
	struct downgrade *d = arg;

	d->convert = false;
	buf_add(d->out, line);
}

static const struct parts_calls calls = { on_field, on_header_end, on_text, on_boundary };

/* ---- all of it ---- */

void
downgrade_begin(struct downgrade *d, size_t nesting_limit, size_t boundary_limit)
{
	*d = (struct downgrade){ .parts = { .calls = &calls,
					 .field_limit = FIELD_MOST,
					 .nesting_limit = nesting_limit,
					 .boundary_limit = boundary_limit } };
}

void
downgrade_free(struct downgrade *d)
{
	parts_free(&d->parts);
}

void
downgrade_add(struct downgrade *d, struct str in, struct buf *out)
{
	d->out = out;
	d->parts.arg = d;
	parts_add(&d->parts, in);
}

void
downgrade_end(struct downgrade *d, struct buf *out)
{
	d->out = out;
	d->parts.arg = d;
	parts_end(&d->parts);
	put_blank(d, true, out);
	if (d->parts.too_deep)
		d->problem = "MIME nesting exceeds safety limit";
	if (d->parts.cut)
		d->problem = "message header length exceeds safety limit";
}
