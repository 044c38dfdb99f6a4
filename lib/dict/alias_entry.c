/* alias_entry.c -- "name: value" lines of aliases(5) as postalias stores them. */
#include "aliases.h"
#include "source.h"

static struct str
bad_pair(struct why *why)
{
	why_set(why, "5.5.0", "need name:value pair");
	return STR_NONE;
}

/* The name: everything before the first colon, without quotes. */
static struct str
alias_name(struct str *rest, struct arena *arena, struct why *why)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	enum word_kind last = WORD_SPECIAL;

	for (;;) {
		struct word w = word_next(rest, arena);

		if (w.kind == WORD_END)
			return bad_pair(why);
		if (w.kind == WORD_SPECIAL && str_is(w.text, ":"))
			break;
		if (w.kind == WORD_SPECIAL && str_is(w.text, "@")) {
			why_set(why, "5.5.0", "name must be local");
			return STR_NONE;
		}
		word_write(&name, last, w, false);
		last = w.kind;
	}
	return name.len ? arena_str(arena, buf_str(&name)) : bad_pair(why);
}

enum source_entry
source_alias_entry(struct str line, struct arena *arena, struct str *key,
	struct str *value, struct why *why)
{
	struct buf written CLEANUP(buf_free) = BUF_INIT;
	enum word_kind last = WORD_SPECIAL;

	*why = (struct why){ 0 };
	if (str_chr(line, '\0') >= 0) {
		why_set(why, "5.5.0", "a NUL byte -- ignoring this line");
		return SOURCE_BAD;
	}
	*key = alias_name(&line, arena, why);
	if (!key->data)
		return SOURCE_BAD;
	for (;;) {
		struct word w = word_next(&line, arena);

		if (w.kind == WORD_END)
			break;
		word_write(&written, last, w, true);
		last = w.kind;
	}
	if (written.len == 0) {
		bad_pair(why);
		return SOURCE_BAD;
	}
	*value = arena_str(arena, buf_str(&written));
	return SOURCE_ENTRY;
}
