/* throttle.c -- see throttle.h. */
#include "throttle.h"
#include "log.h"
#include "outside.h"
#include "schedule_impl.h"

#define SECOND ((msec_t)1000)
#define MINUTE (60 * SECOND)

static struct map *groups; /* by name */

/* ---- what is allowed now ---- */

static uint32_t
halved(uint32_t limit, unsigned times)
{
	return limit ? MAX(limit >> times, 1) : 0;
}

uint32_t
throttle_connections(const struct throttle *t)
{
	uint32_t usual = (uint32_t)outside.conf->p.default_destination_concurrency_limit;

	if (t->limits.connections == 0 && t->slowed == 0)
		return 0;
	return halved(
		t->limits.connections ? t->limits.connections : MAX(usual, 1), t->slowed);
}

/* Where no rate is limited there is none to be halved: time between deliveries is what
 * slows them down. */
static msec_t
spacing(const struct throttle *t)
{
	msec_t delay = t->limits.delay;

	if (t->slowed == 0)
		return delay;
	if (delay == 0 && t->limits.per_second == 0 && t->limits.per_minute == 0)
		return outside.conf->p.shaping_slow_rate_delay << (t->slowed - 1);
	return delay << t->slowed;
}

static struct limits
limits_now(const struct throttle *t)
{
	return (struct limits){ .per_second = halved(t->limits.per_second, t->slowed),
		.per_minute = halved(t->limits.per_minute, t->slowed),
		.connections = throttle_connections(t),
		.per_connection = t->limits.per_connection,
		.delay = spacing(t) };
}

void
throttle_show(const struct throttle *t, struct buf *out)
{
	struct limits l = limits_now(t);

	limits_show(&l, out);
}

/* ---- opening and closing ---- */

static void consider(struct throttle *t);

static void
forget(struct throttle *t)
{
	map_set(groups, t->name, NULL);
	timer_cancel(&t->timer);
	vec_free(&t->members);
	mem_free(t);
}

static void
log_pace(enum log_id line, const struct throttle *t)
{
	struct buf pace CLEANUP(buf_free) = BUF_INIT;

	throttle_show(t, &pace);
	if (line == LOG_QMGR_SLOWED)
		log_line(QMGR_SLOWED, t->name, buf_str(&pace), str_c(t->why.text));
	else
		log_line(QMGR_RECOVERS, t->name,
			pace.len ? buf_str(&pace) : STR("no limit"));
}

static void
timer_fired(void *arg)
{
	struct throttle *t = arg;

	if (t->slowed > 0 && event_now() >= t->recover) {
		t->slowed--;
		t->recover = deadline_in(outside.conf->p.shaping_recovery_time);
		log_pace(LOG_QMGR_RECOVERS, t);
	}
	consider(t);
}

/* When the next delivery may begin, but for those that are under way. */
static deadline_t
opens_at(struct throttle *t, deadline_t now)
{
	struct limits l = limits_now(t);
	deadline_t second = rate_opens(&t->second, l.per_second, now);
	deadline_t minute = rate_opens(&t->minute, l.per_minute, now);

	return MAX(MAX(second, minute), t->next);
}

/* Nobody belongs to it, and nothing of its past counts any more: forgets it. False, and
 * when to ask again. */
static bool
is_over(struct throttle *t, deadline_t now, deadline_t *ask)
{
	if (t->members.n > 0 || t->busy > 0)
		return false;
	if (t->slowed == 0 && t->next <= now && t->minute.sum == 0) {
		forget(t);
		return true;
	}
	*ask = deadline_least(*ask, now + MINUTE);
	return false;
}

/* Its members go where they belong; from the end, for one may leave, and be gone. */
static void
consider_members(struct throttle *t)
{
	for (size_t i = t->members.n; i-- > 0;)
		destination_consider(t->members.items[i]);
	schedule_soon();
}

static void
consider(struct throttle *t)
{
	deadline_t now = event_now(), opens = opens_at(t, now), ask = DEADLINE_NEVER;
	uint32_t most = throttle_connections(t);
	bool open = opens <= now && (most == 0 || t->busy < most);

	if (is_over(t, now, &ask))
		return;
	if (opens > now)
		ask = deadline_least(ask, opens);
	if (t->slowed > 0)
		ask = deadline_least(ask, t->recover);
	if (ask == DEADLINE_NEVER)
		timer_cancel(&t->timer);
	else
		timer_set(&t->timer, MAX(ask, now + 1), timer_fired, t);
	if (open != t->open) {
		t->open = open;
		consider_members(t);
	}
}

/* ---- members ---- */

struct throttle *
throttle_named(struct str name)
{
	return groups ? map_get(groups, name) : NULL;
}

static struct throttle *
group_for(struct str name)
{
	struct throttle *t;

	if (!groups)
		groups = map_new();
	t = throttle_named(name);
	if (t)
		return t;
	t = mem_alloc(sizeof(*t) + name.len);
	memcpy((char *)(t + 1), name.data, name.len);
	t->name = str_of(t + 1, name.len);
	t->second.span = SECOND;
	t->minute.span = MINUTE;
	t->open = true;
	map_set(groups, t->name, t);
	return t;
}

void
throttle_leave(struct destination *d)
{
	struct throttle *t = d->throttle;
	size_t i = 0;

	d->throttle = NULL;
	if (!t)
		return;
	while (t->members.items[i] != d)
		i++;
	t->members.items[i] = t->members.items[--t->members.n];
	/* Not here: the caller may be walking the members. */
	if (t->members.n == 0)
		timer_set(&t->timer, event_now() + 1, timer_fired, t);
}

void
throttle_join(struct destination *d, struct str name, const struct limits *l)
{
	struct throttle *t = group_for(name);

	if (d->throttle != t) {
		throttle_leave(d);
		*vec_push(&t->members) = d;
		d->throttle = t;
	}
	t->limits = *l;
	t->limits.group = t->name;
	consider(t);
}

void
throttle_began(struct throttle *t)
{
	msec_t delay;

	if (!t)
		return;
	delay = spacing(t);
	t->busy++;
	rate_count(&t->second, event_now());
	rate_count(&t->minute, event_now());
	if (delay > 0)
		t->next = MAX(t->next, event_now() + delay);
	consider(t);
}

void
throttle_ended(struct throttle *t)
{
	if (!t)
		return;
	t->busy--;
	consider(t);
}

void
throttle_slow(struct throttle *t, uint32_t news, struct str reply, msec_t rest)
{
	if (news != t->news && rest == 0)
		return;
	why_set(&t->why, "4.7.0", STR_FMT, STR_ARG(reply));
	t->recover = deadline_in(outside.conf->p.shaping_recovery_time) + rest;
	if (news == t->news) {
		t->news++;
		t->slowed = MIN(t->slowed + 1, SLOWED_MOST);
		log_pace(LOG_QMGR_SLOWED, t);
	}
	t->next = MAX(t->next, event_now() + MAX(rest, spacing(t)));
	consider(t);
}

bool
throttle_each(size_t *at, struct throttle **out)
{
	struct str name;
	void *t;

	if (!groups || !map_next(groups, at, &name, &t))
		return false;
	*out = t;
	return true;
}

void
throttles_free(void)
{
	size_t at = 0;
	struct throttle *t;

	while (throttle_each(&at, &t))
		forget(t); /* the entry just returned: map_next allows it */
	if (groups)
		map_free(groups);
	groups = NULL;
}
