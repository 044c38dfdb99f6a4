/* bounce -- tells senders what became of their mail (RFC 3464). */
#include "deliver.h"
#include "log.h"
#include "notices.h"
#include "report.h"
#include "service.h"
#include "submit.h"
#include <stdio.h>

/* Who gets the notice, as whose mail. */
struct addressee {
	struct str to, from;
	const char *whom; /* in the log */
	bool postmaster, copy;
};

struct str
double_bounce(const struct conf *c, struct arena *a)
{
	return arena_printf(a, "%.*s@%.*s", STR_ARG(c->p.double_bounce_sender),
		STR_ARG(c->p.myhostname));
}

static bool
class_wanted(const struct conf *c, struct arena *a, const char *name)
{
	struct strs classes = conf_list(c->p.notify_classes, a);

	for (size_t i = 0; i < classes.n; i++)
		if (str_case_is(classes.items[i], name))
			return true;
	return false;
}

uint32_t
inspection_flags(const struct conf *c, struct arena *a, const char *class)
{
	struct strs classes = conf_list(c->p.internal_mail_filter_classes, a);

	for (size_t i = 0; i < classes.n; i++)
		if (str_case_is(classes.items[i], class))
			return ENVELOPE_MILTERS;
	return 0;
}

/* Notices come from the null sender, so that none is ever answered by another (RFC 5321
 * section 6.1). What nobody sent goes to the postmaster, if he wants it, from the double
 * bounce address; what cannot be delivered to him either ends there. False: no notice. */
static bool
find_addressee(const struct envelope *e, const struct notice_request *n,
	const struct conf *c, struct arena *a, struct addressee *out)
{
	struct str last_resort = double_bounce(c, a);

	if (str_case_eq(e->sender, last_resort)) {
		log_line(BOUNCE_DISCARDED, e->queue_id);
		return false;
	}
	if (e->sender.len > 0) {
		*out = (struct addressee){ .to = n->to.len ? n->to : e->sender,
			.from = STR(""),
			.whom = "sender" };
		return true;
	}
	if (n->kind != NOTICE_FAILURE ||
		!(class_wanted(c, a, "2bounce") || class_wanted(c, a, "bounce")))
		return false;
	*out = (struct addressee){
		.to = c->p.x_2bounce_notice_recipient,
		.from = last_resort,
		.whom = "postmaster",
		.postmaster = true,
	};
	return true;
}

/* Does the header end in this chunk? Then `chunk` is cut to what belongs to it. */
static bool
header_ends_in(struct str *chunk, bool *line_begins)
{
	for (size_t i = 0; i < chunk->len; i++) {
		if (*line_begins && chunk->data[i] == '\n') {
			chunk->len = i;
			return true;
		}
		*line_begins = chunk->data[i] == '\n';
	}
	return false;
}

/* Writes the returned message, or its header, behind the head of the report. Content
 * comes in pieces: what is larger than a frame is only to be had from the descriptor. */
static int
write_returned(struct submission *s, const struct report *r, int fd, deadline_t patience)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	bool headers = report_headers_only(r), line_begins = true, over = false;
	struct str chunk;
	int got = 0;

	if (report_is_redacted(r))
		return 0;
	content_open(&c, r->notice->content, fd, r->notice->rest);
	while (!over && (got = content_next(&c, &chunk)) > 0) {
		over = headers && header_ends_in(&chunk, &line_begins);
		if (submission_write(s, chunk, patience) < 0)
			return -1;
	}
	return MIN(got, 0);
}

struct submission *
letter_begin(const struct letter *l, const struct conf *c)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct buf received CLEANUP(buf_free) = BUF_INIT;
	struct rcpt rcpt = { .address = l->to };
	struct envelope e = {
		.queue_id = str_c(l->queue_id),
		.arrival_us = l->now_us,
		.sender = l->from,
		.flags = ENVELOPE_BOUNCE | ENVELOPE_LOCAL | ENVELOPE_REWRITE |
			 ENVELOPE_8BIT | l->flags,
		.rcpts = &rcpt,
		.n_rcpts = 1,
	};
	struct submit_request ask = { .origin = STR("local") };

	buf_printf(&received, "Received: by %.*s (%.*s)\n\tid %s; ",
		STR_ARG(c->p.myhostname), STR_ARG(c->p.mail_name), l->queue_id);
	report_date(l->now_us, &received);
	buf_addc(&received, '\n');
	envelope_put(&envelope, &e);
	ask.envelope = buf_str(&envelope);
	ask.received = buf_str(&received);
	return submission_new(&ask);
}

/* Of the message, what is true of its notice: one that tells of it must have TLS, too
 * (RFC 8689 section 5). */
static uint32_t
returned_flags(const struct report *r)
{
	return ENVELOPE_SMTPUTF8 | (report_is_redacted(r) ? 0 : ENVELOPE_REQUIRETLS);
}

