/* remote_test.c -- tables behind a server: their questions and answers, their replies as
 * a server may send them, and servers that are away. */
#include "query.h"
#include "remote.h"
#include "test.h"
#include "wire.h"
#include "log.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- questions ---- */

static void
double_quotes(struct buf *out, struct str text, void *arg UNUSED)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'')
			buf_addc(out, '\'');
		buf_addc(out, text.data[i]);
	}
}

TEST(questions_from_keys)
{
	static const struct {
		const char *template, *key, *want; /* NULL: there is no question */
	} rows[] = {
		{ "x = '%s'", "a@b.example", "x = 'a@b.example'" },
		{ "%u at %d", "a@b.example", "a at b.example" },
		{ "%u", "a", "a" },
		{ "%d", "a", NULL },
		{ "%d", "a@", NULL },
		{ "%u", "@b.example", NULL },
		{ "%s", "@b.example", "@b.example" },
		{ "%d", "@b.example", "b.example" },
		{ "%1 %2 %3", "a@x.b.example", "example b x" },
		{ "%3", "a@b.example", NULL },
		{ "%1", "a", NULL },
		{ "%1", "a.b", NULL }, /* digits are of an address's domain */
		{ "100%% %s", "a", "100% a" },
		{ "%S %U %D", "a@b", "a@b a b" },
		{ "%s", "o'neil'; DROP TABLE x", "o''neil''; DROP TABLE x" },
		{ "%u", "o'neil@b", "o''neil" },
		{ "%u|%d", "a@b@c", "a@b|c" },
		{ "%s", "", NULL },
		{ "no key", "a", "no key" },
	};
	static const struct quoting quoting = { double_quotes, NULL };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		bool any = query_expand(
			str_c(rows[i].template), str_c(rows[i].key), &quoting, &out);

		test_row(i);
		CHECK(any == (rows[i].want != NULL));
		if (any && rows[i].want)
			CHECK_STR(buf_str(&out), rows[i].want);
	}
}

TEST(templates_with_mistakes)
{
	static const struct {
		const char *template;
		bool good;
	} rows[] = { { "%s", true }, { "%%", true }, { "%9", true }, { "", true },
		{ "%0", false }, { "%x", false }, { "50%", false }, { "%", false } };
	struct why why;

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK(template_check(str_c(rows[i].template), STR("t"), &why) ==
			rows[i].good);
	}
}

TEST(answers_from_values)
{
	static const struct {
		const char *format, *values[4];
		long limit;
		const char *want; /* NULL: none; "!": too many */
	} rows[] = {
		{ "%s", { "x" }, 0, "x" },
		{ "%s", { "x", "y" }, 0, "x,y" },
		{ "%s", { NULL }, 0, NULL },
		{ "%s", { "" }, 0, NULL },
		{ "%s", { "", "y" }, 0, "y" },
		{ "[%s]", { "x", "y" }, 0, "[x],[y]" },
		{ "%u of %d", { "x@z", "y" }, 0, "x of z" }, /* y has no domain */
		{ "%s for %U in %D", { "x" }, 0, "x for a in b.example" },
		{ "%1", { "x@c.test", "y" }, 0, "test" },
		{ "%s", { "x", "y" }, 2, "x,y" },
		{ "%s", { "x", "y", "z" }, 2, "!" },
		{ "%s", { "x", "", "z" }, 2, "x,z" },
		{ "fixed", { "x" }, 0, "fixed" },
	};
	struct arena *arena = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lookup l = { .spec = STR("t:x"),
			.result_format = str_c(rows[i].format),
			.expansion_limit = rows[i].limit };
		struct answer a = { .lookup = &l, .key = STR("a@b.example") };
		struct str value = STR("(none)");
		struct why why;

		test_row(i);
		for (size_t j = 0; j < 4 && rows[i].values[j]; j++)
			answer_add(&a, str_c(rows[i].values[j]));
		if (answer_end(&a, arena, &value, &why) == DICT_ERROR)
			value = STR("!");
		CHECK_STR(value, rows[i].want ? rows[i].want : "(none)");
	}
	arena_free(arena);
}

