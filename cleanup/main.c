/* cleanup -- completes and corrects messages, and hands them to spool. */
#include "message.h"
#include "explain.h"
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
	m->checks.off = true;
	m->smtp_code = smtp_code;
	snprintf(m->why.code, sizeof(m->why.code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(m->why.text, sizeof(m->why.text), fmt, ap);
	va_end(ap);
}

/* What an access table of smtpd wants done: as if a header check had said it, and as
 * little a part of what is stored. */
static void
take_wishes(struct message *m)
{
	struct strs *all = &m->envelope.attributes;
	struct str *kept = arena_alloc(m->arena, (all->n + 1) * sizeof(*kept));
	struct str redirect = STR(ATTRIBUTE_REDIRECT), bcc = STR(ATTRIBUTE_BCC);
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct str item = all->items[i];

		if (str_starts(item, redirect))
			m->redirect = str_from(item, redirect.len);
		else if (str_starts(item, bcc))
			*vec_push(&m->late_copies) =
				(struct rcpt){ .address = str_from(item, bcc.len),
					.notify = NOTIFY_NEVER };
		else
			kept[n++] = item;
	}
	*all = (struct strs){ kept, n };
	m->discarded = (m->envelope.flags & ENVELOPE_DISCARD) != 0;
}

void
message_tell(
	const struct message *m, const char *action, struct str object, struct str text)
{
	const struct envelope *e = &m->envelope;

	log_line(CLEANUP_ACTION, str_c(m->queue_id), str_c(action), object, m->ask.origin,
		e->sender,
		m->rcpts.n > 0 ? m->rcpts.items[m->rcpts.n - 1].address : STR_NONE,
		e->protocol, e->helo, text.len > 0 ? text : STR_NONE);
}

/* Takes the envelope apart. False: the submitter broke the rules. */
static bool
message_open(struct message *m)
{
	if (envelope_get(m->ask.envelope, &m->envelope, m->arena) < 0 ||
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
	take_wishes(m);
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
		.reply = m->reply,
	};

	milters_finish(m, &say);
	submit_answer(m->rq, &say);
}

static void
message_free(struct message *m)
{
	vec_free(&m->rcpts);
	vec_free(&m->attributes);
	vec_free(&m->late_copies);
	parts_free(&m->parts);
	checks_free(&m->checks);
	input_free(m);
	content_free(m);
	content_free_raw(m);
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
	service_renew_tables();
	if (submit_request_get(rq->payload, &m.ask, m.arena) < 0) {
		message_fail(&m, TEMPFAIL, 451, "4.3.0", "malformed submission");
	} else if (message_open(&m)) {
		commit_pace(&m);
		if (m.ask.crashes > 2)
			commit_aside(&m);
		else
			message_pass(&m);
	}
	message_answer(&m);
	message_free(&m);
	service_busy(-1);
}

/* ---- postern explain ---- */

/* The steps that need no content. */
static void
explain_pass(struct message *m)
{
	for (size_t i = 0; i < n_steps && m->verdict == ACCEPT; i++)
		if (steps[i].envelope) {
			size_t step =
				explain_open("step", str_c(steps[i].name), STR_NONE);

			steps[i].envelope(m);
			explain_close(step, m->verdict == ACCEPT ? "done" : "fails",
				str_c(m->why.text));
		}
	for (size_t i = 0; i < n_steps && m->verdict == ACCEPT; i++)
		if (steps[i].end)
			steps[i].end(m);
}

static void
cleanup_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	struct message m = { .conf = service_conf(),
		.arena = arena,
		.ask = { .envelope = ask->envelope } };
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;

	if (message_open(&m))
		explain_pass(&m);
	say->verdict = (uint8_t)m.verdict;
	say->code = arena_str(arena, str_c(m.why.code));
	say->text = arena_str(arena, str_c(m.why.text));
	say->ends = m.discarded;
	message_envelope(&m, &envelope);
	say->envelope = arena_str(arena, buf_str(&envelope));
	message_free(&m);
}

static void
cleanup_open_tables(void)
{
	const struct conf *c = service_conf();
	static struct arena *arena;

	arena = arena_new();
	tables.virtual_alias = (struct mapping){ "virtual_alias_maps",
		maps_open("virtual_alias_maps", c->p.virtual_alias_maps, DICT_FOLD, c),
		"virtual" };
	tables.sender_bcc = (struct mapping){ "sender_bcc_maps",
		maps_open("sender_bcc_maps", c->p.sender_bcc_maps, DICT_FOLD, c), NULL };
	tables.recipient_bcc = (struct mapping){ "recipient_bcc_maps",
		maps_open("recipient_bcc_maps", c->p.recipient_bcc_maps, DICT_FOLD, c),
		NULL };
	/* SRS asks which domains are ours. */
	tables.route = route_open(c, c->p.srs_domain.len > 0 ? ROUTE_CLASS : 0);
	mapping_open(c, arena);
	cleanup_open_checks(c);
	milters_open_lists(c, arena);
	input_open(c);
	strict_open(c);
	sign_open(c, arena);
	srs_open(c);
	verify_open(c);
	seal_open(c);
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
	.peers = (const char *const[]){ "spool", "proxymap", "dkimsign", "mailauth",
		"mailauth-suspect", NULL },
	.before_jail = cleanup_open_tables,
	.handlers = handlers,
	.explain = cleanup_explain,
};

int
main(int argc, char **argv)
{
	return service_main(&cleanup, argc, argv);
}
