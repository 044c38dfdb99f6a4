/* call.c -- calls that we made, and the streams that follow some of them. */
#include "ipc_impl.h"
#include <errno.h>

enum {
	BORROW_FROM = 8 * 1024,  /* larger payloads of waiting callers are not copied */
	GATHER_BELOW = 8 * 1024, /* smaller writes to a stream are put together */
	STREAM_OUT_LIMIT = 8 * 1024 * 1024, /* streams wait while so much is unsent */
};

struct ipc_stream {
	struct ipc_link *link; /* NULL: lost */
	uint32_t id;
	size_t credit; /* bytes that the receiver has room for */
	struct co_queue waiting;
	struct buf gathered; /* small writes */
	struct buf reply;
	bool replied; /* or failed */
	int error;
};

static struct call *
call_find(struct ipc_link *l, uint32_t id)
{
	uint32_t slot = id_slot(id);
	struct call *c = slot < l->calls.n ? &l->calls.items[slot] : NULL;

	return c && c->open && c->id == id ? c : NULL;
}

static struct call *
call_new(struct ipc_link *l)
{
	struct call *c;
	uint32_t id;

	if (l->free_calls.n > 0) {
		c = &l->calls.items[l->free_calls.items[--l->free_calls.n]];
		id = c->id + (1u << ID_SLOT_BITS);
	} else {
		ensure(l->calls.n < 1u << ID_SLOT_BITS);
		id = (uint32_t)l->calls.n;
		c = vec_push(&l->calls);
		if (id >= IPC_CALLS_LIMIT) /* this one fails with all the others */
			link_malformed(l, "leaves too many calls unanswered");
	}
	*c = (struct call){ .id = id, .open = true, .begins = l->out.queued };
	return c;
}

static void
call_free(struct ipc_link *l, struct call *c)
{
	c->open = false;
	*vec_push(&l->free_calls) = id_slot(c->id);
}

bool
call_take_reply(
	struct ipc_link *l, const struct frame *f, struct str payload, struct fds *fds)
{
	struct call *c = call_find(l, f->id), was;

	if (!c)
		return link_malformed(l, "answered a call that was not made");
	was = *c;
	call_free(l, c);
	if (was.reply_fd && was.fn) {
		*was.reply_fd = fds_take_first(fds);
	}
	if (was.fn)
		was.fn(was.arg, 0, payload);
	link_finish_if_done(l);
	return !l->closing;
}

void
calls_fail(struct ipc_link *l)
{
	for (size_t i = 0; i < l->calls.n; i++) {
		struct call was = l->calls.items[i];

		l->calls.items[i].open = false;
		if (!was.open || !was.fn)
			continue;
		if (was.unsent)
			*was.unsent = was.begins >= l->out.sent;
		was.fn(was.arg, ECONNRESET, STR_NONE);
	}
}

/* The caller does not want the reply any more. */
void
ipc_link_cancel(struct ipc_link *l, uint32_t id)
{
	struct call *c = call_find(l, id);
	struct frame f = { .kind = FRAME_CANCEL, .id = id };

	if (!c)
		return;
	c->fn = NULL;
	c->reply_fd = NULL;
	c->unsent = NULL;
	c->stream = NULL;
	link_send(l, &f, STR_NONE, -1);
}

/* A call on a link that has ended already fails like any other: from the loop. */
struct refusal {
	struct event_later later;
	void (*fn)(void *arg, int error, struct str reply);
	void *arg;
};

static void
refuse(void *arg)
{
	struct refusal *r = arg;

	r->fn(r->arg, ECONNRESET, STR_NONE);
	mem_free(r);
}

static void
refuse_later(void (*fn)(void *arg, int error, struct str reply), void *arg)
{
	struct refusal *r = mem_alloc(sizeof(*r));

	*r = (struct refusal){ { .fn = refuse, .arg = r }, fn, arg };
	event_at_turn_end(&r->later);
}

uint32_t
ipc_link_call_then(struct ipc_link *l, unsigned type, struct str payload, int fd,
	void (*fn)(void *arg, int error, struct str reply), void *arg)
{
	struct frame f = { .kind = FRAME_CALL, .type = (uint16_t)type };
	struct call *c;

	if (l->ended) {
		refuse_later(fn, arg);
		return UINT32_MAX;
	}
	c = call_new(l);
	f.id = c->id;
	c->fn = fn;
	c->arg = arg;
	link_send(l, &f, payload, fd);
	return f.id;
}

void
ipc_link_note(struct ipc_link *l, unsigned type, struct str payload, int fd)
{
	struct frame f = { .kind = FRAME_NOTE, .type = (uint16_t)type };

	link_send(l, &f, payload, fd);
}

/* ---- a coroutine that waits for the reply ---- */

struct wait {
	struct co_queue queue;
	struct arena *arena;
	struct str *reply;
	int error;
	bool done;
};

static void
wait_ended(void *arg, int error, struct str reply)
{
	struct wait *w = arg;

	w->done = true;
	w->error = error;
	if (error == 0)
		*w->reply = arena_str(w->arena, reply);
	co_wake_one(&w->queue);
}

SWITCHES int
call_wait(struct ipc_link *l, unsigned type, struct str payload, int fd,
	struct arena *arena, struct str *reply, int *reply_fd, deadline_t patience,
	bool *unsent)
{
	struct frame f = { .kind = FRAME_CALL, .type = (uint16_t)type };
	struct wait w = { .arena = arena, .reply = reply };
	struct piece *borrowed = NULL;
	struct call *c;

	ensure(!l->ended);
	c = call_new(l);
	f.id = c->id;
	c->fn = wait_ended;
	c->arg = &w;
	c->reply_fd = reply_fd;
	c->unsent = unsent;
	if (reply_fd)
		*reply_fd = -1;
	if (payload.len >= BORROW_FROM)
		link_send_borrowed(l, &f, payload, fd, &borrowed);
	else
		link_send(l, &f, payload, fd);

	while (!w.done && w.error == 0) {
		if (co_wait(&w.queue, patience) < 0 && !w.done) {
			w.error = errno;
			ipc_link_cancel(l, f.id);
		}
	}
	if (borrowed) /* so the link still lives */
		out_own(&l->out, borrowed);
	errno = w.error;
	return w.error == 0 ? 0 : -1;
}

