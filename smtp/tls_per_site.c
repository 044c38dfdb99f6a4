/* tls_per_site.c -- smtp_tls_per_site, which smtp_tls_policy_maps has taken the place of:
 * a word for the next hop, and one for the server's name. */
#include "smtp.h"
#include "log.h"

static struct maps *sites;

void
tls_per_site_prepare(const struct conf *c)
{
	maps_close(sites);
	sites = maps_open(smtp_lmtp ? "lmtp_tls_per_site" : "smtp_tls_per_site",
		c->p.smtp_tls_per_site, DICT_FOLD, c);
}

bool
tls_per_site_is_used(void)
{
	return sites && !maps_empty(sites) && !tls_policy_has_table();
}

/* Words have ranks, and the highest counts: to do without is more than to do as one can.
 */
static const struct site_word {
	const char *word;
	enum tls_level level;
} words[] = {
	{ "MAY", TLS_MAY },
	{ "NONE", TLS_NONE },
	{ "MUST_NOPEERMATCH", TLS_ENCRYPT },
	{ "MUST", TLS_VERIFY },
};

SWITCHES static enum verdict
look_up(struct str name, struct arena *arena, const struct site_word **best,
	struct why *why)
{
	struct str value;

	switch (maps_find(sites, arena_lower(arena, name), arena, &value, why)) {
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_ERROR:
		log_warn("TLS policy for " STR_FMT ": %s", STR_ARG(name), why->text);
		return why_set(why, "4.3.0", "Temporary lookup error");
	case DICT_FOUND:
		break;
	}
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(value, words[i].word)) {
			if (!*best || &words[i] > *best)
				*best = &words[i];
			return ACCEPT;
		}
	log_warn("TLS policy for " STR_FMT ": unknown word \"" STR_FMT "\"",
		STR_ARG(name), STR_ARG(value));
	return why_set(why, "4.7.5", "client TLS configuration problem");
}

enum verdict
tls_per_site(struct tls_policy *p, struct str destination, const struct host *h,
	const struct conf *c, struct arena *arena, struct why *why)
{
	const struct site_word *best = NULL;

	if (p->listed || !tls_per_site_is_used())
		return ACCEPT;
	if (look_up(destination, arena, &best, why) != ACCEPT ||
		(!str_case_eq(destination, h->name) &&
			look_up(h->name, arena, &best, why) != ACCEPT))
		return TEMPFAIL;
	/* MAY is for many; what the level of all others asks for is for this one, too. */
	if (!best || (best->level == TLS_MAY && p->level > TLS_MAY))
		return ACCEPT;
	if (best->level != p->level) {
		*p = (struct tls_policy){ .level = best->level };
		tls_policy_settle(p, h->name, c, arena);
	}
	p->listed = true;
	return ACCEPT;
}
