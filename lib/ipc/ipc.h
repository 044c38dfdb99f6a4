/* ipc.h -- how our processes talk: persistent Unix stream sockets, length-prefixed
 * frames, many requests in flight in both directions, everything pending written once per
 * turn of the loop. Messages are declared in messages.h. A peer is checked like a
 * stranger: a frame that breaks the rules closes the link, and says why in the log.
 *
 * Frame: u32 length of the payload, u32 id, u16 message number, u8 kind, u8 flags; then
 * the payload. Kinds: HELLO (first frame of a link: protocol version and who calls),
 * CALL, REPLY (same id as its CALL), DATA and END (the stream that belongs to a CALL),
 * CREDIT (flow control of that stream), CANCEL (the caller gave up), NOTE (wants no
 * answer). A flag says that descriptors travel with the frame (SCM_RIGHTS). Integers
 * are big endian. */
#ifndef IPC_H
#define IPC_H

#include "base.h"
#include "event.h"

#define IPC_VERSION     1
#define IPC_FRAME_LIMIT (4 * 1024 * 1024)  /* longest payload of one frame */
#define IPC_CHUNK       (64 * 1024)        /* longest DATA payload */
#define IPC_WINDOW      (256 * 1024)       /* bytes of a stream that may be unread */
#define IPC_CALLS_LIMIT 65536              /* calls in flight on a link, each way */
#define IPC_FDS_MOST    16                 /* descriptors with one frame */
#define IPC_OUT_LIMIT   (64 * 1024 * 1024) /* unsent bytes; a link with more is closed */

struct ipc_link;

/* Who is at the other end, as broker's HELLO says (the kernel says that it is broker).
 * For a command that connected by path: program "command", uid from the kernel. */
struct ipc_caller {
	char program[32], service[64];
	pid_t pid;
	uid_t uid;
};

/* ---- answering ---- */
struct ipc_request {
	struct ipc_link *link; /* NULL when it was lost; replies are then dropped */
	const struct ipc_caller *caller;
	void *ctx; /* of ipc_link_open */
	unsigned type;
	struct str payload; /* in arena */
	int fd; /* descriptor that came along, or -1; closed with the request */
	int more_fds[IPC_FDS_MOST - 1]; /* those that came with it */
	size_t n_more_fds;
	struct arena *arena; /* freed by ipc_reply */
	void *own;           /* the handler's */
};
struct ipc_handler {
	unsigned type;
	/* Runs in a coroutine of its own, and must end with ipc_reply (for a NOTE: with
	 * ipc_done). With `direct` it is called in the loop, may not switch, and may
	 * reply later. */
	void (*run)(struct ipc_request *rq);
	bool direct;
	enum co_stack stack;
	/* A CALL is not begun once its caller has hung up: he, or who follows him, asks
	 * again. Unless it tells what happened, which nobody else can tell. */
	bool last_words;
	/* With `direct`: payload is a view into the read buffer, good until run returns;
	 * saves the copy where the handler puts the bytes elsewhere anyway. */
	bool in_place;
};
/* Answers and frees rq. fd (or -1) is duplicated, not taken. (A peer may send a note
 * where a call belongs, or the other way round: either ending fits both.) */
void ipc_reply(struct ipc_request *rq, struct str payload, int fd);
void ipc_done(struct ipc_request *rq);
/* The stream of a CALL: 1 and a chunk (good until the next call), 0 at its end, -1 when
 * the caller gave up or was lost (ECONNRESET, ECANCELED, ETIMEDOUT). */
SWITCHES int ipc_request_read(
	struct ipc_request *rq, struct str *chunk, deadline_t patience);
/* Did the caller cancel, or vanish? */
bool ipc_request_gone(const struct ipc_request *rq);

/* ---- links ---- */
/* Takes over a connected descriptor. handlers end with a zero type (NULL: answers
 * nothing). on_close is called once in the loop, also after ipc_link_close(), when every
 * pending call has failed; the link is freed after it returns. */
struct ipc_link *ipc_link_open(int fd, const struct ipc_handler *handlers, void *ctx,
	void (*on_close)(struct ipc_link *, void *ctx), const char *peer_name);
/* The accepting side: waits for HELLO first, which must come from a process that is root,
 * `trusted`, or ourselves (SO_PEERCRED). */
struct ipc_link *ipc_link_accept(int fd, const struct ipc_handler *handlers, void *ctx,
	void (*on_close)(struct ipc_link *, void *ctx), uid_t trusted);
