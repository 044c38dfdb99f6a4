/* triplets.c -- see triplets.h. */
#include "triplets.h"
#include <stdlib.h>

/* An address is known by so much of its end: LMDB's keys are at most 511 bytes. */
#define ADDRESS_MOST 200
#define NETWORK_MOST 64
#define KEY_MOST     (NETWORK_MOST + 2 * ADDRESS_MOST + 2)

/* Expired ones leave at least as fast as new ones come. */
#define FORGOTTEN_FOR_EACH 2

/* A triplet, or a network of whose triplets some came back. */
struct entry {
	struct str key;
	int64_t first, last; /* seen */
	uint32_t count;      /* came back; 0: has to wait */
	struct entry *older, *newer;
};

/* Those that wait, by the time that they were seen first; the others by the last. */
struct queue {
	struct entry *oldest, *newest;
};
static struct {
	struct map *entries;
	struct queue waiting, back;
} known;

/* ---- entries ---- */

static struct map *
entries(void)
{
	if (!known.entries)
		known.entries = map_new();
	return known.entries;
}

size_t
triplets_count(void)
{
	return map_count(entries());
}

static struct queue *
queue_of(const struct entry *e)
{
	return e->count > 0 ? &known.back : &known.waiting;
}

static void
queue_leave(struct entry *e)
{
	struct queue *q = queue_of(e);

	*(e->older ? &e->older->newer : &q->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &q->newest) = e->older;
	e->older = e->newer = NULL;
}

static void
queue_join(struct entry *e)
{
	struct queue *q = queue_of(e);

	e->older = q->newest;
	*(q->newest ? &q->newest->newer : &q->oldest) = e;
	q->newest = e;
}

static struct entry *
entry_new(struct str key)
{
	struct entry *e = mem_alloc(sizeof(*e) + key.len);

	if (key.len > 0) /* which may have no bytes to show */
		memcpy(e + 1, key.data, key.len);
	e->key = str_of(e + 1, key.len);
	map_set(entries(), e->key, e);
	return e;
}

static void
forget(struct entry *e)
{
	queue_leave(e);
	map_set(entries(), e->key, NULL);
	mem_free(e);
}

static bool
is_over(const struct entry *e, const struct triplets_rules *r, int64_t now)
{
	return now >
	       (e->count > 0 ? e->last + r->expire : e->first + r->delay + r->retry);
}

static bool
forget_one(struct queue *q, const struct triplets_rules *r, int64_t now)
{
	if (!q->oldest || !is_over(q->oldest, r, now))
		return false;
	forget(q->oldest);
	return true;
}

void
triplets_clean(const struct triplets_rules *r, int64_t now)
{
	while (forget_one(&known.waiting, r, now) || forget_one(&known.back, r, now))
		;
}

static void
make_room(const struct triplets_rules *r, int64_t now)
{
	for (int i = 0; i < FORGOTTEN_FOR_EACH; i++) {
		(void)forget_one(&known.waiting, r, now);
		(void)forget_one(&known.back, r, now);
	}
	while (triplets_count() > 0 && triplets_count() >= r->most)
		forget(known.waiting.oldest ? known.waiting.oldest : known.back.oldest);
}

/* ---- what is changed ---- */

static void (*tell)(struct str key, struct str value);

void
triplets_tell(void (*fn)(struct str key, struct str value))
{
	tell = fn;
}

static void
entry_value(const struct entry *e, struct buf *out)
{
	buf_clear(out);
	buf_printf(
		out, "%lld:%lld:%u", (long long)e->first, (long long)e->last, e->count);
}

static void
changed(const struct entry *e)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	if (!tell)
		return;
	entry_value(e, &value);
	tell(e->key, buf_str(&value));
}

/* The entry with that key, new when there is none that is still good. */
static struct entry *
entry_find(struct str key, const struct triplets_rules *r, int64_t now)
{
	struct entry *e = map_get(entries(), key);

	if (e && is_over(e, r, now)) {
		forget(e);
		e = NULL;
	}
	if (!e) {
		make_room(r, now);
		e = entry_new(key);
		e->first = e->last = now;
		queue_join(e);
		changed(e);
	}
	return e;
}

static void
entry_seen(struct entry *e, uint32_t times, int64_t now)
{
	queue_leave(e);
	e->last = now;
	e->count = times < UINT32_MAX - e->count ? e->count + times : UINT32_MAX;
	queue_join(e);
	changed(e);
}

