/* expand.c -- see expand.h. */
#include "expand.h"
#include "footer.h"
#include "mailbox.h"
#include "session.h"

static struct str
local_part(struct str address)
{
	struct str local, domain;

	if (!address.data)
		return STR_NONE;
	address_split(address, &local, &domain);
	return local;
}

static struct str
domain_part(struct str address)
{
	struct str local, domain;

	if (!address.data)
		return STR_NONE;
	address_split(address, &local, &domain);
	return domain;
}

/* "<>" where Postfix says so of the null sender. */
static struct str
shown(struct str address)
{
	return address.data && address.len == 0 ? STR("<>") : address;
}

static struct str
find(struct session *s, struct str name)
{
	const struct {
		const char *name;
		struct str value;
	} values[] = {
		{ "client", s->client },
		{ "client_address", s->address },
		{ "client_name", s->name },
		{ "client_port", s->port },
		{ "reverse_client_name", s->reverse_name },
		{ "helo_name", s->helo },
		{ "sender", shown(s->asked_sender) },
		{ "sender_name", local_part(s->asked_sender) },
		{ "sender_domain", domain_part(s->asked_sender) },
		{ "recipient", s->asked_recipient },
		{ "recipient_name", local_part(s->asked_recipient) },
		{ "recipient_domain", domain_part(s->asked_recipient) },
		{ "server_name", s->p->myhostname },
	};

	for (size_t i = 0; i < COUNT(values); i++)
		if (str_is(name, values[i].name))
			return values[i].value;
	if (str_is(name, "localtime"))
		return footer_localtime(s->command);
	return STR_NONE;
}

struct str
expand_name(struct session *s, struct str name)
{
	struct str value = find(s, name), allowed = s->site->expansion_filter;
	char *clean;

	if (!value.data || !allowed.len)
		return value;
	clean = arena_alloc(s->command, value.len + 1);
	for (size_t i = 0; i < value.len; i++)
		clean[i] = str_chr(allowed, value.data[i]) >= 0 ? value.data[i] : '_';
	return str_of(clean, value.len);
}
