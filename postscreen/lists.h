/* lists.h -- asks the lists of postscreen_dnsbl_sites about a client through the dns
 * service, all at a time. Sessions of one client share the answers. */
#ifndef LISTS_H
#define LISTS_H

#include "cache.h"
#include "conf.h"
#include "scores.h"

struct lists;
/* Asks, or joins who asks already. fn(arg) is called, in any coroutine, when all have
 * answered; to be ended by lists_leave() with the same arg. */
struct lists *lists_ask(const struct score_sites *sites, struct client *client,
	const struct net_addr *peer, const struct params *p, void (*fn)(void *arg),
	void *arg);
void lists_leave(struct lists *l, void *arg);
/* Have all answered, or postscreen_dnsbl_timeout is over? */
bool lists_answered(const struct lists *l);
/* As far as is known. */
const struct score *lists_score(const struct lists *l);
/* How long that opinion is good, within postscreen_dnsbl_min_ttl and _max_ttl. */
msec_t lists_ttl(const struct lists *l, const struct params *p);

#endif
