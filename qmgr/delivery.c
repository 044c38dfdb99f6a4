/* delivery.c -- see delivery.h. */
#include "delivery.h"
#include "active.h"
#include "events.h"
#include "log.h"
#include "outside.h"
#include "shaping.h"
#include "store.h"
#include "throttle.h"
#include "verp.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Content that travels in the frame. */
#define IN_FRAME ((size_t)64 * 1024)

/* Memory for one request or one answer at a time, kept from one to the next: several
 * thousand times a second. */
static struct arena *
fresh(struct arena **kept)
{
	if (*kept)
		arena_reset(*kept);
	else
		*kept = arena_new();
	return *kept;
}

/* ---- content ---- */

int
delivery_content(struct active *a, struct arena *arena, struct content_carried *out)
{
	struct message *m = a->message;
	struct spool_content got;

	memset(out, 0, sizeof(*out));
	out->size = m->size;
	out->fd = a->content_fd;
	/* A memfd has all of it; a body file comes behind a first part from the log. */
	if (a->content_fd >= 0 && a->content_is_whole) {
		out->rest = m->size;
		return 0;
	}
	if (outside.read_content(m->mid, m->where, false, arena, &got) < 0)
		return -1;
	if (a->content_fd < 0)
		a->content_fd = got.body_fd;
	else
		fd_close(&got.body_fd);
	if (a->content_fd < 0 && got.content.len > IN_FRAME) {
		a->content_fd = memfd_sealed("message", got.content);
		if (a->content_fd < 0)
			return -1;
		a->content_is_whole = true;
		got.content = STR("");
	}
	out->first = got.content;
	out->size = got.size;
	out->fd = a->content_fd;
	out->rest = out->fd >= 0 ? got.size - got.content.len : 0;
	return 0;
}

/* ---- the request ---- */

/* Where connections are limited none waits for mail that is not here, or that another
 * destination may be first to send. */
static uint32_t
per_connection(const struct flight *f)
{
	const struct throttle *t = f->throttle;

	if (!t)
		return 0;
	if (t->limits.connections && (f->to->left == 0 || t->members.n > 1))
		return 1;
	return t->limits.per_connection;
}

static void
encode_request(struct flight *f, const struct content_carried *content,
	struct arena *arena, struct buf *out)
{
	struct active *a = f->message;
	struct envelope e = a->envelope;
	static struct buf envelope;
	struct deliver_request ask = { .nexthop = f->to->nexthop,
		.size = content->size,
		.content = content->first,
		.rest = content->rest,
		.active_us = (uint64_t)a->taken_us,
		.probe = a->verifying,
		.expired = a->message->expire,
		.per_connection = per_connection(f),
		.learn = shaping_is_on() };

	buf_clear(&envelope);
	e.n_rcpts = f->n;
	e.rcpts = arena_alloc(arena, f->n * sizeof(*e.rcpts));
	for (uint32_t i = 0; i < f->n; i++)
		e.rcpts[i] = a->envelope.rcpts[f->rcpts[i]];
	if (a->verp.len) /* then it is alone */
		e.sender = verp_sender(a->verp, e.sender, &e.rcpts[0], arena);
	else if (a->srs.len && e.rcpts[0].forwarded) /* then all are */
		e.sender = a->srs;
	envelope_put(&envelope, &e);
	ask.envelope = buf_str(&envelope);
	deliver_request_put(out, &ask);
}

/* ---- the answer ---- */

/* Ends a flight whose recipients have their outcomes. */
static void
flight_done(struct flight *f, enum flight_end how, const struct why *why)
{
	struct active *a = f->message;
	struct transport *t = f->to->transport;

	flight_ended(f, how, why);
	active_flight_ended(a, t);
}

