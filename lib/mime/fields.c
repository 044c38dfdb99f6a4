/* fields.c -- see fields.h. */
#include "fields.h"

#define NAME_MOST   998  /* RFC 5322 section 2.1.1: no longer line is valid */
#define LIMIT_LEAST 1024 /* of a line that can be judged */

void
fields_free(struct fields *f)
{
	buf_free(&f->line);
	buf_free(&f->pending);
}

bool
field_start(struct str line, struct str *name)
{
	size_t n = 0, colon;

	while (n < line.len && line.data[n] > 0x20 && line.data[n] < 0x7f &&
		line.data[n] != ':')
		n++;
	for (colon = n; colon < line.len && ascii_is_blank(line.data[colon]);)
		colon++;
	if (n == 0 || colon > NAME_MOST || colon == line.len || line.data[colon] != ':')
		return false;
	*name = str_sub(line, 0, n);
	return true;
}

bool
field_is(const struct field *f, const char *name)
{
	return str_case_is(f->name, name);
}

struct str
field_unfold(const struct field *f, struct arena *a)
{
	struct str body = str_trim(f->body);
	char *out = arena_alloc(a, body.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < body.len; i++)
		if (body.data[i] != '\n' && body.data[i] != '\r')
			out[n++] = body.data[i];
	return str_of(out, n);
}

static size_t
fields_limit(const struct fields *f)
{
	return MAX(f->limit, LIMIT_LEAST);
}

/* Gives out the pending field. */
static enum fields_event
fields_give(struct fields *f, struct field *field)
{
	struct str text = buf_str(&f->pending);
	ssize_t colon = str_chr(text, ':');

	ensure(colon > 0 && field_start(text, &field->name));
	field->text = text;
	field->body = str_from(text, (size_t)colon + 1);
	f->given = true;
	return FIELDS_FIELD;
}

/* Forgets what the last call gave out. */
static void
fields_forget(struct fields *f)
{
	if (f->given)
		buf_clear(&f->pending);
	f->given = false;
}

/* The name and what follows the colon: blanks between the two are obsolete (RFC 5322
 * section 4.5), and left out. */
static void
fields_begin(struct fields *f, struct str text)
{
	size_t colon = (size_t)str_chr(text, ':'), room;
	struct str name = STR_NONE, body = str_from(text, colon);

	ensure(field_start(text, &name));
	room = MAX(f->limit, name.len + 1) - name.len; /* it never loses its name */
	f->cut = f->cut || body.len > room;
	buf_add(&f->pending, name);
	buf_add(&f->pending, str_sub(body, 0, room));
	buf_addc(&f->pending, '\n');
}

/* Appends a line (with its LF) to the pending field, as far as the limit lets it: the
 * last line end does not count, the others do. */
static void
fields_append(struct fields *f, struct str line)
{
	struct str text = str_sub(line, 0, line.len - 1);
	size_t room = f->limit - MIN(f->limit, f->pending.len);

	if (f->pending.len == 0) {
		fields_begin(f, text);
		return;
	}
	f->cut = f->cut || text.len > room;
	if (room > 0) { /* an empty line would end the header */
		buf_add(&f->pending, str_sub(text, 0, room));
		buf_addc(&f->pending, '\n');
	}
}

/* Does the line (without LF) belong to the header section? */
static bool
fields_belongs(const struct fields *f, struct str text, bool *continues)
{
	struct str name;

	*continues = text.len > 0 && ascii_is_blank(text.data[0]) && f->pending.len > 0;
	return *continues || field_start(text, &name);
}

/* What one complete line (with its LF) means. *taken: it needs not be seen again. */
static enum fields_event
fields_line(struct fields *f, struct str line, struct field *field, bool *taken)
{
	struct str text = str_sub(line, 0, line.len - 1);
	bool continues, belongs = fields_belongs(f, text, &continues);

	*taken = false;
	if (!continues && f->pending.len > 0) /* the field before is complete */
		return fields_give(f, field);
	if (belongs) {
		*taken = true;
		fields_append(f, line);
		return FIELDS_MORE;
	}
	f->ended = true;
	*taken = text.len == 0;
	f->unterminated = text.len > 0;
	return FIELDS_END;
}

/* Moves input behind f->line up to a LF, or until the line is longer than any field may
 * be: such a line is cut when it is part of the header, and left to the body when not.
 * Returns whether f->line can be looked at. */
static bool
fields_gather(struct fields *f, struct str *in)
{
	ssize_t lf = str_chr(*in, '\n');
	struct str piece = str_sub(*in, 0, lf < 0 ? in->len : (size_t)lf + 1);
	size_t limit = fields_limit(f);
	bool continues;

	buf_add(&f->line, piece);
	*in = str_from(*in, piece.len);
	if (lf >= 0 || f->line.len <= limit)
		return lf >= 0;
	if (!fields_belongs(f, buf_str(&f->line), &continues))
		return true;
	f->cut = f->skipping = true;
	f->line.len = limit + 1;
	f->line.data[limit] = '\n';
	return true;
}

/* Drops the rest of a line that was too long. False: it goes on behind *in. */
static bool
fields_skip(struct fields *f, struct str *in)
{
	ssize_t lf = str_chr(*in, '\n');

	*in = str_from(*in, lf < 0 ? in->len : (size_t)lf + 1);
	f->skipping = lf < 0;
	return lf >= 0;
}

enum fields_event
fields_next(struct fields *f, struct str *in, struct field *field)
{
	fields_forget(f);
	while (!f->ended) {
		bool taken, held = f->line.len > 0;
		struct str line = buf_str(&f->line);
		ssize_t lf = held ? -1 : str_chr(*in, '\n');
		enum fields_event event;

		if (!held && f->skipping) {
			if (!fields_skip(f, in))
				return FIELDS_MORE;
			continue;
		}
		if (!held && lf >= 0) {
			line = str_sub(*in, 0, (size_t)lf + 1); /* most lines: no copy */
		} else if (!held || (line.data[line.len - 1] != '\n' &&
					    line.len <= fields_limit(f))) {
			if (!fields_gather(f, in))
				return FIELDS_MORE;
			continue;
		}
		event = fields_line(f, line, field, &taken);
		if (taken && held)
			buf_clear(&f->line);
		else if (taken)
			*in = str_from(*in, line.len);
		if (event != FIELDS_MORE)
			return event;
	}
	return FIELDS_END;
}

enum fields_event
fields_finish(struct fields *f, struct field *field)
{
	struct str end_of_line = STR("\n");

	fields_forget(f);
	if (f->line.len > 0) {
		enum fields_event event = fields_next(f, &end_of_line, field);

		if (event != FIELDS_MORE)
			return event;
	}
	if (f->pending.len > 0 && !f->ended)
		return fields_give(f, field);
	f->ended = true;
	return FIELDS_END;
}
