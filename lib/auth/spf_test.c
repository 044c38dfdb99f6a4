/* spf_test.c -- check_host() on a zone in a table. */
#include "spf.h"
#include "test.h"
#include <arpa/nameser.h>
#include <stdlib.h>

#define LONG63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct zone {
	const char *name;
	uint16_t type; /* 0: nothing of this name can be asked for */
	struct str data;
} zone[] = {
	{ "plain.example", ns_t_txt, STR_INIT("v=spf1 ip4:192.0.2.0/24 -all") },
	{ "plain.example", ns_t_txt, STR_INIT("something else") },
	{ "xn--mller-kva.example", ns_t_txt, STR_INIT("v=spf1 exists:%{o} -all") },
	{ "xn--mller-kva.example", ns_t_a, STR_INIT("192.0.2.1") },
	{ "local.example", ns_t_txt, STR_INIT("v=spf1 exists:%{l}.users.example ~all") },
	{ "user\\032one.users.example", ns_t_a, STR_INIT("127.0.0.2") },
	{ "broken.example", 0, STR_INIT("") },
	{ "two.example", ns_t_txt, STR_INIT("v=spf1 a") },
	{ "two.example", ns_t_txt, STR_INIT("v=spf1 mx") },
	{ "late.example", ns_t_txt, STR_INIT("v=spf1 all moo") },
	{ "included.example", ns_t_txt,
		STR_INIT("v=spf1 ?include:plain.example include:void.example -all") },
	{ "void.example", ns_t_txt, STR_INIT("v=spf1 ~all") },
	{ "empty-include.example", ns_t_txt, STR_INIT("v=spf1 include:none.example") },
	{ "loop.example", ns_t_txt, STR_INIT("v=spf1 include:loop.example") },
	{ "chase.example", ns_t_txt, STR_INIT("v=spf1 redirect=chase.example") },
	{ "why.example", ns_t_txt, STR_INIT("v=spf1 -all exp=text.%{d}") },
	{ "text.why.example", ns_t_txt,
		STR_INIT("%{i} is not %{d}'s%_%%n; see %{S} %{c} %{r} %{v} %{H}") },
	{ "moved.example", ns_t_txt,
		STR_INIT("v=spf1 exp=text.why.example redirect=moved2.example") },
	{ "moved2.example", ns_t_txt, STR_INIT("v=spf1 -all exp=bad.example") },
	{ "bad.example", ns_t_txt, STR_INIT("not %{z}") },
	{ "ptr.example", ns_t_txt, STR_INIT("v=spf1 ptr -all exp=ptr-text.example") },
	{ "ptr-text.example", ns_t_txt, STR_INIT("you are %{p}") },
	{ "7.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("liar.ptr.example") },
	{ "7.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("host.PTR.example") },
	{ "liar.ptr.example", ns_t_a, STR_INIT("192.0.2.8") },
	{ "host.PTR.example", ns_t_a, STR_INIT("192.0.2.7") },
	{ "8.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("xptr.example") },
	{ "xptr.example", ns_t_a, STR_INIT("192.0.2.8") },
	{ "9.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("a.none.example") },
	{ "9.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("b.none.example") },
	{ "9.2.0.192.in-addr.arpa", ns_t_ptr, STR_INIT("c.none.example") },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		ns_t_ptr, STR_INIT("six.ptr.example") },
	{ "six.ptr.example", ns_t_aaaa, STR_INIT("2001:db8::1") },
	{ "nibble.example", ns_t_txt, STR_INIT("v=spf1 exists:%{ir}.%{v}.%{o} -all") },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6."
	  "nibble.example",
		ns_t_a, STR_INIT("127.0.0.2") },
	{ "split.example", ns_t_txt,
		STR_INIT("v=spf1 exists:%{l2r+-}.%{d1r}.x.example -all") },
	{ "b.a.split.x.example", ns_t_a, STR_INIT("127.0.0.2") },
	{ "long.example", ns_t_txt,
		STR_INIT("v=spf1 exists:%{l}." LONG63 "." LONG63 "." LONG63
			 ".%{l}." LONG63 ".example -all") },
	{ LONG63 "." LONG63 "." LONG63 ".x." LONG63 ".example", ns_t_a,
		STR_INIT("127.0.0.2") },
	{ LONG63 "." LONG63 ".x." LONG63 ".example", ns_t_a, STR_INIT("127.0.0.2") },
	{ "voids.example", ns_t_txt,
		STR_INIT("v=spf1 a:x.none.example a:y.none.example a:z.none.example "
			 "all") },
	{ "empty-label.example", ns_t_txt, STR_INIT("v=spf1 a:x..example -all") },
	{ "mapped.example", ns_t_txt, STR_INIT("v=spf1 ip6:::ffff:192.0.2.1 ?a/0 -all") },
	{ "mapped.example", ns_t_aaaa, STR_INIT("2001:db8::1") },
	{ "mx.example", ns_t_txt, STR_INIT("v=spf1 mx -all") },
	{ "mx.example", ns_t_mx, STR_INIT("") }, /* RFC 7505 */
	{ "mx.example", ns_t_mx, STR_INIT("host.PTR.example") },
	{ "mx-trouble.example", ns_t_txt, STR_INIT("v=spf1 mx all") },
	{ "mx-trouble.example", ns_t_mx, STR_INIT("broken.example") },
};

static struct str bomb; /* the record of bomb.example */
static unsigned asked;

static enum dns_status
zone_ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	bool is_there = false;

	(void)arg, (void)until;
	asked++;
	*said = (struct dns_reply){ .status = DNS_OK };
	said->records = arena_alloc(arena, COUNT(zone) * sizeof(*said->records));
	if (str_is(name, "bomb.example") && type == ns_t_txt) {
		said->records[0] = (struct dns_rr){ .type = type, .data = bomb };
		said->n_records = 1;
		return DNS_OK;
	}
	for (size_t i = 0; i < COUNT(zone); i++) {
		if (!str_case_is(name, zone[i].name))
			continue;
		is_there = true;
		if (zone[i].type == 0)
			return DNS_TEMPFAIL;
		if (zone[i].type == type)
			said->records[said->n_records++] =
				(struct dns_rr){ .type = type, .data = zone[i].data };
	}
	return said->n_records ? DNS_OK : is_there ? DNS_NODATA : DNS_NXDOMAIN;
}

static void
check(const char *client, const char *helo, const char *sender, struct arena *arena,
	struct spf_verdict *out)
{
	static const struct auth_dns dns = { .ask = zone_ask };
	struct spf_question q = { .helo = str_c(helo),
		.sender = str_c(sender),
		.receiver = STR("mx.receiver.example"),
		.until = DEADLINE_NEVER,
		.dns = &dns };

	CHECK_INT(net_addr_parse(str_c(client), 0, &q.client), 0);
	spf_check(&q, arena, out);
}

static const struct {
	const char *client, *helo, *sender;
	enum spf_result result;
	const char *domain, *mechanism, *problem, *explanation;
} cases[] = {
	{ "192.0.2.1", "h.example", "u@plain.example", SPF_PASS, "plain.example",
		"ip4:192.0.2.0/24", "", "" },
	{ "::ffff:192.0.2.1", "h.example", "u@plain.example", SPF_PASS, "plain.example",
		"ip4:192.0.2.0/24", "", "" },
	{ "198.51.100.1", "h.example", "u@plain.example", SPF_FAIL, "plain.example",
		"-all", "", "" },
	/* The HELO identity */
	{ "192.0.2.1", "plain.example", "", SPF_PASS, "plain.example", "ip4:192.0.2.0/24",
		"", "" },
	{ "192.0.2.1", "[192.0.2.1]", "", SPF_NONE, "", "",
		"no domain that could have a record", "" },
	{ "192.0.2.1", "h.example", "u@[192.0.2.1]", SPF_NONE, "", "",
		"no domain that could have a record", "" },
	{ "192.0.2.1", "h.example", "u", SPF_NONE, "", "",
		"no domain that could have a record", "" },
	{ "192.0.2.1", "h.example", "u@none.example", SPF_NONE, "none.example", "",
		"none.example has no SPF record", "" },
	/* RFC 8616: domains in A-labels, local parts in UTF-8 match nothing */
	{ "192.0.2.1", "h.example", "u@m\xc3\xbcller.example", SPF_PASS,
		"xn--mller-kva.example", "exists:%{o}", "", "" },
	{ "192.0.2.1", "h.example", "\xc3\xbc@local.example", SPF_SOFTFAIL,
		"local.example", "~all", "", "" },
	{ "192.0.2.1", "h.example", "user one@local.example", SPF_PASS, "local.example",
		"exists:%{l}.users.example", "", "" },
	{ "192.0.2.1", "h.example", "u@broken.example", SPF_TEMPERROR, "broken.example",
		"", "look-up of broken.example failed", "" },
	{ "192.0.2.1", "h.example", "u@two.example", SPF_PERMERROR, "two.example", "",
		"two.example has several SPF records", "" },
	{ "192.0.2.1", "h.example", "u@late.example", SPF_PERMERROR, "late.example", "",
		"no mechanism or modifier: moo, in the record of late.example", "" },
	{ "192.0.2.1", "h.example", "u@included.example", SPF_NEUTRAL, "included.example",
		"?include:plain.example", "", "" },
	{ "198.51.100.1", "h.example", "u@included.example", SPF_FAIL, "included.example",
		"-all", "", "" },
	{ "192.0.2.1", "h.example", "u@empty-include.example", SPF_PERMERROR,
		"empty-include.example", "", "none.example has no SPF record", "" },
	{ "192.0.2.1", "h.example", "u@loop.example", SPF_PERMERROR, "loop.example", "",
		"more than 10 terms with look-ups", "" },
	{ "192.0.2.1", "h.example", "u@chase.example", SPF_PERMERROR, "chase.example", "",
		"more than 10 terms with look-ups", "" },
	{ "192.0.2.1", "[192.0.2.1]", "a/%n@why.example", SPF_FAIL, "why.example", "-all",
		"",
		"192.0.2.1 is not why.example's %n; see a%2F%25n%40why.example 192.0.2.1 "
		"mx.receiver.example in-addr %5B192.0.2.1%5D" },
	/* exp= of who redirects does not count, one with a mistake neither. */
	{ "192.0.2.1", "h.example", "u@moved.example", SPF_FAIL, "moved.example", "-all",
		"", "" },
	{ "192.0.2.7", "h.example", "u@ptr.example", SPF_PASS, "ptr.example", "ptr", "",
		"" },
	{ "2001:db8::1", "h.example", "u@ptr.example", SPF_PASS, "ptr.example", "ptr", "",
		"" },
	{ "192.0.2.8", "h.example", "u@ptr.example", SPF_FAIL, "ptr.example", "-all", "",
		"you are xptr.example" },
	/* The client cannot turn a fail into a permerror by names of his that are void.
	 */
	{ "192.0.2.9", "h.example", "u@ptr.example", SPF_FAIL, "ptr.example", "-all", "",
		"you are unknown" },
	{ "2001:db8::1", "h.example", "u@nibble.example", SPF_PASS, "nibble.example",
		"exists:%{ir}.%{v}.%{o}", "", "" },
	{ "192.0.2.1", "h.example", "z+a-b@split.example", SPF_FAIL, "split.example",
		"-all", "", "" },
	{ "192.0.2.1", "h.example", "a+b-z@split.example", SPF_PASS, "split.example",
		"exists:%{l2r+-}.%{d1r}.x.example", "", "" },
	{ "192.0.2.1", "h.example", "x@long.example", SPF_PASS, "long.example",
		"exists:%{l}." LONG63 "." LONG63 "." LONG63 ".%{l}." LONG63 ".example",
		"", "" },
	{ "192.0.2.1", "h.example", "u@voids.example", SPF_PERMERROR, "voids.example", "",
		"more than 2 look-ups that found nothing", "" },
	{ "192.0.2.1", "h.example", "u@empty-label.example", SPF_FAIL,
		"empty-label.example", "-all", "", "" },
	{ "::ffff:192.0.2.1", "h.example", "u@mapped.example", SPF_FAIL, "mapped.example",
		"-all", "", "" },
	{ "192.0.2.7", "h.example", "u@mx.example", SPF_PASS, "mx.example", "mx", "",
		"" },
	{ "192.0.2.7", "h.example", "u@mx-trouble.example", SPF_TEMPERROR,
		"mx-trouble.example", "", "look-up of broken.example failed", "" },
};

TEST(spf_verdicts)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct spf_verdict got;

		test_row(i);
		check(cases[i].client, cases[i].helo, cases[i].sender, arena, &got);
		CHECK_STR(str_c(spf_result_name(got.result)),
			spf_result_name(cases[i].result));
		CHECK_INT(got.is_of_helo, cases[i].sender[0] == 0);
		CHECK_STR(got.domain, cases[i].domain);
		CHECK_STR(got.mechanism, cases[i].mechanism);
		CHECK_STR(got.problem, cases[i].problem);
		CHECK_STR(got.explanation, cases[i].explanation);
	}
}