/* ---- what servers say ---- */

static char directory[] = "/tmp/remote-test-XXXXXX";

static const char *
file_with(struct arena *a, const char *name, const char *text)
{
	const char *path = arena_printf(a, "%s/%s", directory, name).data;
	FILE *file = fopen(path, "w");

	ensure(file && fputs(text, file) >= 0 && fclose(file) == 0);
	return path;
}

/* One that takes connections, for each of which it has one thing to say after the first
 * bytes came, and hangs up. */
struct server {
	int fd;
	const char *path, *says;
	size_t connections;
	pthread_t thread;
	char heard[256];
};

static void *
server_run(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);
		ssize_t n;

		if (fd < 0)
			return NULL;
		s->connections++;
		n = read(fd, s->heard, sizeof s->heard - 1);
		s->heard[n > 0 ? n : 0] = '\0';
		ensure(write_all(fd, str_c(s->says)) == 0);
		close(fd);
	}
}

static void
server_start(struct server *s, struct arena *a, const char *name, const char *says)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	*s = (struct server){ .says = says };
	s->path = arena_printf(a, "%s/%s", directory, name).data;
	snprintf(un.sun_path, sizeof un.sun_path, "%s", s->path);
	unlink(s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ensure(bind(s->fd, (struct sockaddr *)&un, sizeof un) == 0);
	ensure(listen(s->fd, 10) == 0);
	ensure(pthread_create(&s->thread, NULL, server_run, s) == 0);
}

static void
server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static struct str
ask(struct arena *a, struct str spec, const char *key)
{
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);
	struct str value = STR("(none)");

	if (!d || why.code[0])
		value = arena_printf(a, "no table: %s", why.text);
	else if (dict_lookup(d, str_c(key), a, &value, &why) == DICT_ERROR)
		value = arena_printf(a, "error: %s", why.text);
	dict_close(d);
	return value;
}

TEST(replies_of_servers)
{
	static const struct {
		const char *type, *says, *want;
	} rows[] = {
		{ "socketmap", "6:OK x y,", "x y" },
		{ "socketmap", "3:OK ,", "" },
		{ "socketmap", "9:NOTFOUND ,", "(none)" },
		{ "socketmap", "8:NOTFOUND,", "(none)" },
		{ "socketmap", "8:TEMP bad,", "error: TEMP error: bad" },
		{ "socketmap", "8:PERM bad,", "error: PERM error: bad" },
		{ "socketmap", "4:WHAT,", "error: unexpected reply: \"WHAT\"" },
		{ "socketmap", "6:OK x y;",
			"error: netstring format error: no comma at its end" },
		{ "socketmap", "x:OK,", "error: netstring length is bad or too large" },
		{ "socketmap", "100001:", "error: netstring length is bad or too large" },
		{ "socketmap", "12345678901:", "error: the reply is too long" },
		{ "socketmap", "9:OK x", "error: the server closed the connection" },
		{ "socketmap", "", "error: the server closed the connection" },
		{ "redis", "$3\r\na,b\r\n", "a,b" },
		{ "redis", "$-1\r\n", "(none)" },
		{ "redis", "$0\r\n\r\n", "(none)" },
		{ "redis", "+OK\r\n", "OK" },
		{ "redis", ":7\r\n", "7" },
		{ "redis", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "a,b" },
		{ "redis", "*3\r\n$1\r\na\r\n$-1\r\n:5\r\n", "a,5" },
		{ "redis", "*0\r\n", "(none)" },
		{ "redis", "*-1\r\n", "(none)" },
		{ "redis", "-ERR no\r\n", "error: ERR no" },
		{ "redis", "*1\r\n*1\r\n$1\r\na\r\n", "error: malformed reply" },
		{ "redis", "$2\r\nabc\r\n", "error: malformed reply" },
		{ "redis", "$99999999999\r\n", "error: malformed reply" },
		{ "redis", "*99999999\r\n", "error: malformed reply" },
		{ "redis", "?\r\n", "error: malformed reply" },
		{ "redis", "*2\r\n$1\r\na\r\n",
			"error: the server closed the connection" },
		{ "memcache", "VALUE k 0 3\r\na b\r\nEND\r\n", "a b" },
		{ "memcache", "VALUE k 0 0\r\n\r\nEND\r\n", "" },
		{ "memcache", "END\r\n", "(none)" },
		{ "memcache", "ERROR\r\n", "error: unexpected reply: \"ERROR\"" },
		{ "memcache", "VALUE k 0 x\r\n",
			"error: unexpected reply: \"VALUE k 0 x\"" },
		{ "memcache", "VALUE k 0 3\r\na bEND\r\n",
			"error: the reply is too long" },
		{ "memcache", "VALUE k 0 99999999\r\n",
			"error: unexpected reply: \"VALUE k 0 99999999\"" },
	};
	struct arena *a = arena_new();

	ensure(mkdtemp(directory));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *type = rows[i].type;
		struct server s;
		struct str spec;

		test_row(i);
		server_start(&s, a, "socket", rows[i].says);
		if (strcmp(type, "socketmap") == 0)
			spec = arena_printf(a, "socketmap:unix:%s:map", s.path);
		else
			spec = arena_printf(a, "%s:%s", type,
				file_with(a, "table.cf",
					arena_printf(a,
						"hosts = unix:%s\nmemcache = unix:%s\n",
						s.path, s.path)
						.data));
		CHECK_STR(ask(a, spec, "key"), rows[i].want);
		server_stop(&s);
	}
	arena_free(a);
}

