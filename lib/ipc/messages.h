/* messages.h -- everything our processes say to each other, declared once. New fields go
 * last; a peer skips what it does not know and reads a missing one as zero. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "ipc.h"

/* ---- the envelope: also what the spool stores with a message ---- */

/* NOTIFY= of RFC 3461 as bits; 0: not given. */
enum {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
	/* Not a recipient: an alias that became some of the others, which its sender
	 * wants to hear ("expanded", RFC 3461 section 5.2.7.2). Nothing is delivered to
	 * it. */
	NOTIFY_EXPANDED = 16,
};
enum { RET_NONE = 0, RET_FULL = 1, RET_HDRS = 2 };
/* envelope.flags */
enum {
	ENVELOPE_8BIT = 1,        /* BODY=8BITMIME */
	ENVELOPE_SMTPUTF8 = 2,    /* RFC 6531 */
	ENVELOPE_LOCAL = 4,       /* came through sendmail/pickup */
	ENVELOPE_BOUNCE = 8,      /* made by bounce */
	ENVELOPE_FORWARDED = 16,  /* made by local */
	ENVELOPE_HOLD = 32,       /* goes on hold */
	ENVELOPE_NO_MAPPING = 64, /* receive_override_options and the like */
	ENVELOPE_REQUIRETLS = 128,
	ENVELOPE_REWRITE = 256, /* header rewriting for local clients applies */
	ENVELOPE_VERIFY = 512,  /* sendmail -bv: nothing is delivered; the sender hears
				   what would have been */
	ENVELOPE_REPORT = 1024, /* sendmail -v: he hears what came of the first attempt */
	ENVELOPE_NO_CHECKS = 2048, /* receive_override_options = no_header_body_checks */
	ENVELOPE_DISCARD = 4096,   /* taken, and forgotten: an access table said so */
	ENVELOPE_PROBE = 8192,     /* nothing is delivered; verify hears what would be */
	ENVELOPE_MILTERS = 16384,  /* non_smtpd_milters see it; our own notices are also
				      looked at by header and body checks */
	ENVELOPE_STRANGER = 65536, /* nothing that it says of itself is believed */
	ENVELOPE_SIGN = 32768,     /* of a client whose mail dkim_sign_maps sign */
};
#define rcpt_FIELDS(FIELD, LIST) \
	FIELD(STR, address)  /* as rewritten; no <> */ \
	FIELD(STR, original) /* X-Original-To: as given by the client; none = address */ \
	FIELD(STR, orcpt)    /* "rfc822;user@example": ORCPT decoded, or none */ \
	FIELD(U8, notify) \
	FIELD(BOOL, forwarded) /* it goes out as from ATTRIBUTE_SRS, if there is one */
IPC_STRUCT(rcpt)
/* As it was before any of our tables changed it. */
static inline struct str
rcpt_original(const struct rcpt *r)
{
	return r->original.data ? r->original : r->address;
}

/* envelope.attributes that cleanup adds: an address the message was delivered to before.
 */
#define ATTRIBUTE_DELIVERED "delivered_to="
/* Two delimiters: each recipient gets a sender of his own (VERP). */
#define ATTRIBUTE_VERP "verp_delimiters="
/* The sender that recipients hear of to whom it is forwarded (SRS). */
#define ATTRIBUTE_SRS "srs_sender="
/* The transport:nexthop that all of it goes through, before any routing. */
#define ATTRIBUTE_FILTER "content_filter="
/* For cleanup: all of it goes to this address instead; a copy goes to that one. */
#define ATTRIBUTE_REDIRECT "redirect="
#define ATTRIBUTE_BCC      "bcc="

#define envelope_FIELDS(FIELD, LIST) \
	FIELD(STR, queue_id) \
	FIELD(U64, arrival_us) /* when the message began to arrive, since 1970 */ \
	FIELD(STR, sender)     /* empty: <> */ \
	FIELD(STR, envid)      /* ENVID decoded, or none */ \
	FIELD(U8, ret) \
	FIELD(U32, flags) \
	FIELD(STR, client_name) \
	FIELD(STR, client_address) \
	FIELD(STR, client_port) \
	FIELD(STR, helo) \
	FIELD(STR, protocol) /* SMTP, ESMTP; none for local mail */ \
	FIELD(STR, sasl_method) \
	FIELD(STR, sasl_username) \
	FIELD(STR, sasl_sender) \
	FIELD(STRS, attributes) /* further ones, "name=value" */ \
	LIST(rcpt, rcpts)
