/* smtp.h -- one delivery: its next hop, the hosts to try, the session with one of them.
 * What is said of SMTP here goes for LMTP as well (RFC 2033) where nothing else is said.
 */
#ifndef SMTP_H
#define SMTP_H

#include "agent.h"
#include "checks.h"
#include "mta_sts.h"
#include "net.h"
#include "route.h"
#include "transcript.h"

/* ---- nexthop.c: the next hop as qmgr gives it (contract 6.5) ---- */
struct nexthop {
	struct str host; /* a domain, or what stood in [] */
	bool literal;    /* [host] or [address]: no MX look-up */
	unsigned port;
	struct str service; /* the port as it was given: SRV records have names */
	bool default_port;  /* of the service smtp: only there a host can be us */
	struct str path;    /* of a socket: then there is no host and no port */
};
extern bool smtp_lmtp; /* we are lmtp */
/* "domain", "domain:port", "[host]", "[host]:port", "[address]", "[IPv6:address]:port",
 * with the service's default port; lmtp: also "inet:" before them, and "unix:path". A bad
 * form is PERMFAIL 5.1.3 (RFC 3463). */
enum verdict nexthop_parse(const struct conf *c, struct str text, unsigned port,
	struct nexthop *out, struct why *why);
/* A number, or a name of known_tcp_ports or services(5). 0: neither. */
unsigned nexthop_port(const struct conf *c, struct str text);

/* ---- hosts.c: the addresses to try, best first ---- */
/* The answer, of MX or SRV records, that names a host. */
struct host_source {
	struct str domain, expanded; /* the domain asked for, and after CNAMEs */
	bool secure;
};
struct host {
	struct str name, expanded; /* likewise */
	struct net_addr addr;      /* len 0: the socket nexthop.path */
	uint16_t preference;
	uint32_t order; /* among those of the same preference */
	unsigned port;
	/* By DNSSEC, where smtp_dns_support_level asks for it. */
	bool secure;                  /* the address, and each CNAME on the way there */
	const struct host_source *by; /* NULL: the host is the next hop itself */
};
struct hosts {
	VEC(struct host) list;
	bool we_are_one; /* of the domain's mail exchangers */
};
void hosts_free(struct hosts *h);
/* MX, then A and AAAA (RFC 5321 section 5.1), or SRV where use_srv_lookup says so; null
 * MX (RFC 7505) and loops to ourselves are seen here. Strings are in arena. */
SWITCHES enum verdict hosts_find(const struct nexthop *n, const struct conf *c,
	struct arena *arena, struct hosts *out, struct why *why);
/* One question, of DNS_ flags; no answer is DNS_TEMPFAIL. */
SWITCHES void hosts_ask(struct str name, uint16_t type, uint32_t flags,
	struct arena *arena, struct dns_reply *said);
bool hosts_by_dns(const struct conf *c); /* smtp_host_lookup, smtp_dns_support_level */
/* Ourselves, for loops; found before the jail. */
extern const struct own_addresses *smtp_own;
/* smtp_tcp_port, looked up before the jail. */
extern unsigned smtp_port;

/* ---- tls_policy.c: what TLS a next hop must have ---- */
enum tls_level {
	TLS_NONE,
	TLS_MAY,
	TLS_ENCRYPT,
	TLS_DANE,
	TLS_HALF_DANE, /* of a host only: that it is one of the domain's is not proven */
	TLS_DANE_ONLY, /* of a destination only: a host's is TLS_DANE */
	TLS_FINGERPRINT,
	TLS_VERIFY,
	TLS_SECURE,
	TLS_INVALID, /* no such level */
};
struct tls_policy {
	enum tls_level level;
	struct strs match;       /* names, strategies; fingerprints */
	struct str servername;   /* for the SNI */
	struct tls_config terms; /* protocols, ciphers and DANE only */
	struct str text;         /* all of it: sessions are for the same one only */
	bool listed; /* it is an entry of a table: nobody else's word counts */
};
enum tls_level tls_policy_level(const struct conf *c); /* without the table */
struct str tls_policy_grade(const struct conf *c, struct str grade); /* its ciphers */
void tls_policy_prepare(const struct conf *c);                       /* before the jail */
bool tls_policy_has_table(void);
void tls_policy_read_anchors(const struct conf *c); /* likewise; OpenSSL is set up */
/* For a destination as qmgr gave it, in arena. TEMPFAIL: the policy cannot be told, or is
 * none; nothing must be sent. With DANE it is up to dane_policy() what that means for
 * each host. */
