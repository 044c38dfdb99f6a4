/* play.h -- the stage for smtpd's plays: a session on one end of a socket pair, the test
 * on the other, a cleanup that keeps what it gets, and a log that can be asked. */
#ifndef PLAY_H
#define PLAY_H

#include "messages.h"
#include "test.h"

/* What is sent (NULL: nothing), and how the answer begins. An answer of several lines is
 * compared by its first; NULL: none is awaited; "": the connection is closed. */
struct exchange {
	const char *send, *want;
};

/* main.cf of the plays that follow: a few settings that make sense here, then `text`. */
void play_conf(const char *text);
/* Writes a file into the test's directory; returns its path. */
const char *play_file(const char *name, const char *text);
/* One session. Each row is a check; says whether all were as wanted. */
bool play(const struct exchange *rows, size_t n);
#define PLAY(rows) play((rows), COUNT(rows))
/* Bytes in one go behind the greeting, then the end of the client's side. */
void play_feed(struct str send);
/* The same, answered by exactly `want`. */
void play_bytes(struct str send, const char *want);

/* Whom play_explain()'s client has logged in as; "": nobody. */
extern const char *play_login;
/* smtpd_explain() of mail from this client. may_ask: EXPLAIN_DNS ... The reply is in
 * arena. */
void play_explain(const char *client, const char *helo, const char *sender,
	const char *rcpt, unsigned may_ask, struct arena *arena,
	struct explain_reply *said);

/* What cleanup got last, and what it answers. */
extern struct play_mail {
	size_t count; /* messages that came whole since play_conf */
	struct envelope envelope;
	struct submit_request request;
	struct buf content;
	struct arena *arena;
} play_mail;
extern struct submit_reply play_verdict;
extern bool play_cleanup_dies; /* hangs up instead of an answer */
extern bool play_draining;     /* this process is to end */
extern bool play_suspect;      /* clients of the network have ended processes */
/* What a policy server answers to each question, whatever is asked; NULL: nobody is
 * there. What it was asked last. */
extern const char *play_policy;
extern struct buf play_policy_asked;
extern unsigned play_policy_connections;
/* What the auth server (smtpd_sasl_path) answers to each AUTH and CONT in turn, with @
 * for the number of the request; NULL: nobody is there. It offers PLAIN, LOGIN, ANONYMOUS
 * and SCRAM-SHA-256. */
extern const char *const *play_auth;
extern struct buf play_auth_asked; /* since play_conf */
/* What verify says of each address. */
extern struct verify_reply play_verified;
/* What dns knows; a name or address that is not here does not exist. data NULL: it cannot
 * be found out. */
struct play_record {
	const char *name, *data;
	int type;
};
extern const struct play_record *play_zone;
extern size_t play_zone_n;

/* Log lines since play_conf, each ending in a newline. */
bool play_logged(const char *part);
const char *play_log(void);
/* Everything the server said in the last play. */
extern struct buf play_said;

#endif