IPC_STRUCT(envelope)
/* The first attribute "name=value" of that "name="; STR_NONE: there is none. */
static inline struct str
envelope_attribute(const struct envelope *e, struct str name)
{
	for (size_t i = 0; i < e->attributes.n; i++)
		if (str_starts(e->attributes.items[i], name))
			return str_from(e->attributes.items[i], name.len);
	return STR_NONE;
}

/* A milter's connection, which goes along, from the envelope to the content: what was
 * agreed on with it (lib/milter). */
#define milter_lent_FIELDS(FIELD, LIST) \
	FIELD(STR, endpoint) \
	FIELD(STR, default_action) \
	FIELD(U8, state) \
	FIELD(U8, wish) /* its answer to everything, once it is done */ \
	FIELD(STR, text) \
	FIELD(U32, version) \
	FIELD(U32, protocol) \
	FIELD(U64, content_timeout) /* msec */ \
	FIELD(STRS, header_macros)  /* those that it wants; none: the usual ones */ \
	FIELD(STRS, end_macros) \
	FIELD(BOOL, connected) /* there is a descriptor for it */
IPC_STRUCT(milter_lent)

/* ---- smtpd, pickup, bounce, local -> cleanup: one message; content follows as a stream,
 * lines ending in LF, dots unstuffed. cleanup's own Received: etc. are added there. ----
 */
#define submit_REQUEST(FIELD, LIST) \
	FIELD(STR, envelope)  /* encoded; queue_id may be empty: cleanup makes one */ \
	FIELD(STR, received)  /* the Received: header to put first, or none */ \
	FIELD(STR, origin)    /* "name[addr]" or "local", for log lines */ \
	FIELD(STRS, prepend)  /* header lines to put in front */ \
	FIELD(U8, crashes)    /* cleanup processes that died under this one already */ \
	FIELD(STR, full_name) /* of the sender, for a From: that is missing */ \
	LIST(milter_lent, milters) /* descriptors of those connected: in this order */ \
	FIELD(STRS, macro_names)   /* what macros are worth, for them */ \
	FIELD(STRS, macro_values) \
	FIELD(STRS, results)  /* for Authentication-Results: what smtpd knows already */ \
	FIELD(U8, spf_result) /* enum spf_result; for DMARC */ \
	FIELD(STR, spf_domain)
#define submit_REPLY(FIELD, LIST) \
	FIELD(U8, verdict) /* enum verdict; ACCEPT: it survives a power cut */ \
	FIELD(STR, code) \
	FIELD(STR, text) \
	FIELD(STR, queue_id) \
	FIELD(U16, smtp_code) /* of the reply to the client, or 0 */ \
	FIELD(BOOL, verbatim) /* text is the site's own words */ \
	FIELD(STR, milters)   /* an octet for each: not 0: its connection is spoilt */ \
	FIELD(STR, reply)     /* a milter's own: whole lines, or none */
IPC_RPC(submit, 1)

/* ---- cleanup -> spool: the finished message. Small content comes in the request; a body
 * too large for it follows as a stream and is stored in a file of its own. ---- */
#define spool_put_REQUEST(FIELD, LIST) \
	FIELD(STR, queue_id) \
	FIELD(U64, arrival_us) \
	FIELD(U32, recipients) \
	FIELD(BOOL, hold) \
	FIELD(STR, envelope) \
	FIELD(STR, content)  /* all of it, or its first part when `large` */ \
	FIELD(BOOL, large)   /* the rest follows as a stream */ \
	FIELD(BOOL, corrupt) /* not mail to be delivered: a file in corrupt/ for the \
				admin */ \
	FIELD(BOOL, again)   /* another cleanup had it and died: perhaps it is stored, \
				under this queue id */
#define spool_put_REPLY(FIELD, LIST) \
	FIELD(U32, error) /* errno; 0: durable. ENOSPC: 452 */ \
	FIELD(U64, mid) \
	FIELD(BOOL, behind) /* as in spool_pace */
IPC_RPC(spool_put, 2)

