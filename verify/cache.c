/* cache.c -- see cache.h. */
#include "cache.h"

#define ADDRESSES_MOST 200000
#define TEXT_MOST      250
/* A probe without a result is taken for lost after this. */
#define PROBE_PATIENCE 1000

/* Postfix's numbers in the table. */
static const char numbers[] = { [VERIFY_OK] = '0',
	[VERIFY_DEFER] = '1',
	[VERIFY_BOUNCE] = '2',
	[VERIFY_UNKNOWN] = '3' };

static struct {
	struct map *addresses;
	size_t probes; /* entries with one under way */
} cache;

static struct map *
addresses(void)
{
	if (!cache.addresses)
		cache.addresses = map_new();
	return cache.addresses;
}

size_t
cache_probes(void)
{
	return cache.probes;
}

size_t
cache_count(void)
{
	return map_count(addresses());
}

void
cache_each(void (*fn)(const struct address *a, void *arg), void *arg)
{
	struct str key;
	void *value;

	for (size_t at = 0; map_next(addresses(), &at, &key, &value);)
		fn(value, arg);
}

static char *
copy(struct str s)
{
	char *z = mem_alloc(s.len + 1);

	memcpy(z, s.data, s.len);
	return z;
}

static void
set_text(struct address *a, struct str text)
{
	mem_free(a->text);
	text = str_sub(text, 0, TEXT_MOST);
	a->text = copy(text.data ? text : STR(""));
}

static void
set_probed(struct address *a, int64_t when)
{
	cache.probes += (when > 0) - (a->probed > 0);
	a->probed = when;
}

void
cache_probing(struct address *a, int64_t now)
{
	set_probed(a, now);
}

static void
remove_address(struct address *a)
{
	set_probed(a, 0);
	map_set(addresses(), str_c(a->name), NULL);
	mem_free(a->name);
	mem_free(a->text);
	mem_free(a);
}

static bool
is_expired(const struct address *a, const struct cache_times *t, int64_t now)
{
	switch (a->status) {
	case VERIFY_OK:
		return a->updated + t->positive_expire < now;
	case VERIFY_DEFER:
	case VERIFY_BOUNCE:
		return !t->keeps_negative || a->updated + t->negative_expire < now;
	case VERIFY_UNKNOWN:
		break;
	}
	return a->probed + PROBE_PATIENCE < now;
}

void
cache_clean(const struct cache_times *t, int64_t now, size_t *retained, size_t *dropped)
{
	struct str key;
	void *value;

	*retained = *dropped = 0;
	for (size_t at = 0; map_next(addresses(), &at, &key, &value);) {
		struct address *a = value;

		if (a->waiting || !is_expired(a, t, now)) {
			++*retained;
			continue;
		}
		remove_address(a);
		++*dropped;
	}
}

/* Strangers can ask for any number of addresses: those that take mail stay longest. */
static void
make_room(const struct cache_times *t, int64_t now)
{
	size_t retained, dropped;
	struct str key;
	void *value;

	cache_clean(t, now, &retained, &dropped);
	if (dropped > 0)
		return;
	for (size_t at = 0; map_next(addresses(), &at, &key, &value);) {
		struct address *a = value;

		if (!a->waiting && a->status != VERIFY_OK)
			remove_address(a);
	}
}

static struct address *
add(struct str name)
{
	struct address *a;

	if (cache_count() >= ADDRESSES_MOST)
		return NULL;
	a = mem_alloc(sizeof(*a));
	a->name = copy(name);
	a->text = copy(STR(""));
	map_set(addresses(), name, a);
	return a;
}

static void
forget_status(struct address *a)
{
	a->status = VERIFY_UNKNOWN;
	a->updated = 0;
	set_probed(a, 0);
	set_text(a, STR("Address verification in progress"));
}

static struct str
folded(struct str name, struct buf *into)
{
	for (size_t i = 0; i < name.len; i++)
		buf_addc(into, ascii_lower(name.data[i]));
	return buf_str(into);
}

struct address *
cache_take(struct str name, const struct cache_times *t, int64_t now)
{
	struct buf low CLEANUP(buf_free) = BUF_INIT;
	struct address *a;

	if (name.len == 0 || str_chr(name, 0) >= 0)
		return NULL;
	name = folded(name, &low);
	a = map_get(addresses(), name);
	if (!a && cache_count() >= ADDRESSES_MOST)
		make_room(t, now);
	if (!a && !(a = add(name)))
		return NULL;
	if (a->status != VERIFY_UNKNOWN ? is_expired(a, t, now) : a->probed == 0)
		forget_status(a);
	return a;
}

bool
cache_wants_probe(const struct address *a, const struct cache_times *t, int64_t now)
{
	if (a->probed > 0 && now - a->probed <= PROBE_PATIENCE)
		return false;
	switch (a->status) {
	case VERIFY_OK:
		return a->updated + t->positive_refresh < now;
	case VERIFY_DEFER:
	case VERIFY_BOUNCE:
		return a->updated + t->negative_refresh < now;
	case VERIFY_UNKNOWN:
		break;
	}
	return true;
}

const struct address *
cache_learn(struct str name, enum verify_status status, struct str text,
	const struct cache_times *t, int64_t now)
{
	struct buf low CLEANUP(buf_free) = BUF_INIT;
	struct address *a = map_get(addresses(), folded(name, &low));

	if (!a || status == VERIFY_UNKNOWN)
		return NULL;
	set_probed(a, 0);
	if (status != VERIFY_OK && a->status == VERIFY_OK && !is_expired(a, t, now))
		return a;
	a->status = status;
	a->updated = now;
	set_text(a, text);
	co_wake_all(&a->learned);
	return a;
}

/* ---- the table ---- */

void
cache_entry_put(const struct address *a, struct buf *out)
{
	buf_printf(out, "%c:%lld:%lld:%s", numbers[a->status], (long long)a->probed,
		(long long)a->updated, a->text);
}

static bool
take_time(struct str *rest, int64_t *out)
{
	struct str item;
	uint64_t seconds;

	if (!str_split(rest, ':', &item) || str_to_u64(item, &seconds) < 0 ||
		seconds > INT64_MAX / 2)
		return false;
	*out = (int64_t)seconds;
	return true;
}

bool
cache_entry_get(struct str name, struct str value)
{
	struct buf low CLEANUP(buf_free) = BUF_INIT;
	struct str status;
	int64_t probed, updated;
	struct address *a;

	if (name.len == 0 || str_chr(name, 0) >= 0 || str_chr(value, 0) >= 0 ||
		!str_split(&value, ':', &status) || status.len != 1 ||
		!take_time(&value, &probed) || !take_time(&value, &updated))
		return false;
	for (size_t i = 0; i < sizeof(numbers); i++) {
		if (i == VERIFY_UNKNOWN || numbers[i] != status.data[0])
			continue;
		name = folded(name, &low);
		a = map_get(addresses(), name);
		if (!a && !(a = add(name)))
			return false;
		a->status = (enum verify_status)i;
		a->updated = updated;
		set_text(a, value);
		return true;
	}
	return false;
}
