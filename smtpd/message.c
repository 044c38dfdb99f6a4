/* message.c -- takes content in and hands it to cleanup. A small message leaves in one
 * write when it is complete; a large one streams, and cleanup's pace becomes the
 * client's. */
#include "message.h"
#include "filter.h"
#include "milters.h"
#include "quotas.h"
#include "service.h"
#include "session.h"
#include "spf_session.h"

#define CHUNK_MOST (64 * 1024) /* content gathered before it is handed on */

bool
message_is_local(struct session *s)
{
	return s->forwarded.source.len > 0 ? str_case_is(s->forwarded.source, "LOCAL")
					   : policy_client_is_local(s);
}

/* Where a filter hands on what others sent it says so (XFORWARD), and its own address
 * counts for nothing. */
static bool
is_signed(struct session *s)
{
	if (s->p->dkim_sign_maps.len == 0 && s->p->arc_sign_maps.len == 0)
		return false;
	return s->forwarded.source.len > 0 ? str_case_is(s->forwarded.source, "LOCAL")
					   : policy_client_is_signed(s);
}

/* What a filter hands back has been looked at when it came (XFORWARD); a table that fails
 * makes nobody trusted. */
bool
message_is_strangers(struct session *s)
{
	struct why why;

	return s->site->verifies && !s->sasl_username.data && !s->forwarded.given &&
	       s->peer.sa.ss_family != AF_UNSPEC &&
	       match_client(s->site->dkim_exempt, s->name, &s->peer, &why) != DICT_FOUND;
}

static uint32_t
envelope_flags(struct session *s)
{
	const struct mail_parameters *given = &s->t.parameters;

	return (given->eight_bit ? ENVELOPE_8BIT : 0) |
	       (given->smtputf8 ? ENVELOPE_SMTPUTF8 : 0) |
	       (given->requiretls ? ENVELOPE_REQUIRETLS : 0) |
	       (s->actions.hold ? ENVELOPE_HOLD : 0) |
	       (s->actions.discard ? ENVELOPE_DISCARD : 0) |
	       (message_is_local(s) ? ENVELOPE_REWRITE : 0) |
	       (is_signed(s) ? ENVELOPE_SIGN : 0) |
	       (message_is_strangers(s) ? ENVELOPE_STRANGER : 0);
}

/* What access tables want done, behind what main.cf says, since the last one counts; and
 * what the client asked for. */
static void
add_attributes(struct session *s, struct envelope *e)
{
	const struct actions *a = &s->actions;
	struct str *items = arena_alloc(
		s->command, (e->attributes.n + 3 + a->bcc.n) * sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < e->attributes.n; i++)
		if (!a->filter.len ||
			!str_starts(e->attributes.items[i], STR(ATTRIBUTE_FILTER)))
			items[n++] = e->attributes.items[i];
	if (a->filter.len)
		items[n++] = arena_printf(
			s->command, ATTRIBUTE_FILTER "%.*s", STR_ARG(a->filter));
	if (a->redirect.len)
		items[n++] = arena_printf(
			s->command, ATTRIBUTE_REDIRECT "%.*s", STR_ARG(a->redirect));
	for (size_t i = 0; i < a->bcc.n; i++)
		items[n++] = arena_printf(
			s->command, ATTRIBUTE_BCC "%.*s", STR_ARG(a->bcc.items[i]));
	if (s->t.parameters.xverp)
		items[n++] = arena_printf(s->command, ATTRIBUTE_VERP STR_FMT,
			STR_ARG(s->t.parameters.verp));
	e->attributes = (struct strs){ items, n };
}

