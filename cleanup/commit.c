/* commit.c -- the finished message goes to spool; its answer is ours. */
#include "message.h"
#include "log.h"
#include "service.h"
#include <errno.h>

/* How long the disk may take: longer than any flush, shorter than a client's patience
 * after the end of data (RFC 5321 section 4.5.3.2.6 gives us ten minutes). */
#define SPOOL_PATIENCE ((msec_t)300 * 1000)

void
message_envelope(struct message *m, struct buf *out)
{
	for (size_t i = 0; i < m->envelope.attributes.n; i++)
		if (!m->redirect.data || !str_starts(m->envelope.attributes.items[i],
						 STR(ATTRIBUTE_FILTER)))
			*vec_push(&m->attributes) = m->envelope.attributes.items[i];
	m->envelope.attributes = (struct strs){ m->attributes.items, m->attributes.n };
	m->envelope.rcpts = m->rcpts.items;
	m->envelope.n_rcpts = m->rcpts.n;
	envelope_put(out, &m->envelope);
}

static void
spool_request(struct message *m, struct buf *out, bool large)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct spool_put_request put = {
		.queue_id = str_c(m->queue_id),
		.arrival_us = m->envelope.arrival_us,
		.recipients = (uint32_t)m->rcpts.n,
		.hold = (m->envelope.flags & ENVELOPE_HOLD) != 0,
		.large = large,
	};

	message_envelope(m, &envelope);
	put.envelope = buf_str(&envelope);
	put.content = large ? STR_NONE : buf_str(&m->content);
	put.corrupt = m->ask.crashes > 2;
	put.again = m->ask.crashes > 0;
	spool_put_request_put(out, &put);
}

int
commit_stream(struct message *m, struct str bytes)
{
	deadline_t patience = deadline_in(SPOOL_PATIENCE);

	if (!m->to_spool) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;

		spool_request(m, &out, true);
		m->to_spool = ipc_stream_begin(
			service_peer("spool"), spool_put_TYPE, buf_str(&out), patience);
	}
	return m->to_spool ? ipc_stream_write(m->to_spool, bytes, patience) : -1;
}

/* Ends the stream, or sends all of it, and waits until it is durable. */
static int
commit_finish(struct message *m, struct str *reply)
{
	deadline_t patience = deadline_in(SPOOL_PATIENCE);
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct ipc_stream *stream = m->to_spool;

	if (!stream && m->content.len <= CONTENT_KEPT) {
		spool_request(m, &out, false);
		return ipc_call(service_peer("spool"), spool_put_TYPE, buf_str(&out), -1,
			m->arena, reply, patience);
	}
	if (!stream && commit_stream(m, buf_str(&m->content)) == 0)
		stream = m->to_spool;
	m->to_spool = NULL;
	if (!stream)
		return -1;
	return ipc_stream_finish(stream, m->arena, reply, patience);
}

/* As spool said last, whose mail it ever was. */
static bool queue_is_behind;

void
commit_pace(const struct message *m)
{
	msec_t wait = m->conf->p.in_flow_delay;

	if (queue_is_behind && wait > 0 && co_sleep(deadline_in(wait)) < 0)
		queue_is_behind = false; /* we are about to end: no time to lose */
}

/* What spool said, or why it said nothing (result < 0 and errno). */
static void
judge(struct message *m, int result, struct str reply)
{
	struct spool_put_reply said = { .error = EIO };

	if (result < 0)
		said.error = (uint32_t)errno;
	else if (spool_put_reply_get(reply, &said, m->arena) < 0)
		said.error = EPROTO;
	queue_is_behind = said.behind;
	if (said.error == ENOSPC || said.error == EDQUOT) {
		message_fail(m, TEMPFAIL, 452, "4.3.1", "Insufficient system storage");
	} else if (said.error != 0) {
		log_warn("%s: spool: %s", m->queue_id, strerror((int)said.error));
		message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
	}
}

void
commit_stopped(struct message *m)
{
	struct ipc_stream *stream = m->to_spool;
	struct str reply = STR_NONE;
	int result = -1;

	m->to_spool = NULL;
	if (stream)
		result = ipc_stream_finish(
			stream, m->arena, &reply, deadline_in(SPOOL_PATIENCE));
	judge(m, result, reply);
	if (m->verdict == ACCEPT) /* of half a message */
		message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
}

void
commit(struct message *m)
{
	struct str reply = STR_NONE;
	int result;

	/* Nobody would hear that it was stored, and who takes it up submits it again. */
	if (ipc_request_gone(m->rq))
		message_fail(m, TEMPFAIL, 451, "4.3.0", "its submitter has gone");
	if (m->verdict != ACCEPT || m->discarded) {
		if (m->to_spool)
			ipc_stream_abort(m->to_spool);
		m->to_spool = NULL;
		return;
	}
	result = commit_finish(m, &reply);
	judge(m, result, reply);
}

/* Nothing looks into it any more: the bytes as they came go where the admin finds them.
 */
void
commit_aside(struct message *m)
{
	struct str chunk;

	while (ipc_request_read(m->rq, &chunk, DEADLINE_NEVER) > 0)
		buf_add(&m->content, chunk);
	log_error("%s: this message from %.*s brought down cleanup %u times: kept in "
		  "%.*s/corrupt, not delivered",
		m->queue_id, STR_ARG(m->ask.origin), m->ask.crashes,
		STR_ARG(m->conf->p.queue_directory));
	commit(m);
	message_fail(m, TEMPFAIL, 451, "4.3.0", "this message cannot be handled");
}
