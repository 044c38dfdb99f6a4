/* suspects_test.c -- who is refused, and for how long. */
#include "suspects.h"
#include "test.h"
#include <unistd.h>

static uint64_t
network(const char *address)
{
	struct net_addr a;

	CHECK(net_addr_parse(str_c(address), 25, &a) == 0);
	return suspect_network(&a);
}

static bool
is_refused(uint64_t of, msec_t now)
{
	struct suspect_page page;

	suspects_show(&page, now);
	for (size_t i = 0; i < SUSPECTS_REFUSED; i++)
		if (page.refused[i] == of)
			return true;
	return false;
}

static const struct {
	const char *address, *other, *text; /* other: of the same network */
} networks[] = {
	{ "192.0.2.1", "192.0.2.255", "192.0.2.0/24" },
	{ "255.255.255.255", "255.255.255.0", "255.255.255.0/24" },
	{ "0.0.0.1", "0.0.0.2", "0.0.0.0/24" },
	{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::", "2001:db8:1:2::/64" },
	{ "::1", "::2", "0:0:0:1::/64" },
};

TEST(networks_have_numbers_and_names)
{
	for (size_t i = 0; i < COUNT(networks); i++) {
		char text[SUSPECT_TEXT];

		test_row(i);
		CHECK(network(networks[i].address) == network(networks[i].other));
		CHECK(network(networks[i].address) != 0);
		CHECK_STR(str_c(suspect_text(network(networks[i].address), text)),
			networks[i].text);
		for (size_t j = 0; j < i; j++)
			CHECK(network(networks[i].address) !=
				network(networks[j].address));
	}
}

TEST(three_within_an_hour)
{
	uint64_t us = network("198.51.100.7"), them = network("198.51.101.7");
	msec_t now = 1000;

	CHECK(!suspects_crash(us, now));
	CHECK(!suspects_crash(us, now + 1));
	CHECK(!suspects_crash(them, now + 2));
	CHECK(!is_refused(us, now + 2));
	CHECK(!suspects_crash(us, now + SUSPECTS_SPAN)); /* the first is an hour ago */
	CHECK(suspects_change(now + SUSPECTS_SPAN) == DEADLINE_NEVER);
	now += SUSPECTS_SPAN;
	CHECK(suspects_crash(us, now)); /* with that, and the one before */
	CHECK(is_refused(us, now) && !is_refused(them, now));
	CHECK(suspects_change(now) == now + SUSPECTS_SPAN);
	CHECK(is_refused(us, now + SUSPECTS_SPAN - 1));
	CHECK(!is_refused(us, now + SUSPECTS_SPAN));
	/* A worker that was in its session already: refused for longer. */
	CHECK(suspects_crash(us, now + 5));
	CHECK(is_refused(us, now + SUSPECTS_SPAN + 4));
	CHECK(!suspects_crash(0, now) && !suspects_crash(0, now) &&
		!suspects_crash(0, now));
}

TEST(many_networks_take_turns)
{
	msec_t now = 10 * SUSPECTS_SPAN;
	uint64_t first = network("203.0.113.1");

	CHECK(!suspects_crash(first, now));
	CHECK(!suspects_crash(first, now));
	for (uint64_t i = 0; i < 1000; i++)
		CHECK(!suspects_crash((UINT64_C(0x20010db8) << 32) + i, now + 1));
	CHECK(!suspects_crash(first, now + 2)); /* was forgotten */
}

/* Neither side can make the other one fault. */
TEST(a_page_keeps_its_size)
{
	int fd;
	struct suspect_page *ours = suspect_page_new(&fd), *theirs;

	CHECK(ours != NULL);
	theirs = suspect_page_map(fd);
	CHECK(theirs != NULL);
	theirs->running = 42;
	CHECK_INT(ours->running, 42);
	CHECK(ftruncate(fd, 0) < 0);
	suspect_page_free(ours);
	suspect_page_free(theirs);
	suspect_page_free(NULL);
	close(fd);
}

TEST_MAIN()
