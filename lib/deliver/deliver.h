/* deliver.h -- what delivery agents share: the registration with qmgr, the content of a
 * message, the delivery record in the log, Maildir and mbox. */
#ifndef DELIVER_H
#define DELIVER_H

#include "base.h"
#include "event.h"
#include "messages.h"
#include "service.h"

/* One delivery request, decoded. */
struct delivery {
	struct deliver_request ask;
	struct envelope envelope;
	struct outcome *outcomes;    /* one for each envelope.rcpts; fill in all */
	bool site_down;
	struct str site_code, site_text;
	int rest_fd;		     /* ask.rest bytes, or -1 */
	struct arena *arena;	     /* the delivery's */
	const struct conf *conf;
	int64_t connected_us, started_us; /* ends of delays= c and start of d; 0: none */
	bool logged_all;
};

/* Registers this worker with qmgr (agent_ready), again whenever the link was lost, and runs
 * fn for each delivery in a coroutine of its own. fn sets every outcome; afterwards the
 * records that were not logged are logged and the reply is sent. Call from service.start. */
void agent_run(SWITCHES void (*fn)(struct delivery *d), uint32_t slots, enum co_stack stack);
extern const struct ipc_handler agent_handlers[]; /* for struct service */

/* Sets an outcome. relay is for the log ("none", "mx[192.0.2.1]:25", "virtual"). The line
 *	qid: to=<>, [orig_to=<>,] relay=, delay=, delays=, dsn=, status= (text)
 * is written now. */
void delivery_done(struct delivery *d, size_t rcpt, enum verdict verdict, const char *code,
	struct str relay, struct str text);
void delivery_all(struct delivery *d, enum verdict verdict, const char *code, struct str relay,
	struct str text); /* each recipient without an outcome yet */
/* The remote side of the last outcome set for rcpt, for the DSN. */
void delivery_remote(struct delivery *d, size_t rcpt, struct str mta, struct str reply);
bool delivery_decided(const struct delivery *d, size_t rcpt);

/* Walks the content: first d->ask.content, then the descriptor. 1 and a chunk, 0, -1. */
struct content_cursor {
	struct str first;
	int fd;
	octets_t left, at;
	char *buffer;
};
void content_open(struct content_cursor *c, struct str first, int fd, octets_t rest);
int content_next(struct content_cursor *c, struct str *chunk); /* BLOCKS briefly */
void content_close(struct content_cursor *c);

/* ---- mailboxes; in the child that runs as the recipient's user. All BLOCK. ---- */
struct mailbox_order {
	const char *path;	/* Maildir: ends in / */
	struct str headers;	/* Return-Path:, X-Original-To:, Delivered-To: lines */
	struct str sender;	/* for the From_ line of an mbox */
	struct str first;	/* content */
	int rest_fd;
	octets_t rest, size;
	octets_t limit;		/* 0: none */
	mode_t umask;
	const char *locks;	/* "fcntl, dotlock" */
};
/* File and directory are synced before ACCEPT. */
enum verdict maildir_deliver(const struct mailbox_order *o, struct why *why);
enum verdict mbox_deliver(const struct mailbox_order *o, struct why *why);

#endif
