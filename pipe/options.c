/* options.c -- "flags=Rq user=vmail:mail argv=/usr/bin/program -f ${sender}" (pipe(8)).
 */
#include "pipe.h"
#include "log.h"
#include "service.h"

static void
read_flags(struct str flags, struct pipe_options *o)
{
	struct {
		char letter;
		bool *flag;
	} known[] = {
		{ 'B', &o->blank_line },
		{ 'D', &o->delivered_to },
		{ 'F', &o->from_line },
		{ 'O', &o->original_to },
		{ 'R', &o->return_path },
		{ 'X', &o->final },
		{ 'h', &o->fold_domain },
		{ 'q', &o->quote },
		{ 'u', &o->fold_user },
		{ '.', &o->quote_dot },
		{ '>', &o->quote_from },
	};

	for (size_t i = 0; i < flags.len; i++) {
		size_t k = 0;

		while (k < COUNT(known) && known[k].letter != flags.data[i])
			k++;
		if (k == COUNT(known))
			log_fatal("unknown flag: %c in flags=" STR_FMT, flags.data[i],
				STR_ARG(flags));
		*known[k].flag = true;
	}
}

/* \n and its like, and octal numbers. */
static struct str
unescape(struct str text, struct arena *a)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	char *out = arena_alloc(a, text.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *known;
		unsigned octal = 0;
		int digits = 0;

		if (text.data[i] != '\\' || i + 1 == text.len) {
			out[n++] = text.data[i];
			continue;
		}
		i++;
		for (; digits < 3 && i < text.len && text.data[i] >= '0' &&
			text.data[i] <= '7';
			digits++)
			octal = octal * 8 + (unsigned)(text.data[i++] - '0');
		known = strchr(letters, text.data[i]);
		if (digits > 0) {
			out[n++] = (char)octal;
			i--;
		} else {
			out[n++] = known ? values[known - letters] : text.data[i];
		}
	}
	return str_of(out, n);
}

static bool
read_attribute(struct str name, struct str value, void *arg)
{
	struct pipe_options *o = arg;
	struct arena *a = service_conf()->arena;
	uint64_t size;

	if (str_is(name, "flags"))
		read_flags(value, o);
	else if (str_is(name, "directory"))
		o->directory = value;
	else if (str_is(name, "chroot"))
		o->chroot = arena_cstr(a, value);
	else if (str_is(name, "eol"))
		o->eol = unescape(value, a);
	else if (str_is(name, "null_sender"))
		o->null_sender = value;
	else if (str_is(name, "size") && str_to_u64(value, &size) == 0)
		o->size = size;
	else
		return false;
	return true;
}

void
pipe_options_read(struct strs args, const struct conf *c, struct pipe_options *o)
{
	*o = (struct pipe_options){ .eol = STR("\n"),
		.null_sender = STR("MAILER-DAEMON") };
	command_line_read(args, c, read_attribute, o, &o->command);
}
