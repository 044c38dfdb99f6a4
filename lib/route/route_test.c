/* Rows for every rule of contract 5.2 (recipient resolution) and 6.1 (canonical form). */
#include "test.h"
#include "route.h"
#include "event.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char base_conf[] = "compatibility_level = 3.6\n"
				"myhostname = mail.example.org\n"
				"mydomain = example.org\n"
				"myorigin = example.org\n"
				"inet_interfaces = 127.0.0.1, 192.0.2.25\n"
				"inet_protocols = ipv4\n"
				"proxy_interfaces = 198.51.100.7\n"
				"mydestination = $myhostname, example.org, localhost\n"
				"virtual_alias_domains = alias.example, both.example\n"
				"virtual_alias_maps =\n"
				"virtual_mailbox_domains = box.example, both.example\n"
				"virtual_mailbox_maps =\n"
				"relay_domains = relay.example\n"
				"recipient_delimiter = +\n";

static struct conf *conf;
static struct route *route;
static struct arena *arena;
static char seen[4000];

static void
remember(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	strncat(seen, "\n", sizeof(seen) - strlen(seen) - 1);
	strncat(seen, arena_cstr(arena, line), sizeof(seen) - strlen(seen) - 1);
}

/* A configuration of its own for each test: base_conf and what comes on top. */
static void
with_conf(const char *more, unsigned what)
{
	static unsigned number;
	char path[500];
	FILE *f;
	struct conf_issues issues;

	snprintf(path, sizeof(path), "%s/c%u", test_dir(), number++);
	if (mkdir(path, 0755) < 0)
		abort();
	strcat(path, "/main.cf");
	f = fopen(path, "w");
	fprintf(f, "%s%s", base_conf, more);
	fclose(f);
	*strrchr(path, '/') = '\0';
	conf_issues_init(&issues);
	conf = conf_load(path, STR_NONE, &(struct strs){ NULL, 0 }, &issues);
	ensure(conf);
	conf_issues_free(&issues);
	arena = arena_new();
	seen[0] = '\0';
	log_capture(remember, NULL);
	route = route_open(conf, what);
}

static void
without_conf(void)
{
	route_close(route);
	log_capture(NULL, NULL);
	arena_free(arena);
	conf_free(conf);
}

static void
check_rewrite(enum route_context context, const char *from, const char *to)
{
	CHECK_STR(route_rewrite(route, context, str_c(from), arena), to);
}

TEST(canonical_form)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "", "" },
		{ "user", "user@example.org" },
		{ "user@host", "user@host" }, /* append_dot_mydomain = no since level 1 */
		{ "user@other.example", "user@other.example" },
		{ "user@other.example.", "user@other.example" },
		{ "@hop.example:user@other.example", "user@other.example" },
		{ "@a.example,@b.example:user@other.example", "user@other.example" },
		{ "site!user", "user@site" },
		{ "a!b!user", "b!user@a" },
		{ "user%site.example", "user@site.example" },
		{ "user%a%b", "user%a@b" },
		{ "user%site@other.example", "user%site@other.example" },
		{ "user%a b", "user%a b@example.org" }, /* was quoted: no operator */
		{ "\"a@b\"", "\"a@b\"@example.org" },
		{ "user@[192.0.2.1]", "user@[192.0.2.1]" },
		{ "user@", "user@" },
	};

	with_conf("", 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		check_rewrite(REWRITE_LOCAL, rows[i].from, rows[i].to);
		check_rewrite(REWRITE_REMOTE, rows[i].from, rows[i].from);
	}
	without_conf();
}

TEST(canonical_form_by_parameters)
{
	with_conf(
		"append_dot_mydomain = yes\nswap_bangpath = no\nallow_percent_hack = no\n"
		"remote_header_rewrite_domain = domain.invalid\n",
		0);
	check_rewrite(REWRITE_LOCAL, "user@host", "user@host.example.org");
	without_conf();
	with_conf("append_dot_mydomain = yes\nmyorigin = host\n", 0);
	check_rewrite(REWRITE_LOCAL, "user", "user@host.example.org");
	without_conf();
	with_conf(
		"append_dot_mydomain = yes\nswap_bangpath = no\nallow_percent_hack = no\n"
		"remote_header_rewrite_domain = domain.invalid\n",
		0);
	check_rewrite(REWRITE_LOCAL, "site!user", "site!user@example.org");
	check_rewrite(REWRITE_LOCAL, "user%site", "user%site@example.org");
	check_rewrite(REWRITE_LOCAL, "user@[::1]", "user@[::1]");
	check_rewrite(REWRITE_REMOTE, "user", "user@domain.invalid");
	check_rewrite(REWRITE_REMOTE, "user@host", "user@host.domain.invalid");
	without_conf();
	with_conf("append_at_myorigin = no\n", 0);
	check_rewrite(REWRITE_LOCAL, "user", "user");
	without_conf();
}

