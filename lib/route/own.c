/* own.c -- the network addresses that are ours: inet_interfaces and proxy_interfaces. */
#include "route.h"
#include "log.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

struct own_addresses {
	VEC(struct net_addr) own;
	VEC(struct net_addr) proxied;
	bool v4, v6; /* inet_protocols */
};

/* The same address, whatever the port. */
static bool
same_address(const struct net_addr *a, const struct net_addr *b)
{
	if (a->sa.ss_family != b->sa.ss_family)
		return false;
	if (a->sa.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&b->sa)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr,
		       &((const struct sockaddr_in6 *)&b->sa)->sin6_addr, 16) == 0;
}

static void
add_own(struct own_addresses *o, const struct sockaddr *sa)
{
	struct net_addr *a;
	bool v6 = sa->sa_family == AF_INET6;

	if (!(v6 ? o->v6 : sa->sa_family == AF_INET && o->v4))
		return;
	a = vec_push(&o->own);
	a->len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	memcpy(&a->sa, sa, a->len);
}

static void
add_interfaces(struct own_addresses *o, bool loopback_only)
{
	/* Asked for once: after a reload in the jail the question would be refused. */
	static struct ifaddrs *list;

	if (!list && getifaddrs(&list) < 0) {
		log_warn("own addresses: getifaddrs: %s", strerror(errno));
		return;
	}
	for (struct ifaddrs *i = list; i; i = i->ifa_next)
		if (i->ifa_addr && (i->ifa_flags & IFF_UP) &&
			(!loopback_only || (i->ifa_flags & IFF_LOOPBACK)))
			add_own(o, i->ifa_addr);
}

static void
add_name(struct own_addresses *o, struct str name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	struct net_addr literal;
	char host[256];
	int error;

	if (net_addr_parse(name, 0, &literal) == 0) {
		add_own(o, (const struct sockaddr *)&literal.sa);
		return;
	}
	if (name.len >= sizeof(host)) {
		log_warn("parameter inet_interfaces: name too long: " STR_FMT,
			STR_ARG(name));
		return;
	}
	memcpy(host, name.data, name.len);
	host[name.len] = '\0';
	error = getaddrinfo(host, NULL, &hints, &list);
	if (error) {
		log_warn("parameter inet_interfaces: host not found: %s (%s)", host,
			gai_strerror(error));
		return;
	}
	for (struct addrinfo *i = list; i; i = i->ai_next)
		add_own(o, i->ai_addr);
	freeaddrinfo(list);
}

static void
add_proxied(struct own_addresses *o, struct str text)
{
	struct net_addr a;

	if (net_addr_parse(text, 0, &a) < 0)
		log_warn("parameter proxy_interfaces: not an address: " STR_FMT,
			STR_ARG(text));
	else
		*vec_push(&o->proxied) = a;
}

struct own_addresses *
own_addresses_new(const struct conf *c)
{
	struct own_addresses *o = mem_alloc(sizeof(*o));
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct strs protocols = conf_list(c->p.inet_protocols, scratch);
	struct strs names = conf_list(c->p.inet_interfaces, scratch);
	struct strs proxies = conf_list(c->p.proxy_interfaces, scratch);

	for (size_t i = 0; i < protocols.n; i++) {
		bool all = str_case_is(protocols.items[i], "all");

		o->v4 |= all || str_case_is(protocols.items[i], "ipv4");
		o->v6 |= all || str_case_is(protocols.items[i], "ipv6");
	}
	for (size_t i = 0; i < names.n; i++) {
		if (str_case_is(names.items[i], "all"))
			add_interfaces(o, false);
		else if (str_case_is(names.items[i], "loopback-only"))
			add_interfaces(o, true);
		else
			add_name(o, names.items[i]);
	}
	for (size_t i = 0; i < proxies.n; i++)
		add_proxied(o, proxies.items[i]);
	return o;
}

struct own_addresses *
own_addresses_copy(const struct own_addresses *o)
{
	struct own_addresses *copy = mem_alloc(sizeof(*copy));

	for (size_t i = 0; i < o->own.n; i++)
		*vec_push(&copy->own) = o->own.items[i];
	for (size_t i = 0; i < o->proxied.n; i++)
		*vec_push(&copy->proxied) = o->proxied.items[i];
	return copy;
}

void
own_addresses_free(struct own_addresses *o)
{
	if (!o)
		return;
	vec_free(&o->own);
	vec_free(&o->proxied);
	mem_free(o);
}

static bool
list_has(const struct net_addr *list, size_t n, const struct net_addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (same_address(&list[i], a))
			return true;
	return false;
}

bool
own_addresses_have(const struct own_addresses *o, const struct net_addr *a)
{
	return list_has(o->own.items, o->own.n, a);
}

bool
own_addresses_proxied(const struct own_addresses *o, const struct net_addr *a)
{
	return list_has(o->proxied.items, o->proxied.n, a);
}

size_t
own_addresses_count(const struct own_addresses *o)
{
	return o->own.n;
}

const struct net_addr *
own_addresses_at(const struct own_addresses *o, size_t n)
{
	return n < o->own.n ? &o->own.items[n] : NULL;
}
