/* counts_test.c -- time units, connections of links that end, and the bound on memory. */
#include "counts.h"
#include "test.h"
#include <stdio.h>

#define UNIT ((msec_t)60000)

static struct anvil_reply
event(struct counts_link *l, enum anvil_event what, const char *client, deadline_t now)
{
	return counts_event(l,
		&(struct anvil_request){
			.event = (uint8_t)what, .client = str_c(client) },
		now);
}

/* Past everything that earlier tests did. */
static deadline_t
fresh_time(void)
{
	static deadline_t now;

	counts_start(UNIT);
	now += 10 * UNIT;
	CHECK(counts_forget(now) == DEADLINE_NEVER);
	(void)counts_peaks();
	return now;
}

TEST(a_time_unit_begins_with_the_first_event)
{
	deadline_t t = fresh_time();
	struct counts_link *l = counts_link_new();
	struct anvil_request look = {
		.event = ANVIL_MAIL, .look = true, .client = STR("smtp:a")
	};

	CHECK_INT(counts_event(l, &look, t).rate, 0);
	CHECK_INT(event(l, ANVIL_MAIL, "smtp:a", t).rate, 1);
	CHECK_INT(event(l, ANVIL_MAIL, "smtp:a", t + UNIT - 1).rate, 2);
	CHECK_INT(event(l, ANVIL_RCPT, "smtp:a", t + UNIT - 1).rate, 1);
	CHECK_INT(event(l, ANVIL_MAIL, "smtp:b", t + UNIT - 1).rate, 1);
	CHECK_INT(counts_event(l, &look, t + UNIT - 1).rate, 2);
	CHECK_INT(counts_event(l, &look, t + UNIT).rate, 0);
	CHECK_INT(event(l, ANVIL_MAIL, "smtp:a", t + UNIT).rate, 1);
	counts_link_lost(l, t);
}

TEST(connections_end_with_their_link)
{
	deadline_t t = fresh_time();
	struct counts_link *one = counts_link_new(), *two = counts_link_new();

	CHECK_INT(event(one, ANVIL_CONNECT, "smtp:a", t).count, 1);
	CHECK_INT(event(one, ANVIL_CONNECT, "smtp:a", t).count, 2);
	CHECK_INT(event(two, ANVIL_CONNECT, "smtp:a", t).count, 3);
	counts_gone(two, STR("smtp:b"), t); /* not counted */
	counts_gone(one, STR("smtp:a"), t);
	CHECK_INT(event(two, ANVIL_MAIL, "smtp:a", t).count, 2);
	counts_link_lost(one, t);
	CHECK_INT(event(two, ANVIL_MAIL, "smtp:a", t).count, 1);
	counts_gone(two, STR("smtp:a"), t);
	counts_gone(two, STR("smtp:a"), t); /* once too often */
	CHECK_INT(event(two, ANVIL_CONNECT, "smtp:a", t).count, 1);
	CHECK_INT(event(two, ANVIL_CONNECT, "smtp:a", t).rate, 5);
	counts_link_lost(two, t);
}

TEST(who_was_quiet_is_forgotten)
{
	deadline_t t = fresh_time();
	struct counts_link *l = counts_link_new();

	(void)event(l, ANVIL_CONNECT, "smtp:a", t);
	(void)event(l, ANVIL_MAIL, "smtp:b", t + 1000);
	CHECK_INT(counts_forget(t + UNIT), t + 1000 + UNIT); /* a is connected */
	CHECK_INT(counts_forget(t + 1000 + UNIT), t + 1000 + 2 * UNIT);
	counts_gone(l, STR("smtp:a"), t + 2 * UNIT);
	CHECK_INT(counts_forget(t + 2 * UNIT), t + 3 * UNIT);
	CHECK(counts_forget(t + 3 * UNIT) == DEADLINE_NEVER);
	counts_link_lost(l, t);
}

TEST(memory_is_bounded)
{
	deadline_t t = fresh_time();
	struct counts_link *l = counts_link_new();
	char name[40];

	(void)event(l, ANVIL_CONNECT, "smtp:connected", t);
	for (int i = 0; i < COUNTS_MOST + 100; i++) {
		snprintf(name, sizeof(name), "smtp:%d", i);
		CHECK_INT(event(l, ANVIL_MAIL, name, t + i / 10000).rate, 1);
	}
	CHECK_INT(counts_peaks().clients.value, COUNTS_MOST);
	CHECK_INT(event(l, ANVIL_CONNECT, "smtp:connected", t).count, 2);
	CHECK_INT(event(l, ANVIL_MAIL, name, t).rate, 2);
	CHECK_INT(event(l, ANVIL_MAIL, "smtp:0", t).rate, 1); /* it was forgotten */
	/* Where everybody is connected, one more is not counted. */
	for (int i = 0; i < COUNTS_MOST + 100; i++) {
		snprintf(name, sizeof(name), "smtp:%d", i);
		(void)event(l, ANVIL_CONNECT, name, t);
	}
	CHECK_INT(event(l, ANVIL_CONNECT, "smtp:more", t).count, 0);
	counts_link_lost(l, t);
}

TEST(peaks_are_told_once)
{
	deadline_t t = fresh_time();
	struct counts_link *l = counts_link_new();
	struct peaks peaks;

	for (int i = 0; i < 3; i++)
		(void)event(l, ANVIL_CONNECT, "smtp:a", t);
	(void)event(l, ANVIL_CONNECT, "smtp:b", t);
	peaks = counts_peaks();
	CHECK_INT(peaks.rate[ANVIL_CONNECT].value, 3);
	CHECK_STR(str_c(peaks.rate[ANVIL_CONNECT].client), "smtp:a");
	CHECK_INT(peaks.count.value, 3);
	CHECK_INT(peaks.clients.value, 2);
	CHECK_INT(peaks.rate[ANVIL_MAIL].value, 0);
	CHECK_INT(counts_peaks().rate[ANVIL_CONNECT].value, 0);
	(void)event(l, ANVIL_CONNECT, "smtp:b", t);
	CHECK_INT(counts_peaks().rate[ANVIL_CONNECT].value, 2);
	counts_link_lost(l, t);
}

/* What a peer may send, though none of ours does. */
TEST(senseless_requests_count_nothing)
{
	deadline_t t = fresh_time();
	struct counts_link *l = counts_link_new();
	char longest[129];

	memset(longest, 'x', sizeof(longest));
	longest[128] = 0;
	CHECK_INT(event(l, ANVIL_EVENTS, "smtp:a", t).rate, 0);
	CHECK_INT(event(l, ANVIL_CONNECT, "", t).rate, 0);
	CHECK_INT(event(l, ANVIL_CONNECT, longest, t).rate, 0);
	CHECK_INT(event(l, ANVIL_CONNECT, longest + 1, t).rate, 1);
	counts_gone(l, STR_NONE, t);
	counts_link_lost(l, t);
}

TEST_MAIN()
