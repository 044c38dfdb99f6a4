/* sts.c -- what MTA-STS (RFC 8461) makes of a policy: stsd(8) knows what a domain says,
 * and here each host is held to it. DANE comes first; an entry of the table is the
 * administrator's word, and nobody else's counts then. */
#include "config.h"
#include "smtp.h"
#include "idna.h"
#include "log.h"

#define PATIENCE ((msec_t)120 * 1000) /* stsd answers long before */

void
sts_prepare(const struct conf *c)
{
	if (!c->p.smtp_tls_mta_sts || smtp_lmtp)
		return;
#ifndef HAVE_CURL
	log_warn("smtp_tls_mta_sts: this version was built without libcurl, so there is "
		 "no stsd(8), and mail is deferred");
#endif
	if (c->p.smtp_tls_CAfile.len == 0 && c->p.smtp_tls_CApath.len == 0 &&
		!c->p.tls_append_default_CA)
		log_warn(
			"smtp_tls_mta_sts without smtp_tls_CAfile or smtp_tls_CApath: no "
			"server's certificate is trusted, and mail for domains with a "
			"policy is deferred: name one, as "
			"/etc/ssl/certs/ca-certificates.crt");
}

/* Only what the DNS says where to send needs somebody else's word for it. Levels from
 * fingerprint on, and dane-only, ask for no less. */
static bool
wants(const struct nexthop *n, const struct tls_policy *tls, const struct conf *c)
{
	return c->p.smtp_tls_mta_sts && !smtp_lmtp && !tls->listed && !n->literal &&
	       n->path.len == 0 && hosts_by_dns(c) && tls->level <= TLS_DANE;
}

/* A connection is for who has the same policy. */
static struct str
text_of(struct str tls, const struct sts *s, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&text, STR_FMT " sts", STR_ARG(tls));
	for (size_t i = 0; i < s->mx.n; i++)
		buf_printf(&text, " " STR_FMT, STR_ARG(s->mx.items[i]));
	return arena_str(arena, buf_str(&text));
}

enum verdict
sts_find(const struct nexthop *n, const struct conf *c, struct arena *arena,
	struct tls_policy *tls, struct sts *out, struct why *why)
{
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;
	struct sts_request ask;
	struct sts_reply said;

	*out = (struct sts){ .mode = MTA_STS_NONE, .domain = n->host };
	if (!wants(n, tls, c) || idna_to_ascii(n->host, &ascii) < 0)
		return ACCEPT;
	ask.domain = buf_str(&ascii);
	if (sts_call(service_peer("stsd"), &ask, &said, arena, deadline_in(PATIENCE)) <
			0 ||
		said.mode > MTA_STS_ENFORCE) {
		log_warn("MTA-STS policy of " STR_FMT ": stsd(8) does not answer: %m",
			STR_ARG(n->host));
		return why_set(why, "4.7.5", "MTA-STS policy lookup error for " STR_FMT,
			STR_ARG(n->host));
	}
	out->mode = (enum mta_sts_mode)said.mode;
	out->mx = said.mx;
	if (out->mode == MTA_STS_ENFORCE)
		tls->text = text_of(tls->text, out, arena);
	return ACCEPT;
}

/* Sections 4.1 and 4.2. Where TLSA records say whose key it is, but not that the host is
 * one of the domain's, the policy says that. */
enum verdict
sts_policy(const struct sts *s, const struct host *h, const struct conf *c,
	struct arena *arena, struct tls_policy *p, struct why *why)
{
	struct strs match = { .n = 1 };

	if (s->mode != MTA_STS_ENFORCE || p->listed || p->level == TLS_DANE)
		return ACCEPT;
	if (!mta_sts_matches(s->mx, h->name))
		return why_set(why, "4.7.5",
			"Host " STR_FMT " is not in the MTA-STS policy of " STR_FMT,
			STR_ARG(h->name), STR_ARG(s->domain));
	if (p->level == TLS_HALF_DANE)
		return ACCEPT;
	match.items = arena_alloc(arena, sizeof(*match.items));
	match.items[0] = STR("hostname");
	*p = (struct tls_policy){
		.level = TLS_SECURE, .match = match, .servername = h->name
	};
	tls_policy_settle(p, h->name, c, arena);
	return ACCEPT;
}

/* What would have been refused in mode enforce; NULL: nothing. */
static const char *
fault_of(const struct sts *s, const struct session *session, struct str host)
{
	const struct tls_info *t = conn_tls_info(session->conn);

	if (!mta_sts_matches(s->mx, host))
		return "it is not in the policy";
	if (!session->conn->tls || !t)
		return "it has no TLS";
	if (!t->peer_certificate || !t->trusted)
		return "its certificate is not trusted";
	return conn_tls_named(session->conn, host)
		       ? NULL
		       : "its certificate is for another name";
}

void
sts_note(const struct sts *s, const struct tls_policy *p, const struct host *h,
	const struct session *session)
{
	const char *fault;

	if (s->mode != MTA_STS_TESTING || p->level == TLS_DANE)
		return;
	fault = fault_of(s, session, h->name);
	if (fault)
		log_warn("MTA-STS policy of " STR_FMT " (testing) is broken by " STR_FMT
			 ": %s",
			STR_ARG(s->domain), STR_ARG(session->namaddrport), fault);
}
