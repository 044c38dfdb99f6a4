/* hosts_test.c -- which hosts a next hop leads to, in which order. */
#include "play.h"
#include <arpa/nameser.h>
#include <stdio.h>

static const struct zone_row rows[] = {
	{ "two.test", ns_t_mx, DNS_OK, 20, "b.test", 0 },
	{ "two.test", ns_t_mx, DNS_OK, 10, "a.test", 0 },
	{ "a.test", ns_t_a, DNS_OK, 0, "192.0.2.1", 0 },
	{ "a.test", ns_t_aaaa, DNS_OK, 0, "2001:db8::1", 0 },
	{ "b.test", ns_t_a, DNS_OK, 0, "192.0.2.2", 0 },
	{ "b.test", ns_t_aaaa, DNS_NODATA, 0, NULL, 0 },
	{ "nomx.test", ns_t_mx, DNS_NODATA, 0, NULL, 0 },
	{ "nomx.test", ns_t_a, DNS_OK, 0, "192.0.2.3", 0 },
	{ "null.test", ns_t_mx, DNS_OK, 0, "", 0 },
	{ "half.test", ns_t_mx, DNS_OK, 0, "", 0 }, /* not alone: no null MX */
	{ "half.test", ns_t_mx, DNS_OK, 10, "b.test", 0 },
	{ "later.test", ns_t_mx, DNS_TEMPFAIL, 0, NULL, 0 },
	{ "later.test", ns_t_a, DNS_OK, 0, "192.0.2.4", 0 },
	{ "empty.test", ns_t_mx, DNS_OK, 10, "gone.test", 0 },
	{ "unsure.test", ns_t_mx, DNS_OK, 10, "slow.test", 0 },
	{ "unsure.test", ns_t_mx, DNS_OK, 20, "gone.test", 0 },
	{ "slow.test", ns_t_a, DNS_TEMPFAIL, 0, NULL, 0 },
	{ "loop.test", ns_t_mx, DNS_OK, 10, "us.test", 0 },
	{ "loop.test", ns_t_mx, DNS_OK, 20, "b.test", 0 },
	{ "better.test", ns_t_mx, DNS_OK, 5, "b.test", 0 },
	{ "better.test", ns_t_mx, DNS_OK, 10, "us.test", 0 },
	{ "better.test", ns_t_mx, DNS_OK, 10, "a.test", 0 },
	{ "us.test", ns_t_a, DNS_OK, 0, "192.0.2.99", 0 },
	{ "hosts.test", ns_t_a, DNS_OK, 0, "192.0.2.5", DNS_HOSTS },
	{ "short", ns_t_a, DNS_OK, 0, "192.0.2.6", DNS_DEFNAMES },
	{ "short", ns_t_mx, DNS_NODATA, 0, NULL, DNS_DEFNAMES },
	{ "xn--bcher-kva.test", ns_t_mx, DNS_NODATA, 0, NULL, 0 },
	{ "xn--bcher-kva.test", ns_t_a, DNS_OK, 0, "192.0.2.7", 0 },
	{ "_submission._tcp.srv.test", ns_t_srv, DNS_OK, 20, "b.test", 0 },
	{ "_submission._tcp.srv.test", ns_t_srv, DNS_OK, 10, "a.test", 0 },
	{ "_submission._tcp.null.test", ns_t_srv, DNS_OK, 0, "", 0 },
	{ "_submission._tcp.nomx.test", ns_t_srv, DNS_TEMPFAIL, 0, NULL, 0 },
};

#define NO(name, type) \
	"Host or domain name not found. Name service error for name=" name " type=" type \
	": "

