/* finger_watch.c -- what posttls-finger shows of a session while it goes on, in the words
 * of Postfix's. */
#include "finger.h"
#include "log.h"
#include <stdio.h>

static void
on_connected(const struct session *s)
{
	if (!finger.without_chat)
		log_info("Connected to " STR_FMT, STR_ARG(s->namaddrport));
}

static void
on_line(enum transcript_side side, struct str line)
{
	if (!finger.without_chat)
		log_info("%c " STR_FMT, side == WE_SAID ? '>' : '<', STR_ARG(line));
}

static void
show_match(const struct session *s)
{
	struct buf digits CLEANUP(buf_free) = BUF_INIT;

	if (!s->verified || s->matched.len == 0)
		return;
	if (s->policy->level != TLS_FINGERPRINT) {
		log_info(STR_FMT ": matched peername: " STR_FMT, STR_ARG(s->namaddrport),
			STR_ARG(s->matched));
		return;
	}
	for (size_t i = 0; i < s->matched.len; i++)
		if (s->matched.data[i] != ':')
			buf_addc(&digits, s->matched.data[i]);
	log_info(STR_FMT ": Matched fingerprint: " STR_FMT, STR_ARG(s->namaddrport),
		STR_ARG(buf_str(&digits)));
}

static void
on_secured(const struct session *s)
{
	const struct tls_info *t = conn_tls_info(s->conn);

	if (t->reused && (finger.show & SHOW_CACHE))
		log_info(STR_FMT ": Reusing old session", STR_ARG(s->namaddrport));
	if (!t->peer_certificate)
		return;
	if (!t->trusted && (finger.show & SHOW_DISTRUST))
		log_info("certificate verification failed for " STR_FMT ": " STR_FMT,
			STR_ARG(s->namaddrport), STR_ARG(t->distrust));
	if (!(finger.show & SHOW_CERTIFICATE))
		return;
	show_match(s);
	log_info(STR_FMT ": subject_CN=" STR_FMT ", issuer_CN=" STR_FMT
			 ", fingerprint=" STR_FMT ", pkey_fingerprint=" STR_FMT,
		STR_ARG(s->namaddrport), STR_ARG(t->peer_cn), STR_ARG(t->issuer_cn),
		STR_ARG(t->fingerprint), STR_ARG(t->key_fingerprint));
}

const struct session_watch finger_watch = { on_connected, on_line, on_secured };

void
finger_show_chain(const struct session *s)
{
	struct buf chain CLEANUP(buf_free) = BUF_INIT;

	conn_tls_chain(s->conn, &chain);
	if (chain.len == 0)
		return;
	printf("\n---\nCertificate chain\n%s", buf_cstr(&chain));
}
