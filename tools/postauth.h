/* postauth.h -- the subcommands of postauth(1), and what they share: the DNS, and what
 * main.cf says of a domain. */
#ifndef POSTAUTH_H
#define POSTAUTH_H

#include "conf.h"
#include "dkim_sign.h"
#include "messages.h"
#include "tls_sign.h"

/* Each is given its name as argv[0], with its own options behind it, has a --help of its
 * own, and gives the exit status. None of them needs a mail system that runs, or rights
 * of its. */
int postauth_spf(int argc, char **argv);
int postauth_verify(int argc, char **argv);
int postauth_keygen(int argc, char **argv);
int postauth_sign(int argc, char **argv);
int postauth_dns(int argc, char **argv);
int postauth_check(int argc, char **argv);
int postauth_reports(int argc, char **argv);

/* All of standard input; fatal when it cannot be read. */
void postauth_read_message(struct buf *message);
/* "<user@example>", or without the brackets. */
struct str postauth_sender(const char *text);

/* ---- postauth_options.c: options that some of them share ---- */
enum {
	POSTAUTH_DNS = 512,
	POSTAUTH_TIME,
	POSTAUTH_CLIENT,
	POSTAUTH_HELO,
	POSTAUTH_SENDER,
};
/* Of those that ask the DNS; and -c, in the other list of getopt_long(3). */
#define POSTAUTH_ASKING_OPTIONS \
	{ "dns", required_argument, NULL, POSTAUTH_DNS }, \
	{ \
		"time-limit", required_argument, NULL, POSTAUTH_TIME \
	}
struct postauth_asking {
	const char *directory, *server; /* as for postauth_dns_open() */
	msec_t patience;                /* for all questions */
};
/* Of those that judge a client. */
#define POSTAUTH_CLIENT_OPTIONS \
	{ "client-address", required_argument, NULL, POSTAUTH_CLIENT }, \
		{ "helo", required_argument, NULL, POSTAUTH_HELO }, \
	{ \
		"mail-from", required_argument, NULL, POSTAUTH_SENDER \
	}
struct spf_question;
/* False: it is none of these options. Fatal when its value is wrong. */
bool postauth_take_asking(int opt, const char *value, struct postauth_asking *out);
bool postauth_take_client(int opt, const char *value, struct spf_question *out);
bool postauth_has_client(const struct spf_question *q);

/* ---- postauth_records.c ---- */
/* A record of a zone, its text split into strings. */
void postauth_print_txt(struct str name, struct str text);

/* ---- postauth_site.c: what the configuration says of a domain ---- */
struct site_key {
	struct dkim_signer signer;
	struct str record;  /* to be published; empty: */
	struct str problem; /* why it is not known */
};
struct site {
	struct arena *arena; /* owns all strings */
	const struct conf *conf;
	struct str domain, host; /* host: myhostname */
	struct site_key keys[DKIM_SIGNERS_MOST];
	size_t n_keys;
	struct buf tls_keys; /* as tls_certificate_keys() tells them */
};
/* A domain in its ASCII form; fatal when it is none. */
struct str postauth_domain(const char *text, struct arena *arena);
/* Reads main.cf, tables and files; fatal when that cannot be done, but for single keys
 * and certificates. */
void postauth_site_read(struct site *s, const char *directory, struct str domain);
/* Is there a main.cf to be read? An ordinary user may have none. */
bool postauth_site_exists(const char *directory);
/* NULL and why->text. */
struct sign_key *postauth_read_key(const char *path, struct why *why);
/* Appends what is published of a key. */
void postauth_key_record(const struct sign_key *key, struct buf *out);

/* ---- postauth_report_print.c ---- */
struct dmarc_report;
/* A table for people; what a terminal would obey is escaped. */
void postauth_print_report(const struct dmarc_report *r);
/* One line of JSON. */
void postauth_print_report_json(const struct dmarc_report *r);

/* ---- postauth_report_send.c ---- */
/* Sends what is in dmarc_report_store to those who want it; the exit status. server: as
 * for postauth_dns_open(). */
int postauth_send_reports(const char *directory, const char *server);

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