/* ---- qmgr -> spool ---- */
/* What happened to recipients of a message. */
enum spool_state_kind {
	SPOOL_DONE = 1,     /* these recipients are finished: delivered */
	SPOOL_FAILED = 2,   /* finished, and their failure must be reported */
	SPOOL_DEFERRED = 3, /* try again at `when` */
	SPOOL_NOTIFIED = 4, /* their notice was accepted by cleanup */
	SPOOL_HOLD = 5,
	SPOOL_RELEASE = 6,     /* from hold, into deferred with wake time `when` */
	SPOOL_EXPIRE = 7,      /* treat as expired at the next attempt */
	SPOOL_WAKE = 8,        /* flush: wake time becomes `when` */
	SPOOL_FINISHED = 9,    /* the message ends here */
	SPOOL_DELAY_SENT = 10, /* the delay notice was handed on */
	SPOOL_REQUEUE = 11,    /* what is left goes through cleanup, at `when` */
	SPOOL_REROUTE = 12,    /* what is left goes to transport:nexthop, in `reason` */
};
#define spool_state_FIELDS(FIELD, LIST) \
	FIELD(U64, mid) \
	FIELD(U8, kind) \
	FIELD(U64, when_us) \
	FIELD(STR, rcpts)  /* u32 indices into envelope.rcpts, big endian; empty: all */ \
	FIELD(STR, status) /* "4.4.1" */ \
	FIELD(STR, reason) /* text for mailq, log and DSN */ \
	FIELD(STR, detail) /* encoded struct dsn_detail, for notices */
IPC_STRUCT(spool_state)
#define dsn_detail_FIELDS(FIELD, LIST) \
	FIELD(STR, remote_mta) /* "dns; mx.example" without the type, or none */ \
	FIELD(STR, diagnostic) /* the remote reply, or none */ \
	FIELD(U8, diagnostic_is_smtp) \
	FIELD(U64, when_us) \
	FIELD(BOOL, expanded) /* success means that it became other recipients */
IPC_STRUCT(dsn_detail)
/* Written before the answer, flushed within 100 ms. */
#define spool_update_REQUEST(FIELD, LIST) LIST(spool_state, states)
#define spool_update_REPLY(FIELD, LIST)   FIELD(U32, error)
IPC_RPC(spool_update, 3)
/* After this call spool sends a spool_message note for each live message, then for each
 * new one, and spool_moved notes. The reply comes after the last of the old ones. */
#define spool_watch_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define spool_watch_REPLY(FIELD, LIST)   FIELD(U64, messages)
IPC_RPC(spool_watch, 4)
#define spool_at_FIELDS(FIELD, LIST) \
	FIELD(U32, segment) FIELD(U32, offset) FIELD(U32, length)
IPC_STRUCT(spool_at)
#define spool_message_NOTE(FIELD, LIST) \
	FIELD(U64, mid) \
	FIELD(U32, segment) \
	FIELD(U32, offset) \
	FIELD(U32, length) /* of the record */ \
	FIELD(U64, size)   /* of the content */ \
	FIELD(STR, queue_id) \
	FIELD(U64, arrival_us) \
	FIELD(U64, wake_us) /* 0: at once */ \
	FIELD(BOOL, hold) \
	FIELD(BOOL, expire) \
	FIELD(STR, envelope)   /* new mail only, else none: read it at the position */ \
	LIST(spool_at, states) /* its state records, oldest first */
IPC_NOTE(spool_message, 5)
/* Where a message and its state records are by now: the cleaner moved them, or an update
 * left it alive with more records (sent before that update's reply). */
#define spool_moved_NOTE(FIELD, LIST) \
	FIELD(U64, mid) \
	FIELD(U32, segment) \
	FIELD(U32, offset) \
	FIELD(U32, length) \
	LIST(spool_at, states)
IPC_NOTE(spool_moved, 6)
/* qmgr -> spool: more new mail comes than qmgr can take up, or no longer. */
#define spool_pace_NOTE(FIELD, LIST) FIELD(BOOL, behind)
IPC_NOTE(spool_pace, 8)
/* How much room the queue takes: asked of qmgr by root and the mail owner, who asks
 * spool. Octets are counted since spool started. */
