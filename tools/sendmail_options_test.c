/* sendmail_options_test.c -- command lines, one argument after each |, and what they
 * mean. Debian's Postfix answers the same ones in tests/tools/sendmail_postfix_test.py.
 */
#include "log.h"
#include "sendmail.h"
#include "test.h"

enum { ARGUMENTS = 32 };

static struct conf conf;
static struct buf warnings;

static void
keep_warning(enum log_level level, struct str line, void *arg)
{
	(void)level;
	(void)arg;
	buf_add(&warnings, line);
	buf_addc(&warnings, ';');
}

/* "sendmail" and the arguments of a row. */
static int
split(const char *row, struct arena *a, char **argv)
{
	char *name = arena_alloc(a, 9), *text = arena_alloc(a, strlen(row) + 1), *bar;
	int n = 0;

	memcpy(name, "sendmail", 9);
	memcpy(text, row, strlen(row) + 1);
	argv[n++] = name;
	for (char *at = *row ? text : NULL; at; at = bar ? bar + 1 : NULL) {
		bar = strchr(at, '|');
		if (bar)
			*bar = '\0';
		argv[n++] = at;
	}
	argv[n] = NULL;
	return n;
}

static const struct {
	const char *row, *rcpts;
	enum sendmail_mode mode;
} modes[] = {
	{ "", "", MODE_DELIVER },
	{ "a", "a", MODE_DELIVER },
	{ "-bm|a", "a", MODE_DELIVER },
	{ "-bmx|a", "a", MODE_DELIVER },
	{ "-bs", "", MODE_SMTP },
	{ "-bs|-bm", "", MODE_SMTP },
	{ "-bp", "", MODE_QUEUE },
	{ "-bi", "", MODE_ALIASES },
	{ "-I", "", MODE_ALIASES },
	{ "-bd|-q30m", "", MODE_DAEMON },
	{ "-bd|-q", "", MODE_DAEMON },
	{ "-bl", "", MODE_DAEMON },
	{ "-bh", "", MODE_NOTHING },
	{ "-q", "", MODE_FLUSH },
	{ "-q|-bs", "", MODE_SMTP },
	{ "-q30m|-t", "", MODE_NOTHING },
	{ "-qIabc|-bm", "", MODE_DELIVER },
	{ "a|-bs", "a,-bs", MODE_DELIVER },
	{ "-|a", "-,a", MODE_DELIVER },
	{ "--|-t", "-t", MODE_DELIVER },
	{ "-ti|a|-i", "a,-i", MODE_DELIVER },
	{ "-oi|-oem|-odb|-o7|-Am|-h|3|-L|x|-U|-m|-c|-x|-em|-p|x|-O|A=b|a", "a",
		MODE_DELIVER },
};

static const struct {
	const char *row, *wrong;
} mistakes[] = {
	{ "-bz", "unsupported: -bz" },
	{ "-X|/x", "unsupported: -X/" },
	{ "-n", "-n option not supported" },
	{ "-Z", "usage: sendmail [options]" },
	{ "-f", "usage: sendmail [options]" },
	{ "-B|7bit", "-B option needs 8BITMIME or 7BIT" },
	{ "-oA", "-oA requires pathname" },
	{ "-qR", "specify: -qRsitename" },
	{ "-qI", "specify: -qIqueueid" },
	{ "-qSx", "-qS is not implemented" },
	{ "-t|-bd", "-t can be used only in delivery mode" },
	{ "-qRx|-bs", "-qR can be used only in delivery mode" },
	{ "-qIx|-bp", "-qI can be used only in delivery mode" },
	{ "-bv|-v", "-v option cannot be used with -bv" },
	{ "-bv|-t", "-t option cannot be used with -bv" },
	{ "-bv|-Nnever", "-N option cannot be used with -bv" },
	{ "-bv|-Rhdrs", "-R option cannot be used with -bv" },
	{ "-XV..", "-V requires two characters from -=+" },
	{ "-XV+", "-V requires two characters from -=+" },
	{ "-X|V", "-V requires two characters from -=+" },
	{ "-n|-bz", "-n option not supported" },
};

