/* smtp.h -- one delivery: its next hop, the hosts to try, the session with one of them.
 */
#ifndef SMTP_H
#define SMTP_H

#include "agent.h"
#include "net.h"
#include "route.h"

/* ---- the next hop as qmgr gives it (contract 6.5) ---- */
struct nexthop {
	struct str host; /* a domain, or what stood in [] */
	bool literal;    /* [host] or [address]: no MX look-up */
	unsigned port;
	bool default_port; /* of the service smtp: only there a host can be us */
};
/* "domain", "domain:port", "[host]", "[host]:port", "[address]", "[IPv6:address]:port",
 * with the service's default port. A bad form is PERMFAIL 5.1.3 (RFC 3463). */
enum verdict nexthop_parse(
	struct str text, unsigned port, struct nexthop *out, struct why *why);

/* ---- hosts.c: the addresses to try, best first ---- */
struct host {
	struct str name;
	struct net_addr addr;
	uint16_t preference;
};
struct hosts {
	VEC(struct host) list;
};
void hosts_free(struct hosts *h);
/* MX, then A and AAAA (RFC 5321 section 5.1); null MX (RFC 7505) and loops to ourselves
 * are seen here. Strings are in arena. */
SWITCHES enum verdict hosts_find(const struct nexthop *n, const struct conf *c,
	struct arena *arena, struct hosts *out, struct why *why);

/* ---- reply.c ---- */
#define REPLY_LINES_MOST 100
struct reply {
	int code;              /* 0: none came */
	char status[12];       /* enhanced code of RFC 2034, or "" */
	struct buf text;       /* all lines with their codes, joined by blanks */
	enum conn_result lost; /* why none came */
};

/* Ourselves, for loops; found before the jail. */
extern const struct own_addresses *smtp_own;

/* ---- session.c: a conversation with one host ---- */
enum {
	OFFERS_PIPELINING = 1,
	OFFERS_SIZE = 2,
	OFFERS_8BITMIME = 4,
	OFFERS_SMTPUTF8 = 8,
	OFFERS_DSN = 16,
	OFFERS_STARTTLS = 32,
	OFFERS_ESMTP = 64,
};
struct session {
	struct conn *conn;
	struct str host; /* name, and "name[address]", "name[address]:port" */
	struct str namaddr, namaddrport;
	unsigned offers;
	octets_t size_limit; /* of SIZE; 0: none told */
	struct reply reply;  /* the last one */
	struct arena *arena; /* the session's */
	unsigned uses;       /* deliveries so far */
	deadline_t opened, idle_until;
	struct str key;       /* of the pool */
	struct session *next; /* in the pool */
	bool dead;            /* lost, or told 421: not to be used again */
	bool tls_failed;
};
/* Connects, greets, and turns TLS on as configured. NULL: *why tells, and whether the
 * next host may be tried (everything but a PERMFAIL). */
SWITCHES struct session *session_open(const struct host *host, const struct nexthop *n,
	const struct conf *c, const char *qid, struct why *why);
SWITCHES void session_quit(struct session *s, const struct conf *c);
void session_free(struct session *s);
/* Reads one reply (RFC 5321 section 4.2). False: none came, s->dead. */
SWITCHES bool session_reply(struct session *s, deadline_t patience);
/* What the last reply, or its absence, means in the words of the log. doing: "sending
 * MAIL FROM"; command: "MAIL FROM". */
enum verdict session_why(
	const struct session *s, const char *doing, const char *command, struct why *why);
extern struct tls_context *smtp_tls; /* NULL: no TLS */
enum tls_level { TLS_NONE, TLS_MAY, TLS_ENCRYPT };
enum tls_level smtp_tls_level(const struct conf *c);

/* ---- transfer.c: one message over a session ---- */
/* Sets the outcome of every recipient that this host decided; those that stay undecided
 * may be tried at the next one, *why tells why. */
SWITCHES void transfer(struct session *s, struct delivery *d, struct why *why);

/* ---- pool.c: sessions that wait for the next message to the same destination ---- */
struct session *pool_take(struct str key, const struct conf *c);
void pool_give(struct session *s, const struct conf *c);
void pool_close(void);
/* Is it worth keeping a session: was there other mail for this destination lately? */
bool pool_demand(struct str key);

#endif
