/* authors.c -- who a message says that it is from (RFC 5322 section 3.6.2). See dmarc.h.
 */
#include "addrlist.h"
#include "dmarc.h"
#include "fields.h"
#include "idna.h"

#define AUTHORS_MOST 16 /* domains; nobody writes in the name of so many */

struct authors {
	struct fields fields;
	struct arena *arena;
	struct str domains[AUTHORS_MOST];
	size_t n;
	size_t fields_of_authors;
	bool ended;
	bool strange;  /* an author without a domain that can be made out */
	bool has_more; /* than `domains` has room for, or than were read */
};

struct authors *
authors_new(size_t limit)
{
	struct authors *a = mem_alloc(sizeof(*a));

	a->fields = (struct fields){ .limit = limit };
	a->arena = arena_new();
	return a;
}

void
authors_free(struct authors *a)
{
	if (!a)
		return;
	fields_free(&a->fields);
	arena_free(a->arena);
	mem_free(a);
}

static void
take_domain(struct authors *a, struct str address)
{
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;
	ssize_t at = str_rchr(address, '@');
	struct str domain;

	if (at < 0 || idna_to_ascii(str_from(address, (size_t)at + 1), &ascii) < 0 ||
		ascii.len == 0) {
		a->strange = true;
		return;
	}
	domain = arena_lower(a->arena, buf_str(&ascii));
	if (str_ends(domain, STR(".")))
		domain = str_sub(domain, 0, domain.len - 1);
	for (size_t i = 0; i < a->n; i++)
		if (str_eq(a->domains[i], domain))
			return;
	if (a->n < AUTHORS_MOST)
		a->domains[a->n++] = domain;
	else
		a->has_more = true;
}

static void
take_field(struct authors *a, const struct field *f)
{
	struct addr_list list = { 0 };

	if (!field_is(f, "From"))
		return;
	a->fields_of_authors++;
	/* Of this length it may have been cut. */
	a->has_more |= f->text.len >= a->fields.limit;
	addr_list_parse(f->body, a->arena, &list);
	if (list.list.n == 0)
		a->strange = true;
	for (size_t i = 0; i < list.list.n; i++)
		take_domain(a, list.list.items[i].address);
	addr_list_free(&list);
}

void
authors_add(struct authors *a, struct str bytes)
{
	struct field f;

	while (!a->ended) {
		switch (fields_next(&a->fields, &bytes, &f)) {
		case FIELDS_FIELD:
			take_field(a, &f);
			break;
		case FIELDS_END:
			a->ended = true;
			break;
		case FIELDS_MORE:
			return;
		}
	}
}

struct author_domains
authors_end(struct authors *a, struct arena *arena)
{
	struct str *all = arena_alloc(arena, AUTHORS_MOST * sizeof(*all));
	struct field f;

	if (!a->ended && fields_finish(&a->fields, &f) == FIELDS_FIELD)
		take_field(a, &f);
	a->ended = true;
	for (size_t i = 0; i < a->n; i++)
		all[i] = arena_str(arena, a->domains[i]);
	return (struct author_domains){ .all = { all, a->n },
		.is_plain = a->fields_of_authors == 1 && !a->strange,
		.has_more = a->has_more };
}
