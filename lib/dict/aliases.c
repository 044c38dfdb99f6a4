/* aliases.c -- the words and targets of aliases(5). */
#include "aliases.h"

static const char specials[] = "<>@,;:.|%!)]";

static bool
is_special(char c)
{
	return c != '\0' && strchr(specials, c);
}

/* May it stand in an atom as it is? */
static bool
is_atom(char c)
{
	return !is_special(c) && !ascii_is_space(c) && c != '"' && c != '(' && c != '[' &&
	       c != '\\';
}

/* ---- words ---- */

/* Copies up to the closing quote, backslashes resolved. */
static struct word
quoted_word(struct str *rest, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	size_t i;

	for (i = 1; i < rest->len && rest->data[i] != '"'; i++) {
		if (rest->data[i] == '\\' && ++i == rest->len)
			break; /* it escapes nothing */
		/* a value is one line: a tab in it is a blank, as in Postfix */
		buf_addc(&text, ascii_is_space(rest->data[i]) ? ' ' : rest->data[i]);
	}
	*rest = str_from(*rest, MIN(i + 1, rest->len));
	return (struct word){ WORD_QUOTED, arena_str(arena, buf_str(&text)) };
}

/* (comments (nest)) */
static struct word
comment_word(struct str *rest)
{
	struct str whole = *rest;
	size_t depth = 0, i;

	for (i = 0; i < whole.len; i++) {
		char c = whole.data[i];

		if (c == '\\' && i + 1 < whole.len)
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			break;
	}
	i = MIN(i + 1, whole.len);
	*rest = str_from(whole, i);
	return (struct word){ WORD_COMMENT, str_sub(whole, 0, i) };
}

/* [192.0.2.1]; one that is left open gets its bracket. Backslashes stay: taken off each
 * time that a line is read and written again, the text would change each time. */
static struct word
literal_word(struct str *rest, struct arena *arena)
{
	struct str text;
	size_t i;

	for (i = 0; i < rest->len && rest->data[i] != ']'; i++)
		if (rest->data[i] == '\\' && i + 1 < rest->len)
			i++;
	i = MIN(i, rest->len);
	text = arena_printf(arena, STR_FMT "]", STR_ARG(str_sub(*rest, 0, i)));
	*rest = str_from(*rest, MIN(i + 1, rest->len));
	return (struct word){ WORD_LITERAL, text };
}

/* An atom; one that needs its backslashes becomes a quoted word. */
static struct word
atom_word(struct str *rest, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	enum word_kind kind = WORD_ATOM;
	size_t i;

	for (i = 0; i < rest->len; i++) {
		char c = rest->data[i];

		if (c == '\\') {
			if (++i == rest->len)
				break; /* it escapes nothing */
			c = rest->data[i];
			if (!is_atom(c))
				kind = WORD_QUOTED;
		} else if (!is_atom(c)) {
			break;
		}
		buf_addc(&text, c);
	}
	*rest = str_from(*rest, i);
	return (struct word){ kind, arena_str(arena, buf_str(&text)) };
}

struct word
word_next(struct str *rest, struct arena *arena)
{
	struct word w = { WORD_END, STR_NONE };

	while (rest->len && ascii_is_space(rest->data[0]))
		*rest = str_from(*rest, 1);
	if (rest->len == 0)
		return w;
	switch (rest->data[0]) {
	case '"':
		return quoted_word(rest, arena);
	case '(':
		return comment_word(rest);
	case '[':
		return literal_word(rest, arena);
	}
	if (!is_special(rest->data[0]))
		return atom_word(rest, arena);
	w = (struct word){ WORD_SPECIAL, str_sub(*rest, 0, 1) };
	*rest = str_from(*rest, 1);
	return w;
}

static void
write_quoted(struct buf *out, struct str text)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, text.data[i]);
	}
	buf_addc(out, '"');
}

