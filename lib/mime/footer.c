/* footer.c -- see footer.h. */
#include "footer.h"
#include <time.h>

/* Takes the next line off a footer. */
static struct str
next_line(struct str *rest)
{
	ssize_t at = str_find(*rest, STR("\\n"));
	struct str line = at < 0 ? *rest : str_sub(*rest, 0, (size_t)at);

	*rest = at < 0 ? STR_NONE : str_from(*rest, (size_t)at + 2);
	return line;
}

void
footer_each_line(struct str text, struct str footer, struct arena *arena,
	void (*fn)(void *arg, struct str line, bool last), void *arg)
{
	struct str after = str_from(text, 4), codes = str_sub(text, 0, 4), line;
	char dsn[12];

	if (why_code_take(&after, dsn))
		codes = arena_printf(arena, "%.*s%s ", STR_ARG(codes), dsn);
	if (str_starts(footer, STR("\\c"))) {
		footer = str_from(footer, 2);
		line = next_line(&footer);
		text = arena_printf(arena, "%.*s%.*s", STR_ARG(text), STR_ARG(line));
	}
	fn(arg, text, footer.len == 0);
	while (footer.len) {
		line = next_line(&footer);
		fn(arg, arena_printf(arena, "%.*s%.*s", STR_ARG(codes), STR_ARG(line)),
			footer.len == 0);
	}
}

struct str
footer_localtime(struct arena *arena)
{
	time_t now = (time_t)(time_wall_us() / 1000000);
	struct tm tm;
	char text[32];

	if (!localtime_r(&now, &tm) || !strftime(text, sizeof(text), "%b %d %T", &tm))
		return STR("");
	return arena_str(arena, str_c(text));
}
