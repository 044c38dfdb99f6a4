/* session.h -- one client of postscreen: who it is, which tests it has before it, and
 * what it gets to hear. */
#ifndef SESSION_H
#define SESSION_H

#include "cache.h"
#include "net.h"
#include "site.h"

/* Beside the tests: what else makes a client that is not remembered as a good one. */
#define FAILED_DENIED TEST_BIT(TESTS)     /* postscreen_access_list */
#define FAILED_VETO   TEST_BIT(TESTS + 1) /* postscreen_allowlist_interfaces */
#define VERB_MOST     12

struct session {
	struct conn *conn;
	const struct site *site;
	const struct params *p; /* those of stress when it began in stress */
	struct arena *arena;
	struct arena *command; /* of the command in hand */

	struct net_addr peer, server;
	char address[NET_ADDR_TEXT], server_address[NET_ADDR_TEXT];
	struct str client;    /* "[192.0.2.1]:4711" as in log lines */
	struct client *known; /* what is known of its address, shared by its sessions */
	int64_t phase_us;     /* when the tests in hand began */

	/* Bits of tests. */
	unsigned todo, passed, failed, skipped;
	bool is_new;   /* some test has never been passed */
	bool screened; /* it talks, or has talked, to us: no smtpd gets it any more */
	bool over;
	bool counted;       /* as one in the tests */
	struct str refusal; /* of RCPT: "550 5.5.1 Protocol error" */

	/* The dialogue. */
	const char *where; /* the command before, for log lines */
	struct str protocol, helo;
	struct str sender;  /* data NULL: no MAIL yet */
	struct arena *mail; /* of sender */
	int commands;
};

/* struct service's session. */
SWITCHES void postscreen_session(struct conn *conn);
/* Connections at this moment. */
size_t sessions_open(void);
/* This one is in the tests no more: they have room for another client. */
void sessions_leave(struct session *s);

/* A test is passed, and will be believed for so long. */
void session_passes(struct session *s, enum test_kind test, msec_t ttl);
/* It is failed, and the configured thing happens: with ENFORCE `refusal` is what RCPT
 * gets, with DROP `farewell` what the client gets. False: it is dropped. */
bool session_fails(struct session *s, enum test_kind test, const char *refusal,
	const char *farewell);
/* The last words; nothing is read any more. */
SWITCHES void session_drop(struct session *s, const char *text);
/* The client went away. */
void session_hangup(struct session *s, const char *phase);
/* Ends the session: logs what it has passed, and remembers that. */
SWITCHES void session_conclude(struct session *s);
/* Sends one reply: "550 5.5.1 Protocol error"; false when it could not be sent. */
SWITCHES bool session_reply(struct session *s, const char *fmt, ...) PRINTF(2, 3);
SWITCHES bool session_reply_text(struct session *s, struct str text);

/* early.c: the tests before the greeting. */
SWITCHES void early_tests(struct session *s);
/* engine.c: the greeting, and the tests behind it, in a dialogue that takes no mail. */
SWITCHES void deep_tests(struct session *s);
/* pass.c: the connection goes to smtpd. */
SWITCHES void pass_to_smtpd(struct session *s);

/* verbs.c: one command of the dialogue. */
struct verb {
	struct str name;
	/* False: the reply could not be sent. */
	SWITCHES bool (*run)(struct session *s, struct str rest);
	unsigned flags;
};
enum {
	VERB_PRE_TLS = 1, /* goes without TLS, too, where that is demanded */
	VERB_PAYLOAD = 2, /* what comes with it is no command */
	VERB_QUIT = 4,
	VERB_RCPT = 8, /* who gets here has passed the tests */
};
/* NULL: there is none. */
const struct verb *verb_find(struct str word);

#endif
