/* master_cf_test.c -- the services of master.cf: columns, arguments, mistakes. */
#include "conf.h"
#include "test.h"
#include <stdio.h>

static struct conf_issues issues;
static struct conf *conf;

static void
write_conf(const char *name, const char *text)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	ensure(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static struct master_conf *
load_with(const char *main_cf, const char *master_cf)
{
	conf_issues_free(&issues);
	conf_issues_init(&issues);
	write_conf("main.cf", main_cf);
	write_conf("master.cf", master_cf);
	conf_free(conf);
	conf = conf_load(test_dir(), STR_NONE, NULL, &issues);
	ensure(conf);
	return master_conf_load(test_dir(), conf, &issues);
}

static struct master_conf *
load(const char *master_cf)
{
	return load_with("compatibility_level = 3.6\n", master_cf);
}

static void
release(void)
{
	conf_issues_free(&issues);
	conf_free(conf);
	conf = NULL;
}

TEST(columns_and_their_defaults)
{
	struct master_conf *m =
		load("# c\n"
		     "smtp      inet  n       -       y       -       -       smtpd\n"
		     "pickup    unix  n       -       n       60      1       pickup\n"
		     "tlsmgr    unix  -       -       -       1000?   1       tlsmgr\n"
		     "local     unix  -       n       n       -       0       local\n"
		     "postlog   unix-dgram n  -       n       -       1       postlogd\n"
		     "smtpd     pass  -       -       n       -       -       smtpd\n"
		     "old       fifo  n       -       n       300     1       qmgr\n");
	const struct service_line *s;

	CHECK(m != NULL);
	CHECK_INT(m->services.n, 7);
	s = m->services.items;
	CHECK_STR(s[0].name, "smtp");
	CHECK_INT(s[0].type, SERVICE_INET);
	CHECK(!s[0].private_ && s[0].unprivileged && s[0].chroot);
	CHECK_INT(s[0].wakeup, 0);
	CHECK_INT(s[0].maxproc, -1);
	CHECK_STR(s[0].command, "smtpd");
	CHECK_INT(s[0].line, 2);
	CHECK_INT(s[1].wakeup, 60);
	CHECK(!s[1].wakeup_when_used);
	CHECK_INT(s[1].maxproc, 1);
	CHECK(s[2].private_ && !s[2].chroot && s[2].wakeup_when_used);
	CHECK_INT(s[2].wakeup, 1000);
	CHECK(!s[3].unprivileged);
	CHECK_INT(s[3].maxproc, 0);
	CHECK_INT(s[4].type, SERVICE_UNIX_DGRAM);
	CHECK_INT(s[5].type, SERVICE_PASS);
	CHECK_INT(s[6].type, SERVICE_FIFO);
	master_conf_free(m);
	release();
}

TEST(chroot_was_the_default_before_level_1)
{
	struct master_conf *m = load_with("", "x unix - - - - - x\n");

	CHECK(m != NULL);
	CHECK(m->services.items[0].chroot);
	master_conf_free(m);
	release();
}

TEST(arguments_and_options)
{
	static const struct {
		const char *args;
		const char *words, *overrides;
		int verbose;
	} rows[] = {
		{ "", "", "", 0 },
		{ "-o a=b\n  -o { c = d e } -v -vv", "-o|a=b|-o|c = d e|-v|-vv|",
			"a=b|c=d e|", 3 },
		{ "-oa=b -o c=", "-oa=b|-o|c=|", "a=b|c=|", 0 },
		{ "-vo a=b -D", "-vo|a=b|-D|", "a=b|", 1 },
		{ "-n x -o a=b", "-n|x|-o|a=b|", "a=b|", 0 },
		{ "-o a=b -- -o c=d", "-o|a=b|--|-o|c=d|", "a=b|", 0 },
		/* pipe: its own arguments are not options */
		{ "flags=R user=u argv=/bin/x -f ${sender} -o y=z",
			"flags=R|user=u|argv=/bin/x|-f|${sender}|-o|y=z|", "", 0 },
		{ "argv=x { } { a  b } { {x} }", "argv=x||a  b|{x}|", "", 0 },
		{ "-o smtpd_x=$mua_x,{a}", "-o|smtpd_x=$mua_x,{a}|",
			"smtpd_x=$mua_x,{a}|", 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT,
				words CLEANUP(buf_free) = BUF_INIT;
		struct buf overrides CLEANUP(buf_free) = BUF_INIT;
		const struct service_line *s;
		struct master_conf *m;

		test_row(i);
		buf_printf(&text, "x unix - - - - - prog %s\n", rows[i].args);
		m = load(buf_cstr(&text));
		CHECK(m != NULL);
		s = &m->services.items[0];
		for (size_t k = 0; k < s->args.n; k++)
			buf_printf(&words, STR_FMT "|", STR_ARG(s->args.items[k]));
		for (size_t k = 0; k < s->overrides.n; k++)
			buf_printf(
				&overrides, STR_FMT "|", STR_ARG(s->overrides.items[k]));
		CHECK_STR(buf_str(&words), rows[i].words);
		CHECK_STR(buf_str(&overrides), rows[i].overrides);
		CHECK_INT(s->verbose, rows[i].verbose);
		master_conf_free(m);
	}
	release();
}

TEST(names_of_services)
{
	static const struct {
		const char *name;
		bool is;
	} rows[] = {
		{ "smtp", true },
		{ "smtp/inet", true },
		{ "smtpd", true },
		{ "smtp/unix", false },
		{ "smtp/", false },
		{ "smtpd/inet", false },
		{ "/inet", false },
		{ "", false },
	};
	struct master_conf *m = load("smtp inet n - n - - smtpd\n");

	CHECK(m != NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK(service_line_is(&m->services.items[0], str_c(rows[i].name)) ==
			rows[i].is);
	}
	master_conf_free(m);
	release();
}

TEST(mistakes_name_file_and_line)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "smtp inet n - y - -", "missing \"command name\" field" },
		{ "smtp", "missing \"transport type\" field" },
		{ "smtp foo n - y - - smtpd", "bad transport type: foo" },
		{ "smtp inet n - q - - smtpd", "field \"chroot\": bad value: \"q\"" },
		{ "smtp inet n - y x - smtpd",
			"field \"wakeup time\": bad value: \"x\"" },
		{ "smtp inet n - y 60?? - smtpd",
			"field \"wakeup time\": bad value: \"60??\"" },
		{ "smtp inet n - y - 5? smtpd",
			"field \"process limit\": bad value: \"5?\"" },
		{ "smtp inet n - y - -1 smtpd",
			"field \"process limit\": bad value: \"-1\"" },
		{ "smtp inet - - y - - smtpd", "inet service cannot be private" },
		{ "- unix - - y - - smtpd",
			"field \"service name\" has no default value" },
		{ "a/b unix - - y - - smtpd",
			"field \"service name\": bad value: \"a/b\"" },
		{ "x unix - - y - - -", "field \"command name\" has no default value" },
		{ "x unix - - y - - x { a", "missing '}' in \"{ a\"" },
		{ "x unix - - y - - x { a }b", "syntax error after '}' in \"{ a }b\"" },
		{ "x unix - - y - - x -o", "option requires an argument -- 'o'" },
		{ "x unix - - y - - x -o foo", "invalid \"-o foo\" option value: missing "
					       "'=' after attribute name" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT,
				want CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		buf_printf(&text, "# comment\n%s\n", rows[i].line);
		buf_printf(&want, "%s/master.cf: line 2: %s", test_dir(), rows[i].want);
		CHECK(load(buf_cstr(&text)) == NULL);
		CHECK_INT(issues.list.n, 1);
		CHECK(issues.list.items[0].fatal);
		CHECK_INT(issues.list.items[0].line, 2);
		CHECK_STR(issues.list.items[0].text, buf_cstr(&want));
	}
	release();
}

