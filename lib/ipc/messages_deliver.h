/* messages_deliver.h -- deliveries: qmgr and its agents, an agent and its children, and
 * who hears what came of it. */
#ifndef MESSAGES_DELIVER_H
#define MESSAGES_DELIVER_H

#include "ipc.h"

/* ---- delivery agents <-> qmgr ---- */
/* An agent's worker says what it can do; qmgr then sends `deliver` calls over this link.
 * Again whenever `slots` changed (0: finish what you have, send no more). */
#define agent_ready_NOTE(FIELD, LIST) \
	FIELD(STR, transport) /* the service name of master.cf */ \
	FIELD(U32, slots)     /* deliveries at a time */
IPC_NOTE(agent_ready, 10)

#define deliver_REQUEST(FIELD, LIST) \
	FIELD(STR, envelope) /* encoded, with only the recipients of this delivery */ \
	FIELD(STR, nexthop) \
	FIELD(U64, size)      /* of the whole content */ \
	FIELD(STR, content)   /* all of it, or its first part ... */ \
	FIELD(U64, rest)      /* ... and this many bytes in the descriptor sent along */ \
	FIELD(U64, active_us) /* when qmgr took it up: delays=a ends there */ \
	FIELD(BOOL, probe)    /* address verification: do not deliver */ \
	FIELD(BOOL, expired)  /* last attempt */ \
	FIELD(U32, per_connection) /* deliveries that a connection may have; 0: no limit \
				    */ \
	FIELD(BOOL, learn)         /* mail exchangers are of interest */
/* One for each recipient, in the order of the request. */
#define outcome_FIELDS(FIELD, LIST) \
	FIELD(U8, verdict)       /* ACCEPT delivered, TEMPFAIL, PERMFAIL */ \
	FIELD(STR, code)         /* 2.0.0 ... */ \
	FIELD(STR, text)         /* what stands in the parentheses of the log line */ \
	FIELD(STR, detail)       /* encoded dsn_detail */ \
	FIELD(BOOL, relayed)     /* handed to a host that does DSN itself */ \
	FIELD(BOOL, to_next_hop) /* TEMPFAIL is the destination's, not the message's */ \
	FIELD(STR, pass_to)      /* not decided here: "transport:nexthop" delivers it */
IPC_STRUCT(outcome)
#define deliver_REPLY(FIELD, LIST) \
	LIST(outcome, outcomes) \
	FIELD(BOOL, site_down) /* no conversation with the nexthop: suspend it */ \
	FIELD(STR, site_code) \
	FIELD(STR, site_text) \
	FIELD(STRS, \
		exchangers) /* of the next hop, where there are any and `learn` asked */
IPC_RPC(deliver, 11)

/* ---- local, virtual, pipe -> their own children, which run as one user each ---- */
/* Into a mailbox (lib/agent/writer.h). */
enum {
	MAILBOX_STRICT = 1,   /* refuse a file that belongs to somebody else */
	MAILBOX_NAMED = 2,    /* the user named the file: refuse programs, do without a
				 lock file where none can be made */
	MAILBOX_GIVES_UP = 4, /* wrong names and rights are a failure for good */
	MAILBOX_WAITS = 8,    /* a quota without room defers */
};
#define mailbox_REQUEST(FIELD, LIST) \
	FIELD(STR, path) /* Maildir: ends in / */ \
	FIELD(STR, headers) \
	FIELD(STR, sender) \
	FIELD(STR, content) /* as in deliver; the descriptor comes along */ \
	FIELD(U64, rest) \
	FIELD(U64, limit) \
	FIELD(STR, locks) \
	FIELD(U8, how)          /* MAILBOX_ bits */ \
	FIELD(U64, quota_bytes) /* of a Maildir; 0: none */ \
	FIELD(U64, quota_count)
#define mailbox_REPLY(FIELD, LIST) FIELD(U8, verdict) FIELD(STR, code) FIELD(STR, text)
IPC_RPC(mailbox, 13)
/* A .forward file or a list of addresses: the first of several paths that exists. */
#define list_file_REQUEST(FIELD, LIST) \
	FIELD(STR, home) /* must be there and accessible; or none */ \
	FIELD(STRS, paths) \
	FIELD(BOOL, links) /* follow a symbolic link */
#define list_file_REPLY(FIELD, LIST) \
	FIELD(U32, home_error) /* errno */ \
	FIELD(U32, found)      /* 1 and up: which path; 0: none of them exists */ \
	FIELD(U32, error)      /* errno of opening or reading that one */ \
	FIELD(BOOL, regular) \
	FIELD(U32, uid) \
	FIELD(U32, mode) \
	FIELD(U32, directory_mode) \
	FIELD(STR, content)
IPC_RPC(list_file, 14)
/* The user database (lib/agent/runner.h). */
#define user_REQUEST(FIELD, LIST) \
	FIELD(STR, name) /* empty: by uid */ \
	FIELD(U32, uid)
#define user_REPLY(FIELD, LIST) \
	FIELD(U32, error) /* errno; 0 and no name: there is no such user */ \
	FIELD(STR, name) \
	FIELD(U32, uid) \
	FIELD(U32, gid) \
	FIELD(STR, home) \
	FIELD(STR, shell)
