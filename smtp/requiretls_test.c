/* requiretls_test.c -- what REQUIRETLS makes of the policy for a host. */
#include "play.h"
#include "service.h"
#include "test.h"

TEST(a_message_asks_for_more_than_the_site)
{
	static const struct host_source signed_zone = { .secure = true }, unsigned_zone;
	static const struct {
		enum requiretls asked;
		enum tls_level level;
		const char *match;            /* of the site's policy */
		const struct host_source *by; /* NULL: the next hop itself */
		enum tls_level becomes;
		const char *first; /* name to match, or none */
	} rows[] = {
		{ REQUIRETLS_DISABLE, TLS_NONE, "", NULL, TLS_NONE, "" },
		{ REQUIRETLS_OPPORTUNISTIC, TLS_NONE, "", NULL, TLS_NONE, "" },
		{ REQUIRETLS_STARTTLS, TLS_NONE, "", NULL, TLS_ENCRYPT, "" },
		{ REQUIRETLS_STARTTLS, TLS_MAY, "", NULL, TLS_ENCRYPT, "" },
		{ REQUIRETLS_STARTTLS, TLS_VERIFY, "hostname", NULL, TLS_VERIFY,
			"hostname" },
		{ REQUIRETLS_ENFORCE, TLS_NONE, "", NULL, TLS_SECURE, "hostname" },
		{ REQUIRETLS_ENFORCE, TLS_MAY, "", &signed_zone, TLS_SECURE, "hostname" },
		/* Whoever answered for the domain could have named any host. */
		{ REQUIRETLS_ENFORCE, TLS_MAY, "", &unsigned_zone, TLS_SECURE,
			"nexthop" },
		{ REQUIRETLS_ENFORCE, TLS_HALF_DANE, "", &unsigned_zone, TLS_SECURE,
			"nexthop" },
		{ REQUIRETLS_ENFORCE, TLS_VERIFY, "hostname", &unsigned_zone, TLS_SECURE,
			"nexthop" },
		{ REQUIRETLS_ENFORCE, TLS_VERIFY, "hostname", &signed_zone, TLS_VERIFY,
			"hostname" },
		{ REQUIRETLS_ENFORCE, TLS_VERIFY, "mx.example", &unsigned_zone,
			TLS_VERIFY, "mx.example" },
		{ REQUIRETLS_ENFORCE, TLS_DANE, "", &signed_zone, TLS_DANE, "" },
		{ REQUIRETLS_ENFORCE, TLS_FINGERPRINT, "AA:BB", &unsigned_zone,
			TLS_FINGERPRINT, "AA:BB" },
		{ REQUIRETLS_ENFORCE, TLS_SECURE, "mx.example", &unsigned_zone,
			TLS_SECURE, "mx.example" },
	};

	play_conf("");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct delivery d = { .arena = arena };
		struct attempt a = {
			.conf = service_conf(), .d = &d, .requiretls = rows[i].asked
		};
		struct host host = { .name = STR("mx.example"), .by = rows[i].by };
		struct str match = str_c(rows[i].match);
		struct tls_policy p = { .level = rows[i].level,
			.match = { &match, match.len > 0 } };

		test_row(i);
		requiretls_policy(&a, &host, &p);
		CHECK_INT(p.level, rows[i].becomes);
		CHECK_STR(p.match.n > 0 ? p.match.items[0] : STR(""), rows[i].first);
	}
}
