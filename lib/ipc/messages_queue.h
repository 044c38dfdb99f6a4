/* messages_queue.h -- the queue: what spool keeps, what qmgr tells it, and what commands
 * and other daemons ask of qmgr. */
#ifndef MESSAGES_QUEUE_H
#define MESSAGES_QUEUE_H

#include "ipc.h"

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
/* Destinations that have mail now, or whose past still counts; groups that share limits
 * (shaping_maps); suspensions. */
enum destination_state {
	DESTINATION_OPEN,    /* nothing but its concurrency holds it up */
	DESTINATION_LIMITED, /* it waits for its limits or a rate delay */
	DESTINATION_DEAD,
	DESTINATION_GROUP,     /* of those that have its limits; no name of transport */
	DESTINATION_SUSPENDED, /* a suspension, whether there is mail or not */
};
#define queue_destination_FIELDS(FIELD, LIST) \
	FIELD(STR, transport) \
	FIELD(STR, nexthop) /* or the group */ \
	FIELD(U8, state) \
	FIELD(U32, waiting) /* deliveries */ \
	FIELD(U32, busy)    /* likewise */ \
	FIELD(U32, window)  /* that may be busy; 0: no limit */ \
	FIELD(STR, group)   /* that has its limits, or none */ \
	FIELD(STR, limits)  /* of a group, as they are now */ \
	FIELD(U32, slowed)  /* of a group: to 1/2^slowed */ \
	FIELD(STR, reason)
IPC_STRUCT(queue_destination)
#define destinations_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define destinations_REPLY(FIELD, LIST) \
	FIELD(U32, error) FIELD(U32, left_out) LIST(queue_destination, list)
IPC_RPC(destinations, 46)
/* Other destinations are suspended than before (lib/spool/suspension.h). */
#define suspensions_changed_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define suspensions_changed_REPLY(FIELD, LIST)   FIELD(U32, error)
IPC_RPC(suspensions_changed, 45)

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

#endif
