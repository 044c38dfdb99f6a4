/* listing.c -- see listing.h. */
#include "listing.h"
#include <errno.h>

#define PROTOCOL STR("mail_queue_list_protocol")

/* ---- from the log ---- */

struct pending {
	bool done, failed;
	struct str reason;
};

static void
apply_to(struct pending *p, const struct spool_state *s)
{
	switch (s->kind) {
	case SPOOL_DONE:
	case SPOOL_NOTIFIED:
		p->done = true;
		break;
	case SPOOL_FAILED:
		/* Delivered, but that is still to be reported: not in the queue. */
		p->done |= str_starts(s->status, STR("2"));
		p->failed = true;
		p->reason = s->reason;
		break;
	case SPOOL_DEFERRED:
		p->reason = s->reason;
		break;
	default:
		break;
	}
}

static void
apply(struct pending *rcpts, size_t n, const struct spool_state *s)
{
	if (s->rcpts.len == 0)
		for (size_t i = 0; i < n; i++)
			apply_to(&rcpts[i], s);
	for (size_t at = 0; at + 4 <= s->rcpts.len; at += 4)
		if (get_u32(s->rcpts.data + at) < n)
			apply_to(&rcpts[get_u32(s->rcpts.data + at)], s);
}

static int
apply_all(struct spool_reader *r, uint64_t mid, const struct spool_where *at, size_t n_at,
	struct arena *arena, struct pending *rcpts, size_t n)
{
	struct spool_state *states;
	size_t n_states;

	for (size_t i = 0; i < n_at; i++) {
		if (spool_read_states(r, mid, at[i], arena, &states, &n_states) < 0)
			return -1;
		for (size_t j = 0; j < n_states; j++)
			apply(rcpts, n, &states[j]);
	}
	return 0;
}

int
listing_read(struct spool_reader *r, uint64_t mid, struct spool_where at,
	const struct spool_where *states, size_t n_states, struct arena *arena,
	struct listing *out)
{
	struct spool_content content;
	struct envelope e;
	struct pending *pending;

	if (spool_read(r, mid, at, true, arena, &content) < 0)
		return -1;
	if (envelope_get(content.envelope, &e, arena) < 0) {
		errno = EBADMSG;
		return -1;
	}
	pending = arena_alloc(arena, (e.n_rcpts + 1) * sizeof(*pending));
	if (apply_all(r, mid, states, n_states, arena, pending, e.n_rcpts) < 0)
		return -1;
	out->sender = e.sender;
	out->n_rcpts = 0;
	out->rcpts = arena_alloc(arena, (e.n_rcpts + 1) * sizeof(*out->rcpts));
	for (size_t i = 0; i < e.n_rcpts; i++)
		if (!pending[i].done && !(e.rcpts[i].notify & NOTIFY_EXPANDED))
			out->rcpts[out->n_rcpts++] = (struct listing_rcpt){
				.original = e.rcpts[i].original.len ? e.rcpts[i].original
								    : e.rcpts[i].address,
				.address = e.rcpts[i].address,
				.reason = pending[i].reason,
				.failed = pending[i].failed,
			};
	return 0;
}

/* ---- the bytes ---- */

static void
put_attribute(struct buf *b, const char *name, struct str value)
{
	ssize_t nul = str_chr(value, '\0');

	buf_addz(b, name);
	buf_addc(b, '\0');
	buf_add(b, nul < 0 ? value : str_sub(value, 0, (size_t)nul));
	buf_addc(b, '\0');
}

static void
put_number(struct buf *b, const char *name, uint64_t value)
{
	buf_addz(b, name);
	buf_addc(b, '\0');
	buf_printf(b, "%llu", (unsigned long long)value);
	buf_addc(b, '\0');
}

int
listing_of_entry(struct spool_reader *r, const struct queue_entry *e, struct arena *arena,
	struct listing *out)
{
	struct spool_where at = { e->segment, e->offset, e->length };
	struct spool_where *states =
		arena_alloc(arena, (e->n_states + 1) * sizeof(*states));

	for (size_t i = 0; i < e->n_states; i++)
		states[i] = (struct spool_where){ e->states[i].segment,
			e->states[i].offset, e->states[i].length };
	memset(out, 0, sizeof(*out));
	if (listing_read(r, e->mid, at, states, e->n_states, arena, out) < 0)
		return -1;
	out->queue = e->queue;
	out->queue_id = e->queue_id;
	out->time = (int64_t)(e->arrival_us / 1000000);
	out->size = e->size;
	out->expire = e->expire;
	return 0;
}

void
listing_put_greeting(struct buf *b)
{
	put_attribute(b, "protocol", PROTOCOL);
	buf_addc(b, '\0');
}