/* Some reply asked for less. */
static bool
told_to_slow_down(struct flight *f, const struct deliver_reply *said, struct arena *arena)
{
	struct str before = STR_NONE;
	bool slow = false;

	for (uint32_t i = 0; i < f->n && f->throttle; i++) {
		const struct outcome *o = &said->outcomes[i];
		struct dsn_detail detail;

		if (o->verdict != TEMPFAIL || str_eq(o->detail, before) ||
			dsn_detail_get(o->detail, &detail, arena) < 0)
			continue;
		before = o->detail;
		slow |= shaping_heard(f, detail.diagnostic);
	}
	return slow;
}

static void
settle_all(struct flight *f, const struct deliver_reply *said, struct arena *arena)
{
	struct why site = { 0 };
	bool slow = told_to_slow_down(f, said, arena);

	for (uint32_t i = 0; i < f->n; i++)
		if (said->outcomes[i].pass_to.len == 0) {
			active_settle(f->message, f->rcpts[i], &said->outcomes[i]);
			events_outcome(
				f->message, f->rcpts[i], f->to, &said->outcomes[i]);
		}
	if (said->site_down)
		why_set(&site, "4.4.1", STR_FMT, STR_ARG(said->site_text));
	if (said->site_down && said->site_code.len &&
		said->site_code.len < sizeof(site.code)) {
		memset(site.code, 0, sizeof(site.code));
		memcpy(site.code, said->site_code.data, said->site_code.len);
	}
	shaping_learn(f->to, said->exchangers);
	active_settled(f->message, f->rcpts, f->n);
	for (uint32_t i = 0; i < f->n; i++)
		if (said->outcomes[i].pass_to.len > 0)
			active_pass(f->message, f->rcpts[i], said->outcomes[i].pass_to);
	/* Who asks for less is not down: its limits take care of that. */
	flight_done(f,
		!said->site_down ? FLIGHT_TALKED
		: slow           ? FLIGHT_LOST
				 : FLIGHT_SITE_DOWN,
		&site);
}

/* The agent died, or said nonsense: nobody knows what became of the recipients. They are
 * queued again before the flight ends, so that the destination stays. */
static void
lost(struct flight *f)
{
	active_lost(f->message, f->to, f->rcpts, f->n);
	flight_done(f, FLIGHT_LOST, NULL);
}

static void
answered(void *arg, int error, struct str bytes)
{
	struct flight *f = arg;
	struct deliver_reply said;
	static struct arena *kept;
	struct arena *arena = fresh(&kept);

	if (error) {
		f->worker->slots = 0; /* its link is about to go */
		lost(f);
		return;
	}
	if (deliver_reply_get(bytes, &said, arena) < 0 || said.n_outcomes != f->n) {
		log_warn("%s: malformed answer of a " STR_FMT " delivery agent",
			f->message->message->queue_id, STR_ARG(f->to->transport->name));
		lost(f);
		return;
	}
	settle_all(f, &said, arena);
}

/* The message cannot be read now. Either it is moving, or it is damaged. */
static void
unreadable(struct flight *f, int error)
{
	struct active *a = f->message;

	if (error == EBADMSG) {
		store_hold_damaged(a->message);
		active_cancel(a);
	} else if (error != ESTALE)
		log_error("%s: cannot read the message: %s", a->message->queue_id,
			strerror(error));
	a->soon = error == ESTALE;
	for (uint32_t i = 0; i < f->n; i++)
		active_settle_here(
			a, f->rcpts[i], TEMPFAIL, "4.3.0", STR("queue file read error"));
	flight_done(f, FLIGHT_LOST, NULL);
}

void
delivery_begin(struct flight *f)
{
	static struct arena *kept;
	static struct buf request;
	struct arena *arena = fresh(&kept);
	struct content_carried content = { .size = f->message->message->size, .fd = -1 };

	if (f->worker->reads_content &&
		delivery_content(f->message, arena, &content) < 0) {
		unreadable(f, errno);
		return;
	}
	buf_clear(&request);
	encode_request(f, &content, arena, &request);
	ipc_link_call_then(f->worker->link, deliver_TYPE, buf_str(&request), content.fd,
		answered, f);
}
