/* conf_test.c -- main.cf as a whole: lines, types, bounds, overrides, defaults. */
#include "conf.h"
#include "lines.h"
#include "test.h"
#include <stdio.h>
#include <sys/stat.h>

static struct conf_issues issues;

static const char *
write_conf(const char *name, const char *text)
{
	static char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	ensure(f && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static struct conf *
load_with(const char *main_cf, const char *override)
{
	struct str item = str_c(override);
	struct strs overrides = { &item, override ? 1 : 0 };

	conf_issues_free(&issues);
	conf_issues_init(&issues);
	write_conf("main.cf", main_cf);
	return conf_load(test_dir(), STR("submission"), &overrides, &issues);
}

static void
check_issue(size_t i, bool fatal, int line, const char *parameter, const char *text)
{
	struct buf want CLEANUP(buf_free) = BUF_INIT;

	CHECK(issues.list.n > i);
	if (issues.list.n <= i)
		return;
	/* @ in a row stands for the directory */
	for (; *text; text++)
		if (*text == '@')
			buf_addz(&want, test_dir());
		else
			buf_addc(&want, *text);
	CHECK_INT(issues.list.items[i].fatal, fatal);
	CHECK_INT(issues.list.items[i].line, line);
	CHECK_STR(issues.list.items[i].parameter, parameter);
	CHECK_STR(issues.list.items[i].text, buf_cstr(&want));
}

TEST(logical_lines_are_joined_as_written)
{
	static const struct {
		const char *file;
		const char *lines; /* number, text and | for each */
	} rows[] = {
		{ "", "" }, { "a = b", "1a = b|" },
		{ "\n# c\n \t\n  # d\na = b \t\r\n", "5a = b|" },
		{ "foo = a   \n  b\t\n# c\n\t\n   # d\n  c\n \nx",
			"1foo = a     b\t  c|8x|" },
		{ "  lead\na\n", "1  lead?|2a|" }, { "a\n b\nc\n d", "1a b|3c d|" },
		{ "#a\n b\n", "2 b?|" }, /* comments are not continued */
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf_lines l CLEANUP(conf_lines_close);
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		conf_lines_open(&l, str_c(rows[i].file));
		while (conf_lines_next(&l))
			buf_printf(&got, "%d" STR_FMT "%s|", l.line, STR_ARG(l.text),
				l.stray ? "?" : "");
		CHECK_STR(buf_str(&got), rows[i].lines);
	}
}

TEST(defaults_are_those_of_the_table)
{
	struct conf *c = load_with("myhostname = mail.example.org\n", NULL);

	CHECK(c != NULL);
	CHECK_INT(issues.list.n, 0);
	CHECK_STR(c->p.myhostname, "mail.example.org");
	CHECK_STR(c->p.mydomain, "example.org");
	CHECK_STR(c->p.myorigin, "mail.example.org");
	CHECK_STR(
		c->p.mydestination, "mail.example.org, localhost.example.org, localhost");
	CHECK_STR(c->p.smtpd_banner, "mail.example.org ESMTP Postern");
	CHECK_STR(c->p.syslog_name, "postfix");
	CHECK_STR(c->p.service_name, "submission");
	CHECK_STR(c->p.x_2bounce_notice_recipient, "postmaster");
	CHECK_STR(c->directory, test_dir());
	CHECK_STR(c->p.config_directory, test_dir());
	CHECK_INT(c->p.smtpd_recipient_limit, 1000);
	CHECK_INT(c->p.message_size_limit, 10240000);
	CHECK_INT(c->p.smtpd_timeout, 300000);
	CHECK_INT(c->p.smtpd_hard_error_limit, 20);
	CHECK_INT(c->p.smtpd_delay_reject, true);
	/* Level 0: as before the levels. */
	CHECK_INT(c->p.append_dot_mydomain, true);
	CHECK_STR(c->p.smtpd_relay_restrictions, "");
	/* A raw one keeps its names for the daemon. */
	CHECK(str_starts(c->p.default_rbl_reply, STR("$rbl_code ")));
	conf_free(c);
}

TEST(levels_change_defaults)
{
	struct conf *c = load_with("compatibility_level = 3.6\n", NULL);

	CHECK(c != NULL);
	CHECK_INT(c->p.append_dot_mydomain, false);
	CHECK_STR(c->p.smtp_tls_fingerprint_digest, "sha256");
	CHECK_STR(c->p.mynetworks_style, "host");
	CHECK(conf_level_at_least(c, "3.6"));
	CHECK(!conf_level_at_least(c, "3.10"));
	conf_free(c);
}

TEST(stress_changes_defaults)
{
	struct conf *c = load_with("", "stress=yes");

	CHECK(c != NULL);
	CHECK_INT(c->p.smtpd_timeout, 10000);
	CHECK_INT(c->p.smtpd_hard_error_limit, 1);
	conf_free(c);
}

TEST(values_have_their_types)
{
	struct conf *c =
		load_with("smtpd_helo_required = YES\n"
			  "smtpd_timeout = 2m\n"
			  "maximal_queue_lifetime = 3\n" /* days: the default's unit */
			  "queue_run_delay = 7\n"
			  "smtpd_recipient_limit = ${limit?{$limit}:{5}}\n"
			  "limit = 77\n"
			  "message_size_limit = 20000000000\n"
			  "relayhost = $mydomain , $nothing x\n"
			  "mydomain = d.example\n",
			NULL);

	CHECK(c != NULL);
	CHECK_INT(c->p.smtpd_helo_required, true);
	CHECK_INT(c->p.smtpd_timeout, 120000);
	CHECK_INT(c->p.maximal_queue_lifetime, 3 * 86400000LL);
	CHECK_INT(c->p.queue_run_delay, 7000);
	CHECK_INT(c->p.smtpd_recipient_limit, 77);
	CHECK_INT(c->p.message_size_limit, 20000000000LL);
	CHECK_STR(c->p.relayhost, "d.example ,  x");
	CHECK_STR(conf_value(c, "limit"), "77");
	CHECK(conf_value(c, "no_such_name").data == NULL);
	conf_free(c);
}

TEST(overrides_win)
{
	struct conf *c =
		load_with("relayhost = a\nmua = $service_name\n", "relayhost=$mua.b");

	CHECK(c != NULL);
	CHECK_STR(c->p.relayhost, "submission.b");
	CHECK_INT(issues.list.n, 0);
	conf_free(c);
	c = load_with("", "relayhost");
	CHECK(c == NULL);
	check_issue(0, true, 0, "",
		"invalid \"-o relayhost\" option value: missing '=' after attribute "
		"name");
}

TEST(mistakes_name_file_line_and_parameter)
{
	static const struct {
		const char *main_cf;
		int line;
		const char *parameter, *text;
	} rows[] = {
		{ "noequal\n", 1, "",
			"@/main.cf, line 1: missing '=' after attribute name: "
			"\"noequal\"" },
		{ "\na\n b\n", 2, "",
			"@/main.cf, line 2: missing '=' after attribute name: \"a b\"" },
		{ "two words = x\n", 1, "",
			"@/main.cf, line 1: missing '=' after attribute name: \"two "
			"words = x\"" },
		{ "= val\n", 1, "",
			"@/main.cf, line 1: missing attribute name: \"= val\"" },
		{ "smtpd_helo_required = maybe\n", 1, "smtpd_helo_required",
			"bad boolean configuration: smtpd_helo_required = maybe" },
		{ "\nmessage_size_limit = 10M\n", 2, "message_size_limit",
			"bad numerical configuration: message_size_limit = 10M" },
		{ "smtpd_recipient_limit = 3000000000\n", 1, "smtpd_recipient_limit",
			"bad numerical configuration: smtpd_recipient_limit = "
			"3000000000" },
		{ "smtpd_recipient_limit = 0\n", 1, "smtpd_recipient_limit",
			"invalid smtpd_recipient_limit parameter value 0 < 1" },
		{ "smtpd_timeout = 5x\n", 1, "smtpd_timeout",
			"parameter smtpd_timeout: bad time value or unit: 5x" },
		{ "smtpd_timeout = 0\n", 1, "smtpd_timeout",
			"invalid smtpd_timeout: 0 (min 1)" },
		{ "mail_owner =\n", 1, "mail_owner",
			"bad string length 0 < 1: mail_owner =" },
		{ "mynetworks_style = foo\n", 1, "mynetworks_style",
			"unknown mynetworks mask style value \"foo\" in \"foo\"" },
		{ "compatibility_level = 3.x\n", 1, "compatibility_level",
			"malformed compatibility level syntax: \"3.x\"" },
		{ "myorigin = /no/such/file\n", 1, "myorigin",
			"open /no/such/file: No such file or directory" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK(load_with(rows[i].main_cf, NULL) == NULL);
		check_issue(0, true, rows[i].line, rows[i].parameter, rows[i].text);
	}
}

TEST(loops_end)
{
	CHECK(load_with("relayhost = $relayhost\n", NULL) == NULL);
	check_issue(0, false, 1, "relayhost",
		"unreasonable macro call nesting: \"relayhost\"");
	check_issue(1, true, 1, "relayhost", "macro processing error");
}

TEST(a_chain_of_a_hundred_names_holds)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct conf *c;

	buf_addz(&text, "relayhost = $v0\n");
	for (int i = 0; i < 99; i++)
		buf_printf(&text, "v%d = $v%d\n", i, i + 1);
	buf_addz(&text, "v99 = end\n");
	c = load_with(buf_cstr(&text), NULL);
	CHECK(c != NULL);
	CHECK_STR(c->p.relayhost, "end");
	conf_free(c);
}

TEST(values_do_not_grow_without_bound)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_addz(&text, "relayhost = $v0\n");
	for (int i = 0; i < 60; i++)
		buf_printf(&text, "v%d = $v%d$v%d\n", i, i + 1, i + 1);
	buf_addz(&text, "v60 = xxxxxxxxxxxxxxxx\n");
	CHECK(load_with(buf_cstr(&text), NULL) == NULL);
	CHECK(str_starts(
		issues.list.items[0].text, STR("value of more than 1048576 bytes")));
}

TEST(warnings_do_not_stop)
{
	struct conf *c = load_with("  stray\nfoo = a  \n  b\nfoo = c\n", NULL);

	CHECK(c != NULL);
	CHECK_INT(issues.list.n, 2);
	check_issue(0, false, 1, "",
		"@/main.cf: logical line must not start with whitespace: \"  stray\"");
	check_issue(1, false, 4, "foo",
		"@/main.cf, line 4: overriding earlier entry: foo=a    b");
	CHECK_STR(conf_value(c, "foo"), "c");
	conf_free(c);
}

/* What has no effect cannot do harm: a copied configuration boots. */
TEST(a_bad_value_without_effect_is_a_warning)
{
	struct conf *c = load_with(
		"tlsproxy_tls_ciphers =\nqmqpd_timeout = 0\nmyhostname = h.example\n",
		NULL);

	CHECK(c != NULL);
	CHECK_INT(issues.list.n, 2);
	CHECK_STR(c->p.tlsproxy_tls_ciphers, "medium");
	CHECK_INT(c->p.qmqpd_timeout, 300000);
	conf_free(c);
}

TEST(a_broken_value_nobody_reads_is_nobodys_problem)
{
	struct conf *c = load_with("mine = ${broken\nother = x$mine\n", NULL);

	CHECK(c != NULL);
	CHECK_INT(issues.list.n, 0);
	CHECK(conf_value(c, "mine").data == NULL);
	CHECK_STR(conf_text(c, STR("mine")), "${broken");
	conf_free(c);
}

TEST(debian_puts_the_origin_into_a_file)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct conf *c;

	buf_printf(&text, "myorigin = %s\nrelayhost = $myorigin\n",
		write_conf("mailname", " origin.example \nmore\n"));
	c = load_with(buf_cstr(&text), NULL);
	CHECK(c != NULL);
	CHECK_STR(c->p.myorigin, "origin.example");
	CHECK_STR(c->p.relayhost, "origin.example");
	conf_free(c);
	buf_clear(&text);
	buf_printf(&text, "myorigin = %s\n", write_conf("mailname", "\n"));
	CHECK(load_with(buf_cstr(&text), NULL) == NULL);
}