TEST(what_servers_hear)
{
	static const struct {
		const char *type, *settings, *key, *says, *want;
	} rows[] = {
		{ "socketmap", "", "a b", "8:NOTFOUND,", "7:map a b," },
		{ "redis", "", "a b", "$-1\r\n", "*2\r\n$3\r\nGET\r\n$3\r\na b\r\n" },
		{ "redis", "query = HGET u:%d %u\n", "a@b", "$-1\r\n",
			"*3\r\n$4\r\nHGET\r\n$3\r\nu:b\r\n$1\r\na\r\n" },
		{ "redis", "password = x\n", "a", "-ERR\r\n",
			"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n" },
		{ "memcache", "key_format = p:%s\n", "a@b", "END\r\n", "get p:a@b\r\n" },
		{ "memcache", "", "a b", "END\r\n", "" }, /* no such key can be */
		{ "redis", "domain = c\n", "a@b", "$-1\r\n", "" },
		{ "redis", "domain = c\n", "a", "$-1\r\n", "" },
		{ "redis", "domain = c\n", "@c", "$-1\r\n", "" },
		{ "redis", "domain = c, b\n", "a@b", "$-1\r\n",
			"*2\r\n$3\r\nGET\r\n$3\r\na@b\r\n" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct server s;
		struct str spec;

		test_row(i);
		server_start(&s, a, "socket", rows[i].says);
		spec = strcmp(rows[i].type, "socketmap") == 0
			       ? arena_printf(a, "socketmap:unix:%s:map", s.path)
			       : arena_printf(a, "%s:%s", rows[i].type,
					 file_with(a, "table.cf",
						 arena_printf(a,
							 "hosts = unix:%s\nmemcache = "
							 "unix:%s\n%s",
							 s.path, s.path, rows[i].settings)
							 .data));
		ask(a, spec, rows[i].key);
		server_stop(&s);
		CHECK_STR(str_c(s.heard), rows[i].want);
	}
	arena_free(a);
}

/* ---- servers that are away ---- */

TEST(a_dead_server_is_left_alone)
{
	struct arena *a = arena_new();
	struct why why = { 0 };
	struct str value, gone = arena_printf(a, "unix:%s/gone", directory);
	struct server s;
	struct dict *d;
	const char *path = file_with(a, "dead.cf",
		arena_printf(a, "hosts = %s\nretry_interval = 1h\n", gone.data).data);

	d = dict_open(arena_printf(a, "redis:%s", path), 0, NULL, &why);
	CHECK(d && !why.code[0]);
	CHECK(dict_lookup(d, STR("a"), a, &value, &why) == DICT_ERROR);
	/* It is there now, and nobody asks it. */
	server_start(&s, a, "gone", "$1\r\nx\r\n");
	CHECK(dict_lookup(d, STR("a"), a, &value, &why) == DICT_ERROR);
	CHECK_STR(str_c(why.text),
		arena_printf(a, "connect to " STR_FMT ": No such file or directory",
			STR_ARG(gone))
			.data);
	CHECK_INT((int)s.connections, 0);
	dict_close(d);
	/* Another one takes its place. */
	path = file_with(a, "two.cf",
		arena_printf(a, "hosts = unix:%s/none unix:%s\n", directory, s.path)
			.data);
	d = dict_open(arena_printf(a, "redis:%s", path), 0, NULL, &why);
	for (int i = 0; i < 10; i++) {
		CHECK(dict_lookup(d, STR("a"), a, &value, &why) == DICT_FOUND);
		CHECK_STR(value, "x"); /* though it hangs up after each */
	}
	dict_close(d);
	server_stop(&s);
	arena_free(a);
}

/* ---- settings ---- */

TEST(settings_with_mistakes)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "hosts\n", "missing '=' after attribute name: \"hosts\"" },
		{ "expansion_limit = x\n", "bad value of expansion_limit: \"x\"" },
		{ "timeout = soon\n", "bad value of timeout: \"soon\"" },
		{ "query = GET %x\n", "Invalid query/result template: GET %x" },
		{ "result_format = %\n", "Invalid query/result template: %" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str spec = arena_printf(
			a, "redis:%s", file_with(a, "wrong.cf", rows[i].text));

		test_row(i);
		CHECK(str_ends(ask(a, spec, "a"), str_c(rows[i].want)));
	}
	CHECK_STR(ask(a, STR("redis:/nowhere/x.cf"), "a"),
		"no table: open /nowhere/x.cf: No such file or directory");
	CHECK_STR(ask(a, STR("tcp:here"), "a"),
		"no table: bad syntax: \"tcp:here\"; need \"tcp:host:port\"");
	CHECK(str_starts(ask(a, STR("socketmap:x:y"), "a"),
		STR("no table: bad syntax: \"socketmap:x:y\"; need ")));
	arena_free(a);
}

