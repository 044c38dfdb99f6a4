/* dane_test.c -- what TLS a host must have by its TLSA records, each way they can be. */
#include "play.h"
#include <arpa/nameser.h>
#include <stdio.h>

#define TLSA  ns_t_tlsa
#define AB    "abababababababababababababababababababababababababababababababab"
#define CD    "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define PROOF DNS_VALIDATE

static const struct zone_row rows[] = {
	{ "good.test", ns_t_mx, DNS_OK, 10, "mx.good.test", PROOF },
	{ "mx.good.test", ns_t_a, DNS_OK, 0, "192.0.2.1", PROOF },
	{ "_25._tcp.mx.good.test", TLSA, DNS_OK, 0, "030101" AB, PROOF },
	{ "_26._tcp.mx.good.test", TLSA, DNS_TEMPFAIL, 0, NULL, 0 },
	/* The domain's MX is not proven, its host is. */
	{ "hosted.test", ns_t_mx, DNS_OK, 10, "mx.good.test", 0 },
	/* Two names of the domain; its host is an alias. */
	{ "also.test", ns_t_cname, DNS_OK, 0, "real.test", PROOF },
	{ "real.test", ns_t_mx, DNS_OK, 10, "mx.real.test", PROOF },
	{ "mx.real.test", ns_t_cname, DNS_OK, 0, "farm.test", PROOF },
	{ "farm.test", ns_t_a, DNS_OK, 0, "192.0.2.2", PROOF },
	{ "_25._tcp.farm.test", TLSA, DNS_OK, 0, "020101" AB, PROOF },
	{ "_25._tcp.farm.test", TLSA, DNS_OK, 0, "000101" AB, PROOF },
	{ "_25._tcp.mx.real.test", TLSA, DNS_OK, 0, "030101" CD, PROOF },
	/* Only at the name that the domain gave. */
	{ "given.test", ns_t_mx, DNS_OK, 10, "mx.given.test", PROOF },
	{ "mx.given.test", ns_t_cname, DNS_OK, 0, "b.farm.test", PROOF },
	{ "b.farm.test", ns_t_a, DNS_OK, 0, "192.0.2.3", PROOF },
	{ "_25._tcp.mx.given.test", TLSA, DNS_OK, 0, "030101" CD, PROOF },
	{ "_26._tcp.b.farm.test", TLSA, DNS_TEMPFAIL, 0, NULL, 0 },
	/* Signed up to a provider that is not. */
	{ "half.test", ns_t_mx, DNS_OK, 10, "mx.half.test", PROOF },
	{ "mx.half.test", ns_t_cname, DNS_OK, 0, "plain.test", PROOF },
	{ "plain.test", ns_t_a, DNS_OK, 0, "192.0.2.4", 0 },
	{ "_25._tcp.mx.half.test", TLSA, DNS_OK, 0, "030101" AB, PROOF },
	/* Nothing that is proven. */
	{ "open.test", ns_t_mx, DNS_OK, 10, "plain.test", PROOF },
	{ "_25._tcp.plain.test", TLSA, DNS_TEMPFAIL, 0, NULL, 0 },
	{ "odd.test", ns_t_mx, DNS_OK, 10, "mx.odd.test", PROOF },
	{ "mx.odd.test", ns_t_a, DNS_OK, 0, "192.0.2.5", PROOF },
	{ "_25._tcp.mx.odd.test", TLSA, DNS_OK, 0, "030101" AB, 0 },
	{ "none.test", ns_t_mx, DNS_NODATA, 0, NULL, PROOF },
	{ "none.test", ns_t_a, DNS_OK, 0, "192.0.2.6", PROOF },
	{ "_25._tcp.none.test", TLSA, DNS_OK, 0, "030101" AB, PROOF },
	{ "old.test", ns_t_mx, DNS_OK, 10, "mx.old.test", PROOF },
	{ "mx.old.test", ns_t_a, DNS_OK, 0, "192.0.2.7", PROOF },
	{ "_25._tcp.mx.old.test", TLSA, DNS_OK, 0, "000101" AB, PROOF },
	{ "_25._tcp.mx.old.test", TLSA, DNS_OK, 0, "010101" AB, PROOF },
	{ "_25._tcp.mx.old.test", TLSA, DNS_OK, 0, "03", PROOF },
};

#define ONLY  "smtp_tls_security_level = dane-only\n"
#define FORCE "smtp_tls_force_insecure_host_tlsa_lookup = yes\n"
#define MX    "smtp_tls_dane_insecure_mx_policy = "