SWITCHES int
ipc_link_call(struct ipc_link *l, unsigned type, struct str payload, int fd,
	struct arena *arena, struct str *reply, int *reply_fd, deadline_t patience)
{
	return call_wait(l, type, payload, fd, arena, reply, reply_fd, patience, NULL);
}

/* ---- streams ---- */

static void
stream_ended(void *arg, int error, struct str reply)
{
	struct ipc_stream *s = arg;

	s->link = NULL;
	s->replied = true;
	s->error = error;
	buf_add(&s->reply, reply);
	co_wake_all(&s->waiting);
}

SWITCHES struct ipc_stream *
ipc_stream_begin(
	struct ipc_peer *p, unsigned type, struct str payload, deadline_t patience)
{
	return ipc_stream_begin_with(p, type, payload, NULL, 0, patience);
}

SWITCHES struct ipc_stream *
ipc_stream_begin_with(struct ipc_peer *p, unsigned type, struct str payload,
	const int *fds, size_t n_fds, deadline_t patience)
{
	struct ipc_link *l = ipc_peer_link(p, patience);
	struct frame f = {
		.kind = FRAME_CALL, .type = (uint16_t)type, .flags = FRAME_STREAM
	};
	struct ipc_stream *s;
	struct call *c;

	if (!l)
		return NULL;
	s = mem_alloc(sizeof(*s));
	c = call_new(l);
	f.id = s->id = c->id;
	s->link = l;
	s->credit = IPC_WINDOW;
	c->fn = stream_ended;
	c->arg = s;
	c->stream = s;
	link_send_fds(l, &f, payload, fds, n_fds);
	return s;
}

bool
call_take_credit(struct ipc_link *l, const struct frame *f, struct str payload)
{
	struct call *c = call_find(l, f->id);
	uint32_t more;

	if (!c || payload.len != sizeof(more))
		return link_malformed(l, "gave credit for nothing");
	if (!c->stream) /* given up meanwhile */
		return true;
	more = get_u32(payload.data);
	if (more > IPC_WINDOW - c->stream->credit)
		return link_malformed(l, "gave more credit than a window holds");
	c->stream->credit += more;
	co_wake_all(&c->stream->waiting);
	return true;
}

/* Waits until a chunk may leave; on a link that is being closed, for its end. */
static int
stream_wait_room(struct ipc_stream *s, deadline_t patience)
{
	while (!s->replied) {
		int result;

		if (s->credit == 0 || s->link->closing)
			result = co_wait(&s->waiting, patience);
		else if (s->link->out.pending > STREAM_OUT_LIMIT)
			result = ipc_link_wait_sent(s->link, STREAM_OUT_LIMIT, patience);
		else
			return 0;
		if (result < 0 && !s->replied && errno != ECONNRESET)
			return -1;
	}
	errno = s->error ? s->error : EPIPE;
	return -1;
}

static int
stream_send(struct ipc_stream *s, struct str bytes, deadline_t patience)
{
	while (bytes.len > 0) {
		struct frame f = { .kind = FRAME_DATA, .id = s->id };
		size_t n;

		if (stream_wait_room(s, patience) < 0)
			return -1;
		n = MIN(MIN(bytes.len, s->credit), (size_t)IPC_CHUNK);
		s->credit -= n;
		link_send(s->link, &f, str_sub(bytes, 0, n), -1);
		bytes = str_from(bytes, n);
	}
	return 0;
}

static int
stream_send_gathered(struct ipc_stream *s, deadline_t patience)
{
	int result = stream_send(s, buf_str(&s->gathered), patience);

	buf_clear(&s->gathered);
	return result;
}

SWITCHES int
ipc_stream_write(struct ipc_stream *s, struct str bytes, deadline_t patience)
{
	if (s->replied) {
		errno = s->error ? s->error : EPIPE;
		return -1;
	}
	if (bytes.len < GATHER_BELOW) {
		buf_add(&s->gathered, bytes);
		return s->gathered.len < GATHER_BELOW ? 0
						      : stream_send_gathered(s, patience);
	}
	if (stream_send_gathered(s, patience) < 0)
		return -1;
	return stream_send(s, bytes, patience);
}

SWITCHES int
ipc_stream_finish(
	struct ipc_stream *s, struct arena *arena, struct str *reply, deadline_t patience)
{
	struct frame f = { .kind = FRAME_END, .id = s->id };
	int error = 0;

	if (stream_send_gathered(s, patience) < 0 && !s->replied)
		error = errno;
	if (error == 0 && !s->replied)
		link_send(s->link, &f, STR_NONE, -1);
	while (error == 0 && !s->replied) {
		if (co_wait(&s->waiting, patience) < 0 && !s->replied)
			error = errno;
	}
	if (error == 0)
		error = s->error;
	if (error == 0)
		*reply = arena_str(arena, buf_str(&s->reply));
	ipc_stream_abort(s);
	errno = error;
	return error ? -1 : 0;
}

void
ipc_stream_abort(struct ipc_stream *s)
{
	if (!s)
		return;
	if (s->link)
		ipc_link_cancel(s->link, s->id);
	buf_free(&s->reply);
	buf_free(&s->gathered);
	mem_free(s);
}
