/* policies.c -- see policies.h. */
#include "policies.h"

#define DAY          (int64_t)86400
#define RETRY        (int64_t)300       /* section 3.3: five minutes or longer */
#define REFRESH_MOST DAY                /* section 3.3: "once per day" */
#define REFRESH_FOR  (30 * DAY)         /* after somebody last asked */
#define SHORT        (int64_t)3600      /* who changes that often is not refreshed */
#define COUNT_MOST   ((size_t)50000)    /* domains */
#define SIZE_MOST    ((size_t)64 << 20) /* bytes of all */
#define ENTRY_SIZE   (sizeof(struct policy) + 256) /* and its place in the map */

static struct {
	struct map *map;
	size_t size;
} policies;

static struct map *
all(void)
{
	if (!policies.map)
		policies.map = map_new();
	return policies.map;
}

size_t
policies_count(void)
{
	return map_count(all());
}

void
policies_each(void (*fn)(struct policy *p, void *arg), void *arg)
{
	struct str key;
	void *value;

	for (size_t at = 0; map_next(all(), &at, &key, &value);)
		fn(value, arg);
}

/* ---- room ---- */

static void
set_size(struct policy *p, size_t size)
{
	policies.size += size - p->size;
	p->size = size;
}

static void
remove_policy(struct policy *p)
{
	set_size(p, 0);
	map_set(all(), p->domain, NULL);
	if (p->arena)
		arena_free(p->arena);
	mem_free((void *)(uintptr_t)p->domain.data);
	mem_free(p);
}

static bool
is_full(void)
{
	return policies_count() >= COUNT_MOST || policies.size >= SIZE_MOST;
}

/* Whoever can send mail through us can have us learn of domains: those that nobody has
 * asked for lately go, a half of what there is, so that it does not happen often. */
static void
make_room(void)
{
	int64_t oldest = INT64_MAX, newest = 0;
	struct str key;
	void *value;

	for (size_t at = 0; map_next(all(), &at, &key, &value);) {
		oldest = MIN(oldest, ((struct policy *)value)->used);
		newest = MAX(newest, ((struct policy *)value)->used);
	}
	for (size_t at = 0; map_next(all(), &at, &key, &value);) {
		struct policy *p = value;

		if (!p->fetching && p->used <= oldest + (newest - oldest) / 2)
			remove_policy(p);
	}
}

static struct policy *
add(struct str domain)
{
	struct policy *p;
	char *name;

	if (is_full())
		make_room();
	if (is_full())
		return NULL;
	p = mem_alloc(sizeof(*p));
	name = mem_alloc(domain.len + 1);
	memcpy(name, domain.data, domain.len);
	p->domain = str_of(name, domain.len);
	set_size(p, ENTRY_SIZE);
	map_set(all(), p->domain, p);
	return p;
}

struct policy *
policies_find(struct str domain, bool makes)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str key = arena_lower(arena, domain);
	struct policy *p = map_get(all(), key);

	return p || !makes ? p : add(key);
}

/* ---- when ---- */

bool
policy_is_good(const struct policy *p, int64_t now)
{
	return p->has_terms && now < p->fetched + (int64_t)p->terms.max_age;
}

bool
policy_wants_fetch(const struct policy *p, struct str id, int64_t now)
{
	return !p->fetching && now >= p->retry &&
	       (!policy_is_good(p, now) || !str_eq(p->id, id));
}

int64_t
policy_refresh_time(const struct policy *p)
{
	int64_t age = (int64_t)p->terms.max_age,
		due = p->fetched + MIN(age / 2, REFRESH_MOST);

	if (!p->has_terms || p->terms.mode == MTA_STS_NONE || p->fetching || age < SHORT)
		return 0;
	due = MAX(due, p->retry);
	return due < MIN(p->fetched + age, p->used + REFRESH_FOR) ? due : 0;
}

bool
policy_use(struct policy *p, int64_t now)
{
	int64_t day = now - now % DAY;
	bool is_news = day != p->used;

	p->used = day;
	return is_news && p->has_terms;
}

/* ---- what was found ---- */

void
policy_learn(struct policy *p, struct str id, const struct mta_sts *terms, int64_t now)
{
	struct arena *arena = arena_new();
	size_t size = ENTRY_SIZE + id.len;

	p->id = arena_str(arena, id);
	p->terms = *terms;
	p->terms.mx.items =
		arena_alloc(arena, MAX(terms->mx.n, 1) * sizeof(*terms->mx.items));
	for (size_t i = 0; i < terms->mx.n; i++) {
		p->terms.mx.items[i] = arena_str(arena, terms->mx.items[i]);
		size += terms->mx.items[i].len + sizeof(struct str);
	}
	if (p->arena)
		arena_free(p->arena);
	p->arena = arena;
	p->has_terms = true;
	p->fetched = now;
	p->retry = 0;
	set_size(p, size);
}

void
policy_missed(struct policy *p, int64_t now)
{
	p->retry = now + RETRY;
}

/* ---- the file ---- */

void
policy_put(const struct policy *p, struct buf *out)
{
	if (!p->has_terms)
		return;
	buf_printf(out, STR_FMT " " STR_FMT " %lld %lld %s %u", STR_ARG(p->domain),
		STR_ARG(p->id), (long long)p->fetched, (long long)p->used,
		mta_sts_word(p->terms.mode), p->terms.max_age);
	for (size_t i = 0; i < p->terms.mx.n; i++)
		buf_printf(out, " " STR_FMT, STR_ARG(p->terms.mx.items[i]));
	buf_addc(out, '\n');
}

/* What follows the four words that are ours is read as what was fetched. */
static bool
get_terms(struct str line, struct arena *arena, struct mta_sts *out)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str mode, age, mx;
	struct why why;

	if (!str_token(&line, " ", &mode) || !str_token(&line, " ", &age))
		return false;
	buf_printf(&text, "version: STSv1\nmode: " STR_FMT "\nmax_age: " STR_FMT "\n",
		STR_ARG(mode), STR_ARG(age));
	while (str_token(&line, " ", &mx))
		buf_printf(&text, "mx: " STR_FMT "\n", STR_ARG(mx));
	return mta_sts_parse(buf_str(&text), arena, out, &why) == ACCEPT;
}

bool
policy_get(struct str line)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str domain, id, word;
	uint64_t fetched, used;
	struct mta_sts terms;
	struct policy *p;

	if (!str_token(&line, " ", &domain) || !str_token(&line, " ", &id) ||
		!str_token(&line, " ", &word) || str_to_u64(word, &fetched) < 0 ||
		!str_token(&line, " ", &word) || str_to_u64(word, &used) < 0 ||
		fetched > INT64_MAX / 2 || used > INT64_MAX / 2 ||
		!get_terms(line, arena, &terms))
		return false;
	p = policies_find(domain, true);
	if (!p)
		return false;
	policy_learn(p, id, &terms, (int64_t)fetched);
	p->used = (int64_t)used;
	return true;
}
