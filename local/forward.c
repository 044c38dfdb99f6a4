/* forward.c -- what goes elsewhere: new mail, with a mark of where it has been. One
 * message for all that share a sender and the mark. */
#include "local.h"
#include "log.h"
#include "mailbox.h"
#include "submit.h"
#include <stdio.h>
#include <time.h>

#define SUBMIT_PATIENCE ((msec_t)300 * 1000)

/* Success is told of the alias itself; failures of what it became. */
static uint8_t
notify_of_member(uint8_t notify)
{
	return notify == NOTIFY_SUCCESS ? NOTIFY_NEVER
					: notify & (uint8_t)~NOTIFY_SUCCESS;
}

/* Members of a list with an owner, who is the sender of `to`, are nobody's alias any
 * more. */
void
forward_envelope(struct recipient *r, const char *queue_id, const struct forwarded *to,
	size_t n, struct envelope *e)
{
	struct delivery *d = r->d;
	const struct rcpt *rcpt = &d->envelope.rcpts[r->index];

	*e = d->envelope;
	e->queue_id = str_c(queue_id);
	e->arrival_us = (uint64_t)time_wall_us();
	e->flags |= ENVELOPE_FORWARDED;
	e->attributes = (struct strs){ 0 };
	e->sender = to->sender;
	e->n_rcpts = n;
	e->rcpts = arena_alloc(d->arena, n * sizeof(*e->rcpts));
	for (size_t i = 0; i < n; i++)
		e->rcpts[i] = (struct rcpt){
			.address = to[i].address,
			.original = to->owned ? STR_NONE : rcpt_original(rcpt),
			.orcpt = to->owned ? STR_NONE : rcpt->orcpt,
			.notify = notify_of_member(rcpt->notify),
		};
}

static struct str
received(struct recipient *r, const char *queue_id)
{
	const struct params *p = &r->d->conf->p;

	return arena_printf(r->d->arena, "Received: by %.*s (%.*s)\n\tid %s; %s\n",
		STR_ARG(p->myhostname), STR_ARG(p->mail_name), queue_id,
		time_mail_date(time(NULL)));
}

/* The content, chunk by chunk and unread. -1: it could not be read. */
static int
pass_content(struct submission *s, struct delivery *d, deadline_t patience)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct str chunk;
	int got;

	content_open(&c, d->ask.content, d->rest_fd, d->ask.rest);
	while ((got = content_next(&c, &chunk)) > 0)
		(void)submission_write(s, chunk, patience); /* the answer tells */
	return got;
}

static void
send_some(struct recipient *r, const struct forwarded *to, size_t n)
{
	struct delivery *d = r->d;
	struct str mark = arena_printf(d->arena, "Delivered-To: " STR_FMT,
		STR_ARG(address_quote(to->delivered, d->arena)));
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct submit_request ask = { .origin = STR("local") };
	deadline_t patience = deadline_in(SUBMIT_PATIENCE);
	struct submit_reply said = { .code = STR("4.3.0"),
		.text = STR("cannot read content") };
	struct submission *s;
	struct envelope e;
	enum verdict v = TEMPFAIL;
	char queue_id[32];

	service_queue_id(queue_id);
	forward_envelope(r, queue_id, to, n, &e);
	envelope_put(&envelope, &e);
	ask.envelope = buf_str(&envelope);
	ask.received = received(r, queue_id);
	if (list_has(d->conf->p.prepend_delivered_header, "forward"))
		ask.prepend = (struct strs){ &mark, 1 };
	s = submission_new(&ask);
	if (pass_content(s, d, patience) < 0)
		submission_abort(s);
	else
		v = submission_end(s, d->arena, &said, patience);
	/* The new message tells of its recipients. */
	if (v == ACCEPT)
		recipient_ended(r, d->envelope.rcpts[r->index].address, ACCEPT, "2.0.0",
			"forwarded as %s", queue_id);
	else
		recipient_ended(r, d->envelope.rcpts[r->index].address, v,
			arena_cstr(d->arena, said.code), STR_FMT, STR_ARG(said.text));
}

size_t
forward_group(struct recipient *r, struct forwarded *some)
{
	size_t n = 0;

	for (size_t i = 0; i < r->forward.n; i++) {
		struct forwarded *one = &r->forward.items[i];

		if (!one->sender.data ||
			(n > 0 && (one->owned != some[0].owned ||
					  !str_eq(one->sender, some[0].sender) ||
					  !str_eq(one->delivered, some[0].delivered))))
			continue;
		some[n++] = *one;
		one->sender = STR_NONE;
	}
	return n;
}

void
forward_send(struct recipient *r)
{
	struct forwarded *some;
	size_t n;

	if (r->verdict == TEMPFAIL)
		return; /* the whole will be tried again */
	if (r->d->ask.probe) {
		for (size_t i = 0; i < r->forward.n; i++)
			recipient_ended(r, r->forward.items[i].address, ACCEPT, "2.0.0",
				"is forwarded");
		return;
	}
	some = arena_alloc(r->d->arena, r->forward.n * sizeof(*some) + 1);
	while ((n = forward_group(r, some)) > 0)
		send_some(r, some, n);
}
