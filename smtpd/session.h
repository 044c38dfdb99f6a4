/* session.h -- one SMTP session: who the client is, where the dialogue stands, and the
 * mail transaction in hand. Every file of this folder works on it.
 *
 * Memory: `arena` lives as long as the session, `mail` as long as a transaction,
 * `command` as long as one command. */
#ifndef SESSION_H
#define SESSION_H

#include "base.h"
#include "data.h"
#include "esmtp.h"
#include "filter.h"
#include "limits.h"
#include "listings.h"
#include "log.h"
#include "messages.h"
#include "net.h"
#include "site.h"
#include "submit.h"
#include "transcript.h"
#include "verbs.h"

#define HELO_MOST 255 /* a domain: RFC 5321 section 4.5.3.1.2 */

/* The mail transaction (RFC 5321 section 3.3): from MAIL to the end of data or RSET. */
struct transaction {
	bool open; /* MAIL was accepted */
	int64_t arrival_us;
	struct str sender; /* internal form, empty: <> */
	struct mail_parameters parameters;
	VEC(struct rcpt) rcpts; /* accepted ones; the memory stays with the session */
	size_t overshoot;       /* RCPT commands beyond smtpd_recipient_limit */
	char queue_id[32];      /* "" before the first accepted recipient */
	/* BDAT: a message that comes in several commands. */
	bool chunked, broken; /* the first chunk came; a chunk was refused */
	struct submission *submission;
	struct data_scan scan;
	/* smtpd_proxy_filter, and what it is told of MAIL: "FROM:<a@b> SIZE=7". */
	struct filter filter;
	struct str mail_arguments;
	bool logged; /* that there is a message, and whose */
};

/* What XFORWARD said of the next message's client. */
struct forwarded {
	bool given;
	struct str name, address, port, helo, protocol, ident, source;
};

/* What access tables and policy servers want done to the message; the strings live as
 * long as the transaction. */
struct actions {
	bool hold, discard;
	enum on_dmarc_fail on_dmarc_fail;
	struct str filter, redirect; /* "transport:nexthop", "user@domain"; or none */
	VEC(struct str) bcc, prepend;
};

/* Does the DNS know the client's name? */
enum peer_name { PEER_UNKNOWN, PEER_UNSURE, PEER_KNOWN };

struct session {
	struct conn *conn;
	const struct site *site; /* outlives the session: a reload starts other workers */
	const struct params *p;
	struct arena *arena, *mail, *command;

	/* The client. */
	struct net_addr peer;
	struct str name;         /* "unknown" unless its address and name agree */
	struct str reverse_name; /* what its address claims, or "unknown" */
	enum peer_name name_status, reverse_status;
	struct str address; /* "192.0.2.1", "2001:db8::1" */
	struct str port;
	struct str server_address, server_port; /* ours, that it has connected to */
	struct str client;                      /* "name[address]" as in log lines */
	bool suspect;          /* of a network that brings our processes down */
	struct str counted_as; /* as whom anvil knows it; empty: it is not limited */
	uint32_t counted_over; /* limits.c: the link that counted its connection; 0 */
	uint32_t connections;  /* that this client has, where they are counted */
	enum { NETWORK_UNASKED, NETWORK_OURS, NETWORK_STRANGE } network; /* $mynetworks */

	/* The dialogue. */
	const char *where;   /* the command in hand, for log lines: "RCPT" */
	struct str protocol; /* "SMTP", "ESMTP" */
	struct str helo;     /* none before HELO or EHLO */
	char helo_text[HELO_MOST];
	unsigned extensions; /* of ESMTP_*: see esmtp.h */
	bool ill_pipelining; /* spoke out of turn */
	bool closing;        /* the last reply was given */
	/* Who the client has logged in as, and how; data NULL: nobody. */
	struct str sasl_method, sasl_username;
	bool auth_discarded; /* EHLO left AUTH out: smtpd_discard_ehlo_keywords */
	struct str denied;   /* smtpd_delay_reject = no: why nothing is served */
	int errors, junk;
	unsigned ok[VERBS], tried[VERBS];
	/* For the postmaster: what was said, and what the command in hand would be guilty
	 * of if it failed (FAULT_; 0: of nothing). */
	struct transcript transcript;
	unsigned fault;
	struct str end_reason; /* of a session that ends before QUIT */
	struct buf content;    /* what the data scanner hands on */

