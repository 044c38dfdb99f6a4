/* requeue.c -- messages from the queue that pass through cleanup once more, each as a new
 * one (postsuper(1), -r). Their milters saw them when they came. */
#include "deliver.h"
#include "log.h"
#include "pickup.h"
#include "service.h"
#include "submit.h"
#include <string.h>
#include <unistd.h>

/* What cleanup and the configuration say anew. */
#define ANEW \
	(ENVELOPE_HOLD | ENVELOPE_NO_MAPPING | ENVELOPE_NO_CHECKS | ENVELOPE_VERIFY | \
		ENVELOPE_REPORT)

/* Of what was noted about the message only its sender's wishes are kept. */
static struct strs
kept_attributes(const struct envelope *e, struct arena *arena)
{
	struct strs kept = {
		arena_alloc(arena, (e->attributes.n + 1) * sizeof(struct str)), 0
	};

	for (size_t i = 0; i < e->attributes.n; i++)
		if (str_starts(e->attributes.items[i], STR(ATTRIBUTE_VERP)))
			kept.items[kept.n++] = e->attributes.items[i];
	return kept;
}

/* -1: it could not be read to its end, and errno. */
static int
send_content(struct submission *s, const struct requeue_request *ask, int fd,
	deadline_t patience)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct str chunk;
	int got;

	content_open(&c, ask->content, fd, ask->rest);
	while ((got = content_next(&c, &chunk)) > 0)
		(void)!submission_write(s, chunk, patience); /* the answer tells */
	return got;
}

static enum verdict
submit(struct ipc_request *rq, const struct requeue_request *ask, struct envelope *e,
	struct submit_reply *said)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT,
			    received CLEANUP(buf_free) = BUF_INIT;
	struct submit_request new = { .origin = STR("local") };
	deadline_t patience = deadline_in(SUBMIT_PATIENCE);
	struct str before = e->queue_id;
	struct submission *s;
	char queue_id[32];

	service_queue_id(queue_id);
	e->queue_id = str_c(queue_id);
	e->flags &= ~(uint32_t)ANEW;
	e->attributes = kept_attributes(e, rq->arena);
	submission_overrides(service_conf(), rq->arena, e);
	envelope_put(&envelope, e);
	new.envelope = buf_str(&envelope);
	add_received(geteuid(), queue_id, &received);
	new.received = buf_str(&received);
	log_line(PICKUP_MESSAGE, e->queue_id, log_num(geteuid()), e->sender, before);
	s = submission_new(&new);
	if (send_content(s, ask, rq->fd, patience) < 0) {
		submission_abort(s);
		said->code = STR("4.3.0");
		said->text = STR("queue file read error");
		return TEMPFAIL;
	}
	return submission_end(s, rq->arena, said, patience);
}

void
requeue_run(struct ipc_request *rq)
{
	struct requeue_request ask;
	struct requeue_reply say = { .verdict = TEMPFAIL, .code = STR("4.3.0") };
	struct submit_reply said = { 0 };
	struct envelope e;

	if (strcmp(rq->caller->program, "qmgr") != 0 ||
		requeue_request_get(rq->payload, &ask, rq->arena) < 0 ||
		envelope_get(ask.envelope, &e, rq->arena) < 0) {
		log_warn("refused a message of %s (process %d)", rq->caller->program,
			(int)rq->caller->pid);
		say.text = STR("not a message");
	} else {
		say.verdict = (uint8_t)submit(rq, &ask, &e, &said);
		say.code = said.code;
		say.text = said.text;
	}
	requeue_answer(rq, &say);
}