/* Writes a HELLO on a blocking descriptor: what broker (and commands) do first. */
int ipc_hello(int fd, const struct ipc_caller *caller) MUST_CHECK;
/* Do the first bytes of a connection look like a HELLO? (A trigger's or a reader's do
 * not: the first byte of a HELLO is always 0.) */
bool ipc_is_hello(struct str bytes);
/* What follows one, in bytes that begin with it. */
struct str ipc_after_hello(struct str bytes);
const struct ipc_caller *ipc_link_caller(const struct ipc_link *l);
void ipc_link_close(struct ipc_link *l); /* flushes what it can; pending calls fail */
/* Nothing is asked or answered over it at the moment, and nothing waits to be read. */
bool ipc_link_idle(const struct ipc_link *l);
/* For who is asked: the peer, if it knows us by name, makes no new calls over this link
 * and closes it after the last answer. Nothing happens before its HELLO, or when it has
 * been told: ask again. */
void ipc_link_leave(struct ipc_link *l);
/* Where it does not: from now on the peer's writes fail at once, so that it asks somebody
 * else; what it has sent is still answered, then the link closes. */
void ipc_link_finish(struct ipc_link *l);
void *ipc_link_own(struct ipc_link *l); /* a pointer of the user's */
void ipc_link_set_own(struct ipc_link *l, void *own);
size_t ipc_link_pending(const struct ipc_link *l); /* bytes not yet taken by the kernel */
/* Waits until at most `most` bytes are pending: for those who send many notes. 0; -1 and
 * errno (ECONNRESET: the link was lost; do not touch it again). */
SWITCHES int ipc_link_wait_sent(struct ipc_link *l, size_t most, deadline_t patience);

/* ---- calling over a link ---- */
/* 0; -1 with errno: ETIMEDOUT, ECANCELED, ECONNRESET, EPROTO. The reply is in arena. */
SWITCHES int ipc_link_call(struct ipc_link *l, unsigned type, struct str payload, int fd,
	struct arena *arena, struct str *reply, int *reply_fd, deadline_t patience);
/* Without a coroutine: fn is called once in the loop with error 0 or an errno; reply is
 * good during the call. Returns an id for ipc_link_cancel. */
uint32_t ipc_link_call_then(struct ipc_link *l, unsigned type, struct str payload, int fd,
	void (*fn)(void *arg, int error, struct str reply), void *arg);
void ipc_link_cancel(struct ipc_link *l, uint32_t id); /* fn will not be called */
void ipc_link_note(struct ipc_link *l, unsigned type, struct str payload, int fd);

/* ---- named peers: a link that is made when needed ---- */
/* connect() is asked for a descriptor (lib/service asks broker); it may switch. */
struct ipc_peer;
struct ipc_peer *ipc_peer_new(const char *name,
	SWITCHES int (*connect)(const char *name, deadline_t patience),
	const struct ipc_handler *handlers, void *ctx);
/* Called in a coroutine of its own each time a link was made, before others use it. */
void ipc_peer_on_connect(struct ipc_peer *p, void (*fn)(struct ipc_link *, void *ctx));
/* The link, made if necessary. NULL and errno. */
SWITCHES struct ipc_link *ipc_peer_link(struct ipc_peer *p, deadline_t patience);
struct ipc_link *ipc_peer_link_now(struct ipc_peer *p); /* NULL when there is none */
/* As ipc_link_call; a call on a link that was already dead is tried once more on a new
 * one (nothing of it was delivered). */
SWITCHES int ipc_call(struct ipc_peer *p, unsigned type, struct str payload, int fd,
	struct arena *arena, struct str *reply, deadline_t patience);

/* A CALL whose request is followed by a stream. NULL and errno. Must end with finish or
 * abort. */
struct ipc_stream;
SWITCHES struct ipc_stream *ipc_stream_begin(
	struct ipc_peer *p, unsigned type, struct str payload, deadline_t patience);
/* The same with up to IPC_FDS_MOST descriptors, which are duplicated, not taken. */
SWITCHES struct ipc_stream *ipc_stream_begin_with(struct ipc_peer *p, unsigned type,
	struct str payload, const int *fds, size_t n_fds, deadline_t patience);
/* Any length; waits while the window is full. -1 and errno when it cannot be finished any
 * more (also when the server replied early: then finish gives that reply). */
SWITCHES int ipc_stream_write(
	struct ipc_stream *s, struct str bytes, deadline_t patience);
SWITCHES int ipc_stream_finish(struct ipc_stream *s, struct arena *arena,
	struct str *reply, deadline_t patience);
void ipc_stream_abort(struct ipc_stream *s);