	/* What is being decided on: see policy.c. */
	struct str asked_sender, asked_recipient; /* data NULL: not known yet */
	struct str asked_site;                    /* of ETRN */
	octets_t asked_size;                      /* SIZE= of MAIL */
	struct str refusal;                       /* reply to send: "554 5.7.1 ..." */
	struct walk walk;
	/* smtpd_delay_reject = no: what earlier stages put off. */
	struct deferral put_off_client, put_off_helo, put_off_sender;
	struct listings listings;
	struct milters *milters;    /* who hear of this session; NULL: none */
	bool milters_in_mail;       /* they heard of the transaction */
	bool milters_lent;          /* to cleanup, for the content */
	bool milters_repel;         /* one refused it for good at connect or HELO */
	struct str milters_refused; /* the refusal that they are being told of */
	struct actions actions;
	struct spf_known *spf;         /* in `mail`; NULL: nothing yet */
	uint32_t number, transactions; /* of this session in its process; ended ones */

	struct forwarded forwarded;
	struct transaction t;
};

/* The whole of it, greeting to goodbye: struct service's session. */
SWITCHES void smtpd_session(struct conn *conn);
/* A session with nobody yet, and its end, whatever it was about. */
struct session *session_open(struct conn *conn) MUST_CHECK;
SWITCHES void session_end(struct session *s);

/* Is the client in $mynetworks? TEMPFAIL: the table failed. */
SWITCHES enum dict_result session_client_is_ours(struct session *s);
/* Borrows the memory of a transaction, when it is not there yet. */
void session_begin_mail(struct session *s);
/* Composes s->client after name or address changed. */
void session_name_client(struct session *s);
/* Keeps the name of HELO, cut and without what has a meaning in a Received: header. */
void session_set_helo(struct session *s, struct str name);
/* "NOQUEUE" before there is a queue id. */
struct str session_queue_id(const struct session *s);
/* How long to wait for what comes next. */
deadline_t session_patience(const struct session *s);
/* Ends the transaction and forgets it (RSET, EHLO, the end of a message). */
void session_reset_mail(struct session *s);
/* Keeps a line of the dialogue for the postmaster, if he wants any. */
void session_note(struct session *s, enum transcript_side side, struct str line);
/* As which transaction policy servers know what is in hand: "1f3.2a.4". */
struct str session_instance(struct session *s);
/* Forgets everything but the connection: STARTTLS, XCLIENT. */
void session_restart(struct session *s);
/* The client hung up, or was too slow: logs it, and ends the session. `bytes`: content so
 * far, when it was sending some. */
void session_lost(struct session *s, enum conn_result why, struct str bytes);
/* Greets: 220, or the refusal of smtpd_client_restrictions. */
SWITCHES void session_greet(struct session *s);
/* Bytes that the client sent though it had to wait for us. */
struct str session_early_bytes(struct session *s);
/* Logs them; with smtpd_forbid_unauth_pipelining replies 554 and closes. */
SWITCHES void session_early_talker(struct session *s, struct str bytes);

/* ---- reply.c ---- */
/* One line: "250 2.1.0 Ok". Slows down after smtpd_soft_error_limit errors; soft_bounce
 * makes 5xx temporary; 421 and 521 close. Returns whether it was a positive reply. */
SWITCHES bool reply(struct session *s, int code, const char *fmt, ...) PRINTF(3, 4);
/* A reply that is text already, with its code in front. */
SWITCHES bool reply_text(struct session *s, struct str text);
SWITCHES bool reply_why(struct session *s, int code, const struct why *why);

/* ---- peer.c ---- */
/* Finds out name, address and port of the client. False, and logged: it had to say by the
 * PROXY protocol who it is, and did not. */
SWITCHES bool peer_identify(struct session *s) MUST_CHECK;
/* Somebody whom we trust says that this is the client. */
void peer_claimed(struct session *s, const struct net_addr *client);
/* The name that belongs to s->address, checked forward (RFC 1912 section 2.1). */
SWITCHES void peer_find_name(struct session *s);

/* ---- received.c ---- */
/* The Received: header of the message in hand (RFC 5321 section 4.4), ending in LF; in
 * the arena of the transaction. */
struct str received_header(const struct session *s);

/* ---- cmd_starttls.c ---- */
/* The handshake; false when it failed, and the session with it. */
SWITCHES bool starttls_wrapped(struct session *s); /* from the first byte */

#endif