static enum verdict
send_report(struct report *r, const struct addressee *to, const char *queue_id, int fd,
	struct arena *a, struct submit_reply *said)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct letter letter = {
		.to = to->to,
		.from = to->from,
		.flags = (r->envelope->flags & returned_flags(r)) |
			 inspection_flags(
				 r->conf, a, to->postmaster ? "notify" : "bounce"),
		.queue_id = queue_id,
		.now_us = r->now_us,
	};
	deadline_t patience = deadline_in(SUBMIT_PATIENCE);
	struct submission *s = letter_begin(&letter, r->conf);

	report_head(r, &text);
	if (submission_write(s, buf_str(&text), patience) == 0 &&
		write_returned(s, r, fd, patience) == 0) {
		buf_clear(&text);
		report_tail(r, &text);
		(void)submission_write(s, buf_str(&text), patience);
	}
	return submission_end(s, a, said, patience);
}

/* Writes one notice, and says so in the log. */
static enum verdict
tell(struct ipc_request *rq, const struct notice_request *n, const struct envelope *e,
	const struct addressee *to, struct notice_reply *say)
{
	struct submit_reply said;
	char queue_id[32];
	struct report r = { .conf = service_conf(),
		.notice = n,
		.envelope = e,
		.words = words_for(report_template(n), service_conf(), rq->arena),
		.to = to->to,
		.postmaster = to->postmaster,
		.copy = to->copy,
		.now_us = (uint64_t)time_wall_us() };
	enum verdict verdict;

	service_queue_id(queue_id);
	verdict = send_report(&r, to, queue_id, rq->fd, rq->arena, &said);
	if (verdict == ACCEPT) {
		say->queue_id = arena_str(rq->arena, str_c(queue_id));
		log_line(BOUNCE_NOTICE, e->queue_id, str_c(to->whom),
			str_c(report_kind(n)), say->queue_id);
	} else {
		say->text = said.text;
		log_line(BOUNCE_FAILED, e->queue_id, to->to, said.text);
	}
	return verdict;
}

/* notify_classes: the postmaster may want to know what senders are told. That he could
 * not be told is no reason to tell the sender twice. */
static void
tell_postmaster(
	struct ipc_request *rq, const struct notice_request *n, const struct envelope *e)
{
	const struct conf *c = service_conf();
	struct notice_reply say = { .verdict = ACCEPT };
	bool delay = n->kind == NOTICE_DELAY;
	struct addressee to = {
		.from = double_bounce(c, rq->arena),
		.whom = "postmaster",
		.postmaster = true,
		.copy = true,
	};

	if ((n->kind != NOTICE_FAILURE && !delay) ||
		!class_wanted(c, rq->arena, delay ? "delay" : "bounce"))
		return;
	to.to = delay ? c->p.delay_notice_recipient : c->p.bounce_notice_recipient;
	(void)tell(rq, n, e, &to, &say);
}

static void
notify(struct ipc_request *rq, const struct notice_request *n, const struct envelope *e,
	struct notice_reply *say)
{
	struct addressee to;

	say->verdict = ACCEPT;
	if (!find_addressee(e, n, service_conf(), rq->arena, &to))
		return;
	say->verdict = (uint8_t)tell(rq, n, e, &to, say);
	if (say->verdict == PERMFAIL) /* it will never be taken: do not ask for ever */
		say->verdict = ACCEPT;
	if (say->verdict == ACCEPT && !to.postmaster)
		tell_postmaster(rq, n, e);
}

static void
bounce_notice(struct ipc_request *rq)
{
	struct notice_request n;
	struct envelope e;
	struct notice_reply say = { .verdict = TEMPFAIL };

	service_busy(+1);
	if (notice_request_get(rq->payload, &n, rq->arena) < 0 ||
		envelope_get(n.envelope, &e, rq->arena) < 0 || (n.rest > 0 && rq->fd < 0))
		log_warn("malformed notice request from %s", rq->caller->program);
	else
		notify(rq, &n, &e, &say);
	notice_answer(rq, &say);
	service_busy(-1);
}

static void
bounce_before_jail(void)
{
	words_read(service_conf());
}

static const struct ipc_handler handlers[] = {
	{ .type = notice_TYPE, .run = bounce_notice, .stack = CO_STACK_SMALL },
	{ .type = transcript_TYPE, .run = bounce_transcript, .stack = CO_STACK_SMALL },
	{ 0 },
};

static const struct service bounce = {
	.name = "bounce",
	.user = USER_MAIL_OWNER,
	.peers = (const char *const[]){ "cleanup", "cleanup-suspect", NULL },
	.before_jail = bounce_before_jail,
	.handlers = handlers,
};

int
main(int argc, char **argv)
{
	return service_main(&bounce, argc, argv);
}
