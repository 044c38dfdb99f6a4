/* ipc_impl.h -- the parts of a link, shared by the files of lib/ipc.
 *
 *	out.c	    frames on their way out
 *	link.c	    the descriptor: reading, writing, the end of a link
 *	call.c	    calls that we made, and their streams
 *	request.c   calls that were made to us
 *	peer.c	    named peers; hello.c: the first frame */
#ifndef IPC_IMPL_H
#define IPC_IMPL_H

#include "ipc.h"

enum frame_kind {
	FRAME_HELLO = 1,
	FRAME_CALL,
	FRAME_REPLY,
	FRAME_DATA,
	FRAME_END,
	FRAME_CREDIT, /* id of our call, payload u32: so many more bytes may be sent */
	FRAME_CANCEL,
	FRAME_NOTE,
	FRAME_LEAVE, /* ask somebody else from now on */
};
enum {
	FRAME_FD = 1,     /* a descriptor travels along */
	FRAME_STREAM = 2, /* of a CALL: DATA and END follow */
};
#define FRAME_HEADER 12

struct frame {
	uint32_t len, id;
	uint16_t type;
	uint8_t kind, flags;
};
void frame_put(char out[FRAME_HEADER], const struct frame *f);
void frame_get(const char *in, struct frame *f);

/* ---- out.c: what waits to be written ----
 * Small payloads are copied into pieces; a large one that outlives the frame's writing
 * (the caller waits for the reply) is borrowed. A piece with a descriptor begins with the
 * frame that it belongs to and starts a sendmsg() of its own, so the receiver gets the
 * two together. */
struct fds {
	int fd[IPC_FDS_MOST];
	size_t n;
};
void fds_close(struct fds *f);
int fds_take_first(struct fds *f); /* or -1 */
struct piece {
	struct piece *next;
	struct piece *
		*borrower; /* cleared when the piece is gone; NULL: bytes are our own */
	const char *data;
	size_t at, len, room;
	struct fds fds;
};
struct out {
	struct piece *first, *last;
	size_t pending;
	uint64_t queued, sent; /* bytes since the link began */
};
void out_frame(struct out *o, struct frame *f, struct str payload, int fd);
void out_frame_fds(
	struct out *o, struct frame *f, struct str payload, const int *fds, size_t n_fds);
/* As above with a payload that stays until *borrower is NULL. */
void out_frame_borrowed(struct out *o, struct frame *f, struct str payload, int fd,
	struct piece **borrower);
/* The borrower leaves early: copies what is unsent. */
void out_own(struct out *o, struct piece *p);
/* Writes what the kernel takes. 0 all, 1 would block, 2 would block on descriptors in
 * flight, -1 and errno. */
int out_write(struct out *o, int fd);
void out_free(struct out *o); /* the counters stay */

/* ---- a call that we made ----
 * The low bits of an id are the call's place in a table, the high ones count how often
 * that place was used. Every call gets exactly one reply, also one that was cancelled:
 * only then its place is free again, so that a late reply is never taken for another's.
 */
#define ID_SLOT_BITS 20
static inline uint32_t
id_slot(uint32_t id)
{
	return id & ((1u << ID_SLOT_BITS) - 1);
}
struct call {
	void (*fn)(void *arg, int error, struct str reply); /* NULL: given up */
	void *arg;
	int *reply_fd; /* where a descriptor goes, or NULL: closed */
	bool *unsent;  /* set when the link was lost before any of it was delivered */
	struct ipc_stream *stream;
	uint64_t begins; /* out.queued where its frame began */
	uint32_t id;
	bool open;
};

/* ---- a call that was made to us ---- */
struct chunk {
	struct chunk *next;
	size_t len;
	char data[];
};
struct request {
	struct ipc_request pub; /* first: handlers hold this */
	const struct ipc_handler *handler;
	struct caller *caller;
	uint32_t id;
	bool is_note, has_stream, ended, cancelled;
	struct chunk *first, *last, *reading;
	size_t held;     /* bytes of the payload that we keep */
	size_t unread;   /* bytes in chunks */
	size_t consumed; /* bytes read since the last CREDIT */
	struct co_queue reader;
	struct request *next, *prev; /* all of a link, notes too */
};