#define spool_space_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define spool_space_REPLY(FIELD, LIST) \
	FIELD(U32, error) \
	FIELD(U64, messages) \
	FIELD(U64, live) /* octets of messages and states that count */ \
	FIELD(U64, disk) \
	FIELD(U64, limit) /* of disk, while there is something to clean */ \
	FIELD(U32, segments) \
	FIELD(U32, spares)    /* of these, empty */ \
	FIELD(U64, written)   /* new mail, states and what the cleaner wrote */ \
	FIELD(U64, moved)     /* of these, by the cleaner */ \
	FIELD(BOOL, full)     /* new mail is refused */ \
	FIELD(BOOL, indexing) /* old messages are not all known yet */
IPC_RPC(spool_space, 7)

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
	FIELD(BOOL, expired)  /* last attempt */
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
	FIELD(STR, site_text)
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

/* ---- qmgr -> pickup: what is left of a message becomes a new one (postsuper -r). ----
 */
#define requeue_REQUEST(FIELD, LIST) \
	FIELD(STR, envelope) /* with the recipients that are left */ \
	FIELD(STR, content)  /* as in deliver */ \
	FIELD(U64, rest)
#define requeue_REPLY(FIELD, LIST) \
	FIELD(U8, verdict) /* as cleanup's; ACCEPT: the new one survives a power cut */ \
	FIELD(STR, code) \
	FIELD(STR, text)
IPC_RPC(requeue, 18)

/* ---- dns ---- */
enum dns_status { DNS_OK, DNS_NXDOMAIN, DNS_NODATA, DNS_TEMPFAIL };
enum {
	DNS_VALIDATE = 1, /* use the validating context; `secure` means something */
	DNS_HOSTS = 2,    /* A and AAAA: /etc/hosts in nsswitch order as well */
	DNS_DEFNAMES = 4, /* a name without dots: with the first domain of `search` */
	DNS_SEARCH = 8,   /* any name: with each domain of `search`, resolv.conf(5) */
};
/* data: A and AAAA in text form; of MX, PTR, NS, CNAME and SRV a name without its last
 * dot ("" is the root); TXT joined; of others the rdata. */
#define dns_rr_FIELDS(FIELD, LIST) \
	FIELD(U16, type) \
	FIELD(U16, preference) /* MX, SRV priority */ \
	FIELD(U16, weight) \
	FIELD(U16, port) \
	FIELD(U32, ttl) \
	FIELD(STR, data)
IPC_STRUCT(dns_rr)
#define dns_REQUEST(FIELD, LIST) FIELD(STR, name) FIELD(U16, type) FIELD(U32, flags)
#define dns_REPLY(FIELD, LIST) \
	FIELD(U8, status) \
	FIELD(BOOL, secure) \
	FIELD(STR, name)   /* after CNAMEs */ \
	FIELD(STR, reason) /* "Host not found, try again" ... for DNS_TEMPFAIL */ \
	LIST(dns_rr, records) \
	FIELD(U32, \
		ttl) /* how long the answer is good, also that there is none; seconds */
IPC_RPC(dns, 20)

/* ---- proxymap: one look-up in a table behind a server ---- */
#define proxy_REQUEST(FIELD, LIST) \
	FIELD(STR, table) /* "mysql:/etc/..." */ \
	FIELD(STR, key) \
	FIELD(BOOL, proxied) /* named with proxy: */
#define proxy_REPLY(FIELD, LIST) \
	FIELD(U8, result) /* enum dict_result */ \
	FIELD(STR, value) \
	FIELD(STR, text) /* of an error */
IPC_RPC(proxy, 21)

/* ---- anybody <-> broker, over the socket that master gave to the worker ---- */
#define connect_REQUEST(FIELD, LIST) \
	FIELD(STR, peer) /* a service ("cleanup"), or a configured endpoint */
#define connect_REPLY(FIELD, LIST) \
	FIELD(U32, error) /* errno; 0: the connected descriptor comes along */
IPC_RPC(connect, 30)

/* ---- commands (root, mail owner) -> qmgr, through public/qmgr ---- */
enum queue_action {
	QUEUE_DELETE = 1,
	QUEUE_HOLD,
	QUEUE_RELEASE,
	QUEUE_REQUEUE,
	QUEUE_EXPIRE,
	QUEUE_FLUSH,
	QUEUE_REROUTE,
};
#define queue_mid_FIELDS(FIELD, LIST) FIELD(U64, mid)
IPC_STRUCT(queue_mid)
#define queue_change_REQUEST(FIELD, LIST) \
	FIELD(U8, action) \
	FIELD(STRS, queue_ids) /* empty: all */ \
	FIELD(STRS, queues)    /* names given after the ids; empty: all */ \
	LIST(queue_mid, \
		mids)     /* where the ids are to be found, or empty: look for them */ \
	FIELD(STR, route) /* QUEUE_REROUTE: transport:nexthop */