TEST(the_last_of_two_lines_wins)
{
	struct master_conf *m =
		load("x unix - - n - 1 a\nx inet n - n - - b\nx unix - - n - 2 c\n");

	CHECK(m != NULL);
	CHECK_INT(m->services.n, 2);
	CHECK_STR(m->services.items[0].command, "c");
	CHECK_INT(m->services.items[0].maxproc, 2);
	CHECK_INT(issues.list.n, 1);
	CHECK(!issues.list.items[0].fatal);
	master_conf_free(m);
	release();
}

TEST(settings_of_own_transports_are_checked)
{
	struct master_conf *m = load_with("slow_destination_concurrency_limit = x\n"
					  "nobody_destination_concurrency_limit = x\n",
		"slow unix - - n - - smtp\n");

	CHECK(m == NULL);
	CHECK_INT(issues.list.n, 1);
	CHECK_STR(issues.list.items[0].text,
		"bad numerical configuration: slow_destination_concurrency_limit = x");
	CHECK_INT(issues.list.items[0].line, 1);
	release();
}

TEST(overrides_without_effect_are_told)
{
	struct master_conf *m =
		load("x inet n - n - - smtpd -o relayhost=y -o qmqpd_timeout=5\n");

	CHECK(m != NULL);
	master_conf_warn(m, test_dir(), &issues);
	CHECK_INT(issues.list.n, 1);
	CHECK_STR(issues.list.items[0].parameter, "qmqpd_timeout");
	CHECK_INT(issues.list.items[0].line, 1);
	master_conf_free(m);
	release();
}

TEST(a_missing_file_is_fatal)
{
	master_conf_free(load(""));
	conf_issues_free(&issues);
	conf_issues_init(&issues);
	CHECK(master_conf_load("/no/such/place", conf, &issues) == NULL);
	CHECK_STR(issues.list.items[0].text,
		"open /no/such/place/master.cf: No such file or directory");
	release();
}

TEST_MAIN()