void
listing_put(struct buf *b, const struct listing *l)
{
	put_attribute(b, "queue_name", l->queue);
	put_attribute(b, "queue_id", l->queue_id);
	put_number(b, "time", (uint64_t)l->time);
	put_number(b, "size", l->size);
	put_number(b, "forced_expire", l->expire);
	put_attribute(b, "sender", l->sender);
	for (size_t i = 0; i < l->n_rcpts; i++) {
		put_attribute(b, "original_recipient", l->rcpts[i].original);
		put_attribute(b, "recipient", l->rcpts[i].address);
		put_attribute(b, l->rcpts[i].failed ? "bounce_reason" : "reason",
			l->rcpts[i].reason);
	}
	buf_addc(b, '\0');
}

void
listing_put_end(struct buf *b)
{
	buf_addc(b, '\0');
}

/* One name with its value; an empty name has none. */
static enum listing_result
take_attribute(struct str *rest, struct str *name, struct str *value)
{
	ssize_t end = str_chr(*rest, '\0');
	struct str after;

	if (end < 0)
		return LISTING_MORE;
	*name = str_sub(*rest, 0, (size_t)end);
	after = str_from(*rest, (size_t)end + 1);
	if (name->len == 0) {
		*rest = after;
		return LISTING_END;
	}
	end = str_chr(after, '\0');
	if (end < 0)
		return LISTING_MORE;
	*value = str_sub(after, 0, (size_t)end);
	*rest = str_from(after, (size_t)end + 1);
	return LISTING_MESSAGE;
}

enum listing_result
listing_get_greeting(struct str *rest)
{
	struct str at = *rest, name, value;
	bool known = false;

	for (;;) {
		switch (take_attribute(&at, &name, &value)) {
		case LISTING_MESSAGE:
			known |= str_is(name, "protocol") && str_eq(value, PROTOCOL);
			break;
		case LISTING_END:
			*rest = at;
			return known ? LISTING_MESSAGE : LISTING_MALFORMED;
		default:
			return LISTING_MORE;
		}
	}
}

static struct listing_rcpt *
add_rcpt(struct listing *l, struct arena *arena)
{
	/* Room doubles: it is used up at 0, 1, 2, 4 ... */
	if ((l->n_rcpts & (l->n_rcpts - 1)) == 0) {
		struct listing_rcpt *more =
			arena_alloc(arena, (l->n_rcpts * 2 + 1) * sizeof(*more));

		if (l->n_rcpts)
			memcpy(more, l->rcpts, l->n_rcpts * sizeof(*more));
		l->rcpts = more;
	}
	return &l->rcpts[l->n_rcpts++];
}

/* The one whose original_recipient came just before, or a new one. */
static struct listing_rcpt *
open_rcpt(struct listing *l, struct arena *arena)
{
	if (l->n_rcpts && !l->rcpts[l->n_rcpts - 1].address.data)
		return &l->rcpts[l->n_rcpts - 1];
	return add_rcpt(l, arena);
}

static void
set_bounce_reason(struct listing_rcpt *r, struct str reason)
{
	r->failed = true;
	r->reason = reason;
}

static bool
number(struct str text, uint64_t *out)
{
	return str_to_u64(text, out) == 0;
}

/* An attribute of the message, or of its newest recipient. False: not what it should be.
 * Names we do not know are skipped. */
static bool
use_attribute(struct listing *l, struct arena *arena, struct str name, struct str value)
{
	uint64_t n = 0;

	if (str_is(name, "queue_name"))
		l->queue = value;
	else if (str_is(name, "queue_id"))
		l->queue_id = value;
	else if (str_is(name, "sender"))
		l->sender = value;
	else if (str_is(name, "time"))
		return number(value, &n) && (l->time = (int64_t)n, true);
	else if (str_is(name, "size"))
		return number(value, &l->size);
	else if (str_is(name, "forced_expire"))
		return number(value, &n) && (l->expire = n != 0, true);
	else if (str_is(name, "reason") && l->n_rcpts)
		l->rcpts[l->n_rcpts - 1].reason = value;
	else if (str_is(name, "bounce_reason") && l->n_rcpts)
		set_bounce_reason(&l->rcpts[l->n_rcpts - 1], value);
	else if (str_is(name, "original_recipient"))
		add_rcpt(l, arena)->original = value;
	else if (str_is(name, "recipient"))
		open_rcpt(l, arena)->address = value;
	return true;
}

enum listing_result
listing_get(struct str *rest, struct arena *arena, struct listing *out)
{
	struct str at = *rest, name, value;
	bool any = false;

	memset(out, 0, sizeof(*out));
	for (;; any = true) {
		switch (take_attribute(&at, &name, &value)) {
		case LISTING_MESSAGE:
			if (!use_attribute(out, arena, name, value))
				return LISTING_MALFORMED;
			break;
		case LISTING_END:
			*rest = at;
			if (!any)
				return LISTING_END;
			return out->queue_id.len ? LISTING_MESSAGE : LISTING_MALFORMED;
		default:
			return LISTING_MORE;
		}
	}
}