TEST(classes)
{
	static const struct {
		const char *address;
		enum verdict want;
		enum address_class class;
		const char *final;
		bool routed;
	} rows[] = {
		{ "user", ACCEPT, CLASS_LOCAL, "user@example.org", false },
		{ "user@LOCALHOST", ACCEPT, CLASS_LOCAL, "user@LOCALHOST", false },
		{ "user@mail.example.org.", ACCEPT, CLASS_LOCAL, "user@mail.example.org",
			false },
		{ "user@[192.0.2.25]", ACCEPT, CLASS_LOCAL, "user@[192.0.2.25]", false },
		{ "user@[198.51.100.7]", ACCEPT, CLASS_LOCAL, "user@[198.51.100.7]",
			false },
		{ "user@[192.0.2.26]", ACCEPT, CLASS_DEFAULT, "user@[192.0.2.26]",
			false },
		{ "user@sub.example.org", ACCEPT, CLASS_DEFAULT, "user@sub.example.org",
			false },
		{ "user@alias.example", ACCEPT, CLASS_VIRTUAL_ALIAS, "user@alias.example",
			false },
		{ "user@box.example", ACCEPT, CLASS_VIRTUAL_MAILBOX, "user@box.example",
			false },
		{ "user@a.relay.example", ACCEPT, CLASS_RELAY, "user@a.relay.example",
			false },
		{ "user@far.example", ACCEPT, CLASS_DEFAULT, "user@far.example", false },
		/* routes through us are taken off ... */
		{ "user%far.example@localhost", ACCEPT, CLASS_DEFAULT, "user@far.example",
			false },
		{ "far.example!user@localhost", ACCEPT, CLASS_DEFAULT, "user@far.example",
			false },
		{ "user@far.example@localhost", ACCEPT, CLASS_DEFAULT, "user@far.example",
			false },
		{ "\"user@far.example\"@localhost", ACCEPT, CLASS_DEFAULT,
			"user@far.example", false },
		{ "a%localhost%example.org@localhost", ACCEPT, CLASS_LOCAL, "a@localhost",
			false },
		/* ... and through others are seen */
		{ "user%far.example@relay.example", ACCEPT, CLASS_RELAY,
			"user%far.example@relay.example", true },
		{ "far.example!user@relay.example", ACCEPT, CLASS_RELAY,
			"far.example!user@relay.example", true },
		{ "user@far.example@relay.example", ACCEPT, CLASS_RELAY,
			"user@far.example@relay.example", true },
		{ "user@", PERMFAIL, 0, "", false },
		{ "@far.example", PERMFAIL, 0, "", false },
		{ "user@192.0.2.1", PERMFAIL, 0, "", false },
		{ "user@[bad", PERMFAIL, 0, "", false },
		{ "user@a..b", PERMFAIL, 0, "", false },
		{ "user@-a.example", PERMFAIL, 0, "", false },
		{ "user@b_c.example", ACCEPT, CLASS_DEFAULT, "user@b_c.example", false },
	};
	struct route_class got;
	struct why why;

	with_conf("", ROUTE_CLASS);
	CHECK(!route_may_switch(route));
	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(
			route_classify(route, str_c(rows[i].address), arena, &got, &why),
			rows[i].want);
		if (rows[i].want != ACCEPT) {
			CHECK_STR(str_c(why.code), "5.1.3");
			continue;
		}
		CHECK_INT(got.class, rows[i].class);
		CHECK_STR(got.address, rows[i].final);
		CHECK_INT(got.routed, rows[i].routed);
	}
	without_conf();
}

TEST(conflicts_are_told_once)
{
	struct route_class got;
	struct why why;

	with_conf("", ROUTE_CLASS);
	for (int i = 0; i < 3; i++)
		CHECK_INT(route_classify(route, STR("u@both.example"), arena, &got, &why),
			ACCEPT);
	CHECK_INT(got.class, CLASS_VIRTUAL_ALIAS);
	CHECK_STR(str_c(seen), "\nwarning: do not list domain both.example in BOTH "
			       "virtual_alias_domains and virtual_mailbox_domains");
	without_conf();
}

