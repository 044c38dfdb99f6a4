/* request.c -- calls and notes that came to us: finding the handler, its stream, its
 * answer.
 *
 * A request outlives its link: the handler finds link NULL, reads fail, the reply goes
 * nowhere. */
#include "ipc_impl.h"
#include <errno.h>

enum {
	ARENAS_KEPT = 64,
	CREDIT_FROM = IPC_WINDOW / 4, /* not for every little chunk */
	COROUTINE_COST = 16 * 1024,   /* counted as memory that a request holds */
};

static struct {
	struct arena *items[ARENAS_KEPT];
	size_t n;
} arenas;

static struct arena *
arena_take(void)
{
	return arenas.n > 0 ? arenas.items[--arenas.n] : arena_new();
}

static void
arena_give(struct arena *a)
{
	if (arenas.n == ARENAS_KEPT) {
		arena_free(a);
		return;
	}
	arena_reset(a);
	arenas.items[arenas.n++] = a;
}

static struct request *
request_of(const struct ipc_request *pub)
{
	return (struct request *)(uintptr_t)pub; /* pub comes first */
}

static const struct ipc_handler *
handler_find(const struct ipc_link *l, unsigned type)
{
	for (const struct ipc_handler *h = l->handlers; h && h->type; h++) {
		if (h->type == type)
			return h;
	}
	return NULL;
}

static struct request *
request_find(struct ipc_link *l, uint32_t id)
{
	uint32_t slot = id_slot(id);
	struct request *rq = slot < l->slots.n ? l->slots.items[slot].request : NULL;

	return rq && rq->id == id ? rq : NULL;
}

static struct request *
request_new(struct ipc_link *l, const struct frame *f, const struct ipc_handler *h)
{
	struct request *rq = mem_alloc(sizeof(*rq));

	rq->pub = (struct ipc_request){ .link = l,
		.caller = &l->caller->who,
		.ctx = l->ctx,
		.type = f->type,
		.fd = -1,
		.arena = arena_take() };
	rq->handler = h;
	rq->caller = l->caller;
	rq->caller->users++;
	rq->id = f->id;
	rq->is_note = f->kind == FRAME_NOTE;
	rq->has_stream = f->flags & FRAME_STREAM;
	rq->ended = !rq->has_stream;
	l->streams_in += rq->has_stream;
	rq->next = l->requests;
	if (rq->next)
		rq->next->prev = rq;
	l->requests = rq;
	return rq;
}

/* The one whose direct handler is being called. */
static const struct request *running;

/* Leaves the link's books. */
static void
request_unlink(struct request *rq)
{
	struct ipc_link *l = rq->pub.link;

	if (rq->next)
		rq->next->prev = rq->prev;
	if (rq->prev)
		rq->prev->next = rq->next;
	else
		l->requests = rq->next;
	if (!rq->is_note)
		l->slots.items[id_slot(rq->id)].request = NULL;
	if (!rq->ended)
		l->streams_in--;
	link_release(l, rq->held + rq->unread);
}

static void
request_free(struct request *rq)
{
	struct ipc_link *link = rq->pub.link;

	if (link) {
		request_unlink(rq);
		link_finish_if_done(link);
	}
	if (running == rq)
		running = NULL;
	mem_free(rq->reading);
	while (rq->first) {
		struct chunk *c = rq->first;

		rq->first = c->next;
		mem_free(c);
	}
	fd_close(&rq->pub.fd);
	for (size_t i = 0; i < rq->pub.n_more_fds; i++)
		fd_close(&rq->pub.more_fds[i]);
	arena_give(rq->pub.arena);
	caller_drop(rq->caller);
	mem_free(rq);
}

static void
request_main(void *arg)
{
	struct request *rq = arg;

	rq->handler->run(&rq->pub);
}

/* A direct handler may have answered, and so freed rq, when it returns. */
static void
run_direct(struct request *rq)
{
	const char *view = rq->pub.payload.data;

	running = rq;
	rq->handler->run(&rq->pub);
	/* Unless the handler put a copy of its own there. */
	if (running == rq && rq->handler->in_place && rq->pub.payload.data == view)
		rq->pub.payload = STR_NONE;
	running = NULL;
}

/* The place of a CALL among those that are in hand; false: a broken id. */
static bool
claim_slot(struct ipc_link *l, uint32_t id)
{
	uint32_t slot = id_slot(id);

	if (slot >= IPC_CALLS_LIMIT)
		return link_malformed(l, "makes too many calls");
	while (l->slots.n <= slot)
		(void)vec_push(&l->slots);
	if (l->slots.items[slot].request)
		return link_malformed(l, "used the id of a call that is in hand");
	return true;
}

/* Nobody will hear the answer, and it may be asked for again already. (Of a link that we
 * finish ourselves the kernel says that it hung up.) */
static bool
is_orphan(const struct ipc_link *l, const struct frame *f, const struct ipc_handler *h)
{
	return f->kind == FRAME_CALL && !h->last_words && l->io.hangup && !l->finishing;
}

bool
request_take_call(
	struct ipc_link *l, const struct frame *f, struct str payload, struct fds *fds)
{
	const struct ipc_handler *h = handler_find(l, f->type);
	struct request *rq;

