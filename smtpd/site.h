/* site.h -- what a worker knows from its configuration: opened tables, parsed
 * restrictions, certificates. Made once before the jail; a reload starts other workers.
 */
#ifndef SITE_H
#define SITE_H

#include "base.h"
#include "certificates.h"
#include "conf.h"
#include "dict.h"
#include "ehlo.h"
#include "messages.h"
#include "milter.h"
#include "net.h"
#include "policy.h"
#include "route.h"
#include "sasl.h"
#include "spf_engine.h"
#include "spf_session.h"

/* smtpd_forbid_bare_newline */
enum bare_newline {
	BARE_NEWLINE_NO,
	BARE_NEWLINE_NORMALIZE,
	BARE_NEWLINE_NOTE,
	BARE_NEWLINE_REJECT
};

/* smtpd_login_limit_action, smtpd_sender_domain_limit_action */
enum quota_action { QUOTA_DEFERS, QUOTA_REJECTS, QUOTA_HOLDS };

/* The last answer to EHLO, and what it left out. */
struct ehlo_answer {
	struct buf text;
	unsigned withheld;
	struct buf auth; /* the mechanisms in it */
};

struct site {
	const struct conf *conf;
	const struct params *p, *under_stress; /* numbers and switches only */
	struct route *route;
	struct policy *policy;
	struct match_list *mynetworks, *xclient_hosts, *xforward_hosts, *verp_clients,
		*bare_newline_exclusions;
	struct match_list *limit_exceptions; /* smtpd_client_event_limit_exceptions */
	struct match_list *quota_exceptions[QUOTA_ABOUTS];
	enum quota_action quota_actions[QUOTA_ABOUTS];
	struct match_list *spf_exempt;  /* spf_exempt_clients */
	struct match_list *dkim_exempt; /* dkim_exempt_clients */
	bool verifies, wants_dmarc;     /* any mode; dmarc_mode */
	enum spf_mode spf_mode;
	enum spf_engine spf_engine;
	struct match_list *log_permits; /* smtpd_log_access_permit_actions or NULL */
	struct match_list *mx_backup_networks; /* permit_mx_backup_networks or NULL */
	struct match_list *noop_commands, *forbidden_commands; /* NULL: none */
	/* Whose addresses are listed: contract 5.2. */
	struct maps *canonical, *sender_canonical, *recipient_canonical, *virtual_alias;
	struct maps *local_recipients, *relay_recipients, *virtual_mailboxes;
	struct maps *discard_maps;
	struct maps *rbl_replies, *footers, *reject_filter, *command_filter;
	struct maps *relay_clientcerts, *sender_login;
	struct sasl *sasl; /* NULL: nobody can log in */
	struct sasl_options sasl_options, sasl_tls_options;
	struct match_list *sasl_filter, *sasl_exceptions; /* NULL: none */
	struct milter_list milters;                       /* smtpd_milters */
	struct milter_macros milter_macros;
	struct maps *milter_maps;
	bool asks_milters;           /* there are some, and no no_milters */
	const char *filter;          /* smtpd_proxy_filter: an endpoint, or NULL */
	bool filter_waits;           /* smtpd_proxy_options = speed_adjust */
	struct str expansion_filter; /* smtpd_expansion_filter, its escapes read */
	unsigned discard;            /* keywords */
	enum bare_newline bare_newline;
	bool check_recipients;   /* not receive_override_options =
				    no_unknown_recipient_checks */
	bool access_dot_parents; /* access tables name subdomains with a dot */
	unsigned faults_wanted;  /* notify_classes */
	bool prefix_ends;        /* queue id in front of "lost connection" (3.10) */
	/* starttls.c: */
	struct certificates tls;
	bool tls_required, tls_wrapper;
	bool tls_asks, tls_insists; /* for clients' certificates; on trusted ones */
	int tls_loglevel;
	struct str banner; /* "220 " and smtpd_banner */
	struct ehlo_answer *ehlo;
	struct arena *arena;
	deadline_t storage_short_until; /* the spool said that it has no room */
	int queue;                      /* queue_directory, to look at its file system */
	deadline_t space_at;            /* when that is looked at again */
	bool below_least;               /* it has less than queue_minfree */
};

/* storage.c */
void storage_open(struct site *site);    /* where the queue is, before the jail */
void storage_refused(struct site *site); /* the spool said that it is full */
bool storage_is_short(struct site *site);

/* Opens everything; a mistake that would make an open relay, or lose mail, is fatal.
 * BLOCKS */
struct site *site_open(const struct conf *conf, const struct conf *under_stress)
	MUST_CHECK;
void site_close(struct site *site);

/* The one of this worker. */
extern struct site *smtpd_site;

#endif
