/* verp.c -- see verp.h. */
#include "verp.h"

struct str
verp_delimiters(const struct envelope *e)
{
	struct str value = envelope_attribute(e, STR(ATTRIBUTE_VERP));

	return value.len == 2 ? value : STR("");
}

struct str
verp_sender(
	struct str delimiters, struct str sender, const struct rcpt *r, struct arena *a)
{
	struct str to = rcpt_original(r), domain = STR("");
	ssize_t at = str_rchr(sender, '@'), to_at = str_rchr(to, '@');

	if (at < 0)
		at = (ssize_t)sender.len;
	if (to_at >= 0) {
		domain = arena_printf(a, "%c" STR_FMT, delimiters.data[1],
			STR_ARG(str_from(to, (size_t)to_at + 1)));
		to = str_sub(to, 0, (size_t)to_at);
	}
	return arena_printf(a, STR_FMT "%c" STR_FMT STR_FMT STR_FMT,
		STR_ARG(str_sub(sender, 0, (size_t)at)), delimiters.data[0], STR_ARG(to),
		STR_ARG(domain), STR_ARG(str_from(sender, (size_t)at)));
}
