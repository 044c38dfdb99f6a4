/* options.c -- the arguments that master gives: Postfix's letters, then the line's own.
 */
#include "service_impl.h"

struct cursor {
	char **argv;
	int argc, at;
};

/* The value of an option: what follows the letter, or the next argument. */
static const char *
option_value(struct cursor *c)
{
	const char *word = c->argv[c->at];

	if (word[2] != '\0')
		return word + 2;
	return c->at + 1 < c->argc ? c->argv[++c->at] : NULL;
}

/* "-v", "-vv" */
static int
count_letters(const char *word)
{
	return (int)strlen(word) - 1;
}

static void
push(struct strs *list, const char *text)
{
	list->items[list->n++] = str_c(text);
}

/* 1: taken; 0: not one of ours, so the program's arguments begin here; -1: no value. */
static int
take_option(struct cursor *c, struct options *out)
{
	const char *word = c->argv[c->at], *value;

	if (word[0] != '-' || word[1] == '\0')
		return 0;
	switch (word[1]) {
	case 'u':
		out->unprivileged = true;
		return 1;
	case 'v':
		out->verbose += count_letters(word);
		return 1;
	case 'c': /* chroot: what it was for, the jail does (design section 9) */
	case 'D':
		return 1;
	case 'n':
	case 't':
	case 'o':
		if (!(value = option_value(c)))
			return -1;
		if (word[1] == 'o')
			push(&out->overrides, value);
		else
			*(word[1] == 'n' ? &out->name : &out->transport) = value;
		return 1;
	default:
		return 0;
	}
}

int
options_parse(
	int argc, char **argv, struct arena *arena, struct options *out, struct why *why)
{
	struct cursor c = { argv, argc, 1 };
	size_t room = (size_t)argc * sizeof(struct str);

	*out = (struct options){ 0 };
	out->overrides.items = arena_alloc(arena, room + 1);
	out->args.items = arena_alloc(arena, room + 1);
	for (; c.at < argc; c.at++) {
		int taken = out->args.n ? 0 : take_option(&c, out);

		if (taken < 0) {
			why_set(why, "4.3.5", "option %s needs a value", argv[c.at]);
			return -1;
		}
		if (taken == 0)
			push(&out->args, argv[c.at]);
	}
	if (out->name && out->transport)
		return 0;
	why_set(why, "4.3.5", "this program is started by master, with -n and -t");
	return -1;
}