TEST(own_domains)
{
	struct why why;

	with_conf("myorigin = origin.example\n", 0);
	CHECK_INT(route_is_local(route, STR("Example.ORG"), &why), DICT_FOUND);
	CHECK_INT(route_is_local(route, STR("origin.example"), &why), DICT_NOTFOUND);
	CHECK_INT(route_takes_bare_user(route, STR("origin.example"), &why), DICT_FOUND);
	CHECK_INT(route_takes_bare_user(route, STR("far.example"), &why), DICT_NOTFOUND);
	without_conf();
}

struct resolve_row {
	const char *sender, *recipient, *transport, *nexthop, *final;
};

static void
check_routes_for(enum route_purpose purpose, const struct resolve_row *rows, size_t n)
{
	struct route_result got;
	struct why why;

	for (size_t i = 0; i < n; i++) {
		test_row(i);
		(void)route_resolve(route, purpose, str_c(rows[i].sender),
			str_c(rows[i].recipient), arena, &got, &why);
		CHECK_STR(got.transport, rows[i].transport);
		CHECK_STR(got.nexthop, rows[i].nexthop);
		CHECK_STR(
			got.recipient, rows[i].final ? rows[i].final : rows[i].recipient);
	}
}

static void
check_routes(const struct resolve_row *rows, size_t n)
{
	check_routes_for(ROUTE_FOR_MAIL, rows, n);
}

TEST(class_transports)
{
	static const struct resolve_row rows[] = {
		{ "s@x", "user@example.org", "local", "mail.example.org", NULL },
		{ "s@x", "user@box.example", "virtual", "box.example", NULL },
		{ "s@x", "user@relay.example", "relay", "relay.example", NULL },
		{ "s@x", "user@Far.Example", "smtp", "far.example", NULL },
		{ "s@x", "user@[192.0.2.99]", "smtp", "[192.0.2.99]", NULL },
		{ "s@x", "user%far.example@localhost", "smtp", "far.example",
			"user@far.example" },
		{ "s@x", "user@alias.example", "error",
			"5.1.1 User unknown in virtual alias table", NULL },
		{ "s@x", "user@a..b", "error", "5.1.3 bad address syntax", NULL },
		{ "s@x", "-user@example.org", "error", "5.1.3 bad address syntax", NULL },
		{ "s@x", "", "local", "mail.example.org", "MAILER-DAEMON@example.org" },
	};

	with_conf("", ROUTE_TRANSPORT);
	check_routes(rows, COUNT(rows));
	without_conf();
}

TEST(relayhost_and_next_hops)
{
	static const struct resolve_row rows[] = {
		{ "s@x", "user@far.example", "smtp", "[hub.example]:587", NULL },
		{ "s@x", "user@relay.example", "relay", "inside.example", NULL },
		{ "s@x", "user@box.example", "lmtp", "unix:private/dovecot", NULL },
		{ "s@x", "user@example.org", "local", "example.org", NULL },
	};

	with_conf(
		"relayhost = [hub.example]:587\nrelay_transport = relay:inside.example\n"
		"virtual_transport = lmtp:unix:private/dovecot\nlocal_transport = "
		"local\n",
		ROUTE_TRANSPORT);
	check_routes(rows, COUNT(rows));
	without_conf();
}

TEST(transport_maps_order)
{
	static const struct resolve_row rows[] = {
		{ "s@x", "u+x@far.example", "t1", "far.example", NULL },
		{ "s@x", "u+y@far.example", "t2", "hop2", NULL },
		{ "s@x", "other@far.example", "t3", "[hop3]:25", NULL },
		{ "s@x", "u@sub.far.example", "t5", "sub.far.example", NULL },
		{ "s@x", "u@keep.example", "smtp", "keep.example", NULL },
		{ "s@x", "u@hop.example", "smtp", "elsewhere", NULL },
		{ "s@x", "u@any.example", "t9", "wild", NULL },
		{ "s@x", "u@alias.example", "error",
			"5.1.1 User unknown in virtual alias table", NULL },
		{ "s@x", "u@err.example", "error", "5.7.1 no thanks", NULL },
	};

	with_conf(
		"transport_maps = inline:{ {u+x@far.example=t1:} {u@far.example=t2:hop2}"
		" {far.example=t3:[hop3]:25} {.far.example=t5:} {keep.example=:}"
		" {hop.example=:elsewhere} {*=t9:wild} {alias.example=t8:}"
		" {err.example = error:5.7.1 no thanks} }\n"
		"parent_domain_matches_subdomains =\n",
		ROUTE_TRANSPORT);
	check_routes(rows, COUNT(rows));
	without_conf();
}

