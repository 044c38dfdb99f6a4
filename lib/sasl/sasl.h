/* sasl.h -- finds out who a client is, by SASL (RFC 4422), for programs whose protocol
 * has a command like AUTH. Secrets are judged elsewhere: by Dovecot's auth service, or by
 * Cyrus SASL in a process of its own. What the client sends passes through here in
 * base64, unread, and is wiped once it was handed on.
 *
 * One struct sasl serves all sessions of a process. */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "base.h"

/* ---- mechanisms, and which of them are good enough ---- */

/* What a mechanism is like. */
enum {
	SASL_PLAINTEXT = 1,   /* whoever listens learns the password */
	SASL_ACTIVE = 2,      /* an active attack is possible */
	SASL_DICTIONARY = 4,  /* guessing of what was overheard is possible */
	SASL_ANONYMOUS = 8,   /* anybody passes */
	SASL_MUTUAL = 16,     /* the server proves itself, too */
	SASL_FORWARD = 32,    /* what was overheard stays secret when keys get known */
	SASL_NOT_OFFERED = 64 /* not for clients, or in need of what we do not have */
};
struct sasl_mechanism {
	struct str name;
	unsigned properties;
};
struct sasl_options {
	unsigned forbidden, required; /* properties */
};
/* "noanonymous, noplaintext": the words of smtpd_sasl_security_options. PERMFAIL and
 * *why: the word that is none. */
enum verdict sasl_options_parse(
	struct str words, struct sasl_options *out, struct why *why) MUST_CHECK;
/* ---- a back end ---- */

struct sasl;
struct ipc_peer;
/* Types that can be asked for ("dovecot" ...), in order; NULL behind the last. */
const char *sasl_type(size_t i);
struct sasl_config {
	struct str type;
	struct str path;    /* private/auth, inet:host:port ... */
	struct str service; /* what the client wants: "smtp" */
	struct str realm;   /* of names without one, where the type has such; or none */
	/* dovecot: a connected descriptor to "unix:path" or "inet:host:port"; -1 and
	 * errno. */
	SWITCHES int (*connect)(const char *endpoint, deadline_t patience);
	/* cyrus: service_peer(), for our program sasl. */
	struct ipc_peer *(*peer)(const char *name);
};
/* Connects when it is first needed. NULL and *why: there is no such type. The strings are
 * copied. */
struct sasl *sasl_open(const struct sasl_config *config, struct why *why) MUST_CHECK;
/* No exchange may be under way. */
void sasl_close(struct sasl *s);

/* Who asks, how he is connected, and what is asked of mechanisms therefore. */
struct sasl_client {
	struct str client_address, server_address;
	bool secured; /* by TLS */
	struct sasl_options options;
};
/* The names of what the back end offers to this client, as of now or as it last said, in
 * the arena. False: it never said, and does not answer; logged. */
SWITCHES bool sasl_mechanisms(struct sasl *s, const struct sasl_client *client,
	struct arena *arena, struct strs *out);

/* ---- one authentication ---- */

enum sasl_status {
	SASL_MORE,     /* text: a challenge in base64, which wants a response */
	SASL_DONE,     /* username: who it is */
	SASL_REFUSED,  /* text: why, or nothing; username: who he said he is, or none */
	SASL_TEMPFAIL, /* it could not be found out; text: why */
};
struct sasl_answer {
	enum sasl_status status;
	struct str text, username; /* printable; in the arena of the exchange */
};
struct sasl_exchange;
/* mechanism: one of those that sasl_mechanisms() named. initial: the initial response
 * (RFC 4954 section 4) as it came; data NULL: none. The exchange has to be ended. */
SWITCHES struct sasl_exchange *sasl_begin(struct sasl *s,
	const struct sasl_client *client, struct str mechanism, struct str initial,
	struct sasl_answer *answer) MUST_CHECK;
/* After SASL_MORE: what the client said to the challenge. */
SWITCHES void sasl_continue(
	struct sasl_exchange *x, struct str response, struct sasl_answer *answer);
/* At any time; the answers' strings end with it. */
void sasl_end(struct sasl_exchange *x);

#endif
