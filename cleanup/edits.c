/* edits.c -- see edits.h. */
#include "edits.h"
#include "address.h"
#include "log.h"

/* Octets that a change costs beyond its text: fields are moved and looked through. */
#define CHANGE_COST 1024

/* ---- the header as it is ---- */

/* The next field, with the lines that continue it. */
static struct str
take_field(struct str *header)
{
	size_t end = 0;

	do {
		ssize_t lf = str_chr(str_from(*header, end), '\n');

		end = lf < 0 ? header->len : end + (size_t)lf + 1;
	} while (end < header->len && ascii_is_blank(header->data[end]));
	struct str field = str_sub(*header, 0, end);

	*header = str_from(*header, end);
	return field;
}

static struct str
name_of(struct str field)
{
	ssize_t colon = str_chr(field, ':');

	return str_trim(str_sub(field, 0, colon < 0 ? field.len : (size_t)colon));
}

/* Our own Received: comes behind what access tables had prepended. */
static void
find_hidden(struct edits *e)
{
	size_t at = e->m->ask.prepend.n;

	e->hidden = at < e->fields.n && e->m->ask.received.len > 0 &&
				    str_case_is(name_of(e->fields.items[at]), "Received")
			    ? at
			    : SIZE_MAX;
}

void
edits_begin(struct edits *e, struct message *m)
{
	struct str content = buf_str(&m->content), header = content;
	ssize_t end = str_find(content, STR("\n\n"));

	*e = (struct edits){ .m = m, .hidden = SIZE_MAX };
	if (str_starts(content, STR("\n")))
		header.len = 0;
	else if (end >= 0)
		header.len = (size_t)end + 1;
	e->ends_in_header = header.len == content.len;
	e->body = str_from(content, header.len + !e->ends_in_header);
	while (header.len > 0)
		*vec_push(&e->fields) = take_field(&header);
	find_hidden(e);
}

static void
forget(struct edits *e)
{
	e->sender = e->held = STR_NONE;
	vec_free(&e->added);
	vec_free(&e->deleted);
	buf_free(&e->fresh);
	e->has_fresh = false;
}

void
edits_free(struct edits *e)
{
	forget(e);
	vec_free(&e->fields);
	buf_free(&e->body_kept);
}

void
edits_mark(struct edits *e)
{
	struct strs *kept = &e->fields_before;

	kept->n = e->fields.n;
	kept->items = arena_alloc(e->m->arena, (kept->n + 1) * sizeof(*kept->items));
	if (kept->n > 0)
		memcpy(kept->items, e->fields.items, kept->n * sizeof(*kept->items));
	e->size = 0;
	e->hidden_before = e->hidden;
	e->changed_before = e->changed;
}

void
edits_undo(struct edits *e)
{
	e->fields.n = 0;
	for (size_t i = 0; i < e->fields_before.n; i++)
		*vec_push(&e->fields) = e->fields_before.items[i];
	e->hidden = e->hidden_before;
	e->changed = e->changed_before;
	forget(e);
}

void
edits_show(struct edits *e, struct milter_message *out)
{
	struct str *fields =
		arena_alloc(e->m->arena, (e->fields.n + 1) * sizeof(*fields));
	size_t n = 0;

	for (size_t i = 0; i < e->fields.n; i++)
		if (i != e->hidden)
			fields[n++] = e->fields.items[i];
	*out = (struct milter_message){ fields, n, e->body };
}

/* ---- a field of a milter's ---- */

static bool
is_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
			return false;
	return name.len > 0;
}

/* "Name: value": lines of the value that do not look like a continuation become one, or
 * the header would end there. */
static struct str
compose(struct edits *e, struct str name, struct str value)
{
	const struct milter *one = e->m->milter_in_hand;
	bool spaces = one->options.protocol & MILTER_LEADING_SPACE;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str line;

	buf_add(&out, name);
	buf_addz(&out, spaces ? ":" : ": ");
	for (bool first = true; str_split(&value, '\n', &line); first = false) {
		while (str_ends(line, STR("\r")))
			line.len--;
		if (!first && str_trim(line).len == 0)
			continue;
		if (!first)
			buf_addz(&out, ascii_is_blank(line.data[0]) ? "\n" : "\n\t");
		buf_add(&out, line);
	}
	buf_addc(&out, '\n');
	return arena_str(e->m->arena, buf_str(&out));
}

/* milter_header_checks. False: it is dropped. */
SWITCHES static bool
passes_checks(struct edits *e, struct str *text)
{
	struct field f = { .text = *text };
	ssize_t colon = str_chr(*text, ':');

	f.name = str_sub(*text, 0, (size_t)colon);
	f.body = str_from(*text, (size_t)colon + 1);
	if (!message_check_milter_field(e->m, &f))
		return false;
	*text = arena_str(e->m->arena, f.text);
	return true;
}

