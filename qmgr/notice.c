/* notice.c -- see notice.h. */
#include "notice.h"
#include "delivery.h"
#include "errand.h"
#include "event.h"
#include "log.h"
#include "outside.h"
#include "service.h"
#include "verp.h"
#include <errno.h>

#define PATIENCE ((msec_t)300000) /* bounce waits for cleanup and the disk */

/* Action of RFC 3464 section 2.3.3. Success at another host that knows nothing of DSN is
 * `relayed`: what becomes of the message there, nobody will hear. */
static struct str
action(const struct rcpt_now *now, unsigned kind)
{
	struct dsn_detail detail;

	if (kind == NOTICE_VERIFY)
		return str_starts(now->code, STR("2")) ? STR("deliverable")
						       : STR("undeliverable");
	if (kind == NOTICE_FAILURE || now->state == RCPT_FAILED)
		return STR("failed");
	if (kind == NOTICE_DELAY || now->state == RCPT_DEFERRED)
		return STR("delayed");
	if (now->detail.len == 0 || dsn_detail_get(now->detail, &detail, NULL) < 0)
		return STR("delivered");
	return detail.expanded ? STR("expanded") : STR("relayed");
}

static struct notice_rcpt
noticed_rcpt(const struct active *a, uint32_t n, unsigned kind)
{
	const struct rcpt *r = &a->envelope.rcpts[n];
	const struct rcpt_now *now = &a->now[n];

	return (struct notice_rcpt){ .address = r->address,
		.original = r->original,
		.orcpt = r->orcpt,
		.action = action(now, kind),
		.code = now->code,
		.text = now->text,
		.detail = now->detail };
}

/* The notice of success, where a report was asked for. */
static unsigned
kind_sent(const struct active *a, unsigned kind)
{
	if (kind != NOTICE_SUCCESS || !a->reporting)
		return kind;
	return a->verifying ? NOTICE_VERIFY : NOTICE_REPORT;
}

/* About recipients `from` and up to, but not with, `to`. */
static void
encode(const struct active *a, unsigned kind, uint32_t from, uint32_t to,
	const struct content_carried *content, struct arena *arena, struct buf *out)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct notice_request ask = { .kind = (uint8_t)kind_sent(a, kind),
		.size = content->size,
		.content = content->first,
		.rest = content->rest,
		.retry_until_us =
			a->message->arrival_us +
			(uint64_t)outside.conf->p.maximal_queue_lifetime * 1000 };

	envelope_put(&envelope, &a->envelope);
	ask.envelope = buf_str(&envelope);
	ask.rcpts = arena_alloc(arena, a->envelope.n_rcpts * sizeof(*ask.rcpts));
	for (uint32_t i = from; i < to; i++)
		if (active_notice_is_due(a, i, kind))
			ask.rcpts[ask.n_rcpts++] = noticed_rcpt(a, i, ask.kind);
	if (to - from == 1 && a->verp.len)
		ask.to = verp_sender(
			a->verp, a->envelope.sender, &a->envelope.rcpts[from], arena);
	notice_request_put(out, &ask);
}

/* One notice. True: bounce has it, or says that none is due. */
SWITCHES static bool
hand_on(struct active *a, unsigned kind, uint32_t from, uint32_t to)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf request CLEANUP(buf_free) = BUF_INIT;
	struct content_carried content;
	struct notice_reply said = { 0 };
	struct str reply;

	if (delivery_content(a, arena, &content) < 0) {
		log_warn("%s: cannot read the message for its notice: %s",
			a->message->queue_id, strerror(errno));
		return false;
	}
	encode(a, kind, from, to, &content, arena, &request);
	if (ipc_call(service_peer("bounce"), notice_TYPE, buf_str(&request), content.fd,
		    arena, &reply, deadline_in(PATIENCE)) < 0 ||
		notice_reply_get(reply, &said, arena) < 0) {
		log_warn(
			"%s: bounce does not answer: %s; the notice is tried again later",
			a->message->queue_id, strerror(errno));
		return false;
	}
	if (said.verdict != ACCEPT)
		log_warn("%s: the notice is tried again later: " STR_FMT,
			a->message->queue_id, STR_ARG(said.text));
	return said.verdict == ACCEPT;
}

static bool
is_due(const struct active *a, unsigned kind)
{
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		if (active_notice_is_due(a, i, kind))
			return true;
	return false;
}

/* With VERP the failure of each recipient goes to an address of its own
 * (disable_verp_bounces). True: bounce has all of them. */
SWITCHES static bool
hand_kind_on(struct active *a, unsigned kind)
{
	bool all = true;

	if (kind != NOTICE_FAILURE || !a->verp.len ||
		outside.conf->p.disable_verp_bounces)
		return hand_on(a, kind, 0, (uint32_t)a->envelope.n_rcpts);
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		if (active_notice_is_due(a, i, kind))
			all &= hand_on(a, kind, i, i + 1);
	return all;
}

/* ---- probes ---- */

static enum verify_status
probe_status(const struct rcpt_now *now)
{
	if (str_starts(now->code, STR("2")))
		return VERIFY_OK;
	return str_starts(now->code, STR("4")) ? VERIFY_DEFER : VERIFY_BOUNCE;
}

/* verify asked about one address. Where that became several, the best of them counts:
 * some mail for it arrives. When verify does not answer, it will ask again. */
SWITCHES static void
tell_verify(struct active *a)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	const struct rcpt *r = &a->envelope.rcpts[0];
	struct probed_request say = { .status = VERIFY_UNKNOWN,
		.address = r->original.len ? r->original : r->address };
	struct probed_reply said;

	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++) {
		enum verify_status one = probe_status(&a->now[i]);

		if (a->now[i].state != RCPT_REPORTED ||
			(say.status != VERIFY_UNKNOWN && one >= say.status))
			continue;
		say.status = (uint8_t)one;
		say.text = a->now[i].text;
	}
	if (probed_call(service_peer("verify"), &say, &said, arena,
		    deadline_in(outside.conf->p.qmgr_ipc_timeout)) < 0)
		log_warn("%s: verify does not answer: %s", a->message->queue_id,
			strerror(errno));
}

SWITCHES static void
hand_all_on(struct active *a)
{
	unsigned accepted = 0;

	if (a->envelope.flags & ENVELOPE_PROBE) {
		tell_verify(a);
		active_notices_ended(a, 1u << NOTICE_SUCCESS);
		return;
	}
	for (unsigned kind = NOTICE_FAILURE; kind <= NOTICE_SUCCESS; kind++)
		if (is_due(a, kind) && hand_kind_on(a, kind))
			accepted |= 1u << kind;
	active_notices_ended(a, accepted);
}

void
notice_send(struct active *a)
{
	errand_queue(a, hand_all_on);
}