/* ---- asking ---- */

static void
put_lower(struct buf *key, struct str s, size_t most)
{
	s = str_from(s, s.len - MIN(s.len, most));
	for (size_t i = 0; i < s.len; i++)
		buf_addc(key, s.data[i] ? ascii_lower(s.data[i]) : '?');
}

static struct str
network_key(const struct triplet *t, struct buf *key)
{
	buf_clear(key);
	put_lower(key, t->network, NETWORK_MOST);
	return buf_str(key);
}

static struct str
triplet_key(const struct triplet *t, struct buf *key)
{
	buf_clear(key);
	put_lower(key, t->network, NETWORK_MOST);
	buf_addc(key, ' ');
	put_lower(key, t->sender, ADDRESS_MOST);
	buf_addc(key, ' ');
	put_lower(key, t->recipient, ADDRESS_MOST);
	return buf_str(key);
}

static bool
network_is_known(struct str key, const struct triplets_rules *r, int64_t now)
{
	struct entry *e = map_get(entries(), key);

	if (!e || r->allow_after == 0 || e->count < r->allow_after || is_over(e, r, now))
		return false;
	entry_seen(e, 0, now);
	return true;
}

static struct triplet_answer
came_back(const struct triplet *t, int64_t waited, const struct triplets_rules *r,
	int64_t now)
{
	struct buf key CLEANUP(buf_free) = BUF_INIT;
	struct entry *network;

	if (r->allow_after == 0)
		return (struct triplet_answer){ .is_back = true, .waited = waited };
	network = entry_find(network_key(t, &key), r, now);
	entry_seen(network, 1, now);
	return (struct triplet_answer){ .is_back = true,
		.waited = waited,
		.is_known = network->count >= r->allow_after };
}

struct triplet_answer
triplets_ask(const struct triplet *t, const struct triplets_rules *r, int64_t now)
{
	struct buf key CLEANUP(buf_free) = BUF_INIT;
	struct entry *e;
	int64_t waited;

	if (network_is_known(network_key(t, &key), r, now))
		return (struct triplet_answer){ .wait = 0 };
	e = entry_find(triplet_key(t, &key), r, now);
	if (e->first > now) /* the clock was set back */
		e->first = now;
	waited = now - e->first;
	if (e->count == 0 && waited < r->delay)
		return (struct triplet_answer){ .wait = r->delay - waited };
	entry_seen(e, 1, now);
	return e->count == 1 ? came_back(t, waited, r, now)
			     : (struct triplet_answer){ .wait = 0 };
}

/* ---- the table ---- */

void
triplets_each(void (*fn)(struct str key, struct str value, void *arg), void *arg)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str key;
	void *value;

	for (size_t at = 0; map_next(entries(), &at, &key, &value);) {
		const struct entry *e = value;

		entry_value(e, &text);
		fn(key, buf_str(&text), arg);
	}
}

static bool
take_number(struct str *rest, uint64_t most, uint64_t *out)
{
	struct str item;

	return str_split(rest, ':', &item) && str_to_u64(item, out) == 0 && *out <= most;
}

bool
triplets_take(struct str key, struct str value)
{
	uint64_t first, last, count;
	struct entry *e;

	if (key.len == 0 || key.len > KEY_MOST ||
		!take_number(&value, INT64_MAX / 2, &first) ||
		!take_number(&value, INT64_MAX / 2, &last) ||
		!take_number(&value, UINT32_MAX, &count) || value.len > 0)
		return false;
	e = map_get(entries(), key);
	if (!e)
		e = entry_new(key);
	e->first = (int64_t)first;
	e->last = (int64_t)last;
	e->count = (uint32_t)count;
	return true;
}

static int64_t
rank(const struct entry *e)
{
	return e->count > 0 ? e->last : e->first;
}

static int
by_age(const void *a, const void *b)
{
	int64_t x = rank(*(struct entry *const *)a), y = rank(*(struct entry *const *)b);

	return (x > y) - (x < y);
}

void
triplets_taken(void)
{
	VEC(struct entry *) all = { 0 };
	struct str key;
	void *value;

	for (size_t at = 0; map_next(entries(), &at, &key, &value);)
		*vec_push(&all) = value;
	if (all.n > 0)
		qsort(all.items, all.n, sizeof(*all.items), by_age);
	for (size_t i = 0; i < all.n; i++)
		queue_join(all.items[i]);
	vec_free(&all);
}