/* Where the line with `include` stands; *.cf in their order; what comes last counts. */
TEST(files_are_included)
{
	struct conf *c;
	char path[4096];

	snprintf(path, sizeof(path), "%s/conf.d", test_dir());
	ensure(mkdir(path, 0700) == 0);
	write_conf("conf.d/20-b.cf", "mydomain = twenty.example\nmydomain = b.example\n");
	write_conf("conf.d/10-a.cf", "mydomain = ten.example\ninclude = ../more\n");
	write_conf("conf.d/30.cf~", "mydomain = backup.example\n");
	write_conf("more", "# one\nown = $mydomain\n");
	c = load_with("mydomain = first.example\ninclude = conf.d\nmyorigin = z\n", NULL);
	CHECK(c != NULL);
	if (!c)
		return;
	CHECK_STR(c->p.mydomain, "b.example");
	CHECK_STR(c->p.myorigin, "z");
	CHECK_STR(conf_value(c, "own"), "b.example");
	CHECK(str_ends(conf_setting(c, STR("own"))->file, STR("/conf.d/../more")));
	CHECK_INT(conf_setting(c, STR("own"))->line, 2);
	CHECK(str_ends(conf_setting(c, STR("mydomain"))->file, STR("/20-b.cf")));
	CHECK_INT((long long)issues.list.n, 1); /* twice in one file */
	check_issue(0, false, 2, "mydomain",
		"@/conf.d/20-b.cf, line 2: overriding earlier entry: "
		"mydomain=twenty.example");
	conf_free(c);
}