SWITCHES enum verdict tls_policy_find(struct str destination, const struct conf *c,
	struct arena *arena, struct tls_policy *out, struct why *why);
/* One entry of the table, "level name=value ..."; fills in what it names. PERMFAIL: it is
 * none; why has the text for the log. */
enum verdict tls_policy_parse(
	struct str text, struct arena *arena, struct tls_policy *out, struct why *why);
/* Fills in what a policy leaves to the parameters of its level; name is for the log. */
void tls_policy_settle(
	struct tls_policy *p, struct str name, const struct conf *c, struct arena *arena);
struct session;
/* Is the certificate what the policy asks for, on levels from fingerprint on? By which
 * name or fingerprint; none with DANE. */
bool tls_policy_matches(
	const struct tls_policy *p, const struct session *s, struct str *matched);

/* ---- tls_per_site.c ---- */
void tls_per_site_prepare(const struct conf *c); /* before the jail */
bool tls_per_site_is_used(void);
/* What smtp_tls_per_site makes of a policy that is no table's, for a host. TEMPFAIL: the
 * table does not say. */
SWITCHES enum verdict tls_per_site(struct tls_policy *p, struct str destination,
	const struct host *h, const struct conf *c, struct arena *arena, struct why *why);

/* ---- dane.c: what TLSA records make of a policy (RFC 7672) ---- */
/* Why there can be no DANE with this configuration; NULL: there can. */
const char *dane_unfit(const struct conf *c);
/* Once in a process: that what is asked for cannot be. */
void dane_warn(struct str who, const struct conf *c);
/* All of it, short, and the same for the same records in this order. */
struct str dane_text(const struct tls_dane *d, struct arena *arena);
/* The policy of a host, whatever the level; in arena. TEMPFAIL: not to be asked now. */
SWITCHES enum verdict dane_policy(const struct tls_policy *wanted, const struct host *h,
	const struct conf *c, struct arena *arena, struct tls_policy *out,
	struct why *why);

/* ---- sts.c: what MTA-STS makes of a policy (RFC 8461) ---- */
struct sts {
	enum mta_sts_mode mode;
	struct str domain;
	struct strs mx;
};
void sts_prepare(const struct conf *c); /* before the jail */
/* What the next hop's domain says, where it counts; in arena. A policy to enforce goes
 * into tls->text. TEMPFAIL: that cannot be told. */
SWITCHES enum verdict sts_find(const struct nexthop *n, const struct conf *c,
	struct arena *arena, struct tls_policy *tls, struct sts *out, struct why *why);
/* Makes the policy of a host what it is with that. TEMPFAIL: not to be asked. */
enum verdict sts_policy(const struct sts *s, const struct host *h, const struct conf *c,
	struct arena *arena, struct tls_policy *p, struct why *why);
/* Mode testing: a session that would not have been, is logged. */
void sts_note(const struct sts *s, const struct tls_policy *p, const struct host *h,
	const struct session *session);

/* ---- requiretls.c: what the sender says of TLS (RFC 8689) ---- */
enum requiretls {
	REQUIRETLS_DISABLE,       /* or it says nothing */
	REQUIRETLS_OPPORTUNISTIC, /* it is passed on to who promises the same */
	REQUIRETLS_STARTTLS,      /* likewise, and nothing is sent in clear */
	REQUIRETLS_ENFORCE,
	REQUIRETLS_UNKNOWN, /* the policy cannot be told */
};
struct attempt;
void requiretls_prepare(const struct conf *c); /* before the jail */
/* Fills in a->requiretls, and makes a->tls what it is with that. TEMPFAIL: nothing must
 * be sent. */
SWITCHES enum verdict requiretls_find(struct attempt *a, struct why *why);
/* Makes the policy of a host as strong as the message wants. */
void requiretls_policy(
	const struct attempt *a, const struct host *h, struct tls_policy *p);
/* TEMPFAIL: the host does not promise what it would have to. */
enum verdict requiretls_promised(
	struct session *s, const struct attempt *a, struct why *why);

