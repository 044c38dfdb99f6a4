/* tlsmgr_test.c -- keys take turns, sessions make room. */
#include "sessions.h"
#include "test.h"
#include "tickets.h"
#include <stdio.h>

#define HOUR ((msec_t)3600000)

/* The keys at that time, as texts of their own. */
static size_t
keys_at(deadline_t now, char *first, char *second)
{
	struct ticket_keys keys;

	CHECK(tickets_now(HOUR, now, &keys) == 0);
	CHECK(keys.n == 1 || keys.n == 2);
	CHECK(keys.good_for > 0 && keys.good_for <= HOUR);
	memcpy(first, keys.keys[0].data, TICKET_KEY);
	if (keys.n == 2)
		memcpy(second, keys.keys[1].data, TICKET_KEY);
	return keys.n;
}

static bool
same(const char *a, const char *b)
{
	return memcmp(a, b, TICKET_KEY) == 0;
}

TEST(a_ticket_is_good_for_its_lifetime)
{
	char a[TICKET_KEY], b[TICKET_KEY], old[TICKET_KEY];
	deadline_t t = 5 * HOUR;

	CHECK_INT(keys_at(t, a, old), 1);
	CHECK_INT(keys_at(t + HOUR - 1, b, old), 1);
	CHECK(same(a, b));
	CHECK_INT(keys_at(t + HOUR, b, old), 2); /* a ticket of a moment ago */
	CHECK(same(old, a) && !same(a, b));
	CHECK_INT(keys_at(t + 2 * HOUR - 1, a, old), 2);
	CHECK(same(a, b));
	CHECK_INT(keys_at(t + 2 * HOUR, a, old), 2);
	CHECK(same(old, b) && !same(a, b));
	/* Nobody came for long: what was good then is not any more. */
	CHECK_INT(keys_at(t + 4 * HOUR, b, old), 1);
	CHECK(!same(a, b));
}

TEST(keys_are_random)
{
	char key[TICKET_KEY], old[TICKET_KEY];
	int zeros = 0;

	(void)keys_at(100 * HOUR, key, old);
	for (int i = 0; i < TICKET_KEY; i++)
		zeros += key[i] == 0;
	CHECK(zeros < 20);
}

TEST(sessions_are_found_until_their_end)
{
	CHECK(!sessions_find(STR("a"), 0).data);
	sessions_keep(STR("a"), STR("one"), 100);
	sessions_keep(STR("b"), STR("two"), 100);
	CHECK_STR(sessions_find(STR("a"), 99), "one");
	sessions_keep(STR("a"), STR("three"), 200);
	CHECK_STR(sessions_find(STR("a"), 199), "three");
	CHECK_STR(sessions_find(STR("b"), 99), "two");
	CHECK(!sessions_find(STR("b"), 100).data);
	CHECK(!sessions_find(STR("b"), 99).data); /* was forgotten */
}

TEST(many_sessions_make_room)
{
	char key[40];

	for (int i = 0; i < SESSIONS_MOST + 10; i++) {
		snprintf(key, sizeof(key), "many%d", i);
		sessions_keep(str_c(key), str_c(key), 1000);
	}
	CHECK(!sessions_find(STR("many9"), 0).data);
	CHECK_STR(sessions_find(STR("many10"), 0), "many10");
	CHECK_STR(sessions_find(str_c(key), 0), key);
}

TEST(senseless_sessions_are_not_kept)
{
	static char large[SESSION_MOST + 1];

	memset(large, 'x', sizeof(large));
	sessions_keep(STR("large"), str_of(large, sizeof(large)), 1000);
	CHECK(!sessions_find(STR("large"), 0).data);
	sessions_keep(STR("large"), str_of(large, SESSION_MOST), 1000);
	CHECK_INT(sessions_find(STR("large"), 0).len, SESSION_MOST);
	sessions_keep(STR("empty"), STR("x"), 1000);
	sessions_keep(STR("empty"), STR(""), 1000);
	CHECK(!sessions_find(STR("empty"), 0).data);
	sessions_keep(STR(""), STR("x"), 1000);
	sessions_keep(str_of(large, 513), STR("x"), 1000);
	CHECK(!sessions_find(str_of(large, 513), 0).data);
}

TEST_MAIN()