TEST(what_cannot_be_included)
{
	static const struct {
		const char *main_cf, *more, *text;
	} rows[] = {
		{ "\ninclude = none\n", "",
			"@/main.cf, line 2: include @/none: No such file or directory" },
		{ "include = more\n", "include = main.cf\n",
			"@/more, line 1: include @/main.cf: it is being read already" },
		{ "include = more\n", "include = more\n",
			"@/more, line 1: include @/more: it is being read already" },
		{ "include = $own/x\n", "",
			"@/main.cf, line 1: include $own/x: not a path" },
		{ "include =\n", "", "@/main.cf, line 1: include : not a path" },
		{ "include = more\n", "junk\n",
			"@/more, line 1: missing '=' after attribute name: \"junk\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		write_conf("more", rows[i].more);
		CHECK(load_with(rows[i].main_cf, NULL) == NULL);
		CHECK_INT((long long)issues.list.n, 1);
		if (issues.list.n > 0)
			check_issue(0, true, issues.list.items[0].line,
				i == COUNT(rows) - 1 ? "" : "include", rows[i].text);
	}
}

TEST(includes_have_an_end)
{
	char name[16], text[64];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		snprintf(text, sizeof(text), "include = chain%d\n", i + 1);
		write_conf(name, text);
	}
	CHECK(load_with("include = chain0\n", NULL) == NULL);
	check_issue(0, true, 1, "include",
		"@/chain7, line 1: include @/chain8: too many files");
}