#define queue_change_REPLY(FIELD, LIST) \
	FIELD(U32, error) \
	FIELD(STRS, changed) /* the ids that were */
IPC_RPC(queue_change, 40)
/* Each message as showq and postcat need it; called again with the last mid until empty.
 */
#define queue_entry_FIELDS(FIELD, LIST) \
	FIELD(U64, mid) \
	FIELD(STR, queue) /* active, deferred, hold, incoming */ \
	FIELD(STR, queue_id) \
	FIELD(U64, arrival_us) \
	FIELD(U64, size) \
	FIELD(BOOL, expire) \
	FIELD(U32, segment) \
	FIELD(U32, offset) \
	FIELD(U32, length) \
	LIST(spool_at, states)
IPC_STRUCT(queue_entry)
#define queue_list_REQUEST(FIELD, LIST) \
	FIELD(U64, after) /* mid; 0: from the start */ \
	FIELD(U32, most) \
	FIELD(STRS, queue_ids) /* empty: all */
#define queue_list_REPLY(FIELD, LIST) LIST(queue_entry, entries)
IPC_RPC(queue_list, 41)

/* ---- smtpd -> flush: the mail of one site is to be tried now. Answered at once. ---- */
enum flush_status {
	FLUSH_OK,
	FLUSH_DENIED, /* not in fast_flush_domains */
	FLUSH_BAD,    /* cannot be a site */
	FLUSH_FAILED,
};
#define flush_REQUEST(FIELD, LIST) FIELD(STR, site)
#define flush_REPLY(FIELD, LIST)   FIELD(U8, status)
IPC_RPC(flush, 42)

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

/* ---- smtpd -> anvil: a client did something. How often by now? ---- */
enum anvil_event {
	ANVIL_CONNECT, /* counts as connected until anvil_gone, or the link's end */
	ANVIL_MAIL,
	ANVIL_RCPT,
	ANVIL_NEWTLS,
	ANVIL_AUTH,
	ANVIL_EVENTS,
};
/* Whom it is counted for. Only clients have connections. */
enum anvil_about {
	ANVIL_CLIENT,
	ANVIL_LOGIN,  /* "login:joe" */
	ANVIL_DOMAIN, /* of a sender: "domain:example.org" */
	ANVIL_ABOUTS,
};
#define anvil_REQUEST(FIELD, LIST) \
	FIELD(U8, event) \
	FIELD(BOOL, look) /* it has not happened yet: count nothing */ \
	FIELD(STR, \
		client)  /* "smtp:192.0.2.1": service, and address or network; or who */ \
	FIELD(U8, about) /* enum anvil_about */
#define anvil_REPLY(FIELD, LIST) \
	FIELD(U32, rate)  /* events of this kind in this time unit */ \
	FIELD(U32, count) /* its connections at this moment */
IPC_RPC(anvil, 50)
#define anvil_gone_NOTE(FIELD, LIST) FIELD(STR, client)
IPC_NOTE(anvil_gone, 51)

/* ---- smtpd -> greylistd: a client is there with this mail. Does it have to come again?
 * ---- */
#define greylist_REQUEST(FIELD, LIST) \
	FIELD(STR, network) /* "192.0.2.0/24" */ \
	FIELD(STR, sender) \
	FIELD(STR, recipient)
#define greylist_REPLY(FIELD, LIST) FIELD(U32, wait) /* seconds; 0: it may come in */
IPC_RPC(greylist, 52)

/* ---- postscreen -> smtpd, beside the descriptor of a client: between whom its
 * connection is. With the PROXY protocol the socket does not tell. ---- */
#define passed_FIELDS(FIELD, LIST) \
	FIELD(STR, client) /* an address; none: the socket tells */ \
	FIELD(U16, client_port) \
	FIELD(STR, server) \
	FIELD(U16, server_port)
IPC_STRUCT(passed)

/* ---- smtpd -> sasl: a socket comes along over which logins are judged by Cyrus SASL, in
 * the words of Dovecot's protocol (lib/sasl/dovecot_line.h). ---- */
