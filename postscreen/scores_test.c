/* scores_test.c -- postscreen_dnsbl_sites, and what answers are worth. */
#include "scores.h"
#include "test.h"

#define SITES \
	"l.example*3, w.example*-4 m.example=127.0.0.[2..4]*2,m.example=127.0.0.9*-1 " \
	"one.example"

static int
total(size_t domain, const char *first, const char *second, struct str *worst)
{
	struct score_sites sites;
	struct score score = { .total = 0 };
	struct why why;
	struct str items[2] = { str_c(first), str_c(second) };
	struct strs addresses = { items, (first != NULL) + (second != NULL) };

	CHECK(score_sites_read(STR(SITES), &sites, &why) == 0);
	CHECK_INT(sites.domains.n, 4);
	CHECK_INT(sites.sites.n, 5);
	(void)score_add(&sites, domain, &addresses, &score);
	score_sites_free(&sites);
	if (worst)
		*worst = score.worst;
	return score.total;
}

TEST(answers_have_their_weight)
{
	static const struct {
		size_t domain;
		const char *first, *second;
		int want;
	} rows[] = {
		{ 0, "127.0.0.2", NULL, 3 },
		{ 0, "127.0.0.2", "127.0.0.3", 3 }, /* once for a site */
		{ 0, NULL, NULL, 0 },
		{ 1, "127.0.0.2", NULL, -4 },
		{ 2, "127.0.0.3", NULL, 2 },
		{ 2, "127.0.0.5", NULL, 0 },
		{ 2, "127.0.0.3", "127.0.0.9", 1 },
		{ 3, "127.1.1.1", NULL, 1 },
		{ 3, "nonsense", NULL, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(total(rows[i].domain, rows[i].first, rows[i].second, NULL),
			rows[i].want);
	}
}

TEST(the_worst_list_is_named)
{
	struct score_sites sites;
	struct score score = { .total = 0 };
	struct why why;
	struct str item = STR("127.0.0.3");
	struct strs one = { &item, 1 };

	CHECK(score_sites_read(STR(SITES), &sites, &why) == 0);
	CHECK(score_add(&sites, 2, &one, &score));
	CHECK_STR(score.worst, "m.example");
	CHECK(score_add(&sites, 0, &one, &score));
	CHECK_STR(score.worst, "l.example");
	CHECK(score_add(&sites, 1, &one, &score));
	CHECK_STR(score.worst, "l.example");
	CHECK_INT(score.total, 1);
	score_sites_free(&sites);
}

TEST(mistakes_are_told)
{
	static const char *const bad[] = { "l.example*x", "l.example*",
		"l.example=127.0.0", "*3", "=127.0.0.1", "l.example*99999999999999999999",
		"l.example=127.0.0.[2..*3" };

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct score_sites sites;
		struct why why = { "", "" };

		test_row(i);
		CHECK_INT(score_sites_read(str_c(bad[i]), &sites, &why), -1);
		CHECK(why.text[0]);
		score_sites_free(&sites);
	}
}

TEST_MAIN()
