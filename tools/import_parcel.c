/* import_parcel.c -- a file of Postfix's queue, and its logs, as a message of ours and
 * what became of its recipients. */
#include "fields.h"
#include "postfix_queue.h"
#include "queue_client.h"
#include "queue_import.h"
#include <errno.h>
#include <stdio.h>

enum {
	FILE_MOST = 1 << 30,
	DELIVERED_MOST = 100, /* as many Delivered-To: fields as cleanup notes */
};

/* ---- reading ---- */

int
import_read_file(struct import *in, struct str path, struct buf *out, struct stat *st)
{
	char whole[4096];
	int result;

	snprintf(whole, sizeof(whole), "%s/" STR_FMT, in->queue, STR_ARG(path));
	postfix_queue_enter();
	result = lstat(whole, st);
	if (result == 0 && !S_ISREG(st->st_mode)) {
		errno = EINVAL;
		result = -1;
	}
	if (result == 0)
		result = read_file(whole, FILE_MOST, out);
	postfix_queue_leave();
	return result;
}

static struct str
rcpt_key(struct parcel *p, const struct postfix_outcome *o)
{
	if (o->has_offset)
		return arena_printf(p->arena, "%llu", (unsigned long long)o->offset);
	return arena_printf(p->arena, "<" STR_FMT, STR_ARG(o->recipient));
}

/* The outcomes of a log by the recipient's place, or address. NULL: there is none. */
static struct map *
read_log(struct parcel *p, const char *folder)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct map *outcomes;
	struct postfix_outcome o;
	struct str rest;
	struct stat st;
	char sub[32];

	for (unsigned depth = 1;; depth = depth == 1 ? 0 : depth == 0 ? 2 : depth + 1) {
		struct str path;

		postfix_subfolder(p->name, depth, sub);
		path = arena_printf(p->arena, "%s/%s%s" STR_FMT, folder, sub,
			*sub ? "/" : "", STR_ARG(p->name));
		if (import_read_file(p->in, path, &text, &st) == 0)
			break;
		if (depth == 3)
			return NULL;
	}
	outcomes = map_new();
	rest = arena_str(p->arena, buf_str(&text));
	while (postfix_outcome_get(&rest, &o)) {
		struct postfix_outcome *kept = arena_alloc(p->arena, sizeof(*kept));

		*kept = o;
		map_set(outcomes, rcpt_key(p, &o), kept);
	}
	return outcomes;
}

static const struct postfix_outcome *
outcome_of(struct parcel *p, const struct map *log, size_t rcpt)
{
	struct postfix_outcome key = { .has_offset = true,
		.offset = p->m.offsets[rcpt],
		.recipient = p->m.envelope.rcpts[rcpt].address };
	const struct postfix_outcome *found;

	if (!log)
		return NULL;
	found = map_get(log, rcpt_key(p, &key));
	if (!found) {
		key.has_offset = false;
		found = map_get(log, rcpt_key(p, &key));
	}
	return found;
}

/* ---- what became of the recipients ---- */

static struct str
detail_of(struct parcel *p, const struct postfix_outcome *o)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct dsn_detail detail = { .remote_mta = o->remote_mta,
		.diagnostic = o->diagnostic,
		.diagnostic_is_smtp = o->diagnostic_is_smtp,
		.when_us = (uint64_t)p->st.st_ctim.tv_sec * 1000000,
		.expanded = str_is(o->action, "expanded") };

	dsn_detail_put(&bytes, &detail);
	return arena_str(p->arena, buf_str(&bytes));
}

static void
add_rcpt(struct parcel *p, struct spool_state *state, size_t rcpt)
{
	char *bytes = arena_alloc(p->arena, state->rcpts.len + 4);

	if (state->rcpts.len)
		memcpy(bytes, state->rcpts.data, state->rcpts.len);
	put_u32(bytes + state->rcpts.len, (uint32_t)rcpt);
	state->rcpts = str_of(bytes, state->rcpts.len + 4);
}

/* Recipients one after the other with the same reason share a record. */
static void
add_state(struct parcel *p, size_t rcpt, enum spool_state_kind kind, uint64_t when_us,
	const struct postfix_outcome *o)
{
	struct spool_state state = { .kind = (uint8_t)kind, .when_us = when_us };
	struct spool_state *before =
		p->states.n ? &p->states.items[p->states.n - 1] : NULL;

	if (o) {
		state.status = o->status;
		state.reason = o->reason;
		state.detail = detail_of(p, o);
	}
	if (!before || before->kind != state.kind ||
		!str_eq(before->reason, state.reason) ||
		!str_eq(before->status, state.status) ||
		!str_eq(before->detail, state.detail)) {
		before = vec_push(&p->states);
		*before = state;
	}
	add_rcpt(p, before, rcpt);
}

