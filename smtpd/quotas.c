/* quotas.c -- see quotas.h. */
#include "quotas.h"
#include "address.h"
#include "limits.h"
#include "service.h"
#include "session.h"

/* A name is known by so much of its end: anvil counts for up to 127 bytes. */
#define NAME_MOST 110

static const struct sending_limit {
	enum quota_about about;
	enum quota_kind kind;
	size_t hour, day; /* of the parameters */
} quotas[] = {
#define QUOTA(about, kind, hour, day) \
	{ \
		about, kind, offsetof(struct params, hour), offsetof(struct params, day) \
	}
	QUOTA(QUOTA_LOGIN, QUOTA_BYTES, smtpd_login_byte_rate_limit,
		smtpd_login_byte_day_limit),
	QUOTA(QUOTA_LOGIN, QUOTA_MESSAGES, smtpd_login_message_rate_limit,
		smtpd_login_message_day_limit),
	QUOTA(QUOTA_LOGIN, QUOTA_RECIPIENTS, smtpd_login_recipient_rate_limit,
		smtpd_login_recipient_day_limit),
	QUOTA(QUOTA_DOMAIN, QUOTA_BYTES, smtpd_sender_domain_byte_rate_limit,
		smtpd_sender_domain_byte_day_limit),
	QUOTA(QUOTA_DOMAIN, QUOTA_MESSAGES, smtpd_sender_domain_message_rate_limit,
		smtpd_sender_domain_message_day_limit),
	QUOTA(QUOTA_DOMAIN, QUOTA_RECIPIENTS, smtpd_sender_domain_recipient_rate_limit,
		smtpd_sender_domain_recipient_day_limit),
#undef QUOTA
};

static const char *const abouts[QUOTA_ABOUTS] = {
	[QUOTA_LOGIN] = "login",
	[QUOTA_DOMAIN] = "domain",
};
static const struct {
	const char *in[QUOTA_PERIODS], *refusal;
} words[QUOTA_KINDS] = {
	[QUOTA_MESSAGES] = { { "Message rate", "Message rate of a day" },
		"too much mail" },
	[QUOTA_RECIPIENTS] = { { "Recipient rate", "Recipient rate of a day" },
		"too many recipients" },
	[QUOTA_BYTES] = { { "Byte rate", "Byte rate of a day" }, "too much mail" },
};

/* ---- whom it counts for ---- */

/* Strangers write any domain: that counts for nobody. */
SWITCHES static bool
is_one_of_ours(struct session *s)
{
	return s->sasl_username.len > 0 || session_client_is_ours(s) == DICT_FOUND;
}

SWITCHES static bool
is_excepted(struct session *s, enum quota_about about, struct str name)
{
	struct match_list *list = s->site->quota_exceptions[about];
	struct why why;

	return (about == QUOTA_LOGIN ? match_string(list, name, &why)
				     : match_domain(list, name, &why)) == DICT_FOUND;
}

/* Nobody: there is nothing to be counted. */
SWITCHES static struct str
name_of(struct session *s, enum quota_about about)
{
	struct str local, name = s->sasl_username;

	if (about == QUOTA_DOMAIN && !is_one_of_ours(s))
		return STR_NONE;
	if (about == QUOTA_DOMAIN)
		address_split(s->asked_sender, &local, &name);
	if (!name.len || limits_exempt(s) || is_excepted(s, about, name))
		return STR_NONE;
	return arena_lower(
		s->command, str_from(name, name.len - MIN(name.len, NAME_MOST)));
}

/* ---- asking ---- */

static uint64_t
limit_at(const struct session *s, size_t at)
{
	return (uint64_t) * (const int64_t *)((const char *)s->p + at);
}

SWITCHES static bool
ask(struct session *s, const struct quota_request *question, struct quota_reply *said)
{
	struct ipc_peer *peer = limits_anvil();

	return peer && limits_anvil_said(quota_call(peer, question, said, s->command,
						 deadline_in(LIMITS_PATIENCE)) == 0);
}

static bool
is_beyond(struct session *s, const struct sending_limit *q, struct str name,
	const struct quota_reply *said)
{
	enum quota_action action = s->site->quota_actions[q->about];
	bool for_good = action == QUOTA_REJECTS && !s->p->soft_bounce;
	struct str what = arena_printf(s->command, "%s (%s:%.*s)",
		words[q->kind].in[said->period < QUOTA_PERIODS ? said->period : 0],
		abouts[q->about], STR_ARG(name));

	log_line(SMTPD_LIMIT, what, log_num((int64_t)MIN(said->used, INT64_MAX)),
		s->client, str_c(service_name()));
	if (action == QUOTA_HOLDS) {
		if (!s->actions.hold) /* said once for a message */
			policy_log(s, "hold",
				arena_printf(s->command, "%.*s limit exceeded",
					STR_ARG(what)));
		s->actions.hold = true;
		return true;
	}
	return reply(s, for_good ? 550 : 450, "%c.7.1 Error: %s from %s:%.*s",
		for_good ? '5' : '4', words[q->kind].refusal, abouts[q->about],
		STR_ARG(name));
}

/* Those of this kind, one after the other. False: one said no. */
SWITCHES static bool
are_kept(struct session *s, enum quota_kind kind, uint64_t amount, enum quota_how how)
{
	for (size_t i = 0; i < COUNT(quotas); i++) {
		const struct sending_limit *q = &quotas[i];
		struct quota_request question = { .about = (uint8_t)q->about,
			.kind = (uint8_t)kind,
			.amount = amount,
			.how = (uint8_t)how,
			.hour = limit_at(s, q->hour),
			.day = limit_at(s, q->day) };
		struct quota_reply said = { .over = false };

		if (q->kind != kind || (question.hour == 0 && question.day == 0))
			continue;
		if (how == QUOTA_WITHIN &&
			s->site->quota_actions[q->about] == QUOTA_HOLDS)
			question.how = QUOTA_ALWAYS;
		question.name = name_of(s, q->about);
		if (question.name.len && ask(s, &question, &said) && said.over &&
			how != QUOTA_ALWAYS && !is_beyond(s, q, question.name, &said))
			return false;
	}
	return true;
}

/* Bytes count when they have come; before, they are looked at as announced, and as one
 * where nothing is. */
bool
quotas_mail(struct session *s)
{
	return are_kept(s, QUOTA_BYTES, MAX(s->asked_size, 1), QUOTA_LOOK) &&
	       are_kept(s, QUOTA_MESSAGES, 1, QUOTA_WITHIN);
}

bool
quotas_rcpt(struct session *s)
{
	return are_kept(s, QUOTA_RECIPIENTS, 1, QUOTA_WITHIN);
}

void
quotas_sent(struct session *s, octets_t size)
{
	(void)are_kept(s, QUOTA_BYTES, size, QUOTA_ALWAYS);
}
