/* verify.c -- who has signed and sealed a stranger's message (RFC 6376, RFC 8617), asked
 * of mailauth and told in an Authentication-Results field (RFC 8601). Those that came
 * with it and pretend to be ours are removed. */
#include "config.h"
#include "alone.h"
#include "message.h"
#include "log.h"
#include "results.h"
#include "dmarc_store.h"
#include "service.h"
#include <errno.h>

#define PATIENCE ((msec_t)60000) /* behind dkim_time_limit, for the message itself */

enum mode { MODE_OFF, MODE_LOG, MODE_TAG, MODE_ENFORCE };

static struct {
	enum mode dkim, dmarc, arc;
	struct maps *sealers; /* arc_trusted_sealers */
	bool holds;           /* dmarc_quarantine_action = hold */
	struct str redirect;  /* or redirect, to this address */
} settings;

static enum mode
mode_of(const char *parameter, struct str value, enum mode most)
{
	static const char *const words[] = { "off", "log", "tag", "enforce" };

	for (unsigned i = 0; i <= (unsigned)most; i++)
		if (str_case_is(value, words[i])) {
#ifndef HAVE_OPENDKIM
			if (i != MODE_OFF)
				log_warn("%s: this build has no libopendkim", parameter);
#endif
			return (enum mode)i;
		}
	log_fatal("bad parameter value: %s = " STR_FMT ": specify one of off, log, tag%s",
		parameter, STR_ARG(value), most == MODE_ENFORCE ? ", enforce" : "");
}

void
verify_open(const struct conf *c)
{
	struct str action = c->p.dmarc_quarantine_action, word;

	settings.dkim = mode_of("dkim_mode", c->p.dkim_mode, MODE_TAG);
	settings.dmarc = mode_of("dmarc_mode", c->p.dmarc_mode, MODE_ENFORCE);
	settings.arc = mode_of("arc_mode", c->p.arc_mode, MODE_TAG);
	report_open(c, settings.dmarc != MODE_OFF);
	settings.sealers =
		maps_open("arc_trusted_sealers", c->p.arc_trusted_sealers, DICT_FOLD, c);
	if (!maps_empty(settings.sealers) &&
		(settings.arc == MODE_OFF || settings.dmarc == MODE_OFF))
		log_warn("arc_trusted_sealers: nobody is heard without arc_mode and "
			 "dmarc_mode");
	if (!str_token(&action, " \t", &word))
		word = STR("");
	settings.holds = str_case_is(word, "hold");
	settings.redirect = str_case_is(word, "redirect") ? str_trim(action) : STR("");
	if (!settings.holds && !settings.redirect.len && !str_case_is(word, "tag"))
		log_fatal("bad parameter value: dmarc_quarantine_action = " STR_FMT
			  ": specify one of hold, tag, redirect address",
			STR_ARG(c->p.dmarc_quarantine_action));
}

bool
message_is_verified(const struct message *m)
{
	return (settings.dkim != MODE_OFF || settings.dmarc != MODE_OFF ||
		       settings.arc != MODE_OFF) &&
	       (m->envelope.flags & ENVELOPE_STRANGER) && !m->discarded;
}

static bool
tells(void)
{
	return settings.dkim == MODE_TAG || settings.dmarc >= MODE_TAG ||
	       settings.arc == MODE_TAG;
}

bool
verify_tells_chains(void)
{
	return settings.arc == MODE_TAG;
}

/* Section 5: whoever reads it would take it for ours. */
enum field_fate
verify_field(struct message *m, struct field *f)
{
	struct buf who CLEANUP(buf_free) = BUF_INIT;

	if (!tells() ||
		!((m->envelope.flags & ENVELOPE_STRANGER) || message_is_handed_in(m)) ||
		!field_is(f, "Authentication-Results"))
		return FIELD_KEEP;
	results_who(f->body, &who);
	return str_case_eq(buf_str(&who), m->conf->p.auth_service_id) ? FIELD_DROP
								      : FIELD_KEEP;
}

/* ---- asking ---- */

