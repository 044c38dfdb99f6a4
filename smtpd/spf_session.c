/* spf_session.c -- see spf_session.h. lib/auth judges; who is judged, and what comes of
 * it, is here. */
#include "explain.h"
#include "hosts.h"
#include "log.h"
#include "mailbox.h"
#include "message.h"
#include "results.h"
#include "session.h"
#include "spf_engine.h"
#include "spf_session.h"

#define VALUE_MOST 320 /* octets of one value in the header: a path and some more */
#define WORDS_MOST 200 /* octets of an explanation in a reply of one line */

struct spf_known {
	struct str helo_name; /* that `helo` is about; data NULL: it was not asked for */
	bool have_sender;
	struct spf_verdict helo, sender;
};

enum spf_mode
spf_mode_parse(struct str value)
{
	static const char *const words[] = {
		[SPF_MODE_OFF] = "off",
		[SPF_MODE_LOG] = "log",
		[SPF_MODE_TAG] = "tag",
		[SPF_MODE_ENFORCE] = "enforce",
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(value, words[i]))
			return (enum spf_mode)i;
	log_fatal("bad parameter value: spf_mode = %.*s: specify one of off, log, tag, "
		  "enforce",
		STR_ARG(value));
}

/* ---- the verdicts ---- */

static enum dns_status
ask(void *unused, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	(void)unused;
	return hosts_ask_text(name, type, 0, until, arena, said);
}

/* The answers of the DNS are forgotten, the verdict stays. */
static void
judge(struct session *s, struct str sender, struct spf_verdict *out)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	const struct auth_dns dns = { .ask = ask };
	const struct spf_question question = {
		.client = s->peer,
		.helo = s->helo,
		.sender = sender,
		.receiver = s->p->myhostname,
		.until = deadline_in(s->p->spf_time_limit),
		.dns = &dns,
	};

	spf_engine_check(s, &question, arena, out);
	out->domain = arena_str(s->mail, out->domain);
	out->mechanism = arena_str(s->mail, out->mechanism);
	out->problem = arena_str(s->mail, out->problem);
	out->explanation = arena_str(s->mail, out->explanation);
}

/* Those who only hand on what others sent, and our own users, are not asked about.
 * TEMPFAIL: spf_exempt_clients cannot be read. */
static enum verdict
is_subject_to_it(struct session *s, bool *is_subject)
{
	enum dict_result exempt;
	struct why why;

	*is_subject = false;
	if (s->sasl_username.data || s->peer.sa.ss_family == AF_UNSPEC)
		return ACCEPT;
	exempt = match_client(s->site->spf_exempt, s->name, &s->peer, &why);
	*is_subject = exempt == DICT_NOTFOUND;
	if (exempt == DICT_ERROR)
		log_warn("spf_exempt_clients: %s", why.text);
	return exempt == DICT_ERROR ? TEMPFAIL : ACCEPT;
}

/* What counts for the message: a HELO name that is not the client's (section 2.3), or
 * else the sender. NULL: the client has said neither. */
static const struct spf_verdict *
verdict_of(struct session *s)
{
	struct spf_known *known;

	if (!s->helo.data && s->asked_sender.len == 0)
		return NULL;
	session_begin_mail(s);
	if (!s->spf)
		s->spf = arena_alloc(s->mail, sizeof(*s->spf));
	known = s->spf;
	/* While HELO is decided on, the name is not yet, and perhaps never, the
	 * session's. */
	if (s->helo.data &&
		!(known->helo_name.data && str_eq(known->helo_name, s->helo))) {
		judge(s, STR_NONE, &known->helo);
		known->helo_name = arena_str(s->mail, s->helo);
	}
	if (s->helo.data && known->helo.result == SPF_FAIL)
		return &known->helo;
	if (s->asked_sender.len == 0)
		return &known->helo;
	if (!known->have_sender) {
		judge(s, s->asked_sender, &known->sender);
		known->have_sender = true;
	}
	return &known->sender;
}

/* ---- refusing ---- */

static enum subject
subject_of(const struct spf_verdict *v)
{
	return v->is_of_helo ? SUBJECT_HELO : SUBJECT_SENDER;
}

/* RFC 7372 section 3.2 has the codes; RFC 7208 section 8.4 wants it known whose words the
 * explanation is. */