static uint64_t
next_attempt_us(const struct parcel *p)
{
	uint64_t now = (uint64_t)time_wall_us();
	uint64_t then = (uint64_t)p->st.st_mtim.tv_sec * 1000000 +
			(uint64_t)p->st.st_mtim.tv_nsec / 1000;

	return str_is(p->queue, "deferred") || str_is(p->queue, "hold") ? MAX(then, now)
									: now;
}

static void
make_states(struct parcel *p)
{
	struct map *deferred = read_log(p, "defer"), *failed = read_log(p, "bounce"),
		   *told = read_log(p, "trace");
	uint64_t next = next_attempt_us(p);

	for (size_t i = 0; i < p->m.envelope.n_rcpts; i++) {
		const struct postfix_outcome *o;

		if (!p->m.done[i] && (o = outcome_of(p, deferred, i)))
			add_state(p, i, SPOOL_DEFERRED, next, o);
		else if (p->m.done[i] &&
			 ((o = outcome_of(p, failed, i)) || (o = outcome_of(p, told, i))))
			add_state(p, i, SPOOL_FAILED, 0, o);
		else if (p->m.done[i])
			add_state(p, i, SPOOL_DONE, 0, NULL);
	}
	if (p->m.delay_sent)
		vec_push(&p->states)->kind = SPOOL_DELAY_SENT;
	if (p->st.st_mode & S_IXGRP)
		vec_push(&p->states)->kind = SPOOL_EXPIRE;
	p->last.kind = str_is(p->queue, "hold") ? SPOOL_HOLD : SPOOL_RELEASE;
	p->last.when_us = str_is(p->queue, "hold") ? 0 : next;
	if (deferred)
		map_free(deferred);
	if (failed)
		map_free(failed);
	if (told)
		map_free(told);
}

/* Where it was delivered before: cleanup notes that of mail that we take ourselves. */
static void
note_delivered(struct parcel *p)
{
	struct fields fields = { .limit = 102400 };
	struct str rest = buf_str(&p->content);
	struct strs *attributes = &p->m.envelope.attributes;
	VEC(struct str) all = { NULL, 0, 0 };
	struct field f;
	size_t before = attributes->n;

	for (size_t i = 0; i < before; i++)
		*vec_push(&all) = attributes->items[i];
	while (fields_next(&fields, &rest, &f) == FIELDS_FIELD)
		if (field_is(&f, "Delivered-To") && all.n < before + DELIVERED_MOST)
			*vec_push(&all) =
				arena_printf(p->arena, ATTRIBUTE_DELIVERED STR_FMT,
					STR_ARG(field_unfold(&f, p->arena)));
	fields_free(&fields);
	attributes->items = arena_alloc(p->arena, (all.n + 1) * sizeof(struct str));
	if (all.n)
		memcpy(attributes->items, all.items, all.n * sizeof(struct str));
	attributes->n = all.n;
	vec_free(&all);
}

static void
make_envelope(struct parcel *p)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct envelope *e = &p->m.envelope;

	e->queue_id = p->name;
	if (e->client_address.len == 0)
		e->flags |= ENVELOPE_LOCAL;
	note_delivered(p);
	envelope_put(&bytes, e);
	p->put.envelope = arena_str(p->arena, buf_str(&bytes));
	p->put.queue_id = p->name;
	p->put.arrival_us = e->arrival_us;
	p->put.recipients = (uint32_t)e->n_rcpts;
	p->put.hold = true;
	p->put.content = buf_str(&p->content);
}

/* -1 and errno. */
int
parcel_read(struct parcel *p)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;

	if (import_read_file(p->in, p->path, &file, &p->st) < 0)
		return -1;
	/* Without the owner's execute bit its writer had not finished, and nobody was
	 * told that it is safe. */
	if (!(p->st.st_mode & S_IXUSR) || !queue_client_is_id(p->name)) {
		errno = EBADMSG;
		return -1;
	}
	if (postfix_get(buf_str(&file), p->arena, &p->m, &p->content) < 0)
		return -1;
	make_envelope(p);
	make_states(p);
	return 0;
}

struct parcel *
parcel_new(struct import *in, struct str path)
{
	struct arena *arena = arena_new();
	struct parcel *p = arena_alloc(arena, sizeof(*p));
	ssize_t slash = str_chr(path, '/');

	p->in = in;
	p->arena = arena;
	p->path = path;
	p->queue = str_sub(path, 0, (size_t)slash);
	p->name = str_from(path, (size_t)str_rchr(path, '/') + 1);
	return p;
}

void
parcel_free(struct parcel *p)
{
	vec_free(&p->states);
	buf_free(&p->content);
	arena_free(p->arena);
}