static const struct {
	const char *conf, *nexthop;
	enum verdict verdict;
	const char *want; /* level, number of records, base and names; or the reason */
} cases[] = {
	{ "", "good.test", ACCEPT, "dane 1 mx.good.test good.test" },
	{ ONLY, "good.test", ACCEPT, "dane 1 mx.good.test good.test" },
	{ "", "[mx.good.test]", ACCEPT, "dane 1 mx.good.test" },
	{ "", "good.test:26", TEMPFAIL, "4.7.5 TLSA lookup error for mx.good.test:26" },
	{ ONLY, "good.test:26", TEMPFAIL, "4.7.5 TLSA lookup error for mx.good.test:26" },
	{ "", "good.test:27", ACCEPT, "may" },
	{ ONLY, "good.test:27", TEMPFAIL, "4.7.5 no TLSA records found" },
	{ "", "[192.0.2.1]", ACCEPT, "may" },
	{ "", "hosted.test", ACCEPT, "halfdane 1 mx.good.test hosted.test" },
	{ MX "encrypt\n", "hosted.test", ACCEPT, "encrypt" },
	{ MX "may\n", "hosted.test", ACCEPT, "may" },
	{ ONLY MX "dane\n", "hosted.test", TEMPFAIL, "4.7.5 non DNSSEC destination" },
	{ "", "also.test", ACCEPT, "dane 1 farm.test also.test real.test" },
	{ "", "given.test", ACCEPT, "dane 1 mx.given.test given.test" },
	{ "", "given.test:26", TEMPFAIL, "4.7.5 TLSA lookup error for mx.given.test:26" },
	{ "", "half.test", ACCEPT, "dane 1 mx.half.test half.test" },
	{ "", "open.test", ACCEPT, "may" }, /* and the server there is not asked */
	{ FORCE, "open.test", TEMPFAIL, "4.7.5 TLSA lookup error for plain.test:25" },
	{ "", "odd.test", ACCEPT, "may" },
	{ "", "none.test", ACCEPT, "dane 1 none.test" },
	{ "", "old.test", ACCEPT, "encrypt" },
	{ ONLY, "old.test", TEMPFAIL, "4.7.5 TLSA records unusable" },
	/* Settings that leave no DANE. */
	{ "smtp_dns_support_level = enabled\n", "[plain.test]", ACCEPT, "may" },
	{ "smtp_host_lookup = native\n", "[good.test]", PERMFAIL, NULL },
	{ "ignore_mx_lookup_error = yes\n", "good.test", ACCEPT, "may" },
	{ "smtp_dns_resolver_options = res_defnames\n", "good.test", ACCEPT, "may" },
	{ "tls_dane_digests = nonsense\n", "good.test", ACCEPT, "may" },
	{ ONLY "smtp_dns_support_level = enabled\n", "good.test", TEMPFAIL,
		"4.7.5 client TLS configuration problem" },
	{ "smtp_tls_security_level = encrypt\n", "good.test", ACCEPT, "encrypt" },
};

static const char *
level_name(enum tls_level level)
{
	return level == TLS_MAY       ? "may"
	       : level == TLS_ENCRYPT ? "encrypt"
	       : level == TLS_DANE    ? "dane"
				      : "halfdane";
}

static enum verdict
policy_of(
	const char *nexthop, struct arena *arena, struct tls_policy *out, struct why *why)
{
	const struct conf *c = service_conf();
	struct tls_policy wanted;
	struct hosts hosts = { 0 };
	struct nexthop n;
	enum verdict v;

	CHECK_INT(nexthop_parse(c, str_c(nexthop), 25, &n, why), ACCEPT);
	v = tls_policy_find(str_c(nexthop), c, arena, &wanted, why);
	if (v == ACCEPT)
		v = hosts_find(&n, c, arena, &hosts, why);
	if (v == ACCEPT)
		v = dane_policy(&wanted, &hosts.list.items[0], c, arena, out, why);
	hosts_free(&hosts);
	return v;
}

static void
find(void *arg)
{
	size_t i = *(size_t *)arg;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	struct tls_policy p;
	struct why why = { 0 };
	enum verdict v = policy_of(cases[i].nexthop, arena, &p, &why);
	const struct tls_dane *dane = v == ACCEPT ? p.terms.dane : NULL;

	CHECK_INT(v, cases[i].verdict);
	buf_printf(&got, "%s", v == ACCEPT ? level_name(p.level) : why.code);
	if (v != ACCEPT)
		buf_printf(&got, " %s", why.text);
	if (dane) {
		buf_printf(&got, " %zu " STR_FMT, dane->n, STR_ARG(dane->base));
		for (size_t k = 0; k < dane->names.n; k++)
			buf_printf(&got, " " STR_FMT, STR_ARG(dane->names.items[k]));
		CHECK_STR(p.servername, arena_cstr(arena, dane->base));
	}
	if (cases[i].want)
		CHECK_STR(buf_str(&got), cases[i].want);
}

static void
configure(const char *more)
{
	char text[400];

	snprintf(text, sizeof(text),
		"inet_protocols = ipv4\nsmtp_dns_support_level = dnssec\n"
		"smtp_tls_security_level = dane\n%s",
		more);
	play_conf(text);
	starttls_prepare(service_conf());
}

static void
tidy_up(void)
{
	tls_context_free(smtp_tls);
	smtp_tls = NULL;
}

TEST(policies_of_hosts)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		configure(cases[i].conf);
		play_zone(rows, COUNT(rows));
		test_row(i);
		play_run(find, &i);
		tidy_up();
	}
}

/* The order of records is no other policy, another record is. */
static void
compare_texts(void *arg)
{
	static const struct zone_row turned[] = {
		{ "two.test", ns_t_a, DNS_OK, 0, "192.0.2.1", PROOF },
		{ "_25._tcp.two.test", TLSA, DNS_OK, 0, "030101" AB, PROOF },
		{ "_25._tcp.two.test", TLSA, DNS_OK, 0, "030101" CD, PROOF },
		{ "two.test", ns_t_a, DNS_OK, 0, "192.0.2.1", PROOF },
		{ "_25._tcp.two.test", TLSA, DNS_OK, 0, "030101" AB, PROOF },
	};
	static const struct {
		size_t at, n;
	} parts[] = { { 0, 3 }, { 2, 3 }, { 3, 2 } };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct tls_policy p[COUNT(parts)];
	struct why why;

	(void)arg;
	for (size_t i = 0; i < COUNT(parts); i++) {
		play_zone(turned + parts[i].at, parts[i].n);
		CHECK_INT(policy_of("[two.test]", arena, &p[i], &why), ACCEPT);
	}
	CHECK(str_eq(p[0].text, p[1].text));
	CHECK(!str_eq(p[0].text, p[2].text));
}

TEST(texts_of_policies)
{
	configure("");
	play_run(compare_texts, NULL);
	tidy_up();
}
