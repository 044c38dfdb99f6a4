/* srs.c -- mail that is forwarded leaves with a sender of ours, and bounces to that find
 * their way back (lib/auth/srs.h). The addresses are made by dkimsign, which has the
 * secrets.
 *
 * Which recipients are elsewhere because of an alias, a .forward file or a virtual alias
 * is known here; the others of the same message, and whoever is told that it could not be
 * delivered, have to do with its own sender. So that stays, and the new one goes along
 * as an attribute: qmgr takes it for the recipients that are marked. */
#include "message.h"
#include "event.h"
#include "explain.h"
#include "log.h"
#include "service.h"
#include "srs.h"

#define PATIENCE ((msec_t)30000)
/* SRS1 is of SRS0, which may be ours again. */
#define REVERSALS_MOST 2

static struct match_list *exempt;

void
srs_open(const struct conf *c)
{
	exempt = match_list_open("srs_exempt_domains", c->p.srs_exempt_domains,
		match_parents(c, "srs_exempt_domains"), c);
}

static bool
is_on(const struct message *m)
{
	return m->conf->p.srs_domain.len > 0;
}

enum rewritten { REWRITTEN, REFUSED, FAILED };

/* FAILED: so has the message. REFUSED: why->text. */
SWITCHES static enum rewritten
rewrite(struct message *m, struct str address, bool reverse, struct str *out,
	struct why *why)
{
	struct srs_request ask = { .address = address, .reverse = reverse };
	struct srs_reply said = { .error = STR_NONE };

	if (srs_call(service_peer("dkimsign"), &ask, &said, m->arena,
		    deadline_in(PATIENCE)) < 0)
		why_errno(why, "4.3.0", "dkimsign");
	else if (said.address.len > 0) {
		*out = said.address;
		return REWRITTEN;
	} else
		why_set(why, "4.3.5", STR_FMT, STR_ARG(said.error));
	if (said.refused)
		return REFUSED;
	log_warn("%s: SRS: %s", m->queue_id, why->text);
	message_fail(m, TEMPFAIL, 451, "4.3.0", "cannot rewrite addresses now");
	return FAILED;
}

/* ---- back ---- */

static bool
is_rewritten(const struct message *m, struct str address)
{
	struct str local, domain;

	address_split(address, &local, &domain);
	return str_case_eq(domain, m->conf->p.srs_domain) && srs_is_local_part(local);
}

SWITCHES static void
send_back(struct message *m, size_t i)
{
	struct rcpt *r = &m->rcpts.items[i];
	struct str was = r->address, is;
	struct why why;

	for (int n = 0; n < REVERSALS_MOST && is_rewritten(m, r->address); n++)
		switch (rewrite(m, r->address, true, &is, &why)) {
		case REWRITTEN:
			explain_rewrite("srs_domain", r->address, is);
			r->address = is;
			break;
		case REFUSED:
			log_info("%s: SRS: <" STR_FMT ">: %s", m->queue_id, STR_ARG(was),
				why.text);
			message_fail(m, PERMFAIL, 550, "5.1.1", "%s", why.text);
			return;
		case FAILED:
			return;
		}
	if (str_eq(was, r->address))
		return;
	r->forwarded = true;
	if (!r->original.data)
		r->original = was;
	log_info("%s: SRS: recipient <" STR_FMT "> is <" STR_FMT ">", m->queue_id,
		STR_ARG(was), STR_ARG(r->address));
}

/* There is no dkimsign to be asked: its way ends here. */
static void
explain_recipient(struct rcpt *r)
{
	explain_step("alias", STR("srs_domain"), r->address, "becomes",
		STR("the sender that it was made of, which only dkimsign knows"));
	r->notify = NOTIFY_EXPANDED;
}

