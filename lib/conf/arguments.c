/* arguments.c -- see arguments.h. Options end at the first argument that does not begin
 * with a dash: pipe's argv= may have a -o of its own. */
#include "arguments.h"
#include "values.h"

typedef VEC(struct str) text_list;

static struct strs
list_in(struct arena *a, const text_list *list)
{
	struct strs out = { NULL, list->n };

	if (list->n > 0) {
		out.items = arena_alloc(a, list->n * sizeof(*out.items));
		memcpy(out.items, list->items, list->n * sizeof(*out.items));
	}
	return out;
}

/* Takes one argument with its braces off *rest: blanks inside of braces do not end it. */
static struct str
take_argument(struct str *rest)
{
	size_t n = 0;
	struct str argument;

	for (int level = 0; n < rest->len; n++) {
		if (rest->data[n] == '{')
			level++;
		else if (rest->data[n] == '}' && level > 0)
			level--;
		else if (level == 0 && ascii_is_space(rest->data[n]))
			break;
	}
	argument = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	return argument;
}

static const char *
remove_braces(struct str *argument, struct arena *a)
{
	struct str s = *argument;
	size_t n = 0;
	int level = 0;

	do {
		level += s.data[n] == '{';
		level -= s.data[n] == '}';
	} while (++n < s.len && level > 0);
	if (level > 0)
		return arena_printf(a, "missing '}' in \"" STR_FMT "\"", STR_ARG(s)).data;
	if (n < s.len)
		return arena_printf(
			a, "syntax error after '}' in \"" STR_FMT "\"", STR_ARG(s))
			.data;
	*argument = str_trim(str_sub(s, 1, s.len - 2));
	return NULL;
}

const char *
arguments_split(struct str text, struct arena *a, struct strs *out)
{
	text_list list = { 0 };
	const char *wrong = NULL;

	while (!wrong) {
		struct str argument;

		while (text.len > 0 && ascii_is_space(text.data[0]))
			text = str_from(text, 1);
		if (text.len == 0)
			break;
		argument = take_argument(&text);
		if (argument.data[0] == '{')
			wrong = remove_braces(&argument, a);
		*vec_push(&list) = arena_str(a, argument);
	}
	*out = list_in(a, &list);
	vec_free(&list);
	return wrong;
}

static const char *
add_override(text_list *overrides, struct str text, struct arena *a)
{
	struct str name, value;
	const char *missing = name_and_value(str_trim(text), &name, &value);

	if (missing)
		return arena_printf(a, "invalid \"-o " STR_FMT "\" option value: %s",
			STR_ARG(text), missing)
			.data;
	*vec_push(overrides) =
		arena_printf(a, STR_FMT "=" STR_FMT, STR_ARG(name), STR_ARG(value));
	return NULL;
}

/* The letters behind a dash. Those with a value take the rest of the argument, or the
 * next one: *i then stands on that. */
static const char *
read_letters(struct service_line *s, size_t *i, text_list *overrides, struct arena *a)
{
	struct str letters = str_from(s->args.items[*i], 1);

	for (; letters.len > 0; letters = str_from(letters, 1)) {
		struct str value = str_from(letters, 1);

		if (letters.data[0] == 'v')
			s->verbose++;
		if (!strchr("oimnst", letters.data[0]))
			continue;
		if (value.len == 0 && ++*i == s->args.n)
			return arena_printf(
				a, "option requires an argument -- '%c'", letters.data[0])
				.data;
		if (value.len == 0)
			value = s->args.items[*i];
		return letters.data[0] == 'o' ? add_override(overrides, value, a) : NULL;
	}
	return NULL;
}

const char *
arguments_options(struct service_line *s, struct arena *a)
{
	text_list overrides = { 0 };
	const char *wrong = NULL;

	for (size_t i = 0; !wrong && i < s->args.n; i++) {
		struct str argument = s->args.items[i];

		if (argument.len < 2 || argument.data[0] != '-' || str_is(argument, "--"))
			break;
		wrong = read_letters(s, &i, &overrides, a);
	}
	s->overrides = list_in(a, &overrides);
	vec_free(&overrides);
	return wrong;
}

char **
service_line_argv(const struct service_line *s, struct arena *a)
{
	char **argv = arena_alloc(a, (s->args.n + 8) * sizeof(*argv));
	size_t n = 0;

	argv[n++] = arena_cstr(a, s->command);
	argv[n++] = arena_cstr(a, STR("-n"));
	argv[n++] = arena_cstr(a, s->name);
	argv[n++] = arena_cstr(a, STR("-t"));
	argv[n++] = arena_cstr(a, str_c(service_types[s->type]));
	if (s->unprivileged)
		argv[n++] = arena_cstr(a, STR("-u"));
	if (s->chroot)
		argv[n++] = arena_cstr(a, STR("-c"));
	for (size_t i = 0; i < s->args.n; i++)
		argv[n++] = arena_cstr(a, s->args.items[i]);
	return argv;
}
