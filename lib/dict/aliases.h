/* aliases.h -- what stands to the right of a name in aliases(5), and in .forward and
 * :include: files: addresses, "|commands", /files and :include:/lists. */
#ifndef ALIASES_H
#define ALIASES_H

#include "base.h"

enum alias_kind {
	ALIAS_ADDRESS, /* text: internal form, local part unquoted */
	ALIAS_COMMAND, /* text: the command, without | */
	ALIAS_FILE,    /* text: the path, which starts with / */
	ALIAS_INCLUDE, /* text: the path behind :include: */
};
struct alias_target {
	enum alias_kind kind;
	struct str text;
};
struct alias_targets {
	struct alias_target *items;
	size_t n;
};
/* The targets of one value or one line. Comments in ( ) are dropped, phrases before <>
 * and the names of groups too. Everything is in the arena. -1 and *why when there are
 * more than `most`. */
int alias_targets(struct str text, size_t most, struct arena *arena,
	struct alias_targets *out, struct why *why) MUST_CHECK;

/* ---- the words of RFC 5322 section 3.2, which both sides of aliases(5) are made of ----
 */
enum word_kind {
	WORD_ATOM,
	WORD_QUOTED,  /* text: without quotes and backslashes */
	WORD_COMMENT, /* text: as it is, with its parentheses */
	WORD_LITERAL, /* text: as it is, with its brackets */
	WORD_SPECIAL, /* one of <>@,;:.|%!)] */
	WORD_END,
};
struct word {
	enum word_kind kind;
	struct str text;
};
/* Takes the next word off *rest. What is left open at the end counts as closed there. */
struct word word_next(struct str *rest, struct arena *arena);
/* Writes a word behind those already in out, with a blank where two would run together;
 * before: the word written last (WORD_SPECIAL at the start). quoted: keep quotes. */
void word_write(struct buf *out, enum word_kind before, struct word w, bool quoted);

#endif