/* ---- source.c: which of our addresses a message leaves from ---- */
struct source {
	struct str v4, v6; /* none: as smtp_bind_address and smtp_bind_address6 say */
};
void source_prepare(const struct conf *c); /* before the jail */
/* By smtp_bind_address_maps, in the delivery's arena. TEMPFAIL: that cannot be told. */
SWITCHES enum verdict source_find(const struct delivery *d, const struct nexthop *n,
	struct source *out, struct why *why);
/* One address of each family that a pool has, as views into it: who has the share
 * `number`, counted round. TEMPFAIL: it is no pool; *why has the text for the log. */
enum verdict source_pick(
	struct str pool, uint32_t number, struct source *out, struct why *why);

/* ---- attempt.c: one delivery on its way through the hosts ---- */

/* Why a recipient was not taken by the host asked last: what becomes of it when no other
 * host is left. */
struct refusal {
	char code[12];    /* "": nothing was refused yet */
	struct str text;  /* as in the log */
	struct str relay; /* "host[address]:port", or "none" where no host talked to us */
	struct str mta, reply; /* the remote side, for the notice; may be none */
	struct str tls;        /* of the session, or none */
	bool unfit;            /* REQUIRETLS is beyond the host, and will be tomorrow */
	bool logged;
};
struct attempt {
	struct delivery *d;
	const struct conf *conf;
	struct nexthop nexthop;
	struct str destination;     /* the next hop as it was given */
	struct tls_policy tls;      /* of that */
	struct sts sts;             /* likewise */
	struct source source;       /* for this message */
	enum requiretls requiretls; /* likewise, for this message */
	struct str key;             /* of the pool */
	struct refusal *refusals;   /* one for each recipient */
	bool talked;                /* some host did talk to us */
	bool unsure;           /* some refusal may end, for a message with REQUIRETLS */
	struct strs fallbacks; /* of smtp_fallback_relay, still to be asked */
	const struct net_addr *had; /* tried already, in a session of the pool */
};
SWITCHES void attempt_run(struct delivery *d);
/* For the recipient, or for all that are undecided: a permanent refusal is its end, a
 * temporary one is remembered while there may be another host. */
void attempt_refuse(struct attempt *a, size_t rcpt, const struct refusal *r);
void attempt_refuse_all(struct attempt *a, const struct refusal *r);

/* ---- reply.c: replies of a server (RFC 5321 section 4.2, RFC 2034) ---- */
#define REPLY_LINES_MOST 100
#define REPLY_TEXT_MOST  ((size_t)8192)
struct reply {
	int code;              /* 0: none came */
	char status[12];       /* enhanced code of RFC 2034, or "" */
	struct buf text;       /* all lines with their codes, joined by blanks */
	enum conn_result lost; /* why none came */
	size_t starts[REPLY_LINES_MOST], n_lines; /* of each line in text */
};
void reply_clear(struct reply *r);
/* One line, without its line end. 1: more follow, 0: it was the last, -1: this is not a
 * reply. */
int reply_add(struct reply *r, struct str line);
/* What stands behind the code in line i. */
struct str reply_line(const struct reply *r, size_t i);

/* ---- session.c, starttls.c: a conversation with one host ---- */
enum {
	OFFERS_PIPELINING = 1,
	OFFERS_SIZE = 2,
	OFFERS_8BITMIME = 4,
	OFFERS_SMTPUTF8 = 8,
	OFFERS_DSN = 16,
	OFFERS_STARTTLS = 32,
	OFFERS_ESMTP = 64,
	/* Attributes of XFORWARD. */
	OFFERS_XFORWARD_NAME = 128,
	OFFERS_XFORWARD_ADDR = 256,
	OFFERS_XFORWARD_PORT = 512,
	OFFERS_XFORWARD_PROTO = 1024,
	OFFERS_XFORWARD_HELO = 2048,
	OFFERS_XFORWARD_IDENT = 4096,
	OFFERS_XFORWARD_SOURCE = 8192,
	OFFERS_REQUIRETLS = 32768, /* under TLS */
	OFFERS_AUTH = 16384,       /* and we have a password, once that was looked up */
};
struct session {
	struct conn *conn; /* NULL: not connected */
	struct str host;   /* name, and "name[address]", "name[address]:port" */
	struct str namaddr, namaddrport;
	struct net_addr addr;
	const struct nexthop *nexthop;   /* while it is being opened */
	const struct tls_policy *policy; /* likewise */
	unsigned offers;
	octets_t size_limit;          /* of SIZE; 0: none told */
	struct reply reply;           /* the last one */
	struct arena *arena;          /* the session's */
	unsigned uses;                /* deliveries so far */
	struct transcript transcript; /* for the postmaster, if he wants any */
	deadline_t opened, idle_until;
	struct str key;       /* of the pool */
	struct session *next; /* in the pool */
	bool dead;            /* lost, or told 421: not to be used again */
	bool tls_failed;
	bool unfit;                       /* as in struct refusal */
	bool verified;                    /* the server is who the policy wants */
	struct str matched;               /* by that name or fingerprint */
	struct str tls_key;               /* of tls_cache.c */
	struct str tls;                   /* tls= of the log, or none */
	struct str mechanisms;            /* of AUTH, that the filter lets pass */
	bool says_esmtp;                  /* in its greeting */
	bool pix_no_esmtp, pix_delay_dot; /* smtp_pix_workarounds that apply */
};
/* Connects, greets, and turns TLS on as configured. NULL: *r tells why, ready for
 * attempt_refuse_all(); r->relay is "none" when there was no connection. */