void
message_envelope(struct session *s, struct buf *out)
{
	struct envelope e = {
		.queue_id = str_c(s->t.queue_id),
		.arrival_us = (uint64_t)s->t.arrival_us,
		.sender = s->t.sender,
		.envid = s->t.parameters.envid,
		.ret = s->t.parameters.ret,
		.flags = envelope_flags(s),
		.client_name = s->name,
		.client_address = s->address,
		.client_port = s->port,
		.helo = s->helo,
		.protocol = s->protocol,
		.sasl_method = s->sasl_method,
		.sasl_username = s->sasl_username,
		.sasl_sender = s->t.parameters.auth,
		.rcpts = s->t.rcpts.items,
		.n_rcpts = s->t.rcpts.n,
	};

	if (s->forwarded.given) {
		const struct forwarded *f = &s->forwarded;

		e.client_name = f->name;
		e.client_address = f->address;
		e.client_port = f->port;
		e.helo = f->helo;
		e.protocol = f->protocol;
	}
	submission_overrides(s->site->conf, s->command, &e);
	add_attributes(s, &e);
	envelope_put(out, &e);
}

static bool
is_excluded(struct session *s)
{
	struct why why;

	return match_client(s->site->bare_newline_exclusions, s->name, &s->peer, &why) ==
	       DICT_FOUND;
}

static enum data_end
end_of_data(struct session *s)
{
	if (s->site->bare_newline == BARE_NEWLINE_NO)
		return DATA_END_ANY;
	return s->conn->bare_lf && is_excluded(s) ? DATA_END_LF_ONLY : DATA_END_STRICT;
}

/* What filters hand on, and may know no REQUIRETLS, keeps the wish; cleanup reads it. */
static void
mark_requiretls(struct session *s)
{
	if (s->t.parameters.requiretls && s->p->requiretls_esmtp_header)
		*vec_push(&s->actions.prepend) = STR("Require-TLS-ESMTP: yes");
}

void
message_begin(struct session *s, bool chunked)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct submit_request ask = { .origin = s->client };
	int fds[MILTERS_MOST];
	size_t n_fds;

	mark_requiretls(s);
	data_scan_init(&s->t.scan, chunked, end_of_data(s), !s->conn->bare_lf);
	if (s->t.filter.open) {
		filter_head(s);
		return;
	}
	message_envelope(s, &envelope);
	ask.prepend = (struct strs){ s->actions.prepend.items, s->actions.prepend.n };
	ask.envelope = buf_str(&envelope);
	ask.received = received_header(s);
	ask.on_dmarc_fail = (uint8_t)s->actions.on_dmarc_fail;
	spf_tell(s, &ask);
	n_fds = milters_lend(s, &ask, fds);
	s->t.submission = submission_new(&ask);
	submission_lend(s->t.submission, fds, n_fds);
}

/* Message too large, or cleanup lost: nothing more is handed on, but all of it is read.
 */
static bool
is_over(const struct session *s)
{
	return s->p->message_size_limit > 0 &&
	       s->t.scan.size > (octets_t)s->p->message_size_limit;
}

static void
hand_on(struct session *s)
{
	if (s->t.filter.open && !is_over(s)) {
		filter_write(s);
		return;
	}
	if (s->content.len && !is_over(s))
		/* What it cannot take any more shows when the answer is asked for. */
		(void)submission_write(s->t.submission, buf_str(&s->content),
			deadline_in(s->p->ipc_timeout));
	buf_clear(&s->content);
}

bool
message_receive(struct session *s, bool counted, octets_t count)
{
	octets_t before = s->t.scan.size;
	/* smtpd_per_request_deadline: time for the whole, stretched by what arrives. */
	deadline_t patience = session_patience(s);

	while (counted ? count > 0 : !s->t.scan.ended) {
		struct str bytes;
		enum conn_result got = conn_peek(s->conn, &bytes, patience);
		size_t used;

		if (got != CONN_OK) {
			session_lost(s, got, log_num((int64_t)(s->t.scan.size - before)));
			return false;
		}
		if (counted)
			bytes = str_sub(
				bytes, 0, count < bytes.len ? (size_t)count : bytes.len);
		used = data_scan(&s->t.scan, bytes, &s->content);
		conn_consume(s->conn, used);
		count -= counted ? used : 0;
		if (s->content.len >= CHUNK_MOST)
			hand_on(s);
		if (!s->p->smtpd_per_request_deadline)
			patience = session_patience(s);
		else
			patience += (msec_t)used * 1000 / s->p->smtpd_min_data_rate;
	}
	return true;
}