static enum decision
refuse_fail(struct session *s, const struct spf_verdict *v)
{
	struct str words = str_sub(v->explanation, 0, WORDS_MOST);
	struct str text = arena_printf(s->command, "[%.*s] may not send for %.*s (SPF)",
		STR_ARG(s->address), STR_ARG(v->domain));

	if (words.len)
		text = arena_printf(s->command, "%.*s; %.*s explains: %.*s",
			STR_ARG(text), STR_ARG(v->domain), STR_ARG(words));
	return refuse_subject(s, s->p->spf_reject_code, "5.7.23", subject_of(v), text);
}

static struct str
problem_text(struct session *s, const struct spf_verdict *v)
{
	return arena_printf(s->command, "SPF %s: %.*s", spf_result_name(v->result),
		STR_ARG(v->problem));
}

enum decision
reject_spf_fail(struct session *s, const struct check *c)
{
	const struct spf_verdict *v;
	bool is_subject;

	(void)c;
	if (is_subject_to_it(s, &is_subject) == TEMPFAIL)
		return refuse_lookup(s, s->client);
	v = is_subject ? verdict_of(s) : NULL;
	if (v && v->result == SPF_FAIL)
		return refuse_fail(s, v);
	if (v && v->result == SPF_TEMPERROR)
		return refuse_uncertain(s, s->p->spf_tempfail_action, 451, "4.7.24",
			subject_of(v), problem_text(s, v));
	return DUNNO;
}

enum decision
reject_spf_permerror(struct session *s, const struct check *c)
{
	const struct spf_verdict *v;
	bool is_subject;

	(void)c;
	if (is_subject_to_it(s, &is_subject) == TEMPFAIL)
		return refuse_lookup(s, s->client);
	v = is_subject ? verdict_of(s) : NULL;
	if (!v || v->result != SPF_PERMERROR)
		return DUNNO;
	return refuse_subject(
		s, s->p->spf_reject_code, "5.7.24", subject_of(v), problem_text(s, v));
}

/* Who the author is, only the message tells: cleanup, which has it verified, refuses it
 * when it has all come. */
enum decision
reject_dmarc_fail(struct session *s, const struct check *c)
{
	if (!s->site->wants_dmarc)
		return refuse_for_mistake(
			s, "restriction %s: it needs dmarc_mode", c->row->name);
	if (s->t.submission || s->t.filter.open)
		return refuse_for_mistake(s,
			"restriction %s: the message is handed on already: it cannot "
			"stand in smtpd_end_of_data_restrictions, nor before an "
			"smtpd_proxy_filter",
			c->row->name);
	s->actions.on_dmarc_fail = MAX(s->actions.on_dmarc_fail,
		s->walk.warn_depth ? ON_DMARC_FAIL_WARN : ON_DMARC_FAIL_REFUSE);
	return DUNNO;
}

/* Nothing can permit any more what spf_tempfail_action waits for. */
enum decision
spf_enforce(struct session *s)
{
	enum decision decision;
	size_t step;

	if (s->site->spf_mode != SPF_MODE_ENFORCE || s->actions.discard)
		return DUNNO;
	if (!explain_may(EXPLAIN_DNS)) {
		explain_step("check", STR("spf_mode"), STR_NONE, "skipped",
			STR("the DNS is not asked: the mail system does not run"));
		return DUNNO;
	}
	s->walk = (struct walk){ .depth = 0 };
	step = explain_open("check", STR("spf_mode"), STR_NONE);
	decision = reject_spf_fail(s, NULL);
	if (decision == DUNNO && s->walk.if_permit.active)
		decision = refuse(s, s->walk.if_permit.code, s->walk.if_permit.dsn,
			"%.*s", STR_ARG(s->walk.if_permit.text));
	explain_close(step, decision == REFUSE ? "refuses" : "goes on",
		decision == REFUSE ? s->refusal : STR_NONE);
	return decision;
}

/* ---- telling ---- */

/* key-value-pair = key [CFWS] "=" ( dot-atom / quoted-string ); what does not print is
 * left out, but for the UTF-8 of a message that may have it (RFC 6532). */
static void
add_pair(const struct session *s, struct buf *out, const char *key, struct str value)
{
	bool quotes;

	value = str_sub(value, 0, VALUE_MOST);
	quotes = !address_is_dot_string(value);
	buf_printf(out, "\n\t%s=%s", key, quotes ? "\"" : "");
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (!ascii_is_print(c) &&
			!((unsigned char)c >= 0x80 && s->t.parameters.smtputf8))
			continue;
		if (c == '"' || c == '\\')
			buf_addc(out, '\\');
		buf_addc(out, c);
	}
	buf_addz(out, quotes ? "\";" : ";");
}

