/* agent.h -- what delivery agents share: the registration with qmgr, one delivery as a
 * coroutine, the delivery record in the log. */
#ifndef AGENT_H
#define AGENT_H

#include "base.h"
#include "deliver.h"
#include "event.h"
#include "messages.h"
#include "service.h"

/* One delivery request, decoded. */
struct delivery {
	struct deliver_request ask;
	struct envelope envelope;
	struct outcome *outcomes; /* one for each envelope.rcpts; fill in all */
	bool site_down;
	struct str site_code, site_text;
	struct strs exchangers; /* as in deliver's reply */
	int rest_fd;            /* ask.rest bytes, or -1 */
	struct arena *arena;    /* the delivery's */
	const struct conf *conf;
	int64_t started_us;   /* when this agent took it up: delays=b ends there */
	int64_t connected_us; /* when transmission began: delays=c ends; 0: no such */
	struct str tls;       /* tls= of the log, or none */
	unsigned conn_use;    /* how many deliveries used the connection, this included */
};

/* Registers this worker with qmgr (agent_ready), again whenever the link was lost, and
 * runs fn for each delivery in a coroutine of its own, on a large stack. fn sets every
 * outcome. Call from service.start. */
void agent_run(SWITCHES void (*fn)(struct delivery *d), uint32_t slots);
void agent_drain(void); /* asks qmgr for no more: service.drain */
extern const struct ipc_handler agent_handlers[];

/* struct service's explain: what fn says of a probe for ask->rcpt. */
SWITCHES void agent_explain(SWITCHES void (*fn)(struct delivery *d),
	const struct explain_request *ask, struct explain_reply *say,
	struct arena *arena);

/* This program's <program>_delivery_status_filter, from service.before_jail. */
void agent_filter(const char *parameter, struct str value);

/* Sets an outcome, after the filter and soft_bounce had their say. relay is for the log
 *("none", "mx[192.0.2.1]:25", "virtual"). The line qid: to=<>, [orig_to=<>,] relay=,
 *delay=, delays=, dsn=, status= (text) is written now. */
void delivery_done(struct delivery *d, size_t rcpt, enum verdict verdict,
	const char *code, struct str relay, struct str text);
/* The parts of it, where one recipient became several (aliases): what is made of what was
 * found, a record in the log for `address`, and the outcome of the whole. */
struct judgement {
	enum verdict verdict;
	char code[12];
	struct str text;
	bool softened; /* soft_bounce: a failure for good is tried again */
};
SWITCHES struct judgement delivery_judge(const struct delivery *d, enum verdict verdict,
	const char *code, struct str text);
/* original: STR_NONE or the same: not told. */
void delivery_record(const struct delivery *d, struct str address, struct str original,
	const struct judgement *j, struct str relay);
void delivery_settle(
	struct delivery *d, size_t rcpt, const struct judgement *j, struct str relay);
void delivery_all(struct delivery *d, enum verdict verdict, const char *code,
	struct str relay, struct str text); /* each recipient without an outcome yet */
/* Leaves rcpt to another transport, "name:nexthop"; qmgr sees to it. */
void delivery_pass(struct delivery *d, size_t rcpt, struct str to);
/* The remote side of the last outcome set for rcpt, for the DSN. */
void delivery_remote(struct delivery *d, size_t rcpt, struct str mta, struct str reply);
/* Success of rcpt is that something took it that tells nobody what becomes of it. */
void delivery_relayed(struct delivery *d, size_t rcpt);
/* Success of rcpt is that it became other recipients. */
void delivery_expanded(struct delivery *d, size_t rcpt);
/* Was the message delivered to address before (RFC 5321 section 6.3)? cleanup noted its
 * Delivered-To:. */
bool delivery_was_here(const struct delivery *d, struct str address);
/* The fields in front of what is delivered for good, in this order; addresses with the
 * quotes that mail has. X-Original-To: not where cleanup keeps no original recipient. */
enum { HEADER_RETURN_PATH = 1, HEADER_ORIGINAL_TO = 2, HEADER_DELIVERED_TO = 4 };
void delivery_headers(const struct delivery *d, const struct rcpt *rcpt,
	struct str sender, unsigned which, struct buf *out);
bool delivery_decided(const struct delivery *d, size_t rcpt);

#endif