/* ---- encoding: what the declarations in messages.h expand to ---- */
struct ipc_reader {
	const char *at, *end;
	bool bad;
};
static inline struct ipc_reader
ipc_reader_of(struct str s)
{
	return (struct ipc_reader){ s.data, s.data ? s.data + s.len : NULL, false };
}
void ipc_put_u8(struct buf *b, uint8_t v);
void ipc_put_u16(struct buf *b, uint16_t v);
void ipc_put_u32(struct buf *b, uint32_t v);
void ipc_put_u64(struct buf *b, uint64_t v);
void ipc_put_str(struct buf *b, struct str v); /* STR_NONE keeps being none */
void ipc_put_strs(struct buf *b, struct strs v);
/* Past the end these give zero values: a field that an older peer does not send. */
uint8_t ipc_get_u8(struct ipc_reader *r);
uint16_t ipc_get_u16(struct ipc_reader *r);
uint32_t ipc_get_u32(struct ipc_reader *r);
uint64_t ipc_get_u64(struct ipc_reader *r);
struct str ipc_get_str(struct ipc_reader *r); /* a view into the payload */
struct strs ipc_get_strs(struct ipc_reader *r, struct arena *arena);

/* For people: " field=value". Bytes that do not print as \xHH, long strings cut. */
void ipc_show_num(struct buf *b, const char *field, uint64_t v);
void ipc_show_str(struct buf *b, const char *field, struct str v);
void ipc_show_strs(struct buf *b, const char *field, struct strs v);

/* IPC_STRUCT(name) makes from name_FIELDS(FIELD, LIST) a struct name, name_put(),
 * name_get() (-1 on malformed bytes; strings are views into them) and name_show() (debug
 * print: " field=value ..."). IPC_RPC(name, number) makes the same for name_request and
 * name_reply, and name_call(), name_answer(). Field types: U8 U16 U32 U64 BOOL STR STRS;
 * LIST(type, field) is a vector of another declared struct: items and n in field,
 * n_field. */
#define IPC_C_U8(f)      uint8_t f;
#define IPC_C_U16(f)     uint16_t f;
#define IPC_C_U32(f)     uint32_t f;
#define IPC_C_U64(f)     uint64_t f;
#define IPC_C_BOOL(f)    bool f;
#define IPC_C_STR(f)     struct str f;
#define IPC_C_STRS(f)    struct strs f;
#define IPC_MEMBER(t, f) IPC_C_##t(f)
#define IPC_MEMBER_LIST(t, f) \
	struct t *f; \
	size_t n_##f;