static unsigned
fault_of(const struct submit_reply *said)
{
	if (said->verdict == TEMPFAIL)
		return str_starts(said->code, STR("4.3.")) ? FAULT_RESOURCE
							   : FAULT_SOFTWARE;
	return str_starts(said->code, STR("5.4.")) ? FAULT_BOUNCE : FAULT_POLICY;
}

/* The client has done well. */
static void
forgive(struct session *s)
{
	s->errors = s->junk = 0;
	s->transcript.faults = 0;
}

/* What cleanup said, as a reply. */
static bool
answer(struct session *s, const struct submit_reply *said)
{
	int code = said->smtp_code;

	s->fault = fault_of(said);
	if (said->verdict == ACCEPT) {
		forgive(s);
		if (s->t.chunked)
			return reply(s, 250, "2.0.0 Ok: %llu bytes queued as %s",
				(unsigned long long)s->t.scan.size, s->t.queue_id);
		return reply(s, 250, "2.0.0 Ok: queued as %s", s->t.queue_id);
	}
	if (code < 400 || code > 599)
		code = said->verdict == PERMFAIL ? 554 : 451;
	if (code == 452)
		storage_refused(smtpd_site);
	if (said->reply.data) /* a milter's */
		return reply_text(s, said->reply);
	return reply(s, code, "%.*s %s%.*s", STR_ARG(said->code),
		said->verbatim ? "" : "Error: ", STR_ARG(said->text));
}

/* What speaks against the content itself. */
static bool
is_acceptable(struct session *s)
{
	if (is_over(s)) {
		s->fault = FAULT_BOUNCE;
		log_warn("%.*s: queue file size limit exceeded",
			STR_ARG(session_queue_id(s)));
		return reply(s, 552, "5.3.4 Error: message file too big");
	}
	if (s->t.scan.bare_lf && s->site->bare_newline >= BARE_NEWLINE_NOTE &&
		!is_excluded(s)) {
		log_info("%.*s: bare <LF> received in the message from %.*s",
			STR_ARG(session_queue_id(s)), STR_ARG(s->client));
		if (s->site->bare_newline == BARE_NEWLINE_REJECT) {
			s->closing = true;
			return reply(s, s->p->smtpd_forbid_bare_newline_reject_code,
				"5.5.2 Error: bare <LF> received");
		}
	}
	if (!policy_end_of_data(s))
		return reply_text(s, s->refusal);
	return true;
}

/* Messages of this process that are whole and wait for cleanup's word. */
static int64_t committing;

bool
message_too_many(const struct session *s)
{
	int64_t limit = s->p->smtpd_commit_count_limit;

	return limit > 0 && committing >= limit;
}

bool
message_end(struct session *s)
{
	struct submission *submission;
	struct submit_reply said;
	bool ok;

	s->where = "END-OF-MESSAGE";
	data_scan_finish(&s->t.scan, &s->content);
	ok = is_acceptable(s);
	if (ok && s->t.filter.open) {
		ok = filter_end(s);
		if (ok)
			forgive(s);
	} else if (ok) {
		hand_on(s);
		submission = s->t.submission;
		s->t.submission = NULL; /* submission_end frees it, whatever happens */
		committing++;
		submission_end(
			submission, s->mail, &said, deadline_in(s->p->ipc_timeout));
		committing--;
		milters_take_back(s, &said);
		ok = answer(s, &said);
	}
	if (ok)
		quotas_sent(s, s->t.scan.size);
	buf_clear(&s->content);
	session_reset_mail(s);
	return ok;
}
