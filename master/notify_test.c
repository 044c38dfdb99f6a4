/* notify_test.c -- what the variables of a service manager mean. */
#include "notify.h"
#include "test.h"

static const struct {
	const char *text;
	bool good, abstract;
} addresses[] = {
	{ "/run/systemd/notify", true, false },
	{ "@/org/freedesktop/systemd1/notify", true, true },
	{ "@", false, false },
	{ "/", false, false },
	{ "", false, false },
	{ "run/notify", false, false },
	{ "/12345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "890"
	  "1234567890123456789012345678",
		false, false },
};

TEST(addresses_are_paths_or_abstract)
{
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct sockaddr_un at;
		socklen_t len = 0;

		test_row(i);
		CHECK_INT(
			notify_address(addresses[i].text, &at, &len), addresses[i].good);
		if (!addresses[i].good)
			continue;
		CHECK_INT(at.sun_path[0] == '\0', addresses[i].abstract);
		CHECK_INT((long long)len,
			(long long)(sizeof(sa_family_t) + strlen(addresses[i].text)));
	}
}

static const struct {
	const char *usec, *pid;
	msec_t want;
} intervals[] = {
	{ NULL, NULL, 0 },
	{ "300000000", NULL, 150000 },
	{ "300000000", "100", 150000 },
	{ "300000000", "101", 0 }, /* another process is meant */
	{ "300000000", "x", 0 },
	{ "1000", "100", 0 }, /* nobody can live that fast */
	{ "-5", "100", 0 },
	{ "", "100", 0 },
	{ "18446744073709551615", "100", INT32_MAX },
};

TEST(signs_of_life_come_twice_in_the_time)
{
	for (size_t i = 0; i < COUNT(intervals); i++) {
		test_row(i);
		CHECK_INT(notify_interval(intervals[i].usec, intervals[i].pid, 100),
			intervals[i].want);
	}
}

TEST_MAIN()