	if (!h)
		return link_malformed(l, "asks for something that we do not answer");
	if (f->kind == FRAME_NOTE && (f->flags & FRAME_STREAM))
		return link_malformed(l, "sent a note with a stream");
	if (is_orphan(l, f, h))
		return true;
	if (f->kind == FRAME_CALL && !claim_slot(l, f->id))
		return false;
	rq = request_new(l, f, h);
	if (!rq->is_note)
		l->slots.items[id_slot(f->id)].request = rq;
	rq->pub.fd = fds_take_first(fds);
	memcpy(rq->pub.more_fds, fds->fd, fds->n * sizeof(fds->fd[0]));
	rq->pub.n_more_fds = fds->n;
	fds->n = 0;
	if (h->direct && h->in_place) {
		rq->pub.payload = payload;
	} else {
		rq->pub.payload = arena_str(rq->pub.arena, payload);
		rq->held = payload.len;
	}
	rq->held += h->direct ? sizeof(*rq) : COROUTINE_COST;
	if (!link_hold(l, rq->held)) {
		request_free(rq);
		return false;
	}
	if (h->direct)
		run_direct(rq);
	else
		co_spawn(request_main, rq, h->stack);
	return !l->closing;
}

/* Whether something is a call or a note is the peer's choice, not a mistake of the
 * handler: the answer to a note is dropped, a call that was only taken note of gets an
 * empty one. */
void
ipc_reply(struct ipc_request *pub, struct str payload, int fd)
{
	struct request *rq = request_of(pub);
	struct frame f = {
		.kind = FRAME_REPLY, .id = rq->id, .type = (uint16_t)pub->type
	};

	if (pub->link && !rq->is_note)
		link_send(pub->link, &f, payload, fd);
	request_free(rq);
}

void
ipc_done(struct ipc_request *pub)
{
	ipc_reply(pub, STR_NONE, -1);
}

bool
ipc_request_gone(const struct ipc_request *pub)
{
	return !pub->link || pub->link->closing || request_of(pub)->cancelled;
}

void
requests_orphan(struct ipc_link *l)
{
	struct request *rq = l->requests;

	for (; rq; rq = rq->next) {
		rq->pub.link = NULL;
		co_wake_all(&rq->reader);
	}
	l->requests = NULL;
}

/* ---- the stream of a call ---- */

bool
request_take_data(struct ipc_link *l, const struct frame *f, struct str payload)
{
	struct request *rq = request_find(l, f->id);
	struct chunk *c;

	if (!rq) /* answered before its stream ended */
		return true;
	if (rq->ended)
		return link_malformed(l, "sent data where no stream is");
	if (payload.len > IPC_CHUNK ||
		payload.len > IPC_WINDOW - rq->unread - rq->consumed)
		return link_malformed(l, "sent more than the window holds");
	if (payload.len == 0)
		return true;
	c = mem_resize(NULL, sizeof(*c) + payload.len);
	c->next = NULL;
	c->len = payload.len;
	memcpy(c->data, payload.data, payload.len);
	if (rq->first)
		rq->last->next = c;
	else
		rq->first = c;
	rq->last = c;
	rq->unread += c->len;
	co_wake_all(&rq->reader);
	return link_hold(l, c->len);
}

bool
request_take_end(struct ipc_link *l, const struct frame *f)
{
	struct request *rq = request_find(l, f->id);

	if (!rq)
		return true;
	if (rq->ended)
		return link_malformed(l, "ended a stream twice");
	rq->ended = true;
	l->streams_in--;
	co_wake_all(&rq->reader);
	return true;
}

bool
request_take_cancel(struct ipc_link *l, const struct frame *f)
{
	struct request *rq = request_find(l, f->id);

	if (rq) {
		rq->cancelled = true;
		co_wake_all(&rq->reader);
	}
	return true;
}

/* The chunk that the handler had is read: room for the sender. */
static void
chunk_done(struct request *rq)
{
	struct frame f = { .kind = FRAME_CREDIT, .id = rq->id };
	char more[4];

	if (!rq->reading)
		return;
	rq->consumed += rq->reading->len;
	mem_free(rq->reading);
	rq->reading = NULL;
	if (!rq->pub.link || rq->ended || rq->consumed < CREDIT_FROM)
		return;
	put_u32(more, (uint32_t)rq->consumed);
	rq->consumed = 0;
	link_send(rq->pub.link, &f, str_of(more, sizeof(more)), -1);
}

static int
failed(int error)
{
	errno = error;
	return -1;
}

SWITCHES int
ipc_request_read(struct ipc_request *pub, struct str *chunk, deadline_t patience)
{
	struct request *rq = request_of(pub);

	chunk_done(rq);
	while (!rq->first) {
		if (rq->cancelled)
			return failed(ECANCELED);
		if (rq->ended)
			return 0;
		if (!pub->link)
			return failed(ECONNRESET);
		if (co_wait(&rq->reader, patience) < 0 && !rq->first && !rq->ended)
			return -1;
	}
	if (rq->cancelled)
		return failed(ECANCELED);
	rq->reading = rq->first;
	rq->first = rq->reading->next;
	rq->unread -= rq->reading->len;
	if (pub->link)
		link_release(pub->link, rq->reading->len);
	*chunk = str_of(rq->reading->data, rq->reading->len);
	return 1;
}
