/* site.h -- what postscreen knows from its configuration: opened tables, parsed lists,
 * certificates. Made once before the jail; a reload starts another process. */
#ifndef SITE_H
#define SITE_H

#include "certificates.h"
#include "conf.h"
#include "dict.h"
#include "ehlo.h"
#include "net.h"
#include "scores.h"
#include "stamps.h"

/* postscreen_*_action: what a client gets that fails a test. */
enum action {
	ACTION_IGNORE,  /* a log line */
	ACTION_ENFORCE, /* its mail is refused, but it may say what it wanted */
	ACTION_DROP,    /* the door */
};

/* postscreen_access_list. */
enum access_kind {
	ACCESS_PERMIT,
	ACCESS_REJECT,
	ACCESS_DUNNO,
	ACCESS_OURS,
	ACCESS_TABLE
};
struct access_item {
	enum access_kind kind;
	struct dict *table;
};

struct site {
	const struct conf *conf;
	const struct params *p, *under_stress; /* numbers only */
	struct arena *arena;
	VEC(struct access_item) access;
	enum action denylist, on[TESTS];
	unsigned enabled;  /* TEST_BITs */
	msec_t ttl[TESTS]; /* of DNSBL: the longest */
	msec_t least_ttl;  /* of the enabled tests */
	struct score_sites lists;
	struct match_list *mynetworks, *allowlist_interfaces;
	struct match_list *forbidden_commands; /* NULL: none */
	struct maps *list_names;               /* postscreen_dnsbl_reply_map */
	struct maps *discard_maps, *footers, *command_filter;
	unsigned discard;  /* EHLO keywords */
	struct str footer; /* postscreen_reject_footer */
	struct str expansion_filter;
	struct str teaser; /* "220-...\r\n"; empty: none */
	struct certificates tls;
	bool tls_required;
	int tls_loglevel;
	deadline_t checked; /* when the tables were last looked at */
};

/* Opens everything; mistakes are fatal. BLOCKS */
struct site *site_open(const struct conf *conf, const struct conf *under_stress)
	MUST_CHECK;
/* Once a second: has a table of the access list changed on disk? False when one did and
 * cannot be opened again from inside the jail. */
bool site_refresh(struct site *site);
/* What the access list says of a client. */
SWITCHES enum access_kind site_access(
	const struct site *site, const struct net_addr *client, struct str address);

/* The one of this process. */
extern struct site *postscreen_site;

#endif