static const struct {
	const char *row, *sender, *envid, *verp, *rcpts, *warning;
	uint8_t notify, ret;
} values[] = {
	{ "-f|s@x|a", "s@x", "", "", "a", "", 0, 0 },
	{ "-fN <s@x>", "s@x", "", "", "", "", 0, 0 },
	{ "-r|<>", "", "", "", "", "", 0, 0 },
	{ "-f|a b", "a", "", "", "",
		"warning: -f option specified malformed sender: a b;", 0, 0 },
	{ "-Nsuccess,delay|-Rfull", "", "", "", "", "", NOTIFY_SUCCESS | NOTIFY_DELAY,
		RET_FULL },
	{ "-N|NEVER|-R|HDRS", "", "", "", "", "", NOTIFY_NEVER, RET_HDRS },
	{ "-Nnever,delay", "", "", "", "", "warning: bad -N option value -- ignored;", 0,
		0 },
	{ "-Nx", "", "", "", "",
		"warning: unknown DSN NOTIFY command value \"x\" in \"x\";"
		"warning: bad -N option value -- ignored;",
		0, 0 },
	{ "-Rx", "", "", "", "", "warning: bad -R option value -- ignored;", 0, 0 },
	{ "-V|an id", "", "an id", "", "", "", 0, 0 },
	{ "-Va+b", "", "a+b", "", "", "", 0, 0 },
	{ "-V||a", "", "", "", "a", "warning: bad syntax in -V option value -- ignored;",
		0, 0 },
	{ "-XV|a", "", "", "+=", "a", "", 0, 0 },
	{ "-XV=-|a", "", "", "=-", "a", "", 0, 0 },
	{ "-V=+|a", "", "", "=+", "a",
		"warning: option -V=+ is deprecated with Postfix 2.3; specify -XV=+ "
		"instead;",
		0, 0 },
	{ "-V|-f|s", "s", "", "+=", "",
		"warning: option -V is deprecated with Postfix 2.3; specify -XV "
		"instead;",
		0, 0 },
};

static int
read_row(struct sendmail *s, const char *row, struct buf *wrong)
{
	char *argv[ARGUMENTS];

	*s = (struct sendmail){ .conf = &conf, .arena = arena_new() };
	conf.p.verp_delimiter_filter = STR("-=+");
	conf.p.default_verp_delimiters = STR("+=");
	buf_clear(&warnings);
	log_capture(keep_warning, NULL);
	return sendmail_options(s, split(row, s->arena, argv), argv, wrong);
}

static void
check_rcpts(const struct sendmail *s, const char *want)
{
	struct buf got CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < s->rcpts.n; i++)
		buf_printf(&got, "%s" STR_FMT, i ? "," : "", STR_ARG(s->rcpts.items[i]));
	CHECK_STR(buf_str(&got), want);
}

static void
forget(struct sendmail *s)
{
	vec_free(&s->rcpts);
	arena_free(s->arena);
	buf_free(&warnings);
	log_capture(NULL, NULL);
}

TEST(modes_and_what_is_swallowed)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct buf wrong CLEANUP(buf_free) = BUF_INIT;
		struct sendmail s;

		test_row(i);
		CHECK_INT(read_row(&s, modes[i].row, &wrong), 0);
		CHECK_STR(buf_str(&wrong), "");
		CHECK_INT(s.mode, modes[i].mode);
		check_rcpts(&s, modes[i].rcpts);
		forget(&s);
	}
}

TEST(mistakes_are_named)
{
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct buf wrong CLEANUP(buf_free) = BUF_INIT;
		struct sendmail s;

		test_row(i);
		CHECK_INT(read_row(&s, mistakes[i].row, &wrong), -1);
		CHECK_STR(buf_str(&wrong), mistakes[i].wrong);
		forget(&s);
	}
}

TEST(values_and_warnings)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		struct buf wrong CLEANUP(buf_free) = BUF_INIT;
		struct sendmail s;

		test_row(i);
		CHECK_INT(read_row(&s, values[i].row, &wrong), 0);
		CHECK_STR(s.sender, values[i].sender);
		CHECK_STR(s.envid, values[i].envid);
		CHECK_STR(s.verp, values[i].verp);
		check_rcpts(&s, values[i].rcpts);
		CHECK_INT(s.notify, values[i].notify);
		CHECK_INT(s.ret, values[i].ret);
		CHECK_STR(buf_str(&warnings), values[i].warning);
		forget(&s);
	}
}

TEST(a_directory_is_named_by_itself_or_its_main_cf)
{
	struct arena *a = arena_new();
	char *argv[ARGUMENTS];

	CHECK(!sendmail_directory(split("a|-C|/x", a, argv), argv, a));
	CHECK_STR(str_c(sendmail_directory(split("-ti|-C/x|a", a, argv), argv, a)), "/x");
	CHECK_STR(str_c(sendmail_directory(split("-XV|-C|/y", a, argv), argv, a)), "/y");
	CHECK_STR(str_c(sendmail_directory(split("-C/etc/passwd", a, argv), argv, a)),
		"/etc");
	arena_free(a);
}

TEST_MAIN()
