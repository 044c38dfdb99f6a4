/* networks.c -- see networks.h. */
#include "networks.h"
#include "conf.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct address {
	int family;
	unsigned char bytes[16];
	int prefix; /* of its interface's network */
	bool loopback;
};
typedef VEC(struct address) address_list;

enum { V4_BITS = 32, V6_BITS = 128 };

static int
bits_of(const struct address *a)
{
	return a->family == AF_INET ? V4_BITS : V6_BITS;
}

static bool
address_of(const struct sockaddr *sa, struct address *out)
{
	if (!sa)
		return false;
	out->family = sa->sa_family;
	if (sa->sa_family == AF_INET)
		memcpy(out->bytes,
			&((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		memcpy(out->bytes,
			&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	else
		return false;
	return true;
}

static int
prefix_of(const struct sockaddr *netmask)
{
	struct address mask = { 0 };
	int n = 0;

	if (!address_of(netmask, &mask))
		return 0;
	for (int i = 0; i < bits_of(&mask) / 8; i++)
		n += __builtin_popcount(mask.bytes[i]);
	return n;
}

static bool jailed; /* nobody answers a question for a name */

/* Asked for once: a process in its jail, which reads its configuration again at a reload,
 * is refused the question, and might be alone in a network of its own by then. */
static const struct ifaddrs *
interfaces_at_start(void)
{
	static struct ifaddrs *all;

	if (!all && getifaddrs(&all) < 0)
		all = NULL;
	return all;
}

void
conf_enter_jail(void)
{
	(void)interfaces_at_start();
	jailed = true;
}

static void
local_addresses(address_list *list)
{
	for (const struct ifaddrs *i = interfaces_at_start(); i; i = i->ifa_next) {
		struct address a = { .loopback = (i->ifa_flags & IFF_LOOPBACK) != 0 };

		if (!address_of(i->ifa_addr, &a) || !(i->ifa_flags & IFF_UP))
			continue;
		a.prefix = prefix_of(i->ifa_netmask);
		*vec_push(list) = a;
	}
}

static bool
same_address(const struct address *a, const struct address *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, (size_t)bits_of(a) / 8) == 0;
}

/* A name or an address. One that no interface has is a network of its own. */
static void
add_named(address_list *chosen, const address_list *local, const char *name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;

	if (jailed)
		hints.ai_flags = AI_NUMERICHOST;
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return;
	for (struct addrinfo *i = found; i; i = i->ai_next) {
		struct address a = { 0 };

		if (!address_of(i->ai_addr, &a))
			continue;
		a.prefix = bits_of(&a);
		for (size_t k = 0; k < local->n; k++)
			if (same_address(&a, &local->items[k]))
				a = local->items[k];
		*vec_push(chosen) = a;
	}
	freeaddrinfo(found);
}

static void
choose_addresses(struct strs interfaces, const address_list *local, address_list *chosen,
	struct arena *a)
{
	for (size_t i = 0; i < interfaces.n; i++) {
		bool all = str_case_is(interfaces.items[i], "all");
		bool loopback = str_case_is(interfaces.items[i], "loopback-only");
		struct str name = interfaces.items[i];

		if (name.len > 2 && name.data[0] == '[' && name.data[name.len - 1] == ']')
			name = str_sub(name, 1, name.len - 2);
		if (!all && !loopback)
			add_named(chosen, local, arena_str(a, name).data);
		else
			for (size_t k = 0; k < local->n; k++)
				if (all || local->items[k].loopback)
					*vec_push(chosen) = local->items[k];
	}
}

static bool
protocol_wanted(struct strs protocols, int family)
{
	const char *name = family == AF_INET ? "ipv4" : "ipv6";

	for (size_t i = 0; i < protocols.n; i++)
		if (str_case_is(protocols.items[i], "all") ||
			str_case_is(protocols.items[i], name))
			return true;
	return false;
}

/* Classes A to C of IPv4 as they once were; of IPv6 the subnet. */
static int
width(struct str style, const struct address *a)
{
	if (str_case_is(style, "subnet"))
		return a->prefix;
	if (!str_case_is(style, "class"))
		return bits_of(a);
	if (a->family != AF_INET)
		return a->prefix;
	return a->bytes[0] < 128 ? 8 : a->bytes[0] < 192 ? 16 : 24;
}

static void
clear_host_bits(struct address *a, int prefix)
{
	for (int i = 0; i < bits_of(a) / 8; i++) {
		int keep = prefix - 8 * i;

		if (keep < 8)
			a->bytes[i] &= keep <= 0 ? 0 : (unsigned char)(0xff00 >> keep);
	}
}

static struct str
network_text(struct address a, int prefix, struct arena *arena)
{
	char text[INET6_ADDRSTRLEN];

	clear_host_bits(&a, prefix);
	inet_ntop(a.family, a.bytes, text, sizeof(text));
	return arena_printf(
		arena, a.family == AF_INET ? "%s/%d" : "[%s]/%d", text, prefix);
}

typedef VEC(struct str) text_list;

static bool
listed(const text_list *list, struct str text)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->items[i], text))
			return true;
	return false;
}

static void
add_networks(struct str style, const address_list *chosen, int family, text_list *out,
	struct arena *arena)
{
	for (size_t i = 0; i < chosen->n; i++) {
		const struct address *a = &chosen->items[i];
		struct str text;

		if (a->family != family)
			continue;
		text = network_text(*a, width(style, a), arena);
		if (!listed(out, text))
			*vec_push(out) = text;
	}
}

static struct str
joined(const text_list *list, struct arena *a)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < list->n; i++)
		buf_printf(&out, "%s" STR_FMT, i > 0 ? " " : "", STR_ARG(list->items[i]));
	return arena_str(a, buf_str(&out));
}

struct str
own_networks(
	struct str style, struct strs interfaces, struct strs protocols, struct arena *a)
{
	address_list local = { 0 }, chosen = { 0 };
	text_list texts = { 0 };
	struct str networks;

	local_addresses(&local);
	choose_addresses(interfaces, &local, &chosen, a);
	if (protocol_wanted(protocols, AF_INET))
		add_networks(style, &chosen, AF_INET, &texts, a);
	if (protocol_wanted(protocols, AF_INET6))
		add_networks(style, &chosen, AF_INET6, &texts, a);
	networks = joined(&texts, a);
	vec_free(&texts);
	vec_free(&local);
	vec_free(&chosen);
	return networks;
}