TEST(sender_dependent)
{
	static const struct resolve_row rows[] = {
		{ "a@s.example", "u@far.example", "smtp", "[hub-a]", NULL },
		{ "b@s.example", "u@far.example", "special", "far.example", NULL },
		{ "c@s.example", "u@far.example", "smtp", "[hub-s]", NULL },
		{ "d@s.example", "u@far.example", "smtp", "[relay]", NULL }, /* DUNNO */
		{ "x@other", "u@far.example", "smtp", "[relay]", NULL },
		{ "", "u@far.example", "smtp", "[hub-null]", NULL },
		{ "a@s.example", "u@relay.example", "relay", "[hub-a]", NULL },
		{ "b@s.example", "u@relay.example", "relay", "[hub-s]", NULL },
		{ "a@s.example", "u@box.example", "virtual", "box.example", NULL },
	};

	with_conf("relayhost = [relay]\n"
		  "sender_dependent_relayhost_maps = inline:{ {a@s.example=[hub-a]}"
		  " {d@s.example=DUNNO} {@s.example=[hub-s]} {<>=[hub-null]} }\n"
		  "sender_dependent_default_transport_maps = inline:{"
		  " {b@s.example=special:far.example} }\n",
		ROUTE_TRANSPORT);
	check_routes(rows, COUNT(rows));
	without_conf();
}

/* address_verify_*: what is not set is mail's; relocated_maps are for both. */
TEST(probes_go_their_own_ways)
{
	static const struct resolve_row mail[] = {
		{ "s@x", "u@relay.example", "relay", "[scan]", NULL },
		{ "s@x", "u@far.example", "smtp", "[hub]", NULL },
		{ "a@s.example", "u@far.example", "smtp", "[hub-a]", NULL },
		{ "s@x", "u@map.example", "t1", "one", NULL },
		{ "s@x", "u@box.example", "virtual", "box.example", NULL },
	}, probes[] = {
		{ "s@x", "u@relay.example", "smtp", "[inside]", NULL },
		{ "s@x", "u@far.example", "direct", "far.example", NULL },
		{ "a@s.example", "u@far.example", "direct", "[hub-a]", NULL },
		{ "s@x", "u@map.example", "t2", "two", NULL },
		{ "s@x", "u@box.example", "virtual", "box.example", NULL },
	};

	with_conf("relay_transport = relay:[scan]\nrelayhost = [hub]\n"
		  "sender_dependent_relayhost_maps = inline:{ {a@s.example=[hub-a]} }\n"
		  "transport_maps = inline:{ {map.example=t1:one} }\n"
		  "address_verify_relay_transport = smtp:[inside]\n"
		  "address_verify_relayhost =\n"
		  "address_verify_default_transport = direct\n"
		  "address_verify_transport_maps = inline:{ {map.example=t2:two} }\n",
		ROUTE_TRANSPORT);
	check_routes(mail, COUNT(mail));
	check_routes_for(ROUTE_FOR_PROBE, probes, COUNT(probes));
	without_conf();
}

TEST(moved_recipients)
{
	static const struct resolve_row rows[] = {
		{ "s@x", "gone@example.org", "error",
			"5.1.6 User has moved to new@far.example", NULL },
		{ "s@x", "here@example.org", "local", "mail.example.org", NULL },
	};

	with_conf(
		"relocated_maps = inline:{ {gone=new@far.example} }\n", ROUTE_TRANSPORT);
	check_routes(rows, COUNT(rows));
	without_conf();
}

TEST(table_errors_defer)
{
	struct route_result got;
	struct why why;

	with_conf("transport_maps = hash:/nonexistent/transport\n", ROUTE_TRANSPORT);
	CHECK_INT(route_resolve(route, ROUTE_FOR_MAIL, STR("s@x"), STR("u@far.example"),
			  arena, &got, &why),
		TEMPFAIL);
	CHECK_STR(got.transport, "retry");
	CHECK_STR(got.nexthop, "4.3.0 Temporary lookup failure");
	without_conf();
}

/* Only relay_domains knows parents (contract 1.3). */
TEST(lists_of_exact_names)
{
	static const struct {
		const char *domain;
		enum address_class want;
	} rows[] = {
		{ "own.example", CLASS_LOCAL },
		{ "sub.own.example", CLASS_DEFAULT },
		{ "sub.dotted.example", CLASS_DEFAULT },
		{ "sub.table.example", CLASS_DEFAULT },
		{ "sub.relay.example", CLASS_RELAY },
	};
	enum address_class got;
	struct why why;

	with_conf("mydestination = own.example, .dotted.example, "
		  "inline:{.table.example=x}\n",
		ROUTE_CLASS);
	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(route_domain_class(route, str_c(rows[i].domain), &got, &why),
			ACCEPT);
		CHECK_INT(got, rows[i].want);
	}
	without_conf();
}

TEST_MAIN()
