/* requeue.c -- see requeue.h. */
#include "requeue.h"
#include "delivery.h"
#include "errand.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include "store.h"
#include <errno.h>
#include <string.h>

#define PATIENCE ((msec_t)300000) /* pickup waits for cleanup and the disk */

static void
encode(const struct active *a, const struct content_carried *content, struct arena *arena,
	struct buf *out)
{
	struct requeue_request ask = { .content = content->first, .rest = content->rest };
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct envelope e = a->envelope;

	e.rcpts = arena_alloc(arena, e.n_rcpts * sizeof(*e.rcpts));
	e.n_rcpts = 0;
	for (size_t i = 0; i < a->envelope.n_rcpts; i++)
		if (a->now[i].state == RCPT_TODO)
			e.rcpts[e.n_rcpts++] = a->envelope.rcpts[i];
	envelope_put(&envelope, &e);
	ask.envelope = buf_str(&envelope);
	requeue_request_put(out, &ask);
}

/* What is damaged stays, for the administrator to see. */
static void
unreadable(struct active *a, int error)
{
	if (error == EBADMSG) {
		store_hold_damaged(a->message);
		a->cancelled = true;
	}
	active_requeued(a, TEMPFAIL, "4.3.0", STR("queue file read error"));
}

SWITCHES static void
hand_on(struct active *a)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf request CLEANUP(buf_free) = BUF_INIT;
	struct requeue_reply said;
	struct content_carried content;
	struct str reply;

	if (delivery_content(a, arena, &content) < 0) {
		unreadable(a, errno);
		return;
	}
	encode(a, &content, arena, &request);
	if (ipc_call(service_peer("pickup"), requeue_TYPE, buf_str(&request), content.fd,
		    arena, &reply, deadline_in(PATIENCE)) < 0 ||
		requeue_reply_get(reply, &said, arena) < 0) {
		log_warn("%s: pickup does not answer: %s; it is requeued later",
			a->message->queue_id, strerror(errno));
		active_requeued(a, TEMPFAIL, "4.3.0", STR("pickup does not answer"));
		return;
	}
	active_requeued(
		a, (enum verdict)said.verdict, arena_cstr(arena, said.code), said.text);
}

void
requeue_send(struct active *a)
{
	errand_queue(a, hand_on);
}