IPC_RPC(user, 15)
/* A foreign command, fed with a message. */
enum {
	COMMAND_QUOTE_FROM = 1, /* > in front of "From " */
	COMMAND_QUOTE_DOT = 2,  /* a second . in front of . */
	COMMAND_BLANK_LINE = 4, /* an empty line at the end */
	COMMAND_TEXT = 8,       /* argv is one text for a shell, where it needs one */
};
#define command_REQUEST(FIELD, LIST) \
	FIELD(STRS, argv) \
	FIELD(STR, shell)        /* local_command_shell, or none */ \
	FIELD(STRS, environment) /* all of it: "NAME=value" */ \
	FIELD(STR, directory)    /* where it runs, or none */ \
	FIELD(U64, time_limit)   /* milliseconds */ \
	FIELD(STR, headers)      /* in front of the content */ \
	FIELD(STR, eol) \
	FIELD(U8, how)      /* COMMAND_ bits */ \
	FIELD(STR, content) /* as in deliver */ \
	FIELD(U64, rest)
/* text: when verdict is ACCEPT what the command said, or nothing. */
#define command_REPLY(FIELD, LIST) FIELD(U8, verdict) FIELD(STR, code) FIELD(STR, text)
IPC_RPC(command, 16)
/* A program that talks to whom a connection, the descriptor that comes along, leads to.
 */
#define serve_REQUEST(FIELD, LIST) \
	FIELD(STRS, argv) \
	FIELD(STRS, environment) /* all of it: "NAME=value" */ \
	FIELD(U64, time_limit)   /* milliseconds */
#define serve_REPLY(FIELD, LIST) \
	FIELD(U32, error)  /* errno: it was never run */ \
	FIELD(U32, status) /* as waitpid(2) tells */ \
	FIELD(U32, pid) \
	FIELD(BOOL, late) /* it was killed at its time limit */
IPC_RPC(serve, 19)

/* ---- qmgr -> bounce: one notice about some recipients ---- */
enum {
	NOTICE_FAILURE = 1,
	NOTICE_DELAY = 2,
	NOTICE_SUCCESS = 3,
	NOTICE_REPORT = 4, /* ENVELOPE_REPORT: of all outcomes */
	NOTICE_VERIFY = 5, /* ENVELOPE_VERIFY */
};
#define notice_rcpt_FIELDS(FIELD, LIST) \
	FIELD(STR, address) \
	FIELD(STR, original) \
	FIELD(STR, orcpt) \
	FIELD(STR, action) /* failed, delayed, delivered, relayed, expanded, \
			      deliverable, undeliverable */ \
	FIELD(STR, code) \
	FIELD(STR, text) \
	FIELD(STR, detail)
IPC_STRUCT(notice_rcpt)
#define notice_REQUEST(FIELD, LIST) \
	FIELD(U8, kind) \
	FIELD(STR, envelope) \
	LIST(notice_rcpt, rcpts) \
	FIELD(U64, size) \
	FIELD(STR, content) /* as in deliver */ \
	FIELD(U64, rest) \
	FIELD(U64, retry_until_us) \
	FIELD(STR, to) /* who hears of it, when not the envelope's sender (VERP) */
#define notice_REPLY(FIELD, LIST) \
	FIELD(U8, verdict)   /* ACCEPT: handed on, or none was due */ \
	FIELD(STR, queue_id) /* of the notice, or none */ \
	FIELD(STR, text)
IPC_RPC(notice, 12)
/* smtpd, smtp -> bounce: a session with errors, for the postmaster. */
enum { TRANSCRIPT_OF_SERVER, TRANSCRIPT_OF_CLIENT };
#define transcript_REQUEST(FIELD, LIST) \
	FIELD(BOOL, rejected) /* it goes to bounce_notice_recipient */ \
	FIELD(U8, whose)      /* TRANSCRIPT_OF_ */ \
	FIELD(STR, peer)      /* "name[address]" */ \
	FIELD(STR, text)      /* lines: "In:  " or "Out: ", and what was said */ \
	FIELD(STR, reason)    /* why it ended early, or none */
#define transcript_REPLY(FIELD, LIST) FIELD(U8, verdict)
IPC_RPC(transcript, 17)

/* ---- smtpd -> verify: does somebody take mail for this address? Answered when it is
 * known, or when `patience` milliseconds are over. ---- */
enum verify_status {
	VERIFY_UNKNOWN, /* the question is under way */
	VERIFY_OK,
	VERIFY_DEFER,  /* it could not be found out */
	VERIFY_BOUNCE, /* nobody does */
};
#define verify_REQUEST(FIELD, LIST) FIELD(STR, address) FIELD(U64, patience)
#define verify_REPLY(FIELD, LIST) \
	FIELD(U8, status) \
	FIELD(STR, text) /* of who said so */
IPC_RPC(verify, 43)

/* ---- qmgr -> verify: what became of a probe (ENVELOPE_PROBE). ---- */
#define probed_REQUEST(FIELD, LIST) \
	FIELD(STR, address) \
	FIELD(U8, status) /* enum verify_status */ \
	FIELD(STR, text)
#define probed_REPLY(FIELD, LIST) FIELD(U8, unused)
IPC_RPC(probed, 44)

#endif
