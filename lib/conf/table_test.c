/* table_test.c -- the rows of parameters.def against each other, and against the list of
 * Postfix's names where that is at hand (POSTERN_SHARED). */
#include "table.h"
#include "test.h"
#include "typed.h"
#include <stdio.h>
#include <stdlib.h>

TEST(the_table_is_sorted_and_found)
{
	size_t n;
	const struct param_info *p = conf_params(&n);

	for (size_t i = 0; i < n; i++) {
		test_row(i);
		CHECK_INT(table_find(str_c(p[i].name)), (int)i);
		if (i > 0)
			CHECK(strcmp(p[i - 1].name, p[i].name) < 0);
	}
	CHECK(conf_param(STR("no_such_parameter")) == NULL);
	CHECK(conf_param(STR("2bounce_notice_recipient")) == &p[0]);
}

TEST(every_row_is_complete)
{
	size_t n;
	const struct param_info *p = conf_params(&n);

	for (size_t i = 0; i < n; i++) {
		test_row(i);
		CHECK(p[i].tier >= 1 && p[i].tier <= 4);
		CHECK((p[i].preset == NULL) == (p[i].type == PT_REMOVED));
		CHECK(p[i].used_by || p[i].legacy || p[i].type == PT_REMOVED);
		if (p[i].successor && p[i].successor[0])
			CHECK(conf_param(str_c(p[i].successor)) != NULL);
	}
}

/* Presets that name nothing else are values: they have to be good ones, within bounds. */
TEST(presets_are_within_their_bounds)
{
	struct arena *a = arena_new();
	size_t n;
	const struct param_info *p = conf_params(&n);

	for (size_t i = 0; i < n; i++) {
		struct str preset = str_c(p[i].preset);
		union typed typed;

		if (!p[i].preset || p[i].site || preset.len == 0 ||
			str_chr(preset, '$') >= 0)
			continue;
		test_row(i);
		CHECK_STR(str_c(typed_value(
				  &p[i], str_c(p[i].name), preset, 's', &typed, a)),
			NULL);
		if (p[i].type == PT_TIME)
			CHECK(!ascii_is_digit(preset.data[preset.len - 1]));
	}
	arena_free(a);
}

TEST(patterns_are_found_at_the_end_of_names)
{
	static const struct {
		const char *name, *pattern, *transport;
	} rows[] = {
		{ "slow_destination_recipient_limit", "destination_recipient_limit",
			"slow" },
		{ "a_b_recipient_limit", "recipient_limit", "a_b" },
		{ "x_time_limit", "time_limit", "x" },
		{ "_time_limit", NULL, NULL },
		{ "time_limit", NULL, NULL },
		{ "smtp_timeout", NULL, NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str transport = STR_NONE;
		const struct param_info *p = pattern_of(str_c(rows[i].name), &transport);

		test_row(i);
		CHECK_STR(str_c(p ? p->name : NULL), rows[i].pattern);
		CHECK_STR(transport, rows[i].transport);
	}
}

TEST(all_names_of_postfix_are_known)
{
	const char *shared = getenv("POSTERN_SHARED");
	char path[1000], line[8192];
	size_t names = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/compat/parameters.tsv",
		shared ? shared : SOURCE_DIRECTORY "/../shared");
	f = fopen(path, "r");
	if (!f) {
		printf("not compared with %s: it is not there (POSTERN_SHARED)\n", path);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		struct str rest = str_c(line), name;

		if (!str_split(&rest, '\t', &name) || strchr("#<\n", name.data[0]))
			continue;
		test_row(++names);
		CHECK(conf_param(name) != NULL);
	}
	fclose(f);
	CHECK_INT(names, 1045);
}

TEST_MAIN()