TEST(a_missing_main_cf_is_fatal)
{
	conf_issues_free(&issues);
	conf_issues_init(&issues);
	CHECK(conf_load("/no/such/place", STR_NONE, NULL, &issues) == NULL);
	check_issue(
		0, true, 0, "", "open /no/such/place/main.cf: No such file or directory");
}

TEST(lists_keep_braces_together)
{
	static const struct {
		const char *value, *items;
	} rows[] = {
		{ "", "" }, { " , ,", "" }, { "a, b c,d\te", "a|b|c|d|e|" },
		{ "{ a, b } c", "a, b|c|" },
		{ "{ inet:h:1, timeout=10s, x={ 1, 2 } }",
			"inet:h:1, timeout=10s, x={ 1, 2 }|" },
		{ "inline:{ {a = b}, c=d } x", "inline:{ {a = b}, c=d }|x|" },
		{ "{} x", "|x|" },
		{ "a} {b",
			"a}|{b|" }, /* unbalanced: for the reader of the item to refuse */
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct strs list = conf_list(str_c(rows[i].value), a);

		test_row(i);
		for (size_t k = 0; k < list.n; k++)
			buf_printf(&got, STR_FMT "|", STR_ARG(list.items[k]));
		CHECK_STR(buf_str(&got), rows[i].items);
	}
	arena_free(a);
}

