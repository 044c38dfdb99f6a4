/* scores.h -- postscreen_dnsbl_sites: what lists in the DNS say of a client, as one
 * number. */
#ifndef SCORES_H
#define SCORES_H

#include "base.h"
#include "dnslist.h"

#define SCORE_SITES 256 /* a configuration has no more; bits of struct score */

/* One item: "domain=filter*weight". */
struct score_site {
	struct dnslist list;
	int weight;    /* 1 when none is given */
	size_t domain; /* which question it belongs to */
};
struct score_sites {
	VEC(struct score_site) sites;
	VEC(struct str) domains; /* each asked once */
};

/* Reads the parameter; the views point into value. -1 and *why. */
int score_sites_read(struct str value, struct score_sites *out, struct why *why)
	MUST_CHECK;
void score_sites_free(struct score_sites *s);

struct score {
	int total;
	struct str worst; /* the domain with the highest weight of those that list it */
	int weight;       /* that of `worst` */
};
/* Adds what one list answered: addresses as text, none when the client is not listed.
 * Returns whether any site counted. */
bool score_add(const struct score_sites *s, size_t domain, const struct strs *addresses,
	struct score *score);

#endif