/* ---- which tables are behind a server ---- */

static void
note(struct str spec, bool proxied, void *arg)
{
	buf_printf(arg, "%s" STR_FMT ";", proxied ? "+" : "", STR_ARG(spec));
}

static enum dict_result
no_answer(struct str table UNUSED, bool proxied UNUSED, struct str key UNUSED,
	struct arena *arena UNUSED, struct str *value UNUSED, struct why *why)
{
	why_set(why, "4.3.0", "nobody answers");
	return DICT_ERROR;
}

TEST(tables_behind_servers_are_found)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "hash:/a, proxy:mysql:/b", "+mysql:/b;" },
		{ "!tcp:h:1 10.0.0.0/8", "tcp:h:1;" },
		{ "unionmap:{proxy:pgsql:/a,ldap:b}", "+pgsql:/a;ldap:b;" },
		{ "check_x_access debug:redis:/a", "redis:/a;" },
		{ "proxy:unix:passwd.byname $alias_maps", "" },
		{ "inline:{a=mysql:/b}", "" },
		{ "static:x", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf found CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		dict_each_remote(str_c(rows[i].text), note, &found);
		CHECK_STR(buf_str(&found), rows[i].want);
		CHECK(!dict_may_switch(str_c(rows[i].text)));
		dict_proxy_ask = no_answer;
		CHECK(dict_may_switch(str_c(rows[i].text)) == (rows[i].want[0] != 0));
		dict_proxy_ask = NULL;
	}
}