/* Records of 64 KB: thousands of macros, thousands of terms; each costs little memory and
 * no more look-ups than a short one. */
TEST(spf_bombs)
{
	static const struct {
		const char *head, *piece, *tail;
		enum spf_result result;
		unsigned asked_most;
	} bombs[] = {
		{ "v=spf1 exists:", "%{s}", ".example -all", SPF_FAIL, 2 },
		{ "v=spf1 exists:", "%{i99r}.", "%{d} -all", SPF_FAIL, 2 },
		{ "v=spf1 exists:", "%{p}", ".example -all", SPF_FAIL, 3 },
		{ "v=spf1", " exists:bomb.example", "", SPF_PERMERROR, 4 },
		{ "v=spf1", " ?include:bomb.example", "", SPF_PERMERROR, 11 },
		{ "v=spf1", " ip4:198.51.100.1", " -all", SPF_FAIL, 1 },
		{ "v=spf1", " x=%n%n", " -all", SPF_PERMERROR, 1 },
		{ "v=spf1 ", "a", " -all", SPF_PERMERROR, 1 },
		{ "v=spf1 ", " ", "-all", SPF_FAIL, 1 },
		{ "v=spf1 a:", "%", "{d} -all", SPF_PERMERROR, 1 },
		{ "v=spf1 a:x", "%{l", "} -all", SPF_PERMERROR, 1 },
		{ "v=spf1 a:x", ".x", ".example -all", SPF_FAIL, 2 },
	};

	for (size_t i = 0; i < COUNT(bombs); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf record CLEANUP(buf_free) = BUF_INIT;
		struct spf_verdict got;

		test_row(i);
		buf_addz(&record, bombs[i].head);
		while (record.len + strlen(bombs[i].piece) + strlen(bombs[i].tail) <
			65000)
			buf_addz(&record, bombs[i].piece);
		buf_addz(&record, bombs[i].tail);
		bomb = buf_str(&record);
		asked = 0;
		check("192.0.2.1", "h.example", "a.b.c.d.e.f@bomb.example", arena, &got);
		CHECK_STR(str_c(spf_result_name(got.result)),
			spf_result_name(bombs[i].result));
		CHECK(asked <= bombs[i].asked_most);
		CHECK(arena_used(arena) < (size_t)256 * 1024);
	}
}

TEST_MAIN()