struct slot {
	struct request *request; /* NULL: free */
};

/* Who is at the other end, for as long as the link or one of its requests lives. */
struct caller {
	struct ipc_caller who;
	unsigned users;
};
void caller_drop(struct caller *c);

struct ipc_link {
	struct io io;
	struct out out;
	struct buf in;     /* the beginning of a frame */
	struct fds fds_in; /* descriptors whose frame is not complete yet */
	const struct ipc_handler *handlers;
	void *ctx, *own;
	void (*on_close)(struct ipc_link *, void *ctx);
	char name[128];
	struct caller *caller;
	struct ipc_peer *peer; /* that made this link, or NULL */
	bool wants_hello;
	uid_t trusted;
	bool closing;    /* the end is queued for the end of this turn */
	bool left;       /* the peer wants no more calls; ours end, then the link does */
	bool said_leave; /* to the peer */
	bool finishing;  /* the peer cannot send; read what it did, answer, close */
	bool read_out;   /* ... all of that was read */
	bool ended;      /* nobody will be told anything any more */
	bool blocked;    /* the kernel took no more; it will say when */
	bool paused;     /* requests hold too much: not reading */
	unsigned users;  /* the link itself, and coroutines that wait for it */
	struct event_later flush, end;
	struct timer again; /* reading goes on, or writing is tried once more */
	struct timer hello_timer;
	struct co_queue sent;   /* those who wait until less is pending */
	VEC(struct call) calls; /* by the low half of their id */
	VEC(uint32_t) free_calls;
	VEC(struct slot) slots;   /* requests that want an answer, likewise */
	struct request *requests; /* all of them, notes too */
	size_t streams_in;
	size_t held; /* bytes of payloads and chunks that requests keep */
};

/* Queues a frame to leave at the end of this turn. Borrowed: see out.c. */
void link_send(struct ipc_link *l, struct frame *f, struct str payload, int fd);
void link_send_fds(struct ipc_link *l, struct frame *f, struct str payload,
	const int *fds, size_t n_fds);
void link_send_borrowed(struct ipc_link *l, struct frame *f, struct str payload, int fd,
	struct piece **borrower);
void link_flush_later(struct ipc_link *l);
/* A peer broke the rules: says so and closes. Always false. */
bool link_malformed(struct ipc_link *l, const char *why);
/* Requests hold n bytes more; false: too much, the link is closed. */
bool link_hold(struct ipc_link *l, size_t n);
/* ... and less; reading goes on if it had stopped. */
void link_release(struct ipc_link *l, size_t n);
void link_finish_if_done(struct ipc_link *l); /* a request or a call has ended */
void link_drop(struct ipc_link *l);           /* one user less; the last one frees it */

/* call.c; each takes one frame and says whether the link goes on. */
bool call_take_reply(
	struct ipc_link *l, const struct frame *f, struct str payload, struct fds *fds);
bool call_take_credit(struct ipc_link *l, const struct frame *f, struct str payload);
void calls_fail(struct ipc_link *l);
/* ipc_link_call(); *unsent: see struct call. */
SWITCHES int call_wait(struct ipc_link *l, unsigned type, struct str payload, int fd,
	struct arena *arena, struct str *reply, int *reply_fd, deadline_t patience,
	bool *unsent);
/* request.c */
bool request_take_call(
	struct ipc_link *l, const struct frame *f, struct str payload, struct fds *fds);
bool request_take_data(struct ipc_link *l, const struct frame *f, struct str payload);
bool request_take_end(struct ipc_link *l, const struct frame *f);
bool request_take_cancel(struct ipc_link *l, const struct frame *f);
void requests_orphan(struct ipc_link *l);
/* peer.c */
void peer_lost(struct ipc_peer *p, struct ipc_link *l);
/* hello.c */
bool hello_take(struct ipc_link *l, const struct frame *f, struct str payload);

#endif