static void
insert(struct edits *e, size_t at, struct str text)
{
	at = MIN(at, e->fields.n);
	vec_push(&e->fields);
	memmove(&e->fields.items[at + 1], &e->fields.items[at],
		(e->fields.n - 1 - at) * sizeof(struct str));
	e->fields.items[at] = text;
	if (e->hidden != SIZE_MAX && at <= e->hidden)
		e->hidden++;
}

static void
delete_at(struct edits *e, size_t at)
{
	memmove(&e->fields.items[at], &e->fields.items[at + 1],
		(e->fields.n - 1 - at) * sizeof(struct str));
	e->fields.n--;
	if (e->hidden != SIZE_MAX && at < e->hidden)
		e->hidden--;
}

/* The index-th field of that name, from 1 on, our own left out. */
static ssize_t
find(const struct edits *e, struct str name, uint32_t index)
{
	for (size_t i = 0; i < e->fields.n; i++)
		if (i != e->hidden && str_case_eq(name_of(e->fields.items[i]), name) &&
			--index == 0)
			return (ssize_t)i;
	return -1;
}

/* sendmail counts an inserted field's place in the message as it will be, our own field
 * included. */
SWITCHES static void
take_field_edit(struct edits *e, const struct milter_edit *edit)
{
	ssize_t at = -1;
	struct str text;

	if (edit->kind == EDIT_CHANGE_FIELD) {
		at = find(e, edit->name, MAX(edit->index, 1u));
		if (edit->value.len == 0) {
			if (at >= 0)
				delete_at(e, (size_t)at);
			return;
		}
	}
	text = compose(e, edit->name, edit->value);
	if (!passes_checks(e, &text)) {
		if (at >= 0)
			delete_at(e, (size_t)at);
		return;
	}
	if (at >= 0)
		e->fields.items[at] = text;
	else
		insert(e, edit->kind == EDIT_INSERT_FIELD ? edit->index : e->fields.n,
			text);
}

/* ---- the envelope ---- */

/* An address of a milter's, with or without <>, in the form of the queue. */
static bool
read_address(struct edits *e, struct str path, unsigned how, struct str *out)
{
	struct address address;
	struct why why;
	struct str trimmed = str_trim(path);

	if (address_parse(trimmed, how | ADDRESS_LOOSE | ADDRESS_UTF8, &address, &why) !=
		ACCEPT) {
		log_warn("%s: milter %s wants a bad address: \"" STR_FMT "\": %s",
			e->m->queue_id, e->m->milter_in_hand->service.endpoint,
			STR_ARG(str_sub(path, 0, MIN(path.len, (size_t)200))), why.text);
		return false;
	}
	*out = arena_str(e->m->arena, address_internal(&address, e->m->arena));
	return true;
}

static void
take_sender(struct edits *e, const struct milter_edit *edit)
{
	struct str rest = edit->value, word, sender;
	struct arena *arena = e->m->arena;

	if (!read_address(e, edit->name, ADDRESS_SENDER, &sender))
		return;
	e->sender = sender;
	e->parameters = (struct mail_parameters){ .size = 0 };
	while (str_token(&rest, " \t", &word)) {
		struct mail_parameters one = { .size = 0 };
		struct why why;
		int code;

		if (mail_parameters_parse(arena_str(arena, word), ESMTP_DSN, arena, &one,
			    &code, &why) != ACCEPT)
			log_warn("Ignoring bad ESMTP parameter \"" STR_FMT
				 "\" in SMFI_CHGFROM request",
				STR_ARG(word));
		else if (one.envid.data)
			e->parameters.envid = one.envid;
		else
			e->parameters.ret = one.ret;
	}
}

static void
take_rcpt(struct edits *e, const struct milter_edit *edit)
{
	struct str rest = edit->value, word, address;
	struct arena *arena = e->m->arena;
	struct rcpt *r;

	if (!read_address(e, edit->name, 0, &address))
		return;
	r = vec_push(&e->added);
	r->address = address;
	while (str_token(&rest, " \t", &word)) {
		struct rcpt_parameters one = { .notify = 0 };
		struct why why;
		int code;

		if (rcpt_parameters_parse(arena_str(arena, word), ESMTP_DSN, arena, &one,
			    &code, &why) != ACCEPT) {
			log_warn("%s: ignoring ESMTP argument from Milter or "
				 "header/body_checks: \"" STR_FMT "\"",
				e->m->queue_id, STR_ARG(word));
		} else if (one.orcpt.data) {
			r->orcpt = one.orcpt;
		} else {
			r->notify = one.notify;
		}
	}
}

/* ---- what a milter wants ---- */

