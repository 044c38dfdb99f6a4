/* scores.c -- see scores.h. */
#include "scores.h"

/* "*3", "*-2" behind the last *. */
static bool
take_weight(struct str *item, int *weight)
{
	ssize_t star = str_rchr(*item, '*');
	long n;

	*weight = 1;
	if (star < 0)
		return true;
	if (str_to_long(str_trim(str_from(*item, (size_t)star + 1)), &n) < 0 ||
		n > 1000000 || n < -1000000)
		return false;
	*weight = (int)n;
	*item = str_sub(*item, 0, (size_t)star);
	return true;
}

static size_t
domain_number(struct score_sites *s, struct str domain)
{
	for (size_t i = 0; i < s->domains.n; i++)
		if (str_case_eq(s->domains.items[i], domain))
			return i;
	*vec_push(&s->domains) = domain;
	return s->domains.n - 1;
}

int
score_sites_read(struct str value, struct score_sites *out, struct why *why)
{
	struct str item;

	*out = (struct score_sites){ .sites = { NULL, 0, 0 } };
	while (str_token(&value, ", \t\r\n", &item)) {
		struct score_site *site;

		if (out->sites.n == SCORE_SITES) {
			why_set(why, "4.3.5", "more than %d DNS lists", SCORE_SITES);
			return -1;
		}
		site = vec_push(&out->sites);
		if (!take_weight(&item, &site->weight)) {
			why_set(why, "4.3.5", "bad DNSBL weight factor in \"%.*s\"",
				STR_ARG(item));
			return -1;
		}
		if (dnslist_parse(item, &site->list, why) < 0)
			return -1;
		site->domain = domain_number(out, site->list.domain);
	}
	return 0;
}

void
score_sites_free(struct score_sites *s)
{
	vec_free(&s->sites);
	vec_free(&s->domains);
}

bool
score_add(const struct score_sites *s, size_t domain, const struct strs *addresses,
	struct score *score)
{
	bool counted = false;

	for (size_t i = 0; i < s->sites.n; i++) {
		const struct score_site *site = &s->sites.items[i];
		bool listed = false;

		for (size_t j = 0; site->domain == domain && j < addresses->n; j++)
			listed = listed ||
				 dnslist_counts(&site->list, addresses->items[j]);
		if (!listed)
			continue;
		counted = true;
		score->total += site->weight;
		if (!score->worst.len || site->weight > score->weight) {
			score->worst = site->list.domain;
			score->weight = site->weight;
		}
	}
	return counted;
}