void
srs_recipients(struct message *m)
{
	if (!is_on(m) || (m->envelope.flags & ENVELOPE_NO_MAPPING))
		return;
	for (size_t i = 0; i < m->rcpts.n && m->verdict == ACCEPT; i++) {
		if (!is_rewritten(m, m->rcpts.items[i].address))
			continue;
		if (service_explains())
			explain_recipient(&m->rcpts.items[i]);
		else
			send_back(m, i);
	}
}

/* ---- forth ---- */

/* Is the domain none of ours? When a table fails, so does the message. */
SWITCHES static bool
is_foreign(struct message *m, struct str domain)
{
	enum address_class class;
	struct why why;

	if (domain.len == 0 || str_case_eq(domain, m->conf->p.myorigin))
		return false;
	if (route_domain_class(tables.route, domain, &class, &why) == ACCEPT)
		return class == CLASS_DEFAULT;
	message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
	return false;
}

/* Senders whose mail goes on as it is: our own, and those of srs_exempt_domains. */
SWITCHES static bool
stays(struct message *m)
{
	struct str local, domain;
	struct why why;

	if (!is_on(m) || m->envelope.sender.len == 0)
		return true;
	address_split(m->envelope.sender, &local, &domain);
	if (!is_foreign(m, domain))
		return true;
	switch (match_domain(exempt, domain, &why)) {
	case DICT_NOTFOUND:
		return false;
	case DICT_FOUND:
		break;
	case DICT_ERROR:
		log_warn("%s: srs_exempt_domains: %s", m->queue_id, why.text);
		message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
		break;
	}
	return true;
}

/* Leaves the mark at those alone that are elsewhere. */
SWITCHES static bool
mark_forwarded(struct message *m)
{
	bool all = m->envelope.flags & ENVELOPE_FORWARDED, any = false;

	for (size_t i = 0; i < m->rcpts.n; i++) {
		struct str local, domain;
		bool forwarded = m->rcpts.items[i].forwarded || all;

		address_split(m->rcpts.items[i].address, &local, &domain);
		forwarded = forwarded && is_foreign(m, domain);
		m->rcpts.items[i].forwarded = forwarded;
		any |= forwarded;
	}
	return any;
}

static size_t
without_sender(struct str *attributes, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!str_starts(attributes[i], STR(ATTRIBUTE_SRS)))
			attributes[kept++] = attributes[i];
	return kept;
}

/* Of a message that goes through here again (postsuper -r), or of another sender. */
static void
drop_sender(struct message *m)
{
	struct strs *before = &m->envelope.attributes;

	before->n = without_sender(before->items, before->n);
	m->attributes.n = without_sender(m->attributes.items, m->attributes.n);
}

void
srs_sender(struct message *m)
{
	struct str sender;
	struct why why;

	drop_sender(m);
	m->srs_of = m->envelope.sender;
	m->srs_rcpts = m->rcpts.n;
	if (stays(m) || !mark_forwarded(m) || m->verdict != ACCEPT)
		return;
	if (service_explains()) {
		explain_step("rewrite", STR("srs_domain"), m->envelope.sender,
			"becomes for those elsewhere an address in",
			m->conf->p.srs_domain);
		return;
	}
	switch (rewrite(m, m->envelope.sender, false, &sender, &why)) {
	case REWRITTEN:
		*vec_push(&m->attributes) =
			arena_printf(m->arena, ATTRIBUTE_SRS STR_FMT, STR_ARG(sender));
		log_info("%s: SRS: forwarded as from <" STR_FMT ">", m->queue_id,
			STR_ARG(sender));
		break;
	case REFUSED:
		log_warn("%s: SRS: forwarded as from <" STR_FMT ">: %s", m->queue_id,
			STR_ARG(m->envelope.sender), why.text);
		break;
	case FAILED:
		break;
	}
}

/* Milters and header checks may have changed sender and recipients, unless the envelope
 * has gone ahead. */
void
srs_sender_late(struct message *m)
{
	if (!m->to_spool &&
		(!str_eq(m->srs_of, m->envelope.sender) || m->srs_rcpts != m->rcpts.n))
		srs_sender(m);
}