static const struct {
	const char *conf, *nexthop;
	enum verdict verdict;
	const char *want; /* addresses, best first; or code and text */
} cases[] = {
	{ "", "two.test", ACCEPT, "192.0.2.1 192.0.2.2" },
	{ "inet_protocols = all\nsmtp_address_preference = ipv6\n", "two.test", ACCEPT,
		"2001:db8::1 192.0.2.1 192.0.2.2" },
	{ "inet_protocols = all\nsmtp_address_preference = ipv4\n", "two.test", ACCEPT,
		"192.0.2.1 2001:db8::1 192.0.2.2" },
	{ "inet_protocols = ipv6\n", "two.test", ACCEPT, "2001:db8::1" },
	{ "", "nomx.test", ACCEPT, "192.0.2.3" }, /* RFC 5321 section 5.1 */
	{ "", "[nomx.test]", ACCEPT, "192.0.2.3" },
	{ "", "[two.test]", PERMFAIL, "5.4.4 " NO("two.test", "A") "Host not found" },
	{ "", "[192.0.2.77]:26", ACCEPT, "192.0.2.77" },
	{ "", "[IPv6:2001:db8::7]", ACCEPT, "2001:db8::7" },
	{ "", "null.test", PERMFAIL,
		"5.1.2 Domain null.test does not accept mail (nullMX)" },
	{ "", "half.test", ACCEPT, "192.0.2.2" },
	{ "use_srv_lookup = submission\n", "srv.test:submission", ACCEPT,
		"192.0.2.1 192.0.2.2" },
	{ "use_srv_lookup = submission\n", "null.test:submission", PERMFAIL,
		"5.1.2 Service unavailable at null.test" },
	{ "use_srv_lookup = submission\n", "two.test:submission", PERMFAIL,
		"5.4.4 " NO("_submission._tcp.two.test", "SRV") "Host not found" },
	{ "use_srv_lookup = submission\nallow_srv_lookup_fallback = yes\n",
		"two.test:submission", ACCEPT, "192.0.2.1 192.0.2.2" },
	{ "use_srv_lookup = submission\n", "nomx.test:submission", TEMPFAIL,
		"4.4.3 " NO("_submission._tcp.nomx.test",
			"SRV") "Host not found, try again" },
	{ "use_srv_lookup = submission\nignore_srv_lookup_error = yes\n",
		"nomx.test:submission", ACCEPT, "192.0.2.3" },
	{ "use_srv_lookup = submission\n", "two.test:smtp", ACCEPT,
		"192.0.2.1 192.0.2.2" },
	{ "", "later.test", TEMPFAIL,
		"4.4.3 " NO("later.test", "MX") "Host not found, try again" },
	{ "ignore_mx_lookup_error = yes\n", "later.test", ACCEPT, "192.0.2.4" },
	{ "", "absent.test", PERMFAIL,
		"5.4.4 " NO("absent.test", "MX") "Host not found" },
	{ "", "empty.test", PERMFAIL, "5.4.4 " NO("gone.test", "A") "Host not found" },
	{ "smtp_defer_if_no_mx_address_found = yes\n", "empty.test", TEMPFAIL,
		"4.4.3 " NO("gone.test", "A") "Host not found" },
	{ "", "unsure.test", TEMPFAIL,
		"4.4.3 " NO("slow.test", "A") "Host not found, try again" },
	{ "", "loop.test", PERMFAIL, "5.4.6 mail for loop.test loops back to myself" },
	{ "", "loop.test:26", ACCEPT, "192.0.2.99 192.0.2.2" },
	{ "", "better.test", ACCEPT, "192.0.2.2" },
	{ "", "[hosts.test]", PERMFAIL, "5.4.4 " NO("hosts.test", "A") "Host not found" },
	{ "smtp_host_lookup = dns, native\n", "[hosts.test]", ACCEPT, "192.0.2.5" },
	{ "smtp_host_lookup = native\n", "[hosts.test]", ACCEPT, "192.0.2.5" },
	{ "disable_dns_lookups = yes\n", "hosts.test", ACCEPT, "192.0.2.5" },
	{ "smtp_dns_support_level = disabled\n", "hosts.test", ACCEPT, "192.0.2.5" },
	{ "", "short", PERMFAIL, "5.4.4 " NO("short", "MX") "Host not found" },
	{ "smtp_dns_resolver_options = res_defnames\n", "short", ACCEPT, "192.0.2.6" },
	{ "",
		"b\xc3\xbc"
		"cher.test",
		ACCEPT, "192.0.2.7" },
	{ "", "b\xff.test", PERMFAIL, "5.1.2 malformed domain name \"b\xff.test\"" },
};

static void
find(void *arg)
{
	size_t i = *(size_t *)arg;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	struct hosts hosts = { 0 };
	struct nexthop n;
	struct why why = { 0 };

	CHECK_INT(nexthop_parse(service_conf(), str_c(cases[i].nexthop), 25, &n, &why),
		ACCEPT);
	CHECK_INT(hosts_find(&n, service_conf(), arena, &hosts, &why), cases[i].verdict);
	for (size_t h = 0; cases[i].verdict == ACCEPT && h < hosts.list.n; h++) {
		char text[NET_ADDR_TEXT];

		buf_printf(&got, "%s%s", h > 0 ? " " : "",
			net_addr_text(&hosts.list.items[h].addr, text));
	}
	if (cases[i].verdict != ACCEPT)
		buf_printf(&got, "%s %s", why.code, why.text);
	CHECK_STR(buf_str(&got), cases[i].want);
	hosts_free(&hosts);
}

TEST(next_hops_lead_to_hosts)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[300];

		snprintf(text, sizeof(text), "inet_protocols = ipv4\n%s", cases[i].conf);
		play_conf(text); /* the last line of a name counts */
		play_zone(rows, COUNT(rows));
		test_row(i);
		play_run(find, &i);
	}
}

