/* transcript.c -- sessions with errors, for the postmaster (notify_classes). */
#include "notices.h"
#include "log.h"
#include "report.h"
#include "service.h"

static void
tell(struct ipc_request *rq, const struct transcript_request *n,
	struct transcript_reply *say)
{
	const struct conf *c = service_conf();
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct submit_reply said;
	struct submission *s;
	char queue_id[32];
	struct letter letter = {
		.to = n->rejected ? c->p.bounce_notice_recipient
				  : c->p.error_notice_recipient,
		.from = double_bounce(c, rq->arena),
		.flags = inspection_flags(c, rq->arena, "notify"),
		.queue_id = queue_id,
		.now_us = (uint64_t)time_wall_us(),
	};

	service_queue_id(queue_id);
	s = letter_begin(&letter, c);
	report_transcript(c, n, letter.now_us, &text);
	(void)submission_write(s, buf_str(&text), deadline_in(SUBMIT_PATIENCE));
	say->verdict = (uint8_t)submission_end(
		s, rq->arena, &said, deadline_in(SUBMIT_PATIENCE));
}

void
bounce_transcript(struct ipc_request *rq)
{
	struct transcript_request n;
	struct transcript_reply say = { .verdict = TEMPFAIL };

	service_busy(+1);
	if (transcript_request_get(rq->payload, &n, rq->arena) < 0)
		log_warn("malformed transcript from %s", rq->caller->program);
	else
		tell(rq, &n, &say);
	transcript_answer(rq, &say);
	service_busy(-1);
}
