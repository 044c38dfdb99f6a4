/* Entries of shaping_maps, and how many messages come out of them. */
#include "limits.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *text;
	const char *shown; /* NULL: no entry */
	const char *group;
} entries[] = {
	{ "none", "", "" },
	{ "adapt", "", "" },
	{ "messages_per_second=5", "5/s", "" },
	{ "messages_per_minute=100, connections=3", "100/min connections=3", "" },
	{ "connections=2 group=google adapt", "connections=2", "google" },
	{ "messages_per_connection=20\tdelay=0.25s",
		"messages_per_connection=20 delay=0.25", "" },
	{ "delay=2", "delay=2", "" },
	{ "delay=2m", "delay=120", "" },
	{ "delay=24h", "delay=86400", "" },
	{ "", NULL, "" },
	{ " ", NULL, "" },
	{ "none adapt", NULL, "" },
	{ "connections", NULL, "" },
	{ "connections=", NULL, "" },
	{ "connections=0", NULL, "" },
	{ "connections=1000001", NULL, "" },
	{ "connections=-1", NULL, "" },
	{ "delay=0", NULL, "" },
	{ "delay=25h", NULL, "" },
	{ "delay=1e3", NULL, "" },
	{ "delay=1.2.3", NULL, "" },
	{ "delay=nan", NULL, "" },
	{ "delay=s", NULL, "" },
	{ "group=", NULL, "" },
	{ "speed=5", NULL, "" },
};

TEST(entries_are_read_or_refused)
{
	for (size_t i = 0; i < COUNT(entries); i++) {
		struct buf shown CLEANUP(buf_free) = BUF_INIT;
		struct why why = { 0 };
		struct limits l;
		bool any;
		enum verdict v = limits_parse(str_c(entries[i].text), &l, &any, &why);

		CHECK_INT(v, entries[i].shown ? ACCEPT : PERMFAIL);
		if (!entries[i].shown) {
			CHECK(why.text[0] != '\0');
			continue;
		}
		CHECK_INT(any, i > 0);
		limits_show(&l, &shown);
		CHECK_STR(buf_str(&shown), entries[i].shown);
		CHECK_STR(l.group, entries[i].group);
	}
}

/* ---- rates ---- */

/* All who want to begin do so as soon as they may; at `ticks` ms steps of a clock. */
static void
keeps_to(msec_t span, uint32_t most, deadline_t begin)
{
	static deadline_t begun[4000];
	struct rate r = { .span = span };
	deadline_t now = begin;
	size_t n = 0, window = 0;

	while (n < COUNT(begun) && now < begin + 10 * span) {
		deadline_t opens = rate_opens(&r, most, now);

		CHECK(opens >= now && opens <= now + 2 * span);
		if (opens > now) {
			CHECK(rate_opens(&r, most, opens - 1) > opens - 1);
			now = opens;
			continue;
		}
		rate_count(&r, now);
		begun[n++] = now;
	}
	/* In no span are there more than are allowed ... */
	for (size_t i = 0; i < n; i++) {
		while (begun[i] - begun[window] >= span)
			window++;
		if (i - window + 1 > most) {
			CHECK(!"too many in a span");
			break;
		}
	}
	/* ... and not much fewer. */
	CHECK(n >= (size_t)most * 9 || n == COUNT(begun));
}

TEST(no_span_has_more_than_the_rate)
{
	static const uint32_t most[] = { 1, 2, 3, 10, 100, 390 };

	for (size_t i = 0; i < COUNT(most); i++) {
		keeps_to(1000, most[i], 1);
		keeps_to(60000, most[i], 123456789);
	}
}

TEST(an_old_rate_is_a_fresh_one)
{
	struct rate r = { .span = 1000 };

	CHECK_INT(rate_opens(&r, 1, 5), 5);
	rate_count(&r, 5);
	CHECK(rate_opens(&r, 1, 6) >= 1005);
	CHECK_INT(rate_opens(&r, 0, 6), 6);
	CHECK_INT(rate_opens(&r, 1, 1000000), 1000000);
	CHECK_INT(r.sum, 0);
}

TEST_MAIN()
