/* sendmail_options_fuzz.c -- command lines from strangers (CGI programs pass on what web
 * forms hold): arguments that end in NUL or |. */
#include "log.h"
#include "sendmail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGUMENTS = 32 };

static void
say_nothing(enum log_level level, struct str line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

/* argv[0] and the arguments, in memory of their own. */
static int
split(const uint8_t *data, size_t size, struct arena *a, char **argv)
{
	char *at = arena_alloc(a, size + 1);
	char *end = at + size, *name = arena_alloc(a, 2);
	int n = 0;

	memcpy(at, data, size);
	*name = 's';
	argv[n++] = name;
	while (at < end && n < ARGUMENTS - 1) {
		argv[n++] = at;
		while (at < end && *at && *at != '|')
			at++;
		*at++ = '\0';
	}
	argv[n] = NULL;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf conf;
	struct sendmail s = { .conf = &conf, .arena = arena_new() };
	struct buf wrong CLEANUP(buf_free) = BUF_INIT;
	char *argv[ARGUMENTS];
	int argc = split(data, size, s.arena, argv);

	log_capture(say_nothing, NULL);
	conf.p.verp_delimiter_filter = STR("-=+");
	conf.p.default_verp_delimiters = STR("+=");
	if (sendmail_options(&s, argc, argv, &wrong) < 0)
		ensure(wrong.len > 0);
	else
		ensure(s.verp.len == 0 || s.verp.len == 2);
	vec_free(&s.rcpts);
	arena_free(s.arena);
	return 0;
}
