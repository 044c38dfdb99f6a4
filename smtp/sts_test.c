/* sts_test.c -- what a policy of MTA-STS makes of the policy for a host. */
#include "play.h"
#include "service.h"
#include "test.h"

TEST(hosts_are_held_to_the_policy)
{
	static const struct {
		enum mta_sts_mode mode;
		enum tls_level level;
		const char *host;
		enum verdict want;
		enum tls_level becomes;
	} rows[] = {
		{ MTA_STS_ENFORCE, TLS_MAY, "mx.example", ACCEPT, TLS_SECURE },
		{ MTA_STS_ENFORCE, TLS_MAY, "MX.Example", ACCEPT, TLS_SECURE },
		{ MTA_STS_ENFORCE, TLS_NONE, "mx.example", ACCEPT, TLS_SECURE },
		{ MTA_STS_ENFORCE, TLS_ENCRYPT, "a.wild.example", ACCEPT, TLS_SECURE },
		{ MTA_STS_ENFORCE, TLS_MAY, "wild.example", TEMPFAIL, TLS_MAY },
		{ MTA_STS_ENFORCE, TLS_ENCRYPT, "other.example", TEMPFAIL, TLS_ENCRYPT },
		/* TLSA records say it all, or all but whose host it is. */
		{ MTA_STS_ENFORCE, TLS_DANE, "other.example", ACCEPT, TLS_DANE },
		{ MTA_STS_ENFORCE, TLS_HALF_DANE, "mx.example", ACCEPT, TLS_HALF_DANE },
		{ MTA_STS_ENFORCE, TLS_HALF_DANE, "other.example", TEMPFAIL,
			TLS_HALF_DANE },
		{ MTA_STS_TESTING, TLS_MAY, "other.example", ACCEPT, TLS_MAY },
		{ MTA_STS_NONE, TLS_MAY, "other.example", ACCEPT, TLS_MAY },
	};
	struct str mx[] = { STR("mx.example"), STR("*.wild.example") };
	const struct conf *c;

	play_conf("");
	c = service_conf();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct sts sts = { rows[i].mode, STR("d.example"), { mx, COUNT(mx) } };
		struct tls_policy p = { .level = rows[i].level };
		struct host host = { .name = str_c(rows[i].host) };
		struct why why = { .code = "" };

		CHECK(sts_policy(&sts, &host, c, arena, &p, &why) == rows[i].want);
		CHECK_INT(p.level, rows[i].becomes);
		if (p.level == TLS_SECURE) {
			CHECK_INT(p.match.n, 1);
			CHECK_STR(p.match.items[0], "hostname");
			CHECK_STR(p.servername, rows[i].host);
		}
		CHECK_STR(str_c(why.code), rows[i].want == ACCEPT ? "" : "4.7.5");
		test_row(i);
	}
}
