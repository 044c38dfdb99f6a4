/* build_test.c -- tables that are built, read back, changed and damaged. */
#include "dict_impl.h"
#include "test.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct str
spec_of(struct arena *a, const char *type, const char *name)
{
	return arena_printf(a, "%s:%s/%s", type, test_dir(), name);
}

static struct str
look_up(struct str spec, struct str key, struct arena *a)
{
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);
	struct str value = STR("(none)");

	if (!d || dict_lookup(d, key, a, &value, &why) == DICT_ERROR)
		value = arena_printf(a, "error: %s", why.text);
	dict_close(d);
	return value;
}

static struct dict_builder *
build(struct str spec)
{
	struct why why = { 0 };
	struct dict_builder *b = dict_build(spec, 0640, &why);

	CHECK_STR(str_c(why.text), "");
	ensure(b);
	return b;
}

static int
add(struct dict_builder *b, const char *key, const char *value, bool replace)
{
	struct why why = { 0 };

	return dict_build_add(b, str_c(key), str_c(value), replace, &why);
}

static bool
count_entry(struct str key, struct str value, void *arg)
{
	CHECK(key.len > 0 || value.len > 0);
	++*(size_t *)arg;
	return true;
}

static size_t
count(struct str spec)
{
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);
	size_t n = 0;

	CHECK_INT(dict_each(d, count_entry, &n), 0);
	dict_close(d);
	return n;
}

/* What every type that can be built has in common. */
static void
build_and_read(const char *type)
{
	struct arena *a = arena_new();
	struct str spec = spec_of(a, type, type), long_value;
	struct dict_builder *b = build(spec);
	struct why why = { 0 };
	char text[5000];

	memset(text, 'v', sizeof text);
	long_value = str_of(text, sizeof text);
	CHECK_INT(add(b, "a", "1", false), 0);
	CHECK_INT(add(b, "a", "2", false), 1);
	CHECK_INT(add(b, "r", "1", false), 0);
	CHECK_INT(add(b, "r", "2", true), 0);
	CHECK_INT(add(b, "empty", "", false), 0);
	CHECK_INT(dict_build_add(b, STR("long"), long_value, false, &why), 0);
	/* nothing is there before the end */
	CHECK(str_starts(look_up(spec, STR("a"), a), STR("error: open database")));
	CHECK_INT(dict_build_finish(b, &why), 0);
	CHECK_STR(look_up(spec, STR("a"), a), "1");
	CHECK_STR(look_up(spec, STR("r"), a), "2");
	CHECK_STR(look_up(spec, STR("empty"), a), "");
	CHECK_STR(look_up(spec, STR("A"), a), "(none)");
	CHECK_STR(look_up(spec, STR(""), a), "(none)");
	CHECK_STR(look_up(spec, STR("a\0"), a), "(none)");
	CHECK(str_eq(look_up(spec, STR("long"), a), long_value));
	CHECK_STR(look_up(spec, long_value, a), "(none)");
	CHECK_INT(count(spec), 4);
	arena_free(a);
}

static void
many_entries(const char *type)
{
	struct arena *a = arena_new();
	struct str spec = spec_of(a, type, "many");
	struct dict_builder *b = build(spec);
	struct why why = { 0 };
	char key[32];

	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof key, "key%d@example.org", i);
		ensure(add(b, key, key, false) == 0);
	}
	CHECK_INT(dict_build_finish(b, &why), 0);
	CHECK_INT(count(spec), 20000);
	for (int i = 0; i < 20000; i += 977) {
		snprintf(key, sizeof key, "key%d@example.org", i);
		CHECK_STR(look_up(spec, str_c(key), a), key);
	}
	arena_free(a);
}