void
word_write(struct buf *out, enum word_kind before, struct word w, bool quoted)
{
	bool apart =
		before != WORD_SPECIAL && (w.kind != WORD_SPECIAL || str_is(w.text, "<"));

	if (apart)
		buf_addc(out, ' ');
	if (w.kind == WORD_QUOTED && quoted)
		write_quoted(out, w.text);
	else
		buf_add(out, w.text);
	if (w.kind == WORD_SPECIAL && str_is(w.text, ","))
		buf_addc(out, ' ');
}

/* ---- targets ---- */

/* One target while its words are read. */
struct target {
	struct buf text; /* what was read so far, unquoted */
	enum word_kind last;
	bool in_route; /* behind a < */
	bool closed;   /* ... and its > was seen: the rest is noise */
};

static void
target_restart(struct target *t)
{
	buf_clear(&t->text);
	t->last = WORD_SPECIAL;
}

static struct alias_target
target_of(struct str text)
{
	if (text.data[0] == '|')
		return (struct alias_target){ ALIAS_COMMAND,
			str_trim(str_from(text, 1)) };
	if (text.data[0] == '/')
		return (struct alias_target){ ALIAS_FILE, text };
	if (str_case_starts(text, STR(":include:")))
		return (struct alias_target){ ALIAS_INCLUDE,
			str_trim(str_from(text, 9)) };
	return (struct alias_target){ ALIAS_ADDRESS, text };
}

struct reader {
	VEC(struct alias_target) found;
	struct target now;
	struct arena *arena;
	size_t most;
};

static bool
target_end(struct reader *r)
{
	struct str text = str_trim(buf_str(&r->now.text));

	if (text.len) {
		if (r->found.n == r->most)
			return false;
		*vec_push(&r->found) = target_of(arena_str(r->arena, text));
	}
	target_restart(&r->now);
	r->now.in_route = r->now.closed = false;
	return true;
}

/* Is the colon that comes next the one of ":include:"? */
static bool
is_include_colon(const struct target *t)
{
	struct str text = buf_str(&t->text);

	return text.len == 0 || str_case_is(text, ":include") ||
	       str_case_starts(text, STR(":include:"));
}

static bool
ends_target(struct word w)
{
	return w.kind == WORD_SPECIAL && (str_is(w.text, ",") || str_is(w.text, ";"));
}

/* False when there are too many targets. */
static bool
take_special(struct reader *r, struct word w)
{
	struct target *t = &r->now;

	if (ends_target(w) && !t->in_route) /* in it: the @a,@b: of a source route */
		return target_end(r);
	switch (w.text.data[0]) {
	case '<':
		target_restart(t); /* what was before is a phrase */
		t->in_route = true;
		return true;
	case '>':
		t->closed = t->in_route;
		t->in_route = false;
		return true;
	case ':':
		if (!t->in_route && !is_include_colon(t) && t->text.data[0] != '/' &&
			t->text.data[0] != '|' && str_chr(buf_str(&t->text), '@') < 0) {
			target_restart(t); /* the name of a group */
			return true;
		}
		break;
	}
	word_write(&t->text, t->last, w, false);
	t->last = WORD_SPECIAL;
	return true;
}

int
alias_targets(struct str text, size_t most, struct arena *arena,
	struct alias_targets *out, struct why *why)
{
	struct reader r = {
		.arena = arena, .most = most, .now = { .last = WORD_SPECIAL }
	};
	bool well = true;

	for (;;) {
		struct word w = word_next(&text, arena);

		if (w.kind == WORD_END)
			break;
		if (w.kind == WORD_COMMENT || (r.now.closed && !ends_target(w)))
			continue;
		if (w.kind == WORD_SPECIAL) {
			well = take_special(&r, w);
			if (!well)
				break;
			continue;
		}
		word_write(&r.now.text, r.now.last, w, false);
		r.now.last = w.kind;
	}
	well = well && target_end(&r);
	buf_free(&r.now.text);
	if (well) {
		out->n = r.found.n;
		out->items = arena_alloc(arena, (out->n + 1) * sizeof *out->items);
		if (out->n)
			memcpy(out->items, r.found.items, out->n * sizeof *out->items);
	} else {
		why_set(why, "5.4.6", "more than %zu targets in one alias", most);
	}
	vec_free(&r.found);
	return well ? 0 : -1;
}
