/* source.c -- which of our addresses a message leaves from (smtp_bind_address_maps): one
 * of a pool, which its sender, its next hop or its class has. A message keeps its address
 * at each attempt, by its queue id: who greylists it has to see the same client again. */
#include "smtp.h"
#include "log.h"

enum { ADDRESSES_MOST = 64, WEIGHT_MOST = 1000 };

static struct maps *pools;

void
source_prepare(const struct conf *c)
{
	maps_close(pools);
	pools = maps_open(smtp_lmtp ? "lmtp_bind_address_maps" : "smtp_bind_address_maps",
		c->p.smtp_bind_address_maps, DICT_FOLD, c);
}

/* ---- a pool: "192.0.2.1=3, 192.0.2.2, 2001:db8::1" ---- */

struct member {
	struct str address;
	sa_family_t family;
	uint32_t weight; /* 0: nothing new leaves from it */
};

static int
member_get(struct str item, struct member *out)
{
	ssize_t equals = str_rchr(item, '=');
	uint64_t weight = 1;
	struct net_addr addr;

	out->address = equals < 0 ? item : str_sub(item, 0, (size_t)equals);
	if (equals >= 0 && str_to_u64(str_from(item, (size_t)equals + 1), &weight) < 0)
		return -1;
	if (weight > WEIGHT_MOST || net_addr_parse(out->address, 0, &addr) < 0)
		return -1;
	out->family = addr.sa.ss_family;
	out->weight = (uint32_t)weight;
	return 0;
}

/* The address that the share `number` of its family belongs to. */
static struct str
owner_of(struct str pool, sa_family_t family, uint32_t number)
{
	struct member m;
	struct str item;

	while (str_token(&pool, ", \t", &item)) {
		if (member_get(item, &m) < 0 || m.family != family)
			continue;
		if (number < m.weight)
			return m.address;
		number -= m.weight;
	}
	return STR_NONE;
}

enum verdict
source_pick(struct str pool, uint32_t number, struct source *out, struct why *why)
{
	struct str rest = pool, item;
	uint32_t v4 = 0, v6 = 0;
	struct member m;

	for (size_t n = 0; str_token(&rest, ", \t", &item); n++) {
		if (n == ADDRESSES_MOST)
			return why_set(
				why, "4.3.5", "more than %d addresses", ADDRESSES_MOST);
		if (member_get(item, &m) < 0)
			return why_set(why, "4.3.5",
				"\"" STR_FMT "\" is no address with a weight up to %d",
				STR_ARG(item), WEIGHT_MOST);
		*(m.family == AF_INET6 ? &v6 : &v4) += m.weight;
	}
	if (v4 == 0 && v6 == 0)
		return why_set(why, "4.3.5", "no address with a weight");
	*out = (struct source){ STR_NONE, STR_NONE };
	if (v4 > 0)
		out->v4 = owner_of(pool, AF_INET, number % v4);
	if (v6 > 0)
		out->v6 = owner_of(pool, AF_INET6, number % v6);
	return ACCEPT;
}

/* ---- whose pool ---- */

static struct str
class_of(const struct envelope *e)
{
	return e->sender.len == 0         ? STR("class:bounce")
	       : e->sasl_username.len > 0 ? STR("class:authenticated")
	       : e->protocol.len == 0     ? STR("class:local")
					  : STR("class:network");
}

SWITCHES static enum dict_result
pool_of(const struct delivery *d, const struct nexthop *n, struct str *pool,
	struct why *why)
{
	const struct envelope *e = &d->envelope;
	struct str extension;
	enum dict_result got =
		e->sender.len == 0
			? maps_find(pools, STR("<>"), d->arena, pool, why)
			: maps_find_address(pools, e->sender,
				  d->conf->p.recipient_delimiter, FIND_FULL | FIND_DOMAIN,
				  false, d->arena, pool, &extension, why);

	if (got == DICT_NOTFOUND)
		got = maps_find_domain(pools, n->host, true, d->arena, pool, why);
	if (got == DICT_NOTFOUND)
		got = maps_find(pools, class_of(e), d->arena, pool, why);
	return got;
}

enum verdict
source_find(const struct delivery *d, const struct nexthop *n, struct source *out,
	struct why *why)
{
	struct str id = d->envelope.queue_id, pool;

	*out = (struct source){ STR_NONE, STR_NONE };
	if (maps_empty(pools) || n->path.len > 0)
		return ACCEPT;
	switch (pool_of(d, n, &pool, why)) {
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_ERROR:
		log_warn("%s", why->text);
		return why_set(why, "4.3.0", "local data error while talking to " STR_FMT,
			STR_ARG(n->host));
	case DICT_FOUND:
		break;
	}
	if (source_pick(pool, crc32c(0, id.data, id.len), out, why) == ACCEPT)
		return ACCEPT;
	/* Any other address may be one that nobody knows us by. */
	log_warn("smtp_bind_address_maps: \"" STR_FMT "\": %s", STR_ARG(pool), why->text);
	return why_set(why, "4.3.5", "no source address for " STR_FMT, STR_ARG(n->host));
}
