/* rewrite.c -- the addresses in the header. Only what changes is touched: names,
 * comments, blanks and folds stay as the author wrote them. */
#include "message.h"
#include "addrlist.h"
#include "conf.h"

static const struct {
	const char *name;
	enum address_place place;
} address_fields[] = {
	{ "From", HEADER_SENDER },
	{ "Sender", HEADER_SENDER },
	{ "Reply-To", HEADER_SENDER },
	{ "To", HEADER_RECIPIENT },
	{ "Cc", HEADER_RECIPIENT },
	{ "Bcc", HEADER_RECIPIENT },
	{ "Apparently-To", HEADER_RECIPIENT },
	{ "Errors-To", HEADER_SENDER },
	{ "Return-Receipt-To", HEADER_SENDER },
	{ "Disposition-Notification-To", HEADER_SENDER },
	{ "Mail-Followup-To", HEADER_SENDER },
	{ "Resent-From", HEADER_SENDER },
	{ "Resent-Sender", HEADER_SENDER },
	{ "Resent-Reply-To", HEADER_RECIPIENT },
	{ "Resent-To", HEADER_RECIPIENT },
	{ "Resent-Cc", HEADER_RECIPIENT },
	{ "Resent-Bcc", HEADER_RECIPIENT },
};

static unsigned
place_of(const struct field *f)
{
	for (size_t i = 0; i < COUNT(address_fields); i++)
		if (field_is(f, address_fields[i].name))
			return address_fields[i].place;
	return 0;
}

static size_t
end_of(const struct addr_item *item)
{
	return item->at + item->len;
}

static bool
only_blanks(struct str body, size_t from, size_t to)
{
	return str_trim(str_sub(body, from, to - from)).len == 0;
}

/* Appends the body with what its addresses became, and with the comma that sendmail's
 * users leave out; false: they stay. */
SWITCHES static bool
rewrite_list(struct message *m, enum address_place place, struct str body,
	const struct addr_list *l, struct buf *out)
{
	size_t done = 0, limit = (size_t)m->conf->p.header_address_token_limit;
	bool changed = false;

	for (size_t i = 0; i < MIN(l->list.n, limit); i++) {
		const struct addr_item *item = &l->list.items[i];
		struct str was = address_unquote(item->address, m->arena);
		struct str is = mapping_apply(m, place, was);

		if (str_eq(was, is))
			continue;
		changed = true;
		if (i > 0 && only_blanks(body, end_of(&l->list.items[i - 1]), item->at))
			buf_addc(out, ',');
		buf_add(out, str_sub(body, done, item->at - done));
		buf_add(out, address_quote(is, m->arena));
		done = end_of(item);
	}
	buf_add(out, str_from(body, done));
	return changed;
}

bool
header_is_ours(const struct message *m)
{
	return (m->envelope.flags & ENVELOPE_REWRITE) ||
	       m->conf->p.remote_header_rewrite_domain.len > 0;
}

enum field_fate
header_rewrite(struct message *m, struct field *f)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct addr_list list = { 0 };
	enum address_place place = place_of(f);
	size_t begin = (size_t)(f->body.data - f->text.data);

	if (!place || !header_is_ours(m))
		return FIELD_KEEP;
	addr_list_parse(f->body, m->arena, &list);
	buf_add(&text, str_sub(f->text, 0, begin));
	if (rewrite_list(m, place, f->body, &list, &text)) {
		f->text = arena_str(m->arena, buf_str(&text));
		f->body = str_from(f->text, begin);
	}
	addr_list_free(&list);
	return FIELD_KEEP;
}
