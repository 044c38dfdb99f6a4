/* tls_cache.c -- TLS sessions with servers, kept by tlsmgr for all of us: the next
 * connection to the same server, by whichever process, does without a full handshake.
 * Never waited for long, and mail goes out without. */
#include "smtp.h"
#include "log.h"
#include "messages.h"

#define PATIENCE   ((msec_t)3000)
#define LEFT_ALONE ((msec_t)10000) /* after no answer */
#define LIFETIME_LEAST \
	((msec_t)120000) /* of smtp_tls_session_cache_timeout, as Postfix */

bool
tls_cache_is_on(const struct conf *c)
{
	return c->p.smtp_tls_session_cache_database.len > 0 &&
	       c->p.smtp_tls_session_cache_timeout > 0;
}

struct str
tls_cache_key(const struct session *s, struct str server_name, const struct conf *c)
{
	const struct params *p = &c->p;

	return arena_printf(s->arena,
		STR_FMT " " STR_FMT " " STR_FMT " %s " STR_FMT " " STR_FMT " %d %d",
		STR_ARG(s->namaddrport), STR_ARG(server_name), STR_ARG(s->policy->text),
		service_name(), STR_ARG(p->smtp_tls_CAfile), STR_ARG(p->smtp_tls_CApath),
		p->tls_append_default_CA, p->smtp_tls_scert_verifydepth);
}

SWITCHES struct str
tls_cache_find(struct session *s, const struct conf *c)
{
	static deadline_t left_alone_until;
	struct tls_session_request ask = { .key = s->tls_key };
	struct tls_session_reply said;

	if (!tls_cache_is_on(c) || event_now() < left_alone_until)
		return STR_NONE;
	if (tls_session_call(service_peer("tlsmgr"), &ask, &said, s->arena,
		    deadline_in(PATIENCE)) == 0)
		return said.session;
	left_alone_until = deadline_in(LEFT_ALONE);
	log_warn("tlsmgr: %m: TLS sessions are not resumed");
	return STR_NONE;
}

static void
keep(struct str key, struct str session, const struct conf *c)
{
	struct tls_session_keep_note note = { .key = key,
		.session = session,
		.good_for = (uint64_t)MAX(
			c->p.smtp_tls_session_cache_timeout, LIFETIME_LEAST) };
	struct ipc_link *link = ipc_peer_link_now(service_peer("tlsmgr"));

	if (link)
		tls_session_keep_send(link, &note);
}

void
tls_cache_keep(struct session *s, const struct conf *c)
{
	struct buf session = BUF_INIT;

	if (tls_cache_is_on(c) && conn_tls_session(s->conn, &session))
		keep(s->tls_key, buf_str(&session), c);
	buf_wipe(&session);
}

void
tls_cache_forget(struct session *s, const struct conf *c)
{
	if (tls_cache_is_on(c))
		keep(s->tls_key, STR(""), c);
}
