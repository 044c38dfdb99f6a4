/* messages_explain.h -- what `postern explain` asks of daemons. */
#ifndef MESSAGES_EXPLAIN_H
#define MESSAGES_EXPLAIN_H

#include "ipc.h"

/* ---- postern explain -> a program that it has started for nothing else: what would you
 * do with this message, and why? (explain.h) ---- */
#define explain_step_FIELDS(FIELD, LIST) \
	FIELD(U8, depth)    /* it is part of the last step with a smaller one */ \
	FIELD(STR, kind)    /* "restriction", "table", "rewrite" ... */ \
	FIELD(STR, name)    /* of the restriction, the parameter ... */ \
	FIELD(STR, table)   /* "hash:/etc/aliases", or none */ \
	FIELD(STR, subject) /* the key, the address that it is about, or none */ \
	FIELD(STR, result)  /* a word: "permit", "found", "becomes" ... */ \
	FIELD(STR, text)    /* the value, the reply, or none */
IPC_STRUCT(explain_step)
/* explain_request.may_ask */
enum {
	EXPLAIN_DNS = 1,
	EXPLAIN_POLICY = 2,  /* policy servers */
	EXPLAIN_VERIFY = 4,  /* probes of addresses */
	EXPLAIN_AS_USER = 8, /* children that are somebody else, to read his files */
};
#define explain_REQUEST(FIELD, LIST) \
	FIELD(STR, envelope) /* encoded; of smtpd: sender and one recipient */ \
	FIELD(STR, client)   /* smtpd: the client's address */ \
	FIELD(STR, helo)     /* smtpd: what it says of itself */ \
	FIELD(U32, rcpt)     /* qmgr, agents: which of the envelope's */ \
	FIELD(STR, nexthop)  /* agents */ \
	FIELD(U32, may_ask)  /* that can answer, and may be bothered */ \
	FIELD(STR, login)    /* smtpd: as whom it has logged in, or none */
#define explain_REPLY(FIELD, LIST) \
	FIELD(U8, verdict) /* ACCEPT: it goes on */ \
	FIELD(STR, code)   /* "5.7.1", or none */ \
	FIELD(STR, text) \
	FIELD(STR, envelope) /* as it goes on */ \
	FIELD(BOOL, ends) /* nobody gets it any more: discarded, or all is forwarded */ \
	FIELD(STR, transport) /* qmgr; agents that pass it on */ \
	FIELD(STR, nexthop) \
	FIELD(STRS, forwarded) /* envelopes of what is sent as new mail */ \
	LIST(explain_step, steps) \
	FIELD(BOOL, left_out) /* steps beyond what can be told */
IPC_RPC(explain, 71)

#endif
