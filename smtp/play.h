/* play.h -- the stage for smtp's plays: a delivery on one side of a loopback connection,
 * a server that follows a script on the other, a dns that answers from a table, and a log
 * that can be asked. */
#ifndef PLAY_H
#define PLAY_H

#include "messages.h"
#include "smtp.h"
#include "test.h"

/* What the server waits for, and what it then says (a line end is added).
 *
 *	want CONNECT: the next connection; NULL: nothing; DATA_END: the content up to its
 *dot; else how the next line begins say  HANG_UP: closes; SILENCE: nothing */
#define CONNECT  "(connect)"
#define DATA_END "(content)"
#define HANG_UP  "(hang up)"
#define SILENCE  ""
struct line {
	const char *want, *say;
};

/* main.cf of the plays that follow. Timeouts are short then: the fields of play_settings
 * may be changed further. */
void play_conf(const char *text);
extern struct params *play_settings;

/* The message of the next play; play_conf() sets it to one from a@test to b@test. */
extern struct play_mail {
	struct envelope envelope;
	struct deliver_request request;
	struct rcpt rcpts[300];
} play_mail;
void play_rcpts(size_t n);        /* b0@test, b1@test ... */
extern bool play_on_default_port; /* the server's port is smtp_tcp_port */
extern const char *play_host;     /* the next hop is [play_host]:port; "127.0.0.1" */

/* Delivers to the server that plays `lines`; each line of the script is a check. */
void play(const struct line *lines, size_t n);
#define PLAY(lines) play((lines), COUNT(lines))
/* The same without a server: for next hops that lead nowhere. */
void play_alone(void);
/* How it ended. */
extern struct play_end {
	struct outcome outcomes[300];
	bool site_down;
	struct buf heard;   /* every line the server read, with \n */
	struct buf content; /* as it came, dots and all */
} play_end;
#define CHECK_OUTCOME(i, verdict_, code_, text_) \
	do { \
		CHECK_INT(play_end.outcomes[i].verdict, (verdict_)); \
		CHECK_STR(play_end.outcomes[i].code, (code_)); \
		CHECK_STR(play_end.outcomes[i].text, play_text(text_)); \
	} while (0)
/* The text with each @ replaced by "127.0.0.1[127.0.0.1]", each # by that and the port.
 */
const char *play_text(const char *text);
bool play_logged(const char *part);
const char *play_log(void);

/* What dns says. status DNS_OK: one record of `data` (TLSA: in hexadecimal); rows of the
 * same question gather; a CNAME answers all questions. A question without a row:
 * NXDOMAIN. An answer is secure where each row of it has the flag DNS_VALIDATE. */
struct zone_row {
	const char *name;
	uint16_t type;
	enum dns_status status;
	uint16_t preference;
	const char *data;
	uint32_t flags; /* only questions with these */
};
void play_zone(const struct zone_row *rows, size_t n);
extern bool play_dns_dies; /* hangs up instead of an answer */
/* Runs fn in a coroutine until it returns. */
void play_run(void (*fn)(void *), void *arg);

#endif
