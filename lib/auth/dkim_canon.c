/* dkim_canon.c -- see dkim_canon.h. */
#include "dkim_canon.h"

static const char *const names[] = {
	[DKIM_SIMPLE] = "simple", [DKIM_RELAXED] = "relaxed"
};

const char *
dkim_canon_name(enum dkim_canon how)
{
	return names[how];
}

static int
read_word(struct str word, enum dkim_canon *out)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_case_is(word, names[i])) {
			*out = (enum dkim_canon)i;
			return 0;
		}
	return -1;
}

int
dkim_canon_read(struct str text, enum dkim_canon *header, enum dkim_canon *body)
{
	ssize_t slash = str_chr(text, '/');

	if (slash < 0) {
		*body = DKIM_SIMPLE;
		return read_word(text, header);
	}
	if (read_word(str_sub(text, 0, (size_t)slash), header) < 0)
		return -1;
	return read_word(str_from(text, (size_t)slash + 1), body);
}

/* ---- fields ---- */

/* Takes a line without its end off *rest. */
static bool
next_line(struct str *rest, struct str *line)
{
	size_t before = rest->len;

	if (!str_split(rest, '\n', line))
		return false;
	if (line->len < before && str_ends(*line, STR("\r")))
		line->len--;
	return true;
}

static void
simple_field(struct str field, struct buf *out)
{
	struct str line;

	while (next_line(&field, &line)) {
		buf_add(out, line);
		buf_addz(out, "\r\n");
	}
}

/* Section 3.4.2: the name in lower case, no blanks around the colon, one line, one space
 * for each run of blanks, none at the end. */
static void
relaxed_field(struct str field, struct buf *out)
{
	ssize_t colon = str_chr(field, ':');
	size_t name = colon < 0 ? 0 : (size_t)colon;
	struct str rest = str_from(field, colon < 0 ? 0 : (size_t)colon + 1), line;
	bool blank = false;
	size_t begin;

	while (name > 0 && ascii_is_blank(field.data[name - 1]))
		name--;
	for (size_t i = 0; i < name; i++)
		buf_addc(out, ascii_lower(field.data[i]));
	if (colon >= 0)
		buf_addc(out, ':');
	begin = out->len;
	while (next_line(&rest, &line))
		for (size_t i = 0; i < line.len; i++) {
			if (ascii_is_blank(line.data[i])) {
				blank = true;
				continue;
			}
			if (blank && out->len > begin)
				buf_addc(out, ' ');
			blank = false;
			buf_addc(out, line.data[i]);
		}
	buf_addz(out, "\r\n");
}

void
dkim_canon_field(enum dkim_canon how, struct str field, struct buf *out)
{
	if (how == DKIM_SIMPLE)
		simple_field(field, out);
	else
		relaxed_field(field, out);
}

/* ---- the body ---- */

void
dkim_body_begin(struct dkim_body *b, enum dkim_canon how,
	void (*give)(void *arg, struct str bytes), void *arg)
{
	*b = (struct dkim_body){ .how = how, .give = give, .arg = arg };
}

static void
flush(struct dkim_body *b)
{
	if (b->staged > 0)
		b->give(b->arg, str_of(b->stage, b->staged));
	b->staged = 0;
}

static void
put(struct dkim_body *b, struct str bytes)
{
	if (bytes.len > sizeof(b->stage) - b->staged)
		flush(b);
	if (bytes.len > sizeof(b->stage)) {
		b->give(b->arg, bytes);
		return;
	}
	memcpy(b->stage + b->staged, bytes.data, bytes.len);
	b->staged += bytes.len;
}

/* Text within a line, no blanks where they are looked at: what was held back before it
 * belongs to the body. */
static void
put_text(struct dkim_body *b, struct str text)
{
	if (text.len == 0)
		return;
	for (; b->lines > 0; b->lines--)
		put(b, STR("\r\n"));
	if (b->blank)
		put(b, STR(" "));
	b->blank = false;
	b->any = true;
	put(b, text);
}

static void
put_relaxed(struct dkim_body *b, struct str text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t begin = at;

		while (at < text.len && !ascii_is_blank(text.data[at]))
			at++;
		put_text(b, str_sub(text, begin, at - begin));
		for (; at < text.len && ascii_is_blank(text.data[at]); at++)
			b->blank = true;
	}
}

/* Part of a line. */
static void
put_part(struct dkim_body *b, struct str text)
{
	if (text.len > 0 && b->cr) {
		b->cr = false;
		put_text(b, STR("\r"));
	}
	if (str_ends(text, STR("\r"))) {
		b->cr = true;
		text.len--;
	}
	if (b->how == DKIM_SIMPLE)
		put_text(b, text);
	else
		put_relaxed(b, text);
}

void
dkim_body_add(struct dkim_body *b, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t end = str_chr(bytes, '\n');

		if (end < 0) {
			put_part(b, bytes);
			return;
		}
		put_part(b, str_sub(bytes, 0, (size_t)end));
		b->cr = b->blank = false;
		b->lines++;
		bytes = str_from(bytes, (size_t)end + 1);
	}
}

/* Empty lines at the end do not count, and what is not empty ends in CRLF. An empty body
 * is one CRLF in the simple form (section 3.4.3), nothing in the other. */
void
dkim_body_end(struct dkim_body *b)
{
	if (b->cr)
		put_text(b, STR("\r"));
	if (b->any || b->how == DKIM_SIMPLE)
		put(b, STR("\r\n"));
	flush(b);
}
