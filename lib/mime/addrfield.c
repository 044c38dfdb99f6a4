/* addrfield.c -- see addrfield.h. */
#include "addrfield.h"
#include "addrlist.h"
#include "mailbox.h"

static const struct {
	const char *name;
	enum addr_field kind;
} address_fields[] = {
	{ "From", ADDR_FIELD_SENDER },
	{ "Sender", ADDR_FIELD_SENDER },
	{ "Reply-To", ADDR_FIELD_SENDER },
	{ "To", ADDR_FIELD_RECIPIENT },
	{ "Cc", ADDR_FIELD_RECIPIENT },
	{ "Bcc", ADDR_FIELD_RECIPIENT },
	{ "Apparently-To", ADDR_FIELD_RECIPIENT },
	{ "Errors-To", ADDR_FIELD_SENDER },
	{ "Return-Receipt-To", ADDR_FIELD_SENDER },
	{ "Disposition-Notification-To", ADDR_FIELD_SENDER },
	{ "Mail-Followup-To", ADDR_FIELD_SENDER },
	{ "Resent-From", ADDR_FIELD_SENDER },
	{ "Resent-Sender", ADDR_FIELD_SENDER },
	{ "Resent-Reply-To", ADDR_FIELD_RECIPIENT },
	{ "Resent-To", ADDR_FIELD_RECIPIENT },
	{ "Resent-Cc", ADDR_FIELD_RECIPIENT },
	{ "Resent-Bcc", ADDR_FIELD_RECIPIENT },
};

enum addr_field
addr_field_kind(const struct field *f)
{
	for (size_t i = 0; i < COUNT(address_fields); i++)
		if (field_is(f, address_fields[i].name))
			return address_fields[i].kind;
	return ADDR_FIELD_OTHER;
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

void
addr_field_rewrite(struct field *f, size_t most,
	struct str (*become)(void *arg, struct str address), void *arg,
	struct arena *arena)
{
	size_t begin = (size_t)(f->body.data - f->text.data), done = 0;
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct addr_list l = { 0 };
	bool changed = false;

	addr_list_parse(f->body, arena, &l);
	buf_add(&text, str_sub(f->text, 0, begin));
	for (size_t i = 0; i < MIN(l.list.n, most); i++) {
		const struct addr_item *item = &l.list.items[i];
		struct str was = address_unquote(item->address, arena);
		struct str is = become(arg, was);

		if (str_eq(was, is))
			continue;
		changed = true;
		/* The comma that sendmail's users leave out. */
		if (i > 0 && only_blanks(f->body, end_of(&l.list.items[i - 1]), item->at))
			buf_addc(&text, ',');
		buf_add(&text, str_sub(f->body, done, item->at - done));
		buf_add(&text, address_quote(is, arena));
		done = end_of(item);
	}
	addr_list_free(&l);
	if (!changed)
		return;
	buf_add(&text, str_from(f->body, done));
	f->text = arena_str(arena, buf_str(&text));
	f->body = str_from(f->text, begin);
}
