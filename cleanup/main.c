/* cleanup -- completes and corrects messages, and hands them to spool. */
#include "message.h"
#include "log.h"
#include "service.h"
#include <stdio.h>

struct cleanup_tables tables;

void
message_fail(struct message *m, enum verdict verdict, uint16_t smtp_code,
	const char *code, const char *fmt, ...)
{
	va_list ap;

	if (m->verdict != ACCEPT)
		return;
	m->verdict = verdict;
	m->smtp_code = smtp_code;
	snprintf(m->why.code, sizeof(m->why.code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(m->why.text, sizeof(m->why.text), fmt, ap);
	va_end(ap);
}

/* Takes the request apart. False: the submitter broke the rules. */
static bool
message_open(struct message *m)
{
	struct ipc_request *rq = m->rq;

	if (submit_request_get(rq->payload, &m->ask, m->arena) < 0 ||
		envelope_get(m->ask.envelope, &m->envelope, m->arena) < 0 ||
		m->envelope.queue_id.len >= sizeof(m->queue_id)) {
		message_fail(m, TEMPFAIL, 451, "4.3.0", "malformed submission");
		return false;
	}
	if (m->envelope.queue_id.len == 0)
		service_queue_id(m->queue_id);
	else
		memcpy(m->queue_id, m->envelope.queue_id.data, m->envelope.queue_id.len);
	m->envelope.queue_id = str_c(m->queue_id);
	for (size_t i = 0; i < m->envelope.n_rcpts; i++)
		*vec_push(&m->rcpts) = m->envelope.rcpts[i];
	return true;
}

static void
message_answer(struct message *m)
{
	struct submit_reply say = {
		.verdict = (uint8_t)m->verdict,
		.code = m->verdict == ACCEPT ? STR("2.0.0") : str_c(m->why.code),
		.text = str_c(m->why.text),
		.queue_id = str_c(m->queue_id),
		.smtp_code = m->verdict == ACCEPT ? 250 : m->smtp_code,
		.verbatim = m->verbatim,
	};

	submit_answer(m->rq, &say);
}

static void
message_free(struct message *m)
{
	vec_free(&m->rcpts);
	vec_free(&m->attributes);
	vec_free(&m->late_copies);
	parts_free(&m->parts);
	buf_free(&m->body_line);
	buf_free(&m->replaced);
	buf_free(&m->content);
}

static void
message_pass(struct message *m)
{
	for (size_t i = 0; i < n_steps && m->verdict == ACCEPT; i++)
		if (steps[i].envelope)
			steps[i].envelope(m);
	content_read(m);
	for (size_t i = 0; i < n_steps && m->verdict == ACCEPT; i++)
		if (steps[i].end)
			steps[i].end(m);
	commit(m);
}

/* One message, from the submitter's first byte to spool's answer. */
static void
cleanup_submit(struct ipc_request *rq)
{
	struct message m = { .rq = rq, .conf = service_conf(), .arena = rq->arena };

	log_session(service_next_session());
	service_busy(+1);
	if (message_open(&m)) {
		if (m.ask.crashes > 2)
			commit_aside(&m);
		else
			message_pass(&m);
	}
	message_answer(&m);
	message_free(&m);
	service_busy(-1);
}

static void
cleanup_open_tables(void)
{
	const struct conf *c = service_conf();
	static struct arena *arena;

	arena = arena_new();
	tables.virtual_alias =
		maps_open("virtual_alias_maps", c->p.virtual_alias_maps, DICT_FOLD, c);
	tables.sender_bcc =
		maps_open("sender_bcc_maps", c->p.sender_bcc_maps, DICT_FOLD, c);
	tables.recipient_bcc =
		maps_open("recipient_bcc_maps", c->p.recipient_bcc_maps, DICT_FOLD, c);
	tables.route = route_open(c, 0);
	mapping_open(c, arena);
	checks_open(c);
	tables.drop = conf_list(c->p.message_drop_headers, arena);
}

static const struct ipc_handler handlers[] = {
	{ .type = submit_TYPE, .run = cleanup_submit, .stack = CO_STACK_LARGE },
	{ 0 },
};

static const struct service cleanup = {
	.name = "cleanup",
	.user = USER_CLEANUP,
	.sandbox = SANDBOX_TABLES | SANDBOX_PCRE,
	.peers = (const char *const[]){ "spool", "proxymap", NULL },
	.before_jail = cleanup_open_tables,
	.handlers = handlers,
};

int
main(int argc, char **argv)
{
	return service_main(&cleanup, argc, argv);
}
