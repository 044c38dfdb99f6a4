/* rewrite.c -- the addresses in the header. */
#include "message.h"
#include "addrfield.h"
#include "conf.h"

bool
header_is_ours(const struct message *m)
{
	return (m->envelope.flags & ENVELOPE_REWRITE) ||
	       m->conf->p.remote_header_rewrite_domain.len > 0;
}

SWITCHES static struct str
map_sender(void *arg, struct str address)
{
	return mapping_apply(arg, HEADER_SENDER, address);
}

SWITCHES static struct str
map_recipient(void *arg, struct str address)
{
	return mapping_apply(arg, HEADER_RECIPIENT, address);
}

enum field_fate
header_rewrite(struct message *m, struct field *f)
{
	enum addr_field kind = addr_field_kind(f);

	if (kind != ADDR_FIELD_OTHER && header_is_ours(m))
		addr_field_rewrite(f, (size_t)m->conf->p.header_address_token_limit,
			kind == ADDR_FIELD_SENDER ? map_sender : map_recipient, m,
			m->arena);
	return FIELD_KEEP;
}
