/* edit.c -- what is changed on the way out, for this one next hop: smtp_header_checks and
 * their like, and addresses that the outside must not see (smtp_generic_maps). */
#include "smtp.h"
#include "addrfield.h"
#include "log.h"

#define SHOWN 60 /* characters of a line in the log */

static struct check_tables sets;
static struct mapping generic;
static struct route *route; /* for the canonical form of what generic gives */

static void
set_open(struct check_set *set, struct str value, const struct conf *c)
{
	maps_close(set->maps);
	set->maps = maps_open(set->parameter, value, DICT_BYTES, c);
}

void
edit_prepare(const struct conf *c)
{
	const struct params *p = &c->p;

	sets.header.parameter = smtp_lmtp ? "lmtp_header_checks" : "smtp_header_checks";
	sets.mime.parameter =
		smtp_lmtp ? "lmtp_mime_header_checks" : "smtp_mime_header_checks";
	sets.nested.parameter =
		smtp_lmtp ? "lmtp_nested_header_checks" : "smtp_nested_header_checks";
	sets.body.parameter = smtp_lmtp ? "lmtp_body_checks" : "smtp_body_checks";
	generic.parameter = smtp_lmtp ? "lmtp_generic_maps" : "smtp_generic_maps";
	generic.kind = "generic";
	set_open(&sets.header, p->smtp_header_checks, c);
	set_open(&sets.mime, p->smtp_mime_header_checks, c);
	set_open(&sets.nested, p->smtp_nested_header_checks, c);
	set_open(&sets.body, p->smtp_body_checks, c);
	maps_close(generic.maps);
	generic.maps = maps_open(generic.parameter, p->smtp_generic_maps, DICT_FOLD, c);
	route_close(route);
	route = maps_empty(generic.maps) ? NULL : route_open(c, 0);
}

/* ---- addresses ---- */

/* The first of what the table has. False: the table failed. */
SWITCHES static bool
map_address(struct str *address, struct str queue_id, struct arena *arena)
{
	struct strs targets;
	struct why why;

	if (maps_empty(generic.maps))
		return true;
	switch (mapping_find(route, &generic, *address, arena, &targets, &why)) {
	case DICT_NOTFOUND:
		return true;
	case DICT_ERROR:
		log_warn("%s", why.text);
		log_warn("%.*s: %s map lookup problem for %.*s", STR_ARG(queue_id),
			generic.parameter, STR_ARG(*address));
		return false;
	case DICT_FOUND:
		break;
	}
	if (targets.n > 1)
		log_warn("multi-valued %s result for %.*s", generic.parameter,
			STR_ARG(*address));
	*address = targets.items[0];
	return true;
}

bool
edit_envelope(const struct delivery *d, struct str *sender, struct str *rcpts)
{
	const struct envelope *e = &d->envelope;
	bool well;

	*sender = e->sender;
	well = map_address(sender, e->queue_id, d->arena);
	for (size_t i = 0; i < e->n_rcpts && well; i++) {
		rcpts[i] = e->rcpts[i].address;
		well = map_address(&rcpts[i], e->queue_id, d->arena);
	}
	return well;
}

/* ---- the content ---- */

static void
tell(void *arg, const struct check *c, const char *action, struct str text)
{
	const struct edit *e = arg;
	struct str line = str_sub(c->line, 0, MIN(c->line.len, SHOWN));

	log_line(SMTP_CHECK, e->d->envelope.queue_id, str_c(action),
		arena_printf(e->d->arena, "%s " STR_FMT, c->object, STR_ARG(line)),
		text.len > 0 ? text : STR_NONE);
}

static void
lookup_failed(void *arg, const struct check *c)
{
	struct edit *e = arg;

	log_warn("%.*s: smtp %s checks lookup error", STR_ARG(e->d->envelope.queue_id),
		c->object);
	e->failed = e->checks.off = true;
}

static void
pass_on(void *arg, struct str bytes)
{
	struct edit *e = arg;

	buf_add(e->out, bytes);
}

static const struct check_calls check_calls = { tell, lookup_failed, pass_on, NULL };

SWITCHES static struct str
map_field(void *arg, struct str address)
{
	struct edit *e = arg;

	if (!map_address(&address, e->d->envelope.queue_id, e->d->arena))
		e->failed = true;
	return address;
}

static void
on_field(void *arg, struct field *f)
{
	struct edit *e = arg;

	if (!checks_field(&e->checks, e->parts.header, f))
		return;
	if (e->parts.header == HEADER_PRIMARY && !maps_empty(generic.maps) &&
		addr_field_kind(f) != ADDR_FIELD_OTHER)
		addr_field_rewrite(f, (size_t)e->d->conf->p.header_address_token_limit,
			map_field, e, e->d->arena);
	buf_add(e->out, f->text);
}

static void
on_header_end(void *arg, bool cut_short)
{
	struct edit *e = arg;

	if (!cut_short)
		buf_addc(e->out, '\n');
	checks_part_begins(&e->checks);
}

static void
on_text(void *arg, struct str bytes)
{
	struct edit *e = arg;

	checks_body(&e->checks, bytes);
}

static const struct parts_calls part_calls = { on_field, on_header_end, on_text,
	on_text };

bool
edit_wants(void)
{
	return !maps_empty(sets.header.maps) || !maps_empty(generic.maps) ||
	       check_tables_want_parts(&sets);
}

void
edit_begin(struct edit *e, const struct delivery *d)
{
	const struct params *p = &d->conf->p;

	*e = (struct edit){ .d = d };
	e->parts = (struct parts){ .calls = &part_calls,
		.arg = e,
		.field_limit = (size_t)p->header_size_limit,
		.nesting_limit = (size_t)p->mime_nesting_limit,
		.boundary_limit = (size_t)p->mime_boundary_length_limit,
		.only_primary = !check_tables_want_parts(&sets) };
	e->checks = (struct checks){ .tables = &sets,
		.calls = &check_calls,
		.arg = e,
		.arena = d->arena,
		.body_limit = UINT64_MAX, /* here Postfix knows none */
		.line_limit = (size_t)p->line_length_limit };
}

void
edit_add(struct edit *e, struct str in, struct buf *out)
{
	e->out = out;
	parts_add(&e->parts, in);
}

void
edit_end(struct edit *e, struct buf *out)
{
	e->out = out;
	parts_end(&e->parts);
	checks_body_end(&e->checks);
}

void
edit_free(struct edit *e)
{
	parts_free(&e->parts);
	checks_free(&e->checks);
}
