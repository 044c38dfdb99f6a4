/* tls_policy_test.c -- entries of smtp_tls_policy_maps. */
#include "smtp.h"
#include "test.h"

static const struct {
	const char *text;
	enum verdict want;
	enum tls_level level;
	size_t n_match;
	const char *first, *protocols, *servername;
} cases[] = {
	{ "none", ACCEPT, TLS_NONE, 0, "", "", "" },
	{ "none nonsense", ACCEPT, TLS_NONE, 0, "", "", "" },
	{ "MAY", ACCEPT, TLS_MAY, 0, "", "", "" },
	{ "encrypt protocols=>=TLSv1.2", ACCEPT, TLS_ENCRYPT, 0, "", ">=TLSv1.2", "" },
	{ "encrypt, servername=x.example", ACCEPT, TLS_ENCRYPT, 0, "", "", "x.example" },
	{ "verify match=a:.b match=c", ACCEPT, TLS_VERIFY, 3, "a", "", "" },
	{ "secure", ACCEPT, TLS_SECURE, 0, "", "", "" },
	{ "fingerprint match=AA:BB|CC:DD", ACCEPT, TLS_FINGERPRINT, 2, "AA:BB", "", "" },
	{ "", PERMFAIL, 0, 0, "", "", "" },
	{ "strong", PERMFAIL, 0, 0, "", "", "" },
	{ "may match=a", PERMFAIL, 0, 0, "", "", "" },
	{ "verify match", PERMFAIL, 0, 0, "", "", "" },
	{ "verify match=", PERMFAIL, 0, 0, "", "", "" },
	{ "verify =a", PERMFAIL, 0, 0, "", "", "" },
	{ "verify nonsense=a", PERMFAIL, 0, 0, "", "", "" },
	{ "verify tafile=/a", PERMFAIL, 0, 0, "", "", "" },
	{ "encrypt ciphers=high ciphers=medium", PERMFAIL, 0, 0, "", "", "" },
	{ "encrypt connection_reuse=maybe", PERMFAIL, 0, 0, "", "", "" },
};

TEST(entries_of_the_policy_table)
{
	struct arena *arena = arena_new();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tls_policy p = { 0 };
		struct why why;

		test_row(i);
		CHECK_INT(tls_policy_parse(str_c(cases[i].text), arena, &p, &why),
			cases[i].want);
		if (cases[i].want != ACCEPT)
			continue;
		CHECK_INT(p.level, cases[i].level);
		CHECK_INT(p.match.n, cases[i].n_match);
		if (p.match.n > 0)
			CHECK_STR(p.match.items[0], cases[i].first);
		CHECK_STR(p.terms.protocols, cases[i].protocols);
		CHECK_STR(p.servername, cases[i].servername);
	}
	arena_free(arena);
}