#define IPC_PUT_U8(f)   ipc_put_u8(b_, v_->f);
#define IPC_PUT_U16(f)  ipc_put_u16(b_, v_->f);
#define IPC_PUT_U32(f)  ipc_put_u32(b_, v_->f);
#define IPC_PUT_U64(f)  ipc_put_u64(b_, v_->f);
#define IPC_PUT_BOOL(f) ipc_put_u8(b_, v_->f ? 1 : 0);
#define IPC_PUT_STR(f)  ipc_put_str(b_, v_->f);
#define IPC_PUT_STRS(f) ipc_put_strs(b_, v_->f);
#define IPC_PUT(t, f)   IPC_PUT_##t(f)
#define IPC_PUT_LIST(t, f) \
	ipc_put_u32(b_, (uint32_t)v_->n_##f); \
	for (size_t i_ = 0; i_ < v_->n_##f; i_++) { \
		size_t at_ = ipc_item_open(b_); \
		t##_put(b_, &v_->f[i_]); \
		ipc_item_close(b_, at_); \
	}
#define IPC_GET_U8(f)   v_->f = ipc_get_u8(&r_);
#define IPC_GET_U16(f)  v_->f = ipc_get_u16(&r_);
#define IPC_GET_U32(f)  v_->f = ipc_get_u32(&r_);
#define IPC_GET_U64(f)  v_->f = ipc_get_u64(&r_);
#define IPC_GET_BOOL(f) v_->f = ipc_get_u8(&r_) != 0;
#define IPC_GET_STR(f)  v_->f = ipc_get_str(&r_);
#define IPC_GET_STRS(f) v_->f = ipc_get_strs(&r_, arena_);
#define IPC_GET(t, f)   IPC_GET_##t(f)
#define IPC_GET_LIST(t, f) \
	v_->n_##f = ipc_list_count(&r_); \
	v_->f = v_->n_##f ? arena_alloc(arena_, v_->n_##f * sizeof(*v_->f)) : NULL; \
	for (size_t i_ = 0; i_ < v_->n_##f && !r_.bad; i_++) \
		if (t##_get(ipc_get_item(&r_), &v_->f[i_], arena_) < 0) \
			r_.bad = true;
#define IPC_SHOW_U8(f)   ipc_show_num(b_, #f, v_->f);
#define IPC_SHOW_U16(f)  ipc_show_num(b_, #f, v_->f);
#define IPC_SHOW_U32(f)  ipc_show_num(b_, #f, v_->f);
#define IPC_SHOW_U64(f)  ipc_show_num(b_, #f, v_->f);
#define IPC_SHOW_BOOL(f) ipc_show_num(b_, #f, v_->f);
#define IPC_SHOW_STR(f)  ipc_show_str(b_, #f, v_->f);
#define IPC_SHOW_STRS(f) ipc_show_strs(b_, #f, v_->f);
#define IPC_SHOW(t, f)   IPC_SHOW_##t(f)
#define IPC_SHOW_LIST(t, f) \
	for (size_t i_ = 0; i_ < v_->n_##f; i_++) { \
		buf_addz(b_, " " #f "{"); \
		t##_show(b_, &v_->f[i_]); \
		buf_addz(b_, " }"); \
	}
/* What else each struct gets: nothing, but a test can hook in here before it includes
 * messages.h and so see every one of them. */
#ifndef IPC_STRUCT_ALSO
#define IPC_STRUCT_ALSO(name, fields)
#endif
size_t ipc_item_open(struct buf *b); /* a u32 size to be filled in by close */
void ipc_item_close(struct buf *b, size_t at);
struct str ipc_get_item(struct ipc_reader *r);
size_t ipc_list_count(struct ipc_reader *r); /* bounded by the bytes that are left */

#define IPC_STRUCT_AS(name, fields) \
	struct name { \
		fields(IPC_MEMBER, IPC_MEMBER_LIST) \
	}; \
	UNUSED static inline void name##_put(struct buf *b_, const struct name *v_) \
	{ \
		(void)b_, (void)v_; \
		fields(IPC_PUT, IPC_PUT_LIST) \
	} \
	UNUSED static inline int name##_get( \
		struct str bytes_, struct name *v_, struct arena *arena_) \
	{ \
		struct ipc_reader r_ = ipc_reader_of(bytes_); \
		(void)arena_, (void)v_; \
		fields(IPC_GET, IPC_GET_LIST) return r_.bad ? -1 : 0; \
	} \
	UNUSED static inline void name##_show(struct buf *b_, const struct name *v_) \
	{ \
		(void)b_, (void)v_; \
		fields(IPC_SHOW, IPC_SHOW_LIST) \
	} \
	IPC_STRUCT_ALSO(name, fields)
#define IPC_STRUCT(name) IPC_STRUCT_AS(name, name##_FIELDS)
/* A number that two messages have does not compile: its second name is taken. */
#define IPC_NUMBER(name, number) \
	enum { name##_TYPE = number, ipc_number_##number = number };
/* A NOTE: one way. */
#define IPC_NOTE(name, number) \
	IPC_STRUCT_AS(name##_note, name##_NOTE) \
	IPC_NUMBER(name, number) \
	UNUSED static inline void name##_send( \
		struct ipc_link *l_, const struct name##_note *n_) \
	{ \
		struct buf b_ CLEANUP(buf_free) = BUF_INIT; \
		name##_note_put(&b_, n_); \
		ipc_link_note(l_, name##_TYPE, buf_str(&b_), -1); \
	}
#define IPC_RPC(name, number) \
	IPC_STRUCT_AS(name##_request, name##_REQUEST) \
	IPC_STRUCT_AS(name##_reply, name##_REPLY) \
	IPC_NUMBER(name, number) \
	UNUSED SWITCHES static inline int name##_call(struct ipc_peer *p_, \
		const struct name##_request *ask_, struct name##_reply *said_, \
		struct arena *arena_, deadline_t patience_) \
	{ \
		struct buf b_ CLEANUP(buf_free) = BUF_INIT; \
		struct str reply_; \
		name##_request_put(&b_, ask_); \
		if (ipc_call(p_, name##_TYPE, buf_str(&b_), -1, arena_, &reply_, \
			    patience_) < 0) \
			return -1; \
		return ipc_decoded(name##_reply_get(reply_, said_, arena_)); \
	} \
	UNUSED static inline void name##_answer( \
		struct ipc_request *rq_, const struct name##_reply *say_) \
	{ \
		struct buf b_ CLEANUP(buf_free) = BUF_INIT; \
		name##_reply_put(&b_, say_); \
		ipc_reply(rq_, buf_str(&b_), -1); \
	}
int ipc_decoded(int result); /* -1: sets errno to EPROTO */

#endif
