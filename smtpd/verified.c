/* verified.c -- reject_unverified_sender and _recipient: the verify service knows, or
 * finds out by a probe, whether an address takes mail (ADDRESS_VERIFICATION_README). */
#include "messages.h"
#include "service.h"
#include "session.h"

#define ANSWER_PATIENCE ((msec_t)10000) /* beyond what it was given to find out */
#define TEXT_MOST       250

/* The two restrictions and their parameters, in struct params. */
struct kind {
	enum subject subject;
	const char *dsn;
	size_t reject_code, defer_code, reason, action;
};
#define AT(parameter) offsetof(struct params, parameter)
static const struct kind kinds[] = {
	{ SUBJECT_SENDER, "4.1.7", AT(unverified_sender_reject_code),
		AT(unverified_sender_defer_code), AT(unverified_sender_reject_reason),
		AT(unverified_sender_tempfail_action) },
	{ SUBJECT_RECIPIENT, "4.1.1", AT(unverified_recipient_reject_code),
		AT(unverified_recipient_defer_code),
		AT(unverified_recipient_reject_reason),
		AT(unverified_recipient_tempfail_action) },
};
#undef AT

static int
code_at(const struct session *s, size_t at)
{
	return *(const int *)((const char *)s->p + at);
}

static struct str
text_at(const struct session *s, size_t at)
{
	return *(const struct str *)((const char *)s->p + at);
}

static bool
ask(struct session *s, struct str address, struct verify_reply *said)
{
	msec_t patience =
		(s->p->address_verify_poll_count - 1) * s->p->address_verify_poll_delay;
	struct verify_request question = { .address = address,
		.patience = (uint64_t)patience };
	char name[64];
	struct str service = s->p->address_verify_service_name;

	if (service.len >= sizeof(name))
		return false;
	memcpy(name, service.data, service.len);
	name[service.len] = 0;
	return verify_call(service_peer(name), &question, said, s->command,
		       deadline_in(patience + ANSWER_PATIENCE)) == 0;
}

static enum decision
refuse_uncertain_address(
	struct session *s, const struct kind *k, const char *what, struct str text)
{
	return refuse_uncertain(s, text_at(s, k->action), code_at(s, k->defer_code),
		k->dsn, k->subject,
		arena_printf(s->command, "%s%.*s", what,
			STR_ARG(str_sub(text, 0, TEXT_MOST))));
}

/* unverified_*_reject_reason says instead of the other server what the client hears. */
static enum decision
refuse_address(struct session *s, const struct kind *k, struct str text)
{
	struct str reason = text_at(s, k->reason);

	return refuse_subject(s, code_at(s, k->reject_code), k->dsn, k->subject,
		arena_printf(s->command, "undeliverable address: %.*s",
			STR_ARG(reason.len ? reason : str_sub(text, 0, TEXT_MOST))));
}

enum decision
reject_unverified(struct session *s, const struct check *c)
{
	const struct kind *k = &kinds[c->row->subject == SUBJECT_RECIPIENT];
	struct str address = subject_name(s, c->row->subject);
	struct verify_reply said;

	if (address.len == 0)
		return DUNNO;
	if (!ask(s, address, &said))
		return refuse_uncertain(s, text_at(s, k->action), 450, "4.3.0",
			k->subject, STR("address verification problem"));
	switch ((enum verify_status)said.status) {
	case VERIFY_OK:
		return DUNNO;
	case VERIFY_BOUNCE:
		return refuse_address(s, k, said.text);
	default:
		return refuse_uncertain_address(s, k, "unverified address: ", said.text);
	}
}
