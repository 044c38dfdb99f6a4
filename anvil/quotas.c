/* quotas.c -- see quotas.h. */
#include "quotas.h"
#include <stdlib.h>

#define DAY ((int64_t)86400)

static const char *const prefixes[QUOTA_ABOUTS] = {
	[QUOTA_LOGIN] = "login:",
	[QUOTA_DOMAIN] = "domain:",
};

struct span {
	int64_t began; /* 0: is still to begin */
	uint64_t used[QUOTA_KINDS];
};
struct account {
	struct str name; /* "login:joe" */
	int64_t seen;
	struct span spans[QUOTA_PERIODS];
	struct account *older, *newer; /* by `seen` */
};

static struct book {
	struct map *accounts;
	struct account *oldest, *newest;
	struct quota_peaks peaks;
} books[QUOTA_ABOUTS];
static int64_t lengths[QUOTA_PERIODS] = { [QUOTA_HOUR] = 3600, [QUOTA_DAY] = DAY };
static void (*tell)(struct str key, struct str value);

void
quotas_configure(int64_t hour)
{
	lengths[QUOTA_HOUR] = hour;
}

/* ---- accounts ---- */

static struct map *
accounts(struct book *b)
{
	if (!b->accounts)
		b->accounts = map_new();
	return b->accounts;
}

/* "login:joe"; NULL: names none. */
static struct book *
book_of(struct str name)
{
	if (name.len > QUOTA_NAME)
		return NULL;
	for (size_t i = 0; i < QUOTA_ABOUTS; i++)
		if (str_starts(name, str_c(prefixes[i])) &&
			name.len > strlen(prefixes[i]))
			return &books[i];
	return NULL;
}

static void
queue_leave(struct book *b, struct account *a)
{
	*(a->older ? &a->older->newer : &b->oldest) = a->newer;
	*(a->newer ? &a->newer->older : &b->newest) = a->older;
	a->older = a->newer = NULL;
}

static void
queue_join(struct book *b, struct account *a)
{
	a->older = b->newest;
	*(b->newest ? &b->newest->newer : &b->oldest) = a;
	b->newest = a;
}

static void
forget_oldest(struct book *b)
{
	struct account *a = b->oldest;

	queue_leave(b, a);
	map_set(accounts(b), a->name, NULL);
	mem_free(a);
}

static struct account *
account_new(struct book *b, struct str name)
{
	struct account *a = mem_alloc(sizeof(*a) + name.len);

	memcpy(a + 1, name.data, name.len);
	a->name = str_of(a + 1, name.len);
	map_set(accounts(b), a->name, a);
	return a;
}

/* A clock that was set back lets nobody wait for a time to come. */
static bool
is_over(int64_t began, int64_t length, int64_t now)
{
	return now < began || now >= began + length;
}

static int64_t
longest(void)
{
	return MAX(lengths[QUOTA_HOUR], lengths[QUOTA_DAY]);
}

static int64_t
book_forget(struct book *b, int64_t now)
{
	while (b->oldest && is_over(b->oldest->seen, longest(), now))
		forget_oldest(b);
	return b->oldest ? b->oldest->seen + longest() : 0;
}

int64_t
quotas_forget(int64_t now)
{
	int64_t next = 0;

	for (size_t i = 0; i < QUOTA_ABOUTS; i++) {
		int64_t at = book_forget(&books[i], now);

		if (at > 0 && (next == 0 || at < next))
			next = at;
	}
	return next;
}

static struct account *
account_find(struct book *b, struct str name, int64_t now)
{
	struct account *a = map_get(accounts(b), name);

	if (a)
		return a;
	(void)book_forget(b, now);
	if (map_count(accounts(b)) >= QUOTAS_MOST)
		forget_oldest(b);
	a = account_new(b, name);
	a->seen = now;
	queue_join(b, a);
	return a;
}

/* ---- as in the table ---- */

static void
value_put(const struct account *a, struct buf *out)
{
	buf_printf(out, "%lld", (long long)a->seen);
	for (size_t i = 0; i < QUOTA_PERIODS; i++) {
		buf_printf(out, ":%lld", (long long)a->spans[i].began);
		for (size_t j = 0; j < QUOTA_KINDS; j++)
			buf_printf(out, ":%llu", (unsigned long long)a->spans[i].used[j]);
	}
}

static void
changed(const struct account *a)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	if (!tell)
		return;
	value_put(a, &value);
	tell(a->name, buf_str(&value));
}

void
quotas_tell(void (*fn)(struct str key, struct str value))
{
	tell = fn;
}

void
quotas_write(void (*fn)(struct str key, struct str value, void *arg), void *arg)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < QUOTA_ABOUTS; i++)
		for (const struct account *a = books[i].oldest; a; a = a->newer) {
			buf_clear(&value);
			value_put(a, &value);
			fn(a->name, buf_str(&value), arg);
		}
}

static bool
take_number(struct str *rest, uint64_t most, uint64_t *out)
{
	struct str item;

	return str_split(rest, ':', &item) && str_to_u64(item, out) == 0 && *out <= most;
}

static bool
take_time(struct str *rest, int64_t *out)
{
	uint64_t seconds;

	if (!take_number(rest, INT64_MAX / 4, &seconds))
		return false;
	*out = (int64_t)seconds;
	return true;
}

