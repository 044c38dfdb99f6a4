/* dmarc_report_mail.c -- a report as people have it: a file, or the mail it came with
 * (RFC 9990 section 3.1). What something is, its first bytes say: names and types of
 * attachments differ. */
#include "dmarc_report.h"
#include "parts.h"

enum { NESTING = 20, BOUNDARY = 2048, FIELD = 100000 };

static const struct str utf8_mark = STR_INIT("\xef\xbb\xbf");

static bool
is_xml(struct str bytes)
{
	if (str_starts(bytes, STR("\xff\xfe")) || str_starts(bytes, STR("\xfe\xff")))
		return true; /* UTF-16 */
	if (str_starts(bytes, utf8_mark))
		bytes = str_from(bytes, utf8_mark.len);
	return str_starts(str_trim(bytes), STR("<"));
}

/* A report that is no mail. */
static int
read_document(
	struct str bytes, struct arena *arena, struct dmarc_report *out, struct why *why)
{
	struct buf xml CLEANUP(buf_free) = BUF_INIT;

	if (!report_is_packed(bytes))
		return dmarc_report_parse(bytes, arena, out, why);
	if (report_unpack(bytes, REPORT_UNPACKED_MOST, &xml, why) < 0)
		return -1;
	return dmarc_report_parse(buf_str(&xml), arena, out, why);
}

/* ---- the parts of a mail ---- */

struct search {
	struct parts parts;
	struct buf leaf; /* the part in hand, as it was sent */
	bool in_leaf;
	enum part_encoding encoding; /* its */
	bool found;
	struct buf report;
};

static int
hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* RFC 2045 section 6.7; what is no escape stays. */
static void
unquote(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		int high = i + 2 < in.len ? hex_value(in.data[i + 1]) : -1;
		int low = i + 2 < in.len ? hex_value(in.data[i + 2]) : -1;

		if (in.data[i] != '=')
			buf_addc(out, in.data[i]);
		else if (i + 1 < in.len && in.data[i + 1] == '\n')
			i++;
		else if (high >= 0 && low >= 0) {
			buf_addc(out, (char)(high << 4 | low));
			i += 2;
		} else
			buf_addc(out, '=');
	}
}

static bool
unbase64(struct str in, struct buf *out)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < in.len; i++)
		if (!ascii_is_space(in.data[i]))
			buf_addc(&line, in.data[i]);
	return base64_decode(buf_str(&line), out) == 0;
}

static void
decode(const struct search *s, struct buf *out)
{
	if (s->encoding == ENCODING_BASE64) {
		if (!unbase64(buf_str(&s->leaf), out))
			buf_clear(out);
	} else if (s->encoding == ENCODING_QUOTED_PRINTABLE)
		unquote(buf_str(&s->leaf), out);
	else
		buf_add(out, buf_str(&s->leaf));
}

/* The name of the first element, without its prefix. */
static struct str
root_of(struct str xml)
{
	ssize_t at = str_chr(xml, '<'), colon;
	size_t len = 0;

	while (at >= 0) {
		xml = str_from(xml, (size_t)at + 1);
		if (!str_starts(xml, STR("?")) && !str_starts(xml, STR("!")))
			break;
		at = str_chr(xml, '<');
	}
	while (len < xml.len && !ascii_is_space(xml.data[len]) && xml.data[len] != '>')
		len++;
	xml = str_sub(xml, 0, len);
	colon = str_chr(xml, ':');
	return colon < 0 ? xml : str_from(xml, (size_t)colon + 1);
}

/* A mail may have text in HTML, too. */
static bool
is_report(struct str bytes)
{
	return report_is_packed(bytes) ||
	       (is_xml(bytes) && str_is(root_of(bytes), "feedback"));
}

static void
leaf_end(struct search *s)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	if (s->in_leaf && !s->found) {
		decode(s, &bytes);
		s->found = is_report(buf_str(&bytes));
		if (s->found)
			buf_add(&s->report, buf_str(&bytes));
	}
	s->in_leaf = false;
	buf_clear(&s->leaf);
}

static void
on_field(void *arg, struct field *f)
{
	(void)arg, (void)f;
}

static void
on_header_end(void *arg, bool cut_short)
{
	struct search *s = arg;

	(void)cut_short;
	s->in_leaf = s->parts.entity == ENTITY_LEAF;
	s->encoding = s->parts.encoding;
}

static void
on_text(void *arg, struct str bytes)
{
	struct search *s = arg;

	if (s->in_leaf && !s->found)
		buf_add(&s->leaf, bytes);
}

static void
on_boundary(void *arg, struct str bytes)
{
	(void)bytes;
	leaf_end(arg);
}

static const struct parts_calls calls = {
	.field = on_field,
	.header_end = on_header_end,
	.text = on_text,
	.boundary = on_boundary,
};

/* Lines end in LF only, as parts.h has them. */
static void
add_lines(struct search *s, struct str mail)
{
	struct str line;

	while (str_split(&mail, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.len--;
		parts_add(&s->parts, line);
		parts_add(&s->parts, STR("\n"));
	}
	parts_end(&s->parts);
	leaf_end(s);
}

static int
read_mail(struct str mail, struct arena *arena, struct dmarc_report *out, struct why *why)
{
	struct search s = { .parts = { .calls = &calls,
				    .field_limit = FIELD,
				    .nesting_limit = NESTING,
				    .boundary_limit = BOUNDARY } };
	int result = -1;

	s.parts.arg = &s;
	add_lines(&s, mail);
	if (s.found)
		result = read_document(buf_str(&s.report), arena, out, why);
	else
		why_set(why, "5.6.0", "neither a report nor a mail with one");
	parts_free(&s.parts);
	buf_free(&s.leaf);
	buf_free(&s.report);
	return result;
}

int
dmarc_report_read(
	struct str bytes, struct arena *arena, struct dmarc_report *out, struct why *why)
{
	*out = (struct dmarc_report){ .begin = 0 };
	if (bytes.len > REPORT_PACKED_MOST) {
		why_set(why, "5.6.0", "larger than %d octets", REPORT_PACKED_MOST);
		return -1;
	}
	return report_is_packed(bytes) || is_xml(bytes)
		       ? read_document(bytes, arena, out, why)
		       : read_mail(bytes, arena, out, why);
}
