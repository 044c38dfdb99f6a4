/* check_routes.c -- transports that master.cf does not have, and next hops that are
 * ourselves: mail would come back in through smtpd, until it has too many hops. */
#include "check.h"
#include "dict.h"
#include <netdb.h>

struct hop {
	struct str host, port;
};

/* "[host]:port", "host", "[v6]". */
static struct hop
hop_parse(struct str text)
{
	struct hop h = { text, STR("smtp") };
	ssize_t end;

	if (text.len > 0 && text.data[0] == '[') {
		end = str_chr(text, ']');
		h.host = str_sub(text, 1, end < 0 ? text.len : (size_t)end - 1);
		text = end < 0 ? STR("") : str_from(text, (size_t)end + 1);
		end = text.len > 0 && text.data[0] == ':' ? 0 : -1;
	} else {
		end = str_chr(text, ':');
		if (end >= 0)
			h.host = str_sub(text, 0, (size_t)end);
	}
	if (end >= 0)
		h.port = str_from(text, (size_t)end + 1);
	return h;
}

static unsigned
port_number(const struct conf *c, struct str port)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str known = conf_tcp_port(c, port);
	const struct servent *s;
	uint64_t n;

	if (str_to_u64(known, &n) == 0)
		return n <= 65535 ? (unsigned)n : 0;
	s = getservbyname(arena_cstr(a, known), "tcp");
	return s ? be16toh((uint16_t)s->s_port) : 0;
}

static bool
is_own_host(const struct conf *c, struct str host)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct strs own = conf_list(c->p.inet_interfaces, a);
	struct net_addr addr;

	if (str_case_eq(host, c->p.myhostname) || str_case_is(host, "localhost") ||
		str_starts(host, STR("127.")) || str_is(host, "::1"))
		return true;
	if (net_addr_parse(host, 0, &addr) < 0)
		return false;
	for (size_t i = 0; i < own.n; i++)
		if (str_eq(own.items[i], host))
			return true;
	return false;
}

/* The smtpd of the hop's port, whatever the address it is bound to: a service of another
 * address of ours is not meant by "the host itself" either. */
static const struct service_line *
own_service(const struct check *k, struct hop h)
{
	unsigned port = port_number(k->conf, h.port);

	for (size_t i = 0; i < k->services->services.n; i++) {
		const struct service_line *s = &k->services->services.items[i];
		ssize_t colon = str_rchr(s->name, ':');
		struct str theirs = str_from(s->name, (size_t)(colon + 1));

		if (s->type == SERVICE_INET && str_is(s->command, "smtpd") && port > 0 &&
			port_number(k->conf, theirs) == port)
			return s;
	}
	return NULL;
}

/* A filter's way back in is a service of its own, which no route leads to. */
static void
check_hop(struct check *k, const char *parameter, struct str hop, struct str key)
{
	struct hop h = hop_parse(hop);
	const struct service_line *s;

	if (h.host.len == 0 || !is_own_host(k->conf, h.host) || !(s = own_service(k, h)))
		return;
	check_parameter(k, true, parameter, "name the host that the mail is to go to",
		"%s%s" STR_FMT ": " STR_FMT " is this host itself, line %d of master.cf: "
		"mail loops back to myself",
		parameter, key.len ? ": " : "", STR_ARG(key), STR_ARG(hop), s->line);
}

static const struct service_line *
find_transport(const struct check *k, struct str name)
{
	for (size_t i = 0; i < k->services->services.n; i++)
		if (k->services->services.items[i].type == SERVICE_UNIX &&
			str_eq(k->services->services.items[i].name, name))
			return &k->services->services.items[i];
	return NULL;
}

/* "transport:hop", "transport", ":hop". key: of a table. */
static void
check_route(struct check *k, const char *parameter, struct str route, struct str key)
{
	struct str transport, hop = route;
	const struct service_line *s;

	if (!str_split(&hop, ':', &transport) || transport.len == 0)
		return;
	s = find_transport(k, transport);
	if (!s)
		check_parameter(k, true, parameter, "add a line for it",
			"%s%s" STR_FMT ": no service " STR_FMT " in master.cf", parameter,
			key.len ? ": " : "", STR_ARG(key), STR_ARG(transport));
	else if (str_is(s->command, "smtp"))
		check_hop(k, parameter, hop, key);
}

struct table {
	struct check *k;
	const char *parameter;
};

static bool
check_entry(struct str key, struct str value, void *arg)
{
	struct table *t = arg;

	check_route(t->k, t->parameter, value, key);
	return true;
}

static void
check_table(struct check *k, const char *parameter)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct strs tables = conf_list(conf_value(k->conf, parameter), a);
	struct table t = { k, parameter };

	for (size_t i = 0; i < tables.n; i++) {
		struct why why;
		struct dict *d = dict_open(tables.items[i], DICT_FOLD, k->conf, &why);

		if (d)
			dict_each(d, check_entry, &t);
		dict_close(d);
	}
}

void
check_routes(struct check *k)
{
	static const char *const transports[] = { "default_transport", "relay_transport",
		"virtual_transport", "local_transport", "mailbox_transport",
		"fallback_transport" };
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct strs relays = conf_list(k->conf->p.relayhost, a);

	check_quietly(true);
	for (size_t i = 0; i < relays.n; i++)
		check_hop(k, "relayhost", relays.items[i], STR(""));
	/* A host that does without one of the defaults' services does not need it. */
	for (size_t i = 0; i < COUNT(transports); i++)
		if (conf_setting(k->conf, str_c(transports[i])))
			check_route(k, transports[i], conf_value(k->conf, transports[i]),
				STR(""));
	check_table(k, "transport_maps");
	check_quietly(false);
}