static bool
value_get(struct str value, struct account *a)
{
	if (!take_time(&value, &a->seen))
		return false;
	for (size_t i = 0; i < QUOTA_PERIODS; i++) {
		if (!take_time(&value, &a->spans[i].began))
			return false;
		for (size_t j = 0; j < QUOTA_KINDS; j++)
			if (!take_number(&value, UINT64_MAX, &a->spans[i].used[j]))
				return false;
	}
	return value.len == 0;
}

bool
quotas_take(struct str key, struct str value)
{
	struct book *b = book_of(key);
	struct account *a, is = { .seen = 0 };

	if (!b || !value_get(value, &is))
		return false;
	a = map_get(accounts(b), key);
	if (!a && map_count(accounts(b)) >= QUOTAS_MOST)
		return false;
	if (!a)
		a = account_new(b, key);
	a->seen = is.seen;
	memcpy(a->spans, is.spans, sizeof(a->spans));
	return true;
}

static int
by_seen(const void *a, const void *b)
{
	int64_t x = (*(struct account *const *)a)->seen;
	int64_t y = (*(struct account *const *)b)->seen;

	return (x > y) - (x < y);
}

void
quotas_taken(void)
{
	for (size_t i = 0; i < QUOTA_ABOUTS; i++) {
		VEC(struct account *) all = { 0 };
		struct str key;
		void *value;

		for (size_t at = 0; map_next(accounts(&books[i]), &at, &key, &value);)
			*vec_push(&all) = value;
		if (all.n > 0)
			qsort(all.items, all.n, sizeof(*all.items), by_seen);
		for (size_t j = 0; j < all.n; j++)
			queue_join(&books[i], all.items[j]);
		vec_free(&all);
	}
}

/* ---- asking ---- */

static uint64_t
sum(uint64_t a, uint64_t b)
{
	return b < UINT64_MAX - a ? a + b : UINT64_MAX;
}

static void
begin_anew(struct account *a, int64_t now)
{
	for (size_t i = 0; i < QUOTA_PERIODS; i++)
		if (is_over(a->spans[i].began, lengths[i], now))
			a->spans[i] = (struct span){ .began = 0 };
}

/* The first limit that it would go beyond. */
static struct quota_reply
judge(const struct account *a, const struct quota_request *ask)
{
	const uint64_t limits[QUOTA_PERIODS] = { ask->hour, ask->day };
	struct quota_reply say = { .over = false };

	for (size_t i = 0; i < QUOTA_PERIODS && !say.over; i++) {
		uint64_t used = sum(a ? a->spans[i].used[ask->kind] : 0, ask->amount);

		if (limits[i] > 0 && used > limits[i])
			say = (struct quota_reply){
				.over = true, .period = (uint8_t)i, .used = used
			};
	}
	return say;
}

static void
count(struct book *b, struct account *a, const struct quota_request *ask, int64_t now)
{
	for (size_t i = 0; i < QUOTA_PERIODS; i++) {
		struct span *span = &a->spans[i];

		if (span->began == 0)
			span->began = now;
		span->used[ask->kind] = sum(span->used[ask->kind], ask->amount);
	}
	queue_leave(b, a);
	a->seen = now;
	queue_join(b, a);
	peak_note(&b->peaks.of[ask->kind], a->spans[QUOTA_HOUR].used[ask->kind], a->name);
	changed(a);
}

struct quota_reply
quotas_ask(const struct quota_request *ask, int64_t now)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct quota_reply say = { .over = false };
	struct account *a;
	struct book *b;

	if (ask->about >= QUOTA_ABOUTS || ask->kind >= QUOTA_KINDS ||
		ask->how >= QUOTA_HOWS)
		return say;
	buf_addz(&name, prefixes[ask->about]);
	buf_add(&name, ask->name);
	b = book_of(buf_str(&name));
	if (!b)
		return say;
	a = map_get(accounts(b), buf_str(&name));
	if (a)
		begin_anew(a, now);
	say = judge(a, ask);
	if (ask->how == QUOTA_ALWAYS || (ask->how == QUOTA_WITHIN && !say.over))
		count(b, a ? a : account_find(b, buf_str(&name), now), ask, now);
	return say;
}

struct quota_peaks
quotas_peaks(enum quota_about about)
{
	struct quota_peaks was = books[about].peaks;

	memset(&books[about].peaks, 0, sizeof(books[about].peaks));
	return was;
}

/* ---- for people ---- */

void
quotas_each(int64_t now, void (*fn)(const struct quota_account *a, void *arg), void *arg)
{
	for (size_t i = 0; i < QUOTA_ABOUTS; i++)
		for (struct account *a = books[i].oldest; a; a = a->newer) {
			struct quota_span spans[QUOTA_PERIODS];
			struct quota_account out = {
				.name = a->name, .spans = spans, .n_spans = QUOTA_PERIODS
			};

			begin_anew(a, now);
			for (size_t j = 0; j < QUOTA_PERIODS; j++)
				spans[j] = (struct quota_span){
					.began = (uint64_t)a->spans[j].began,
					.messages = a->spans[j].used[QUOTA_MESSAGES],
					.recipients = a->spans[j].used[QUOTA_RECIPIENTS],
					.bytes = a->spans[j].used[QUOTA_BYTES],
				};
			fn(&out, arg);
		}
}

/* It stays, empty, so that the journal says so, too. */
bool
quotas_lift(struct str name, int64_t now)
{
	struct book *b = book_of(name);
	struct account *a = b ? map_get(accounts(b), name) : NULL;

	if (!a)
		return false;
	memset(a->spans, 0, sizeof(a->spans));
	queue_leave(b, a);
	a->seen = now;
	queue_join(b, a);
	changed(a);
	return true;
}
