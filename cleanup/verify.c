/* verify.c -- who has signed a stranger's message (RFC 6376), asked of mailauth and told
 * in an Authentication-Results field (RFC 8601). Those that came with it and pretend to
 * be ours are removed. */
#include "config.h"
#include "message.h"
#include "log.h"
#include "results.h"
#include "service.h"
#include <errno.h>

#define PATIENCE ((msec_t)60000) /* behind dkim_time_limit, for the message itself */

static enum { DKIM_OFF, DKIM_LOG, DKIM_TAG } mode;

void
verify_open(const struct conf *c)
{
	static const char *const words[] = {
		[DKIM_OFF] = "off",
		[DKIM_LOG] = "log",
		[DKIM_TAG] = "tag",
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(c->p.dkim_mode, words[i])) {
			mode = i;
#ifndef HAVE_OPENDKIM
			if (mode != DKIM_OFF)
				log_warn("dkim_mode: this build has no libopendkim");
#endif
			return;
		}
	log_fatal("bad parameter value: dkim_mode = " STR_FMT
		  ": specify one of off, log, tag",
		STR_ARG(c->p.dkim_mode));
}

bool
message_is_verified(const struct message *m)
{
	return mode != DKIM_OFF && (m->envelope.flags & ENVELOPE_STRANGER) &&
	       !m->discarded;
}

/* Section 5: whoever reads it would take it for ours. */
enum field_fate
verify_field(struct message *m, struct field *f)
{
	struct buf who CLEANUP(buf_free) = BUF_INIT;

	if (mode != DKIM_TAG || !(m->envelope.flags & ENVELOPE_STRANGER) ||
		!field_is(f, "Authentication-Results"))
		return FIELD_KEEP;
	results_who(f->body, &who);
	return str_case_eq(buf_str(&who), m->conf->p.auth_service_id) ? FIELD_DROP
								      : FIELD_KEEP;
}

/* ---- asking ---- */

SWITCHES static int
ask(struct message *m, const char *service, struct mail_auth_reply *said)
{
	struct mail_auth_request question = { .queue_id = str_c(m->queue_id) };
	deadline_t patience = deadline_in(m->conf->p.dkim_time_limit + PATIENCE);
	struct buf payload CLEANUP(buf_free) = BUF_INIT;
	struct ipc_stream *stream;
	struct str reply;

	mail_auth_request_put(&payload, &question);
	stream = ipc_stream_begin(
		service_peer(service), mail_auth_TYPE, buf_str(&payload), patience);
	if (!stream)
		return -1;
	/* When this fails, so does the end. */
	(void)ipc_stream_write(stream, buf_str(&m->raw), patience);
	if (ipc_stream_finish(stream, m->arena, &reply, patience) < 0)
		return -1;
	errno = EPROTO;
	return mail_auth_reply_get(reply, said, m->arena);
}

/* One signature of which nothing is known, for a message that may have any number. */
static void
give_up(struct message *m, struct mail_auth_reply *said, const char *why)
{
	log_warn("%s: mailauth: %s", m->queue_id, why);
	*said = (struct mail_auth_reply){ .n_dkim = 1 };
	said->dkim = arena_alloc(m->arena, sizeof(*said->dkim));
	said->dkim[0] = (struct dkim_verdict){ .result = DKIM_TEMPERROR,
		.problem = STR("cannot be verified now") };
}

/* A process that died may have done so of another message: once more, alone. */
SWITCHES static void
verdicts_of(struct message *m, struct mail_auth_reply *said)
{
	int result = ask(m, "mailauth", said);

	if (result < 0 && (errno == ECONNRESET || errno == EPIPE))
		result = ask(m, "mailauth-suspect", said);
	if (result < 0)
		give_up(m, said, strerror(errno));
	else if (said->error.len)
		give_up(m, said, arena_cstr(m->arena, said->error));
	for (size_t i = 0; i < said->n_dkim; i++)
		if (said->dkim[i].result > DKIM_PERMERROR)
			give_up(m, said, "unknown verdict");
}

/* ---- telling ---- */

static struct strs
items_of(struct message *m, const struct mail_auth_reply *said)
{
	struct str *items = arena_alloc(
		m->arena, (m->ask.results.n + said->n_dkim + 1) * sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < m->ask.results.n; i++)
		items[n++] = m->ask.results.items[i];
	for (size_t i = 0; i < MAX(said->n_dkim, (size_t)1); i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT;

		results_dkim(said->n_dkim ? &said->dkim[i] : NULL, &text);
		items[n++] = arena_str(m->arena, buf_str(&text));
	}
	return (struct strs){ items, n };
}

static void
log_items(const struct message *m, struct strs items)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < items.n; i++) {
		buf_addz(&text, i ? "; " : "");
		buf_add(&text, items.items[i]);
	}
	log_info("%s: authentication: " STR_FMT, m->queue_id, STR_ARG(buf_str(&text)));
}

void
verify_message(struct message *m)
{
	struct mail_auth_reply said = { .n_dkim = 0 };
	struct buf fresh = BUF_INIT;
	struct strs items;

	if (!message_is_verified(m) || service_explains())
		return;
	verdicts_of(m, &said);
	content_free_raw(m);
	items = items_of(m, &said);
	log_items(m, items);
	if (mode != DKIM_TAG)
		return;
	results_field(m->conf->p.auth_service_id, items, &fresh);
	buf_add(&fresh, buf_str(&m->content));
	content_replace(m, &fresh);
}
