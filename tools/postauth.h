/* postauth.h -- the subcommands of postauth(1), and what they share: the DNS. */
#ifndef POSTAUTH_H
#define POSTAUTH_H

#include "messages.h"

/* Each is given its name as argv[0], with its own options behind it, has a --help of its
 * own, and gives the exit status. None of them needs a mail system that runs, or rights
 * of its. */
int postauth_spf(int argc, char **argv);
int postauth_verify(int argc, char **argv);
int postauth_keygen(int argc, char **argv);
int postauth_sign(int argc, char **argv);

/* All of standard input; fatal when it cannot be read. */
void postauth_read_message(struct buf *message);
/* "<user@example>", or without the brackets. */
struct str postauth_sender(const char *text);

/* ---- postauth_dns.c ---- */
/* To be called once: begins the loop. server: "HOST:PORT", or NULL for dns_servers in the
 * main.cf of `directory` (NULL: the default one, if it can be read), or else those of
 * resolv.conf. Fatal when there is no such server. */
void postauth_dns_open(const char *server, const char *directory);
/* Runs fn(arg) as a coroutine, and returns when it has ended. */
void postauth_run(void (*fn)(void *arg), void *arg);
/* One question, as dns(8) answers it; DNS_TEMPFAIL also when `until` passes. (It fits
 * struct auth_dns.) The arena has to stay until the program ends. */
SWITCHES enum dns_status postauth_ask(void *unused, struct str name, uint16_t type,
	struct arena *arena, deadline_t until, struct dns_reply *said);

#endif
