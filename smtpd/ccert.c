/* ccert.c -- restrictions that look at the client's certificate. */
#include "policy.h"
#include "session.h"
#include "log.h"

/* smtpd_tls_fingerprint_digest of the certificate, and of its public key. */
static struct str
print_of(const struct session *s, enum ccert_print which)
{
	const struct tls_info *tls = conn_tls_info(s->conn);

	if (!tls || !tls->peer_certificate)
		return STR_NONE;
	return which == CCERT_CERTIFICATE ? tls->fingerprint : tls->key_fingerprint;
}

enum decision
permit_tls_clientcerts(struct session *s, const struct check *c)
{
	static const enum ccert_print order[] = { CCERT_CERTIFICATE, CCERT_KEY };

	if (maps_empty(s->site->relay_clientcerts))
		return DUNNO;
	for (size_t i = 0; i < COUNT(order); i++) {
		struct str print = print_of(s, order[i]), value;
		struct why why;

		if (!print.data)
			return DUNNO;
		switch (maps_find(
			s->site->relay_clientcerts, print, s->command, &value, &why)) {
		case DICT_FOUND:
			return permit_because(s, c->name, SUBJECT_CCERT, STR_NONE);
		case DICT_ERROR:
			log_warn("relay_clientcerts: %s", why.text);
			return defer_if_reject(s, 450, "4.7.0",
				"<%.*s>: %s rejected: Temporary lookup failure",
				STR_ARG(s->client), subject_class(SUBJECT_CLIENT));
		case DICT_NOTFOUND:
			break;
		}
	}
	return DUNNO;
}

/* Others may still be named. */
enum decision
permit_tls_all_clientcerts(struct session *s, const struct check *c)
{
	const struct tls_info *tls = conn_tls_info(s->conn);

	return tls && tls->peer_certificate && tls->trusted
		       ? permit_because(s, c->name, SUBJECT_CCERT, STR_NONE)
		       : permit_tls_clientcerts(s, c);
}

/* A fingerprint is asked for, whether or not the certificate is trusted: who has it has
 * been looked at. */
enum decision
check_ccert_access(struct session *s, const struct check *c)
{
	enum decision decision = DUNNO;
	bool found = false;

	if (!c->table)
		return refuse_for_mistake(s,
			"restriction %s: bad argument \"%.*s\": need maptype:mapname",
			c->row->name, STR_ARG(c->argument));
	for (size_t i = 0; i < c->n_prints && !found; i++) {
		struct str print = print_of(s, c->prints[i]);

		if (!print.data)
			return DUNNO;
		decision = access_key(s, c, SUBJECT_CCERT, print, &found);
	}
	return decision;
}
