/* requiretls.c -- what the sender says of TLS (RFC 8689): a message with REQUIRETLS goes
 * only to hosts that are proven to be the right ones and promise the same, as far as
 * smtp_requiretls_policy wants that; one with TLS-Required: No goes, whatever the policy
 * of its destination. */
#include "smtp.h"
#include "idna.h"
#include "log.h"

/* Of smtp_requiretls_policy: a word, or a table of words. */
struct element {
	struct maps *table;    /* NULL: none */
	enum requiretls level; /* then this */
};
static VEC(struct element) policy;

static bool
level_find(struct str word, enum requiretls *out)
{
	static const struct {
		const char *word;
		enum requiretls level;
	} words[] = {
		{ "disable", REQUIRETLS_DISABLE },
		{ "opportunistic", REQUIRETLS_OPPORTUNISTIC },
		{ "opportunistic+starttls", REQUIRETLS_STARTTLS },
		{ "enforce", REQUIRETLS_ENFORCE },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(word, words[i].word)) {
			*out = words[i].level;
			return true;
		}
	*out = REQUIRETLS_UNKNOWN;
	return false;
}

void
requiretls_prepare(const struct conf *c)
{
	const char *name =
		smtp_lmtp ? "lmtp_requiretls_policy" : "smtp_requiretls_policy";
	struct strs list = conf_list(c->p.smtp_requiretls_policy, c->arena);

	for (size_t i = 0; i < policy.n; i++)
		maps_close(policy.items[i].table);
	policy.n = 0;
	for (size_t i = 0; i < list.n; i++) {
		struct str item = list.items[i];
		struct element *e = vec_push(&policy);

		*e = (struct element){ .table = NULL };
		if (str_chr(item, ':') >= 0)
			e->table = maps_open(name, item, 0, c);
		else if (!level_find(item, &e->level))
			log_warn("parameter %s: unknown word \"" STR_FMT
				 "\": mail with REQUIRETLS is deferred",
				name, STR_ARG(item));
	}
}

/* The first element that says something; where none does, nothing is allowed. */
SWITCHES static enum requiretls
level_of(struct str host, struct arena *arena)
{
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;
	enum requiretls level = REQUIRETLS_ENFORCE;
	struct why why;

	if (idna_to_ascii(host, &ascii) < 0)
		buf_add(&ascii, host);
	host = arena_lower(arena, buf_str(&ascii));
	for (size_t i = 0; i < policy.n; i++) {
		struct str word;

		if (!policy.items[i].table)
			return policy.items[i].level;
		switch (maps_find_domain(
			policy.items[i].table, host, true, arena, &word, &why)) {
		case DICT_FOUND:
			if (!level_find(word, &level))
				log_warn("REQUIRETLS policy for " STR_FMT
					 ": unknown word \"" STR_FMT "\"",
					STR_ARG(host), STR_ARG(word));
			return level;
		case DICT_ERROR:
			log_warn("REQUIRETLS policy for " STR_FMT ": %s", STR_ARG(host),
				why.text);
			return REQUIRETLS_UNKNOWN;
		case DICT_NOTFOUND:
			break;
		}
	}
	return level;
}

/* Section 3: nobody else's word counts then, neither the site's nor that of DANE and
 * MTA-STS. */
static void
waive(struct attempt *a)
{
	if (a->tls.level > TLS_MAY) {
		a->tls = (struct tls_policy){ .level = TLS_MAY,
			.servername = a->tls.servername };
		tls_policy_settle(&a->tls, a->destination, a->conf, a->d->arena);
	}
	a->tls.listed = true;
}

enum verdict
requiretls_find(struct attempt *a, struct why *why)
{
	uint32_t flags = a->d->envelope.flags;

	a->requiretls = REQUIRETLS_DISABLE;
	if (!(flags & ENVELOPE_REQUIRETLS) || !a->conf->p.requiretls_enable) {
		if (flags & ENVELOPE_TLS_OPTIONAL && a->conf->p.tls_required_enable)
			waive(a);
		return ACCEPT;
	}
	if (a->nexthop.path.len > 0)
		return ACCEPT; /* it does not leave the machine */
	a->requiretls = level_of(a->nexthop.host, a->d->arena);
	if (a->requiretls == REQUIRETLS_UNKNOWN)
		return why_set(why, "4.7.5", "client TLS configuration problem");
	/* Section 5: a notice is not lost by it. */
	if (a->d->envelope.sender.len == 0)
		a->requiretls = MIN(a->requiretls, REQUIRETLS_OPPORTUNISTIC);
	/* A session of other mail is not good enough. */
	if (a->requiretls >= REQUIRETLS_STARTTLS)
		a->tls.text = arena_printf(a->d->arena, STR_FMT " requiretls %d",
			STR_ARG(a->tls.text), (int)a->requiretls);
	return ACCEPT;
}

/* Is the host's name, or that of its domain, known from who cannot lie about it (section
 * 4.2.1)? */
static bool
is_named_securely(const struct host *h)
{
	return !h->by || h->by->secure;
}

static bool
is_strong(const struct tls_policy *p, const struct host *h)
{
	if (p->level == TLS_DANE || p->level == TLS_FINGERPRINT || p->level == TLS_SECURE)
		return true;
	if (p->level != TLS_VERIFY)
		return false;
	for (size_t i = 0; i < p->match.n; i++)
		if (str_case_is(p->match.items[i], "hostname"))
			return is_named_securely(h);
	return true;
}

/* What the site does not ask of hosts, the message does. */
static void
raise_to(enum tls_level level, struct tls_policy *p, const struct host *h,
	const struct conf *c, struct arena *arena)
{
	struct strs match = { NULL, 0 };

	if (level == TLS_SECURE && is_named_securely(h)) {
		match.items = arena_alloc(arena, 2 * sizeof(*match.items));
		match.items[match.n++] = STR("hostname");
		match.items[match.n++] = STR("nexthop");
	}
	*p = (struct tls_policy){
		.level = level, .match = match, .servername = p->servername
	};
	tls_policy_settle(p, h->name, c, arena);
}

void
requiretls_policy(const struct attempt *a, const struct host *h, struct tls_policy *p)
{
	if (a->requiretls == REQUIRETLS_ENFORCE && !is_strong(p, h))
		raise_to(TLS_SECURE, p, h, a->conf, a->d->arena);
	else if (a->requiretls == REQUIRETLS_STARTTLS && p->level < TLS_ENCRYPT)
		raise_to(TLS_ENCRYPT, p, h, a->conf, a->d->arena);
}

enum verdict
requiretls_promised(struct session *s, const struct attempt *a, struct why *why)
{
	if (a->requiretls != REQUIRETLS_ENFORCE || s->offers & OFFERS_REQUIRETLS)
		return ACCEPT;
	s->unfit = true;
	reply_clear(&s->reply);
	return why_set(why, "4.7.30",
		"REQUIRETLS is required, but was not offered by host " STR_FMT,
		STR_ARG(s->namaddr));
}