/* Where daemons may look into a local table that was named with proxy:, as in Postfix. */
TEST(proxied_local_tables_need_approval)
{
	static struct conf conf;
	static const struct {
		const char *approved, *spec, *want;
	} rows[] = {
		{ "", "static:x", "x" },
		{ "", "proxy:static:x",
			"error: proxy:static:x: unapproved table: list proxy:static:x in "
			"main.cf:proxy_read_maps" },
		{ "static:x", "proxy:static:x",
			"error: proxy:static:x: unapproved table: list proxy:static:x in "
			"main.cf:proxy_read_maps" },
		{ "proxy:static:y, proxy:static:x", "proxy:static:x", "x" },
		{ "proxy:proxy:static:x", "proxy:proxy:static:x", "x" },
		{ "unionmap:{proxy:static:x}", "unionmap:{proxy:static:x}", "x" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct why why = { 0 };
		struct str value = STR("(none)");
		struct dict *d;

		test_row(i);
		conf.p.proxy_read_maps = str_c(rows[i].approved);
		dict_proxy_ask = no_answer;
		d = dict_open(str_c(rows[i].spec), 0, &conf, &why);
		if (dict_lookup(d, STR("a"), a, &value, &why) == DICT_ERROR)
			value = arena_printf(a, "error: %s", why.text);
		CHECK_STR(value, rows[i].want);
		dict_close(d);
		/* a command */
		dict_proxy_ask = NULL;
		d = dict_open(str_c(rows[i].spec), 0, &conf, &why);
		CHECK(dict_lookup(d, STR("a"), a, &value, &why) == DICT_FOUND);
		dict_close(d);
		/* local(8)'s alias_maps */
		dict_proxy_ask = no_answer;
		d = dict_open(str_c(rows[i].spec), DICT_NO_PROXY, &conf, &why);
		CHECK(dict_lookup(d, STR("a"), a, &value, &why) == DICT_FOUND);
		dict_close(d);
		dict_proxy_ask = NULL;
	}
	arena_free(a);
}

TEST(daemons_ask_another_process)
{
	struct arena *a = arena_new();

	dict_proxy_ask = no_answer;
	CHECK_STR(ask(a, STR("redis:/nowhere"), "a"), "error: nobody answers");
	CHECK_STR(ask(a, STR("proxy:redis:/nowhere"), "a"), "error: nobody answers");
	CHECK_STR(ask(a, STR("proxy:static:x"), "a"), "x");
	dict_proxy_ask = NULL;
	arena_free(a);
}

SWITCHES static enum dict_result
key_as_value(struct str table UNUSED, bool proxied UNUSED, struct str key,
	struct arena *a, struct str *value, struct why *why UNUSED)
{
	*value = arena_str(a, key);
	return DICT_FOUND;
}

/* Servers of other people's making hear the key as it is, and no parts of it. */
TEST(what_is_asked_of_servers)
{
	static const struct {
		struct str spec;
		bool pattern;
		const char *want;
	} rows[] = {
		{ STR_INIT("tcp:h:1"), true, "Ann@B" },
		{ STR_INIT("socketmap:inet:h:1:m"), true, "Ann@B" },
		{ STR_INIT("proxy:socketmap:inet:h:1:m"), true, "Ann@B" },
		{ STR_INIT("redis:/nowhere"), false, "ann@b" },
		{ STR_INIT("proxy:redis:/nowhere"), false, "ann@b" },
	};
	struct arena *a = arena_new();
	struct conf conf = { .p = { .proxy_read_maps =
					     STR_INIT("proxy:redis:/nowhere") } };

	dict_proxy_ask = key_as_value;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dict *d;
		struct str value = STR_NONE;
		struct why why;

		test_row(i);
		d = dict_open(rows[i].spec, DICT_FOLD, &conf, &why);
		CHECK(dict_is_pattern(d) == rows[i].pattern);
		CHECK(dict_lookup(d, STR("Ann@B"), a, &value, &why) == DICT_FOUND);
		CHECK_STR(value, rows[i].want);
		dict_close(d);
	}
	dict_proxy_ask = NULL;
	arena_free(a);
}
