/* spf2_test.c -- libspf2 behind our DNS: each result and each type of record. What it
 * gets wrong is its own affair (VIOLATIONS.md). */
#include "config.h"
#include "spf.h"
#include "test.h"
#include <arpa/nameser.h>

static const struct {
	const char *name;
	uint16_t type; /* 0: nothing of this name can be asked for */
	struct str data;
} zone[] = {
	{ "ip.example", ns_t_txt, STR_INIT("v=spf1 ip4:192.0.2.0/24 -all") },
	{ "ip.example", ns_t_txt, STR_INIT("something else") },
	{ "a.example", ns_t_txt, STR_INIT("v=spf1 a ~all") },
	{ "a.example", ns_t_a, STR_INIT("198.51.100.9") },
	{ "a.example", ns_t_a, STR_INIT("192.0.2.1") },
	{ "a.example", ns_t_a, STR_INIT("no address") },
	{ "a.example", ns_t_aaaa, STR_INIT("2001:db8::1") },
	{ "mx.example", ns_t_txt, STR_INIT("v=spf1 mx ?all") },
	{ "mx.example", ns_t_mx, STR_INIT("void.example") },
	{ "mx.example", ns_t_mx, STR_INIT("a.example") },
	{ "ptr.example", ns_t_txt, STR_INIT("v=spf1 ptr -all") },
	{ "1.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("host.ptr.example") },
	{ "host.ptr.example", ns_t_a, STR_INIT("192.0.2.1") },
	{ "local.example", ns_t_txt, STR_INIT("v=spf1 exists:%{l}.users.example -all") },
	{ "user.users.example", ns_t_a, STR_INIT("127.0.0.2") },
	{ "why.example", ns_t_txt, STR_INIT("v=spf1 -all exp=text.example") },
	{ "text.example", ns_t_txt, STR_INIT("%{i} is no host of ours, %{r}") },
	{ "nul.example", ns_t_txt, STR_INIT("v=spf1 +all\0 moo") },
	{ "late.example", 0, STR_INIT("") },
	{ "wrong.example", ns_t_txt, STR_INIT("v=spf1 moo:") },
	{ "deep.example", ns_t_txt, STR_INIT("v=spf1 include:deep.example -all") },
};

static SWITCHES enum dns_status
answer(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	(void)arg, (void)until;
	*said = (struct dns_reply){ .status = DNS_NXDOMAIN };
	said->records = arena_alloc(arena, COUNT(zone) * sizeof(*said->records));
	for (size_t i = 0; i < COUNT(zone); i++) {
		if (!str_case_is(name, zone[i].name))
			continue;
		if (zone[i].type == 0)
			return DNS_TEMPFAIL;
		if (zone[i].type == type)
			said->records[said->n_records++] =
				(struct dns_rr){ .type = type, .data = zone[i].data };
	}
	return said->n_records ? DNS_OK : DNS_NXDOMAIN;
}

static const struct {
	const char *client, *helo, *sender;
	enum spf_result result;
} cases[] = {
	{ "192.0.2.1", "h.example", "u@ip.example", SPF_PASS },
	{ "::ffff:192.0.2.1", "h.example", "u@ip.example", SPF_PASS },
	{ "198.51.100.1", "h.example", "u@ip.example", SPF_FAIL },
	{ "192.0.2.1", "ip.example", "", SPF_PASS },
	{ "192.0.2.1", "h.example", "u@a.example", SPF_PASS },
	{ "2001:db8::1", "h.example", "u@a.example", SPF_PASS },
	{ "2001:db8::2", "h.example", "u@a.example", SPF_SOFTFAIL },
	{ "192.0.2.1", "h.example", "u@mx.example", SPF_PASS },
	{ "192.0.2.2", "h.example", "u@mx.example", SPF_NEUTRAL },
	{ "192.0.2.1", "h.example", "u@ptr.example", SPF_PASS },
	{ "192.0.2.1", "h.example", "user@local.example", SPF_PASS },
	{ "192.0.2.1", "h.example", "user\n@local.example", SPF_FAIL },
	{ "192.0.2.1", "h.example", "u@why.example", SPF_FAIL },
	{ "192.0.2.1", "h.example", "u@nul.example", SPF_PERMERROR },
	{ "192.0.2.1", "h.example", "u@late.example", SPF_TEMPERROR },
	{ "192.0.2.1", "h.example", "u@void.example", SPF_NONE },
	{ "192.0.2.1", "h.example", "u@wrong.example", SPF_PERMERROR },
	{ "192.0.2.1", "h.example", "u@deep.example", SPF_PERMERROR },
	/* Asked by neither engine. */
	{ "192.0.2.1", "[192.0.2.1]", "", SPF_NONE },
};

TEST(spf2_verdicts)
{
	const struct auth_dns dns = { .ask = answer };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct spf_question q = { .helo = str_c(cases[i].helo),
			.sender = str_c(cases[i].sender),
			.receiver = STR("mx.receiver.example"),
			.until = DEADLINE_NEVER,
			.dns = &dns };
		enum spf_result want = cases[i].result;
		struct spf_verdict got;

		test_row(i);
#ifndef HAVE_SPF2
		if (i + 1 < COUNT(cases))
			want = SPF_TEMPERROR;
#endif
		CHECK(net_addr_parse(str_c(cases[i].client), 0, &q.client) == 0);
		spf2_check(&q, arena, &got);
		CHECK_STR(str_c(spf_result_name(got.result)), spf_result_name(want));
		CHECK_STR(got.explanation, "");
		CHECK_INT(got.is_of_helo, cases[i].sender[0] == 0);
		CHECK_INT(got.problem.len > 0, want == SPF_NONE ||
						       want == SPF_TEMPERROR ||
						       want == SPF_PERMERROR);
	}
}