SWITCHES static int
ask(struct message *m, struct ipc_peer *mailauth, struct mail_auth_reply *said)
{
	struct mail_auth_request question = { .queue_id = str_c(m->queue_id),
		.wants_dmarc = settings.dmarc != MODE_OFF,
		.wants_arc = settings.arc != MODE_OFF,
		.spf_result = m->ask.spf_result,
		.spf_domain = m->ask.spf_domain };
	deadline_t patience = deadline_in(m->conf->p.dkim_time_limit + PATIENCE);
	struct buf payload CLEANUP(buf_free) = BUF_INIT;
	struct ipc_stream *stream;
	struct str reply;

	mail_auth_request_put(&payload, &question);
	stream = ipc_stream_begin(mailauth, mail_auth_TYPE, buf_str(&payload), patience);
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
	*said = (struct mail_auth_reply){ .n_dkim = 1,
		.dmarc_result = DMARC_TEMPERROR,
		.arc_result = ARC_TEMPERROR,
		.arc_problem = STR("cannot be verified now") };
	said->dkim = arena_alloc(m->arena, sizeof(*said->dkim));
	said->dkim[0] = (struct dkim_verdict){ .result = DKIM_TEMPERROR,
		.problem = STR("cannot be verified now") };
}

static bool
is_known(const struct mail_auth_reply *said)
{
	for (size_t i = 0; i < said->n_dkim; i++)
		if (said->dkim[i].result > DKIM_PERMERROR)
			return false;
	for (size_t i = 0; i < said->n_seals; i++)
		if (!dkim_name_is_domain(said->seals[i].domain))
			return false;
	return said->dmarc_result <= DMARC_PERMERROR &&
	       said->dmarc_policy <= DMARC_REJECT &&
	       said->dmarc_published <= DMARC_REJECT && said->arc_result <= ARC_TEMPERROR;
}

SWITCHES static int
ask_alone(struct message *m, struct mail_auth_reply *said)
{
	deadline_t until = deadline_in(m->conf->p.dkim_time_limit + PATIENCE);
	struct ipc_peer *suspects = service_peer("mailauth-suspect");
	int result;

	do
		result = alone_turn(suspects, until) < 0 ? -1 : ask(m, suspects, said);
	while (result == 0 && said->is_alone_denied);
	return result;
}

/* A process that died may have done so of another message: once more, alone. */
SWITCHES static void
verdicts_of(struct message *m, struct mail_auth_reply *said)
{
	int result = ask(m, service_peer("mailauth"), said);

	if (result < 0 && alone_is_called_for(errno))
		result = ask_alone(m, said);
	if (result < 0)
		give_up(m, said, strerror(errno));
	else if (said->error.len)
		give_up(m, said, arena_cstr(m->arena, said->error));
	if (!is_known(said))
		give_up(m, said, "unknown verdict");
}

/* ---- telling ---- */

static struct dmarc_verdict
dmarc_of(const struct mail_auth_reply *said)
{
	return (struct dmarc_verdict){ .result = (enum dmarc_result)said->dmarc_result,
		.policy = (enum dmarc_policy)said->dmarc_policy,
		.published = (enum dmarc_policy)said->dmarc_published,
		.domain = said->dmarc_domain };
}

static struct arc_verdict
arc_of(const struct mail_auth_reply *said)
{
	return (struct arc_verdict){ .result = (enum arc_result)said->arc_result,
		.problem = said->arc_problem,
		.seals = said->seals,
		.n = said->n_seals };
}