SWITCHES struct session *session_open(
	const struct host *host, const struct attempt *a, struct refusal *r);
SWITCHES void session_quit(struct session *s, const struct conf *c);
void session_free(struct session *s);
extern unsigned smtp_faults_wanted; /* notify_classes */
/* Of who wants to see a session, and says himself what became of it: posttls-finger. */
struct session_watch {
	void (*connected)(const struct session *s);
	void (*line)(enum transcript_side side, struct str line);
	void (*secured)(const struct session *s); /* after the handshake */
};
extern const struct session_watch *session_watch; /* NULL: nobody */
/* For the transcript, and for who watches. */
void session_note(struct session *s, enum transcript_side side, struct str line);
/* Notes the command that is in s->conn's buffer from `begin` on. */
void session_said(struct session *s, size_t begin);
/* Does the last reply, a refusal, tell of a fault of ours? Then the postmaster may want
 * to read the transcript. */
void session_judge(struct session *s, const struct delivery *d);
/* Reads one reply. False: none came, s->dead. */
SWITCHES bool session_reply(struct session *s, deadline_t patience);
/* What the last reply, or its absence, means in the words of the log. doing: "sending
 * MAIL FROM"; command: "MAIL FROM". NULL for the command: it did not want to talk. */
enum verdict session_why(
	const struct session *s, const char *doing, const char *command, struct why *why);
/* The same, and everything else that is known, as a refusal in arena. */
void session_refusal(const struct session *s, const struct why *why, struct arena *arena,
	struct refusal *out);
/* EHLO, or HELO where that is not understood. False: the reply tells; *doing what we were
 * at, NULL: a table of ours failed. */
SWITCHES bool session_ehlo(struct session *s, const struct conf *c, const char **doing);

extern struct tls_context *smtp_tls; /* NULL: no TLS */
/* How far it has come, for smtp_log_tls_feature_status: s->tls. */
enum tls_reached { TLS_UNDECIDED, TLS_IN_CLEAR, TLS_ESTABLISHED };
void starttls_note(struct session *s, const struct conf *c, enum tls_reached reached);
/* Reads certificates and CAs while we may. */
void starttls_prepare(const struct conf *c);
/* STARTTLS as configured, on a session that said EHLO (RFC 3207). */
SWITCHES enum verdict starttls(struct session *s, const struct conf *c, struct why *why);
/* TLS from the first byte (smtp_tls_wrappermode). */
SWITCHES enum verdict starttls_wrapped(
	struct session *s, const struct conf *c, struct why *why);

/* ---- auth.c: who we are (RFC 4954) ---- */
struct auth_secret {
	struct buf user, password;
};
void auth_secret_wipe(struct auth_secret *s); /* for CLEANUP, too */
void auth_prepare(const struct conf *c);      /* before the jail */
/* Of smtp_sender_dependent_authentication: sessions of such senders are for nobody else.
 * DICT_ERROR: logged. */
SWITCHES enum dict_result auth_secret_of_sender(
	const struct delivery *d, struct auth_secret *out);
/* The words behind AUTH in a reply to EHLO: s->mechanisms. False: a table failed. */
SWITCHES bool auth_offered(struct session *s, struct str words);
/* AUTH, where the server offers it and there is a password for it. What the server sees
 * of us before is up to the caller: TLS is on if it shall be. doing: what we are at, if
 * the connection breaks. */