static void
change(const char *type)
{
	struct arena *a = arena_new();
	struct str spec = spec_of(a, type, "change");
	struct dict_builder *b = build(spec);
	struct why why = { 0 };
	struct stat st;

	add(b, "a", "1", false);
	add(b, "b", "2", false);
	CHECK_INT(dict_build_finish(b, &why), 0);
	b = dict_build_change(spec, &why);
	ensure(b);
	CHECK_INT(dict_build_remove(b, STR("a"), &why), 0);
	CHECK_INT(dict_build_remove(b, STR("a"), &why), 1);
	CHECK_INT(add(b, "b", "3", false), 1);
	CHECK_INT(add(b, "c", "4", false), 0);
	CHECK_STR(look_up(spec, STR("a"), a), "1"); /* readers see no half change */
	CHECK_INT(dict_build_finish(b, &why), 0);
	CHECK_STR(look_up(spec, STR("a"), a), "(none)");
	CHECK_STR(look_up(spec, STR("b"), a), "2");
	CHECK_STR(look_up(spec, STR("c"), a), "4");
	b = dict_build_change(spec, &why);
	dict_build_remove(b, STR("b"), &why);
	dict_build_abort(b);
	CHECK_STR(look_up(spec, STR("b"), a), "2");
	{
		struct str name, path;
		const struct dict_ops *ops = dict_ops_of(spec, &name, &why);

		path = arena_printf(a, STR_FMT "%s", STR_ARG(name), ops->suffix);
		CHECK(stat(path.data, &st) == 0 && (st.st_mode & 07777) == 0640);
	}
	arena_free(a);
}

TEST(build_each_type)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);

	for (size_t i = 0; i < n; i++) {
		if (!types[i].builds)
			continue;
		test_row(i);
		build_and_read(types[i].name);
		many_entries(types[i].name);
		if (strcmp(types[i].name, "cdb") != 0)
			change(types[i].name);
	}
}

TEST(aborting_leaves_nothing)
{
	struct arena *a = arena_new();
	struct str spec = spec_of(a, "cdb", "aborted");
	struct dict_builder *b = build(spec);

	add(b, "a", "1", false);
	dict_build_abort(b);
	CHECK(str_starts(look_up(spec, STR("a"), a), STR("error: open database")));
	arena_free(a);
}

TEST(types_that_cannot_be_built)
{
	struct why why = { 0 };

	CHECK(!dict_build(STR("static:x"), 0644, &why));
	CHECK_STR(str_c(why.text), "unsupported dictionary type: static does not support "
				   "bulk-mode creation.");
	CHECK(!dict_build(STR("cdb:/nonexistent/x"), 0644, &why));
	CHECK_STR(str_c(why.text),
		"create database /nonexistent/x.cdb: No such file or directory");
	CHECK(!dict_build_change(STR("cdb:/nonexistent/x"), &why));
}

/* The file of a cdb with two entries, byte by byte wrong. */
TEST(damaged_cdb_never_gives_a_wrong_value)
{
	struct arena *a = arena_new();
	struct str spec = spec_of(a, "cdb", "damaged"),
		   path = arena_printf(a, "%s/damaged.cdb", test_dir());
	struct buf whole = BUF_INIT;
	struct dict_builder *b = build(spec);
	struct why why = { 0 };

	add(b, "a", "1", false);
	add(b, "bb", "22", false);
	CHECK_INT(dict_build_finish(b, &why), 0);
	ensure(read_file(path.data, 1 << 20, &whole) == 0);
	for (size_t i = 0; i < whole.len; i++) {
		int fd = open(path.data, O_WRONLY);
		char wrong = (char)~whole.data[i];
		struct str got;

		ensure(pwrite(fd, &wrong, 1, (off_t)i) == 1);
		got = look_up(spec, STR("no such key"), a);
		CHECK(str_is(got, "(none)") || str_starts(got, STR("error: ")));
		look_up(spec, STR("a"), a);
		ensure(pwrite(fd, &whole.data[i], 1, (off_t)i) == 1);
		close(fd);
		arena_reset(a);
		spec = spec_of(a, "cdb", "damaged");
		path = arena_printf(a, "%s/damaged.cdb", test_dir());
	}
	for (size_t n = 0; n < whole.len; n += 17) {
		ensure(truncate(path.data, (off_t)n) == 0);
		CHECK(!str_is(look_up(spec, STR("bb"), a), "22") || n > 2048);
		ensure(truncate(path.data, 0) == 0);
		{
			int fd = open(path.data, O_WRONLY);

			ensure(write_all(fd, buf_str(&whole)) == 0);
			close(fd);
		}
	}
	buf_free(&whole);
	arena_free(a);
}