/* Equals come in every order. */
static void
first_hosts(void *arg)
{
	unsigned *seen = arg;

	for (int i = 0; i < 200; i++) {
		struct arena *arena = arena_new();
		struct hosts hosts = { 0 };
		struct nexthop n;
		struct why why;
		char text[NET_ADDR_TEXT];

		CHECK_INT(nexthop_parse(service_conf(), STR("equal.test"), 25, &n, &why),
			ACCEPT);
		CHECK_INT(hosts_find(&n, service_conf(), arena, &hosts, &why), ACCEPT);
		net_addr_text(&hosts.list.items[0].addr, text);
		*seen |= 1u << (text[strlen(text) - 1] - '0');
		hosts_free(&hosts);
		arena_free(arena);
	}
}

TEST(equals_take_turns)
{
	static const struct zone_row equal[] = {
		{ "equal.test", ns_t_mx, DNS_OK, 10, "x.test", 0 },
		{ "x.test", ns_t_a, DNS_OK, 0, "192.0.2.1", 0 },
		{ "x.test", ns_t_a, DNS_OK, 0, "192.0.2.2", 0 },
		{ "x.test", ns_t_a, DNS_OK, 0, "192.0.2.3", 0 },
	};
	unsigned seen = 0;

	play_conf("inet_protocols = ipv4\n");
	play_zone(equal, COUNT(equal));
	play_run(first_hosts, &seen);
	CHECK_INT(seen, 0xe);
	seen = 0;
	play_conf("inet_protocols = ipv4\nsmtp_randomize_addresses = no\n");
	play_zone(equal, COUNT(equal));
	play_run(first_hosts, &seen);
	CHECK_INT(seen, 0x2);
}

/* What smtp_mx_address_limit leaves has both families. */
TEST(families_are_balanced)
{
	static const struct zone_row both[] = {
		{ "equal.test", ns_t_mx, DNS_OK, 10, "x.test", 0 },
		{ "x.test", ns_t_a, DNS_OK, 0, "192.0.2.1", 0 },
		{ "x.test", ns_t_a, DNS_OK, 0, "192.0.2.2", 0 },
		{ "x.test", ns_t_aaaa, DNS_OK, 0, "2001:db8::3", 0 },
	};

	play_conf("inet_protocols = all\nsmtp_mx_address_limit = 2\n"
		  "smtp_address_preference = ipv4\n");
	play_zone(both, COUNT(both));
	play_mail.request.nexthop = STR("equal.test:1");
	play_settings->smtp_connect_timeout = 20;
	play(NULL, 0);
	CHECK(play_logged("x.test[2001:db8::3]:1"));
	CHECK_INT(play_end.outcomes[0].verdict, TEMPFAIL);
}

TEST(a_dns_that_dies_is_temporary)
{
	play_conf("");
	play_dns_dies = true;
	play_mail.request.nexthop = STR("two.test");
	play(NULL, 0);
	CHECK_OUTCOME(
		0, TEMPFAIL, "4.4.3", NO("two.test", "MX") "Host not found, try again");
	CHECK(play_end.site_down);
}

/* The second host is asked for those whom the first put off, and only for them. */
TEST(the_best_mail_exchanger_has_a_transport)
{
	play_conf("best_mx_transport = local\n");
	play_zone(rows, COUNT(rows));
	play_mail.request.nexthop = STR("loop.test");
	play_on_default_port = true;
	play_alone();
	CHECK_STR(play_end.outcomes[0].pass_to, "local:test");
}

TEST(the_second_host_gets_the_rest)
{
	static const struct zone_row one[] = {
		{ "pair.test", ns_t_a, DNS_OK, 0, "127.0.0.1", 0 },
		{ "pair.test", ns_t_a, DNS_OK, 0, "127.0.0.1", 0 },
	};
	static const struct line lines[] = {
		{ CONNECT, "220 one" },
		{ "EHLO", "250 one" },
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "RCPT TO:<b1@test>", "450 4.2.0 busy" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok one" },
		{ "QUIT", "221 bye" },
		{ CONNECT, "220 two" },
		{ "EHLO", "250 two" },
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b1@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok two" },
		{ "QUIT", "221 bye" },
	};

	play_conf("inet_protocols = ipv4\n");
	play_zone(one, COUNT(one));
	play_rcpts(2);
	play_host = "pair.test";
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 ok one");
	CHECK_OUTCOME(1, ACCEPT, "2.0.0", "250 ok two");
	CHECK(play_logged("QID: host pair.test[127.0.0.1] said: 450 4.2.0 busy (in reply "
			  "to RCPT TO command)\n"));
}