#define sasl_attach_REQUEST(FIELD, LIST) \
	FIELD(STR, application) /* smtpd_sasl_path: names the configuration */ \
	FIELD(STR, service) \
	FIELD(STR, realm) /* smtpd_sasl_local_domain, or none */
#define sasl_attach_REPLY(FIELD, LIST) FIELD(U32, error)
IPC_RPC(sasl_attach, 70)

/* ---- smtpd -> tlsmgr: the keys of session tickets. The first is for new tickets, the
 * others are of tickets that are still good. ---- */
#define ticket_key_FIELDS(FIELD, LIST) FIELD(STR, bytes)
IPC_STRUCT(ticket_key)
#define ticket_keys_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define ticket_keys_REPLY(FIELD, LIST) \
	LIST(ticket_key, keys) \
	FIELD(U64, good_for) /* milliseconds: then there are others */
IPC_RPC(ticket_keys, 60)
/* ---- smtp -> tlsmgr: the TLS session of a server, for whoever connects there next. key:
 * the server, and all that must be the same. ---- */
#define tls_session_REQUEST(FIELD, LIST) FIELD(STR, key)
#define tls_session_REPLY(FIELD, LIST)   FIELD(STR, session) /* none: there is none */
IPC_RPC(tls_session, 61)
#define tls_session_keep_NOTE(FIELD, LIST) \
	FIELD(STR, key) \
	FIELD(STR, session)  /* replaces the one before */ \
	FIELD(U64, good_for) /* milliseconds */
IPC_NOTE(tls_session_keep, 62)
/* ---- smtpd -> tlsmgr: which certificates a service shows, and what is asked of their
 * private keys, which tlsmgr alone has (lib/net/tls_keys.h). ---- */
#define tls_certificates_FIELDS(FIELD, LIST) \
	FIELD(STR, key)           /* the name of the private key: a digest */ \
	FIELD(STRS, certificates) /* DER; that of the key, and those above it */
IPC_STRUCT(tls_certificates)
#define tls_identity_REQUEST(FIELD, LIST) \
	FIELD(STRS, chain_files) /* as the configuration names them */ \
	FIELD(STRS, pairs)       /* certificate file, key file, and so on */ \
	FIELD(U64, known)        /* the version that the caller has; 0: none */
#define tls_identity_REPLY(FIELD, LIST) \
	FIELD(U64, version) /* as known: chains are left out */ \
	LIST(tls_certificates, chains) \
	FIELD(STR, error) /* why there is nothing, or nothing newer */
IPC_RPC(tls_identity, 63)
/* The certificates for a server's name, of tls_server_sni_maps. */
#define tls_sni_REQUEST(FIELD, LIST) FIELD(STR, maps) FIELD(STR, name)
#define tls_sni_REPLY(FIELD, LIST) \
	LIST(tls_certificates, chains) /* none, and no error: not in the maps */ \
	FIELD(STR, error)
IPC_RPC(tls_sni, 64)
#define tls_key_REQUEST(FIELD, LIST) \
	FIELD(STR, key) \
	FIELD(BOOL, decrypt) \
	FIELD(BOOL, pss) \
	FIELD(STR, digest) \
	FIELD(U32, client_version) \
	FIELD(U32, negotiated_version) \
	FIELD(STR, data)
#define tls_key_REPLY(FIELD, LIST) \
	FIELD(STR, result) /* none: it could not be done */ \
	FIELD(STR, error) \
	FIELD(BOOL, unknown) /* there is no such key */
IPC_RPC(tls_key, 65)

/* ---- cleanup -> dkimsign: a DKIM signature. The key says which of the hashes it is for,
 * each of a header that names that algorithm. ---- */
#define dkim_sign_REQUEST(FIELD, LIST) \
	FIELD(STR, key) /* the name of its file */ \
	FIELD(STR, rsa_hash) \
	FIELD(STR, ed25519_hash)
#define dkim_sign_REPLY(FIELD, LIST) \
	FIELD(STR, signature) /* none: it could not be made */ \
	FIELD(BOOL, is_ed25519) \
	FIELD(STR, error)
IPC_RPC(dkim_sign, 66)

/* ---- cleanup -> dkimsign: the sender of forwarded mail, and whom mail to such a sender
 * is for (lib/auth/srs.h) ---- */
