/* accepted_test.c -- both files as one text: what is read from it is what was written,
 * whatever the files say by then. */
#include "conf.h"
#include "test.h"
#include <stdio.h>
#include <unistd.h>

static struct conf_issues issues;

static const char *
path_of(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	return path;
}

static void
write_conf(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	ensure(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void
write_files(struct buf *main_cf)
{
	write_conf("name", "a$b.example\n");
	write_conf("more.cf", "own = ${x}\n  {y}\nmaillog_file =\n");
	buf_printf(main_cf,
		"inet_interfaces = 127.0.0.1\nmyorigin = %s\n"
		"include = more.cf\nlocal_transport = $own\n",
		path_of("name"));
	write_conf("main.cf", buf_cstr(main_cf));
	write_conf("master.cf", "smtp unix - - n - 3 smtp\n  -o own=z\n");
}

static void
accept_files(struct buf *out)
{
	struct conf *c = conf_load(test_dir(), STR_NONE, NULL, &issues);
	struct master_conf *m;

	ensure(c);
	m = master_conf_load(test_dir(), c, &issues);
	ensure(m);
	conf_accepted_write(c, m, out);
	master_conf_free(m);
	conf_free(c);
}

static void
break_files(void)
{
	write_conf("main.cf", "maximal_queue_lifetime = never\nnonsense\n");
	write_conf("master.cf", "smtp unix -\n");
	unlink(path_of("more.cf"));
	unlink(path_of("name"));
}

static void
check_what_was_accepted(void)
{
	struct str item = STR("own=other");
	struct strs overrides = { &item, 1 };
	struct conf *c = conf_load(test_dir(), STR("smtp"), &overrides, &issues);
	struct master_conf *m;
	const struct conf_setting *s;

	ensure(c);
	CHECK_STR(c->p.myorigin, "a$b.example");
	CHECK_STR(c->p.local_transport, "other");
	CHECK_STR(c->directory, test_dir());
	s = conf_setting(c, STR("maillog_file"));
	CHECK(s && s->text.len == 0 && s->line == 3 &&
		str_ends(s->file, STR("/more.cf")));
	m = master_conf_load(test_dir(), c, &issues);
	ensure(m);
	CHECK_INT(m->services.n, 1);
	CHECK_INT(m->services.items[0].maxproc, 3);
	CHECK_INT(m->services.items[0].overrides.n, 1);
	master_conf_free(m);
	conf_free(c);
	CHECK_INT(issues.list.n, 0);
}

TEST(what_was_accepted_stays)
{
	struct buf main_cf CLEANUP(buf_free) = BUF_INIT;
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct buf again CLEANUP(buf_free) = BUF_INIT;

	conf_issues_init(&issues);
	write_files(&main_cf);
	accept_files(&text);
	break_files();
	CHECK_INT(conf_accepted_use(buf_str(&text)), 0);
	check_what_was_accepted();
	accept_files(&again);
	CHECK(str_find(buf_str(&again), STR("never")) < 0);
	conf_issues_free(&issues);
}

TEST(other_formats_are_refused)
{
	static const struct str rows[] = {
		STR_INIT(""),
		STR_INIT("postern-accepted 2\n0:"),
		STR_INIT("postern-accepted 1\n"),
		STR_INIT("postern-accepted 1\n1:"),
		STR_INIT("postern-accepted 1\n18446744073709551616:"),
		STR_INIT("postern-accepted 1\n0:x"),
		STR_INIT("postern-accepted 1\n0:1:a1:b0:"),
		STR_INIT("postern-accepted 1\n0:1:a1:b0:1:x"),
		STR_INIT("postern-accepted 1\n0:0:1:b0:1:1"),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(conf_accepted_use(rows[i]), -1);
	}
	CHECK_INT(conf_accepted_use(STR("postern-accepted 1\n0:1:a0:0:1:1")), 0);
}

TEST_MAIN()