/* Received-SPF (section 9.1), without the last line end. */
static struct str
header(struct session *s, const struct spf_verdict *v)
{
	static const char *const meanings[] = {
		[SPF_NONE] = "no policy is published for",
		[SPF_NEUTRAL] = "it is left open whether the client may send for",
		[SPF_PASS] = "the client may send for",
		[SPF_FAIL] = "the client may not send for",
		[SPF_SOFTFAIL] = "the client should not send for",
		[SPF_TEMPERROR] =
			"it could not be found out whether the client may send for",
		[SPF_PERMERROR] = "there is a mistake in the policy of",
	};
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&out, "Received-SPF: %s (%.*s: %s\n\tthis %s)",
		spf_result_name(v->result), STR_ARG(s->p->myhostname),
		meanings[v->result], v->is_of_helo ? "host" : "sender");
	add_pair(s, &out, "receiver", s->p->myhostname);
	add_pair(s, &out, "client-ip", s->address);
	add_pair(s, &out, "identity", v->is_of_helo ? STR("helo") : STR("mailfrom"));
	add_pair(s, &out, "envelope-from", address_quote(s->asked_sender, s->command));
	if (s->helo.data)
		add_pair(s, &out, "helo", s->helo);
	if (v->mechanism.len)
		add_pair(s, &out, "mechanism", v->mechanism);
	if (v->problem.len)
		add_pair(s, &out, "problem", v->problem);
	return arena_str(s->mail, buf_str(&out));
}

/* spf_mode wants it, the client is subject to it, and there is a name to ask about. */
static const struct spf_verdict *
wanted_verdict(struct session *s)
{
	bool is_subject;

	if (s->site->spf_mode == SPF_MODE_OFF || !explain_may(EXPLAIN_DNS) ||
		is_subject_to_it(s, &is_subject) == TEMPFAIL || !is_subject)
		return NULL;
	return verdict_of(s);
}

struct str
spf_result_known(struct session *s)
{
	const struct spf_verdict *v = wanted_verdict(s);

	return v ? str_c(spf_result_name(v->result)) : STR_NONE;
}

/* DMARC asks for the sender, or for HELO where there is none (RFC 9989 section 4.3), and
 * has exemptions of its own (dkim_exempt_clients). */
static const struct spf_verdict *
verdict_for_dmarc(struct session *s)
{
	if (!s->site->wants_dmarc || !message_is_strangers(s) ||
		!explain_may(EXPLAIN_DNS) || !verdict_of(s))
		return NULL;
	if (s->asked_sender.len == 0)
		return &s->spf->helo;
	if (!s->spf->have_sender) {
		judge(s, s->asked_sender, &s->spf->sender);
		s->spf->have_sender = true;
	}
	return &s->spf->sender;
}

void
spf_tell(struct session *s, struct submit_request *out)
{
	const struct spf_verdict *dmarc = verdict_for_dmarc(s);
	const struct spf_verdict *v =
		s->site->spf_mode >= SPF_MODE_TAG ? wanted_verdict(s) : dmarc;
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str *item = arena_alloc(s->command, sizeof(*item));

	if (v) {
		results_spf(v, &text);
		*item = arena_str(s->command, buf_str(&text));
		out->results = (struct strs){ item, 1 };
	}
	if (dmarc) {
		out->spf_result = (uint8_t)dmarc->result;
		out->spf_domain = dmarc->domain;
	}
}

void
spf_record_verdict(struct session *s)
{
	const struct spf_verdict *v = wanted_verdict(s), *helo;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (!v)
		return;
	spf_verdict_show(v, &text);
	/* Names in HELO mostly have no policy: that is worth no word. */
	helo = !v->is_of_helo && s->helo.data && s->spf->helo.result != SPF_NONE
		       ? &s->spf->helo
		       : NULL;
	if (helo) {
		buf_addz(&text, ", ");
		spf_verdict_show(helo, &text);
	}
	policy_log(s, "spf", buf_str(&text));
	if (s->site->spf_mode < SPF_MODE_TAG)
		return;
	*vec_push(&s->actions.prepend) = header(s, v);
	if (helo)
		*vec_push(&s->actions.prepend) = header(s, helo);
}
