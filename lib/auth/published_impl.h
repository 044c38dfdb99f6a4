/* published_impl.h -- one check of a domain, shared by its files. */
#ifndef PUBLISHED_IMPL_H
#define PUBLISHED_IMPL_H

#include "published.h"
#include <arpa/nameser.h>

#define PUBLISHED_HOSTS_MOST 16  /* that are looked at, of those in MX */
#define PUBLISHED_SHOWN_MOST 160 /* octets of others' text in a finding */

struct published {
	const struct published_question *q;
	struct arena *arena;
	struct str hosts[PUBLISHED_HOSTS_MOST]; /* that take its mail */
	size_t n_hosts;
};

/* ---- published.c ---- */
void published_tell(struct published *p, enum published_level level, const char *subject,
	const char *fmt, ...) PRINTF(4, 5);
/* "label.domain" */
struct str published_name(struct published *p, const char *label, struct str domain);
/* Somebody's text, fit to be read. */
struct str published_shown(struct published *p, struct str text);
/* False: it could not be asked, which is told. */
SWITCHES bool published_ask(struct published *p, const char *subject, struct str name,
	uint16_t type, struct dns_reply *said);
/* Has the name an address? -1: it could not be asked, which is told. *is_alias: it is one
 * of another name. */
SWITCHES int published_has_address(
	struct published *p, const char *subject, struct str name, bool *is_alias);
/* The TXT record that begins with `version`: 1 and *text; 0: there is none; -1: there are
 * several, or it could not be asked, which is told. */
SWITCHES int published_text(struct published *p, const char *subject, struct str name,
	const char *version, struct str *text);

/* ---- published_policies.c ---- */
SWITCHES void published_spf(struct published *p);
SWITCHES void published_dmarc(struct published *p);
SWITCHES void published_mta_sts(struct published *p);
SWITCHES void published_tlsrpt(struct published *p);

/* ---- published_keys.c ---- */
SWITCHES void published_dkim(struct published *p);
SWITCHES void published_tlsa(struct published *p);

#endif