SWITCHES enum verdict auth_login(
	struct session *s, const struct attempt *a, const char *doing, struct why *why);

/* ---- tls_cache.c: TLS sessions with servers, for the next connection ---- */
bool tls_cache_is_on(const struct conf *c); /* smtp_tls_session_cache_database */
/* The server, and what else must be the same, so that nothing is resumed which would be
 * judged in another way today; in the session's arena. */
struct str tls_cache_key(
	const struct session *s, struct str server_name, const struct conf *c);
/* Of s->tls_key, like the others; none. */
SWITCHES struct str tls_cache_find(struct session *s, const struct conf *c);
void tls_cache_keep(struct session *s, const struct conf *c); /* what the server gave */
void tls_cache_forget(struct session *s, const struct conf *c);

/* ---- quirks.c: servers that are not as they should be ---- */
void quirks_prepare(const struct conf *c); /* before the jail */
bool quirks_filter_replies(void);          /* smtp_reply_filter */
/* A line of a reply as it is to be read, if that is so. */
SWITCHES struct str quirks_reply(struct session *s, struct str line, struct arena *arena);
/* Keywords of this server's EHLO that are passed over. False: the table failed. */
SWITCHES bool quirks_discarded(struct session *s, const struct conf *c, struct strs *out);
/* Judges the greeting, which is the last reply: smtp_pix_workarounds. */
SWITCHES void quirks_greeting(struct session *s, const struct delivery *d);

/* ---- transfer.c: one message over a session ---- */
/* Decides on recipients, or leaves a refusal for them. */
SWITCHES void transfer(struct session *s, struct attempt *a);

/* ---- edit.c: changes for this next hop alone ---- */
void edit_prepare(const struct conf *c); /* before the jail */
/* The addresses of MAIL and RCPT (smtp_generic_maps). False: a table failed. */
SWITCHES bool edit_envelope(
	const struct delivery *d, struct str *sender, struct str *rcpts);
struct edit {
	bool failed; /* a table did: the message must not go like this */

	const struct delivery *d;
	struct parts parts;
	struct checks checks;
	struct buf *out;
};
bool edit_wants(void); /* is there any table? */
void edit_begin(struct edit *e, const struct delivery *d);
/* Appends what becomes of `in` (lines end in LF) to *out; part of it may come later. */
SWITCHES void edit_add(struct edit *e, struct str in, struct buf *out);
SWITCHES void edit_end(struct edit *e, struct buf *out);
void edit_free(struct edit *e);

/* ---- command.c: MAIL and RCPT with their parameters, and others ---- */
void command_mail(struct session *s, const struct attempt *a, struct str sender);
void command_rcpt(
	struct session *s, const struct delivery *d, size_t rcpt, struct str address);
/* XFORWARD with what the server wants to know of the client, or of its session. False:
 * nothing, and nothing was sent. */
bool command_xforward_client(struct session *s, const struct delivery *d);
bool command_xforward_session(struct session *s, const struct delivery *d);
void command_send(struct session *s, const char *command); /* without arguments */

/* ---- content.c: the message as it goes over the wire ---- */
/* Appends lines with CRLF and doubled dots, folding what is longer than limit (0: none):
 * did it? *column goes on from chunk to chunk; 0 is the start of a line. */
bool content_write(struct conn *conn, struct str text, size_t limit, size_t *column);
/* Sends everything up to the final dot, which waits in the buffer; 8-bit parts become
 * quoted-printable for a server without 8BITMIME. CONN_ERROR with why->code: the fault is
 * ours or the message's. */
SWITCHES enum conn_result content_send(
	struct session *s, const struct delivery *d, struct why *why);

/* ---- pool.c: sessions that wait for the next message to the same destination ---- */
/* Keys are equal where everything is that a session depends on: where it leads to, and as
 * whom. */
struct session *pool_take(struct str key, const struct conf *c);
/* limit: of its deliveries, besides that of the configuration; 0: none. */
void pool_give(struct session *s, uint32_t limit, const struct conf *c);
void pool_close(void);
/* Is it worth keeping a session: was there other mail for this destination lately, or is
 * it one of smtp_connection_cache_destinations? */
bool pool_wants(
	struct str key, struct str destination, struct str host, const struct conf *c);

/* ---- explain.c: struct service's explain ---- */
SWITCHES void smtp_explain(const struct explain_request *ask, struct explain_reply *say,
	struct arena *arena);

#endif