/* What one has us keep, and do, is bounded like the message itself. */
static bool
has_room(struct edits *e, const struct milter_edit *edit)
{
	int64_t limit = e->m->conf->p.message_size_limit;

	e->size += edit->name.len + edit->value.len;
	e->size += edit->kind == EDIT_BODY ? 0 : CHANGE_COST;
	return e->size <= (limit > 0 ? (octets_t)limit : CONTENT_KEPT_TOGETHER);
}

static void
take_body(struct edits *e, struct str piece)
{
	e->has_fresh = true;
	/* Lines end in LF with us; a lone CR stays what it is. */
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];
		bool ends = c == '\n' && e->fresh.len > 0 &&
			    e->fresh.data[e->fresh.len - 1] == '\r';

		e->fresh.len -= ends;
		buf_addc(&e->fresh, c);
	}
}

bool
edits_take(void *arg, const struct milter_edit *edit)
{
	struct edits *e = arg;

	if (!has_room(e, edit)) {
		log_warn("%s: a milter makes the message too large", e->m->queue_id);
		return false;
	}
	switch (edit->kind) {
	case EDIT_ADD_FIELD:
	case EDIT_INSERT_FIELD:
	case EDIT_CHANGE_FIELD:
		if (!is_name(edit->name)) {
			log_warn("%s: milter %s wants a field without a proper name",
				e->m->queue_id, e->m->milter_in_hand->service.endpoint);
			return true;
		}
		take_field_edit(e, edit);
		e->changed = true;
		break;
	case EDIT_SENDER:
		take_sender(e, edit);
		break;
	case EDIT_ADD_RCPT:
		take_rcpt(e, edit);
		break;
	case EDIT_DELETE_RCPT:
		*vec_push(&e->deleted) = STR_NONE;
		if (!read_address(e, edit->name, 0, &e->deleted.items[e->deleted.n - 1]))
			e->deleted.n--;
		break;
	case EDIT_BODY:
		take_body(e, edit->value);
		break;
	case EDIT_QUARANTINE:
		e->held = edit->name.len > 0 ? arena_str(e->m->arena, edit->name)
					     : STR("milter triggers HOLD action");
		break;
	}
	return true;
}

/* ---- done ---- */

/* By what the client had said, if that became another address. */
static bool
is_deleted(const struct edits *e, const struct rcpt *r)
{
	struct str address = rcpt_original(r);

	for (size_t i = 0; i < e->deleted.n; i++)
		if (str_case_eq(address, e->deleted.items[i]))
			return true;
	return false;
}

static void
delete_rcpts(struct edits *e)
{
	struct message *m = e->m;
	size_t kept = 0, late = 0;

	for (size_t i = 0; i < m->rcpts.n; i++)
		if (!is_deleted(e, &m->rcpts.items[i]))
			m->rcpts.items[kept++] = m->rcpts.items[i];
	for (size_t i = 0; i < m->late_copies.n; i++)
		if (!is_deleted(e, &m->late_copies.items[i]))
			m->late_copies.items[late++] = m->late_copies.items[i];
	m->rcpts.n = kept;
	m->late_copies.n = late;
}

void
edits_accept(struct edits *e)
{
	struct message *m = e->m;

	if (e->sender.data) {
		m->envelope.sender = mapping_apply(m, ENVELOPE_SENDER, e->sender);
		if (e->parameters.ret)
			m->envelope.ret = e->parameters.ret;
		if (e->parameters.envid.data)
			m->envelope.envid = e->parameters.envid;
	}
	if (e->deleted.n > 0)
		delete_rcpts(e);
	for (size_t i = 0; i < e->added.n; i++)
		*vec_push(&m->late_copies) = e->added.items[i];
	if (e->has_fresh) {
		buf_free(&e->body_kept);
		e->body_kept = e->fresh;
		e->fresh = (struct buf)BUF_INIT;
		e->body = buf_str(&e->body_kept);
		e->ends_in_header = false;
		e->changed = true;
	}
	if (e->held.data)
		message_held_by_milter(m, e->held);
	forget(e);
}

void
edits_apply(struct edits *e)
{
	struct buf fresh = BUF_INIT;
	size_t octets = e->body.len + 2;

	if (!e->changed)
		return;
	for (size_t i = 0; i < e->fields.n; i++)
		octets += e->fields.items[i].len;
	buf_need(&fresh, octets);
	for (size_t i = 0; i < e->fields.n; i++)
		buf_add(&fresh, e->fields.items[i]);
	if (!e->ends_in_header)
		buf_addc(&fresh, '\n');
	buf_add(&fresh, e->body);
	if (e->body.len > 0 && !str_ends(e->body, STR("\n")))
		buf_addc(&fresh, '\n');
	content_replace(e->m, &fresh);
}