static struct strs
items_of(struct message *m, const struct mail_auth_reply *said)
{
	struct dmarc_verdict dmarc = dmarc_of(said);
	struct arc_verdict arc = arc_of(said);
	struct buf last CLEANUP(buf_free) = BUF_INIT;
	struct str *items = arena_alloc(
		m->arena, (m->ask.results.n + said->n_dkim + 3) * sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < m->ask.results.n; i++)
		items[n++] = m->ask.results.items[i];
	for (size_t i = 0; i < MAX(said->n_dkim, (size_t)1); i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT;

		results_dkim(said->n_dkim ? &said->dkim[i] : NULL, &text);
		items[n++] = arena_str(m->arena, buf_str(&text));
	}
	if (settings.dmarc != MODE_OFF) {
		results_dmarc(&dmarc, &last);
		items[n++] = arena_str(m->arena, buf_str(&last));
	}
	if (settings.arc != MODE_OFF) {
		buf_clear(&last);
		results_arc(&arc, &last);
		items[n++] = arena_str(m->arena, buf_str(&last));
	}
	return (struct strs){ items, n };
}

/* DKIM: one good signature is enough. */
static void
note_verdicts(struct message *m, const struct mail_auth_reply *said)
{
	enum dkim_result best = DKIM_NONE;

	for (size_t i = 0; i < said->n_dkim; i++)
		if (best != DKIM_PASS && (i == 0 || said->dkim[i].result == DKIM_PASS))
			best = (enum dkim_result)said->dkim[i].result;
	m->verdicts.dkim = str_c(dkim_result_name(best));
	if (settings.dmarc != MODE_OFF) {
		m->verdicts.dmarc =
			str_c(dmarc_result_name((enum dmarc_result)said->dmarc_result));
		m->verdicts.policy =
			str_c(dmarc_policy_name((enum dmarc_policy)said->dmarc_policy));
	}
	if (settings.arc != MODE_OFF)
		m->verdicts.arc =
			str_c(arc_result_name((enum arc_result)said->arc_result));
}

struct str
verify_macro(const struct message *m, struct str name)
{
	const struct {
		const char *name;
		struct str value;
	} known[] = {
		{ "dkim_result", m->verdicts.dkim },
		{ "dmarc_result", m->verdicts.dmarc },
		{ "dmarc_policy", m->verdicts.policy },
		{ "arc_result", m->verdicts.arc },
	};

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_is(name, known[i].name))
			return known[i].value;
	return STR_NONE;
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

/* ---- what is trusted (RFC 8617 section 7.2.1) ---- */

/* What is left of a policy where this sealer vouches. False: he is not trusted, or nobody
 * knows (then the message waits). */
SWITCHES static bool
is_trusted(struct message *m, struct str domain, enum dmarc_policy *left)
{
	struct str value;
	struct why why;

	switch (maps_find(settings.sealers, domain, m->arena, &value, &why)) {
	case DICT_NOTFOUND:
		return false;
	case DICT_ERROR:
		log_warn("%s: %s", m->queue_id, why.text);
		message_fail(m, TEMPFAIL, 451, "4.3.0", "temporary lookup failure");
		return false;
	case DICT_FOUND:
		break;
	}
	*left = str_case_is(value, "quarantine") ? DMARC_QUARANTINE : DMARC_POLICY_NONE;
	if (*left == DMARC_QUARANTINE || str_case_is(value, "none"))
		return true;
	log_warn("arc_trusted_sealers: " STR_FMT ": \"" STR_FMT
		 "\": wanted is none or quarantine",
		STR_ARG(domain), STR_ARG(value));
	return false;
}

/* Forwarders break what DMARC goes by. The newest one is heard, and those before him as
 * long as everybody behind them is trusted: an untrusted one could have put an old chain
 * on a message of his own. */
SWITCHES static void
hear_sealers(struct message *m, struct mail_auth_reply *said)
{
	enum dmarc_policy most = DMARC_POLICY_NONE, left;

	if (said->dmarc_result != DMARC_FAIL || said->dmarc_policy == DMARC_POLICY_NONE ||
		said->arc_result == ARC_NONE || said->arc_result == ARC_FAIL)
		return;
	for (size_t i = said->n_seals; i > 0; i--) {
		const struct arc_seal *seal = &said->seals[i - 1];

		if (!is_trusted(m, seal->domain, &left))
			return;
		most = MAX(most, left);
		if (!seal->vouches)
			continue;
		if (said->arc_result == ARC_PASS)
			said->dmarc_policy = MIN(said->dmarc_policy, (uint8_t)most);
		else if (settings.dmarc == MODE_ENFORCE)
			message_fail(m, TEMPFAIL, 451, "4.7.0",
				"the key of a sealer cannot be looked up now");
		return;
	}
}