/* Seen with Postfix's conv_time(), but for a unit without a number. */
TEST(times_have_units)
{
	static const struct {
		const char *text;
		long long want; /* seconds; -1: refused */
	} rows[] = { { "1h", 3600 }, { "1hh", 3600 }, { "10", 864000 }, { "1x", -1 },
		{ "", -1 }, { "s", -1 }, { "1 h", -1 }, { "-1h", -1 }, { "+1h", 3600 },
		{ "1H", -1 }, { "99999999999", -1 }, { "2147483647s", 2147483647 },
		{ "2147483647h", -1 }, { "1w2d", 604800 }, { "2m", 120 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		msec_t got = -1000;

		test_row(i);
		CHECK_INT(conf_time(str_c(rows[i].text), 'd', &got),
			rows[i].want < 0 ? -1 : 0);
		CHECK_INT(got, rows[i].want * 1000);
	}
}

TEST(delays_have_parts_of_seconds)
{
	static const struct {
		const char *text;
		char unit;
		long long want; /* milliseconds; -1: refused */
	} rows[] = { { "0.25s", 's', 250 }, { "0.25", 's', 250 }, { " 1.5s ", 's', 1500 },
		{ "2", 's', 2000 }, { "2m", 's', 120000 }, { "0.001", 's', 1 },
		{ "0.0001", 's', -1 }, { "0.s", 's', -1 }, { ".5s", 's', -1 },
		{ "1.5m", 's', -1 }, { "1.5", 'm', -1 }, { "5m.5s", 's', -1 },
		{ "-0.5s", 's', -1 }, { "0.5ss", 's', -1 }, { "1.2.3", 's', -1 },
		{ "2147483648.5", 's', -1 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		msec_t got = -1;

		test_row(i);
		CHECK_INT(conf_time_fine(str_c(rows[i].text), rows[i].unit, &got),
			rows[i].want < 0 ? -1 : 0);
		CHECK_INT(got, rows[i].want);
	}
}

TEST(transports_have_their_own_or_what_all_have)
{
	struct conf *c = load_with("default_destination_concurrency_limit = 7\n"
				   "slow_destination_concurrency_limit = 2\n"
				   "smtp_destination_concurrency_limit = 9\n"
				   "slow_destination_rate_delay = 2m\n"
				   "bad_destination_concurrency_limit = x\n",
		NULL);

	CHECK(c != NULL);
	CHECK_INT(conf_transport_int(c, STR("slow"), "destination_concurrency_limit"), 2);
	CHECK_INT(conf_transport_int(c, STR("fast"), "destination_concurrency_limit"), 7);
	CHECK_INT(conf_transport_int(c, STR("smtp"), "destination_concurrency_limit"), 9);
	CHECK_INT(conf_transport_int(c, STR("bad"), "destination_concurrency_limit"), 7);
	CHECK_INT(
		conf_transport_int(c, STR("local"), "destination_concurrency_limit"), 2);
	CHECK_INT(conf_transport_time(c, STR("slow"), "destination_rate_delay"), 120000);
	CHECK_INT(conf_transport_time(c, STR("fast"), "destination_rate_delay"), 0);
	CHECK_STR(conf_transport_str(
			  c, STR("fast"), "destination_concurrency_negative_feedback"),
		"1");
	conf_free(c);
}

static struct str
get_user(struct str name, void *arg)
{
	(void)arg;
	return str_is(name, "user") ? STR("$home") : STR_NONE;
}

TEST(foreign_names_are_not_expanded_twice)
{
	struct arena *a = arena_new();
	struct str out;
	struct why why;

	CHECK_INT(conf_expand_with(
			  STR("/mail/$user${x?{/x}}"), get_user, NULL, a, &out, &why),
		0);
	CHECK_STR(out, "/mail/$home");
	CHECK_INT(conf_expand_with(STR("${user"), get_user, NULL, a, &out, &why), -1);
	arena_free(a);
}

TEST(settings_without_effect_are_told)
{
	struct conf *c = load_with("qmqpd_timeout = 7\n"                /* not yet */
				   "sun_mailtool_compatibility = yes\n" /* no more */
				   "smtp_use_tls = yes\n"               /* deprecated */
				   "smtp_tls_cipherlist = x\n"          /* removed */
				   "lmtp_tcp_port = 24\n"    /* what it is anyway */
				   "helpful_warnings = no\n" /* old, and honoured */
				   "virtual_maps = x\n"      /* an old name */
				   "relayhost = x\n"
				   "mine = y\n",
		NULL);

	CHECK(c != NULL);
	conf_warn_unhonoured(c, &issues);
	conf_warn_deprecated(c, &issues);
	check_issue(0, false, 1, "qmqpd_timeout",
		"parameter qmqpd_timeout is not supported yet: it has no effect");
	check_issue(1, false, 2, "sun_mailtool_compatibility",
		"parameter sun_mailtool_compatibility is obsolete: it has no effect");
	check_issue(2, false, 4, "smtp_tls_cipherlist",
		"parameter smtp_tls_cipherlist is obsolete: it has no effect");
	check_issue(3, false, 3, "smtp_use_tls",
		"support for parameter \"smtp_use_tls\" will be removed; instead, "
		"specify "
		"\"smtp_tls_security_level\"");
	check_issue(4, false, 4, "smtp_tls_cipherlist",
		"support for parameter \"smtp_tls_cipherlist\" has been removed; "
		"instead, "
		"specify \"smtp_tls_ciphers\"");
	check_issue(5, false, 7, "virtual_maps",
		"support for parameter \"virtual_maps\" will be removed; instead, "
		"specify \"virtual_alias_maps\"");
	CHECK_INT(issues.list.n, 6);
	conf_free(c);
}

static const struct {
	const char *name, *port;
} ports[] = {
	{ "smtp", "25" },
	{ "smtps", "465" },
	{ "submissions", "465" },
	{ "submission", "587" },
	{ "465", "465" },
	{ "smt", "smt" },
	{ "", "" },
};

TEST(ports_have_names_without_a_services_file)
{
	struct conf *c = load_with("", NULL);

	for (size_t i = 0; i < COUNT(ports); i++) {
		test_row(i);
		CHECK_STR(conf_tcp_port(c, str_c(ports[i].name)), ports[i].port);
	}
	conf_free(c);
}

TEST(issues_are_freed)
{
	conf_issues_free(&issues);
	CHECK(issues.list.items == NULL);
}

TEST_MAIN()
