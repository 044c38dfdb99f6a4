/* remote.c -- see remote.h. */
#include "remote.h"
#include "log.h"
#include <stdlib.h>
#include <sys/random.h>

/* How long a look-up waits for one of the links. The server's own time limits end what
 * has them. */
#define TURN_PATIENCE ((msec_t)30000)

struct host {
	const char *name;
	bool local;
	deadline_t down_until; /* 0: it is not known to be down */
	struct why why;        /* while it is */
};

struct link {
	void *of_type;
	struct host *host;
	deadline_t used;
	struct link *next;
};

struct remote {
	const struct remote_ops *ops;
	const char *spec;
	const void *table;
	msec_t idle_for, retry_after;
	struct host *hosts;
	size_t n_hosts;
	struct link *idle; /* the one used last comes first */
	size_t in_use;
	struct co_queue turns;
	struct arena *arena;
};

struct remote *
remote_new(const struct remote_ops *ops, const char *spec, const void *table,
	struct str hosts)
{
	struct arena *arena = arena_new();
	struct remote *r = arena_alloc(arena, sizeof *r);
	struct str host;

	r->arena = arena;
	r->ops = ops;
	r->spec = arena_str(arena, str_c(spec)).data;
	r->table = table;
	r->idle_for = REMOTE_IDLE_MS;
	r->retry_after = REMOTE_RETRY_MS;
	r->hosts = arena_alloc(arena, (hosts.len + 1) * sizeof *r->hosts);
	while (str_token(&hosts, " ,\t\r\n", &host)) {
		struct host *h = &r->hosts[r->n_hosts++];

		h->name = arena_str(arena, host).data;
		h->local = str_starts(host, STR("unix:")) || host.data[0] == '/';
	}
	return r;
}

void
remote_times(struct remote *r, msec_t idle, msec_t retry)
{
	r->idle_for = idle;
	r->retry_after = retry;
}

static void
link_close(struct remote *r, struct link *l)
{
	r->ops->close(l->of_type);
	mem_free(l);
}

static void
close_idle(struct remote *r, bool all)
{
	struct link **at = &r->idle;

	while (*at) {
		struct link *l = *at;

		if (!all && !deadline_passed(l->used + r->idle_for)) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		link_close(r, l);
	}
}

void
remote_free(struct remote *r)
{
	ensure(r->in_use == 0);
	close_idle(r, true);
	arena_free(r->arena);
}

/* ---- which host ---- */

static size_t
by_chance(size_t n)
{
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
		chance = (uint32_t)time_monotonic_us();
	return chance % n;
}

/* One that is not down: those on this machine before the others. NULL: all are. */
static struct host *
host_choose(struct remote *r)
{
	for (int local = 1; local >= 0; local--) {
		struct host *up[64];
		size_t n = 0;

		for (size_t i = 0; i < r->n_hosts && n < COUNT(up); i++)
			if (r->hosts[i].local == local &&
				deadline_passed(r->hosts[i].down_until))
				up[n++] = &r->hosts[i];
		if (n > 0)
			return up[by_chance(n)];
	}
	return NULL;
}

static void
host_down(struct remote *r, struct host *h, const struct why *why)
{
	/* Several look-ups may find out at the same time: it is said once. */
	if (deadline_passed(h->down_until))
		log_warn("%s: %s", r->spec, why->text);
	h->down_until = deadline_in(r->retry_after);
	h->why = *why;
}

static enum dict_result
all_down(const struct remote *r, struct why *why)
{
	if (r->n_hosts == 0)
		why_set(why, "4.3.5", "%s: no server is named", r->spec);
	else
		*why = r->hosts[0].why;
	return DICT_ERROR;
}

/* ---- one look-up ---- */

struct attempt {
	struct remote *r;
	struct link *link;
	struct str key;
	struct arena *arena;
	struct str value;
	struct why why;
	bool lost;
	enum dict_result result;
};

BLOCKS static void
attempt_run(void *arg)
{
	struct attempt *a = arg;
	const struct remote *r = a->r;

	if (!a->link->of_type)
		a->link->of_type =
			r->ops->connect(r->table, a->link->host->name, &a->why);
	if (!a->link->of_type)
		a->lost = true;
	else
		a->result = r->ops->ask(a->link->of_type, r->table, a->key, a->arena,
			&a->value, &a->why, &a->lost);
}

static struct link *
link_take(struct remote *r)
{
	struct link *l;
	struct host *h;

	close_idle(r, false);
	l = r->idle;
	if (l) {
		r->idle = l->next;
		return l;
	}
	h = host_choose(r);
	if (!h)
		return NULL;
	l = mem_alloc(sizeof *l);
	l->host = h;
	return l;
}

static void
link_give_back(struct remote *r, struct link *l, bool lost)
{
	if (!lost) {
		l->used = deadline_in(0);
		l->host->down_until = 0;
		l->next = r->idle;
		r->idle = l;
		return;
	}
	if (l->of_type)
		link_close(r, l);
	else
		mem_free(l);
}

/* A link that was kept may have been closed by the server meanwhile: that says nothing
 * about the host, and the next one is tried. */
SWITCHES static enum dict_result
find_on_some_host(struct remote *r, struct attempt *a, struct why *why)
{
	for (;;) {
		bool kept;

		a->link = link_take(r);
		if (!a->link)
			return all_down(r, why);
		kept = a->link->of_type != NULL;
		a->lost = false;
		a->result = DICT_ERROR;
		event_offload(attempt_run, a);
		if (a->lost && !kept)
			host_down(r, a->link->host, &a->why);
		link_give_back(r, a->link, a->lost);
		if (!a->lost) {
			*why = a->why;
			return a->result;
		}
	}
}

SWITCHES static bool
wait_for_turn(struct remote *r, struct why *why)
{
	deadline_t patience = deadline_in(TURN_PATIENCE);

	while (r->in_use >= REMOTE_LINKS && co_self())
		if (co_wait(&r->turns, patience) < 0) {
			why_set(why, "4.3.0", "%s: the server is too slow", r->spec);
			return false;
		}
	return true;
}

enum dict_result
remote_find(struct remote *r, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct attempt a = { .r = r, .key = key, .arena = arena };
	enum dict_result result = DICT_ERROR;

	if (wait_for_turn(r, why)) {
		r->in_use++;
		result = find_on_some_host(r, &a, why);
		r->in_use--;
		co_wake_one(&r->turns);
	}
	if (result == DICT_FOUND)
		*value = a.value;
	return result;
}