/* dmarc_mode = enforce, or a restriction of smtpd's list. */
static bool
is_refused(const struct message *m, uint8_t policy)
{
	return policy == DMARC_REJECT &&
	       (settings.dmarc == MODE_ENFORCE ||
		       m->ask.on_dmarc_fail == ON_DMARC_FAIL_REFUSE);
}

/* What the author's domain wants done (RFC 9989 section 5.4; the code is RFC 7372's). */
static void
obey(struct message *m, const struct mail_auth_reply *said)
{
	struct dmarc_verdict v = dmarc_of(said);

	if (v.policy == DMARC_REJECT && m->ask.on_dmarc_fail == ON_DMARC_FAIL_WARN &&
		!is_refused(m, v.policy))
		message_tell(m, "reject_warning", STR("DMARC"), v.domain);
	if (settings.dmarc != MODE_ENFORCE && !is_refused(m, v.policy))
		return;
	if (v.policy == DMARC_REJECT && v.domain.len == 0) {
		message_tell(m, "reject", STR("DMARC"), STR("too many authors"));
		m->verbatim = true;
		message_fail(m, PERMFAIL, 550, "5.7.26",
			"not accepted: From has more authors than can be checked");
	} else if (v.policy == DMARC_REJECT) {
		message_tell(m, "reject", STR("DMARC"), v.domain);
		m->verbatim = true;
		message_fail(m, PERMFAIL, 550, "5.7.26",
			"not accepted, by the DMARC policy of " STR_FMT,
			STR_ARG(v.domain));
	} else if (v.policy == DMARC_QUARANTINE && settings.holds) {
		message_tell(m, "hold", STR("DMARC"), v.domain);
		m->envelope.flags |= ENVELOPE_HOLD;
	} else if (v.policy == DMARC_QUARANTINE && settings.redirect.len) {
		message_tell(m, "redirect", STR("DMARC"), v.domain);
		m->redirect = settings.redirect;
	}
}

/* What is done, and why it is less than the author's domain wants; asked: what it wants
 * of this message, before sealers were heard. */
static void
count(const struct message *m, const struct mail_auth_reply *said, uint8_t asked)
{
	enum dmarc_departure why =
		asked < said->dmarc_published ? DEPART_TEST : DEPART_NOT;
	uint8_t done = said->dmarc_policy;

	if (said->dmarc_result == DMARC_PASS)
		why = DEPART_NOT;
	if (done < asked)
		why = DEPART_ARC;
	if (settings.dmarc != MODE_ENFORCE && done > DMARC_POLICY_NONE &&
		!is_refused(m, done)) {
		done = DMARC_POLICY_NONE;
		why = DEPART_LOCAL;
	}
	report_message(m, said, done, why);
}

void
verify_message(struct message *m)
{
	struct mail_auth_reply said = { .n_dkim = 0 };
	uint8_t asked;
	struct buf fresh = BUF_INIT;
	struct strs items;

	if (!message_is_verified(m) || service_explains())
		return;
	verdicts_of(m, &said);
	content_free_raw(m);
	/* Once: who goes through here again (postsuper -r) has been told of, and SPF
	 * would not be asked. */
	m->envelope.flags &= ~(uint32_t)ENVELOPE_STRANGER;
	asked = said.dmarc_policy;
	hear_sealers(m, &said);
	if (m->verdict == ACCEPT)
		count(m, &said, asked);
	note_verdicts(m, &said);
	items = items_of(m, &said);
	log_items(m, items);
	if (m->verdict == ACCEPT)
		obey(m, &said);
	if (!tells() || m->verdict != ACCEPT)
		return;
	results_field(m->conf->p.auth_service_id, items, &fresh);
	buf_add(&fresh, buf_str(&m->content));
	content_replace(m, &fresh);
}
