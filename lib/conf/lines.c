/* lines.c -- see lines.h. */
#include "lines.h"

void
conf_lines_open(struct conf_lines *l, struct str file)
{
	*l = (struct conf_lines){ .rest = file, .next = 1, .joined = BUF_INIT };
}

void
conf_lines_close(struct conf_lines *l)
{
	buf_free(&l->joined);
}

static struct str
without_blanks_behind(struct str s)
{
	while (s.len > 0 && ascii_is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool
says_nothing(struct str s)
{
	while (s.len > 0 && ascii_is_space(s.data[0]))
		s = str_from(s, 1);
	return s.len == 0 || s.data[0] == '#';
}

static struct str
physical_line(struct conf_lines *l)
{
	struct str s;

	if (!str_split(&l->rest, '\n', &s))
		return STR("");
	l->next++;
	return s;
}

/* Adds the lines that continue the one in l->text. Most have none: they are not copied.
 */
static void
take_continuations(struct conf_lines *l)
{
	buf_clear(&l->joined);
	while (l->rest.len > 0) {
		ssize_t end = str_chr(l->rest, '\n');
		struct str s = str_sub(l->rest, 0, end < 0 ? l->rest.len : (size_t)end);

		if (says_nothing(s)) {
			physical_line(l);
			continue;
		}
		if (!ascii_is_space(s.data[0]))
			break;
		if (l->joined.len == 0)
			buf_add(&l->joined, l->text);
		buf_add(&l->joined, physical_line(l));
	}
	if (l->joined.len > 0)
		l->text = buf_str(&l->joined);
}

bool
conf_lines_next(struct conf_lines *l)
{
	while (l->rest.len > 0) {
		l->line = l->next;
		l->text = physical_line(l);
		if (says_nothing(l->text))
			continue;
		l->stray = ascii_is_space(l->text.data[0]);
		if (!l->stray)
			take_continuations(l);
		l->text = without_blanks_behind(l->text);
		return true;
	}
	return false;
}