#define srs_REQUEST(FIELD, LIST) FIELD(STR, address) FIELD(BOOL, reverse)
#define srs_REPLY(FIELD, LIST) \
	FIELD(STR, address) /* none: */ \
	FIELD(STR, error) \
	FIELD(BOOL, refused) /* it is the address' fault */
IPC_RPC(srs, 68)

/* ---- cleanup -> mailauth: who has signed this message? Its content follows, lines
 * ending in LF, as it came from its client. ---- */
/* One signature of DKIM (lib/auth/dkim_verify.h). */
#define dkim_verdict_FIELDS(FIELD, LIST) \
	FIELD(U8, result)     /* enum dkim_result */ \
	FIELD(STR, domain)    /* d= */ \
	FIELD(STR, selector)  /* s= */ \
	FIELD(STR, identity)  /* i=, or none */ \
	FIELD(STR, algorithm) /* "rsa-sha256" ..., or none */ \
	FIELD(STR, part)      /* the beginning of b= (RFC 6008), or none */ \
	FIELD(STR, problem)   /* why it is no pass; printable ASCII, or none */ \
	FIELD(U32, key_bits)  /* 0: there was no key */ \
	FIELD(BOOL, \
		is_limited)  /* l= is given: what stands behind it anybody may write */ \
	FIELD(BOOL, is_test) /* the key says t=y */
IPC_STRUCT(dkim_verdict)
/* One seal of a chain (lib/auth/arc.h). */
#define arc_seal_FIELDS(FIELD, LIST) \
	FIELD(STR, domain)   /* in lower case */ \
	FIELD(BOOL, vouches) /* its set says that DMARC passed, for this author */
IPC_STRUCT(arc_seal)
/* spf_domain: whom SPF was asked about, or none. */
#define mail_auth_REQUEST(FIELD, LIST) \
	FIELD(STR, queue_id) \
	FIELD(BOOL, wants_dmarc) \
	FIELD(U8, spf_result) /* enum spf_result */ \
	FIELD(STR, spf_domain) \
	FIELD(BOOL, wants_arc)
#define mail_auth_REPLY(FIELD, LIST) \
	LIST(dkim_verdict, dkim) /* one for each signature */ \
	FIELD(STR, error)        /* none: that is the answer; else there is none */ \
	FIELD(U8, dmarc_result)  /* as struct dmarc_verdict (lib/auth/dmarc.h) */ \
	FIELD(U8, dmarc_policy) \
	FIELD(U8, dmarc_published) \
	FIELD(STR, dmarc_domain) \
	FIELD(U8, arc_result) /* as struct arc_verdict (lib/auth/arc.h) */ \
	FIELD(STR, arc_problem) \
	LIST(arc_seal, seals) \
	FIELD(STR, dmarc_record) \
	FIELD(BOOL, dmarc_dkim) \
	FIELD(BOOL, dmarc_spf)
IPC_RPC(mail_auth, 67)
/* A message as cleanup writes it down for the report to its author's domain (RFC 9990;
 * lib/auth/dmarc_store.h). Of each signature there are domain, selector and result. */
#define dmarc_seen_FIELDS(FIELD, LIST) \
	FIELD(U64, at)         /* seconds since 1970 */ \
	FIELD(STR, record)     /* the domain whose record counted */ \
	FIELD(STR, client)     /* its address */ \
	FIELD(STR, author)     /* the domain in From */ \
	FIELD(STR, sender)     /* the domain in MAIL FROM, or none */ \
	FIELD(U8, disposition) /* enum dmarc_policy: what was done */ \
	FIELD(U8, reason)      /* enum dmarc_departure: why it is not the policy */ \
	FIELD(BOOL, dkim)      /* hold for the author */ \
	FIELD(BOOL, spf) \
	FIELD(U8, spf_result)  /* enum spf_result */ \
	FIELD(STR, spf_domain) /* or none: nobody asked */ \
	LIST(dkim_verdict, signatures)
IPC_STRUCT(dmarc_seen)

/* ---- smtp -> stsd: what does a domain say of its mail exchangers (MTA-STS)? ---- */
#define sts_REQUEST(FIELD, LIST) FIELD(STR, domain)
#define sts_REPLY(FIELD, LIST) \
	FIELD(U8, mode) /* enum mta_sts_mode; MTA_STS_NONE: nothing */ \
	FIELD(STRS, mx)
IPC_RPC(sts, 69)

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
