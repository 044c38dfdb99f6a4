/* resolver.c -- see resolver.h. */
#include "resolver.h"
#include "event.h"
#include "log.h"
#include "outside.h"
#include "service.h"
#include "shaping.h"

#define AT_ONCE 50

struct work {
	void (*fn)(void *arg);
	void *arg;
	struct work *next;
};

static struct {
	struct work *first, *last;
	size_t running;
	VEC(struct route *) retired;
	VEC(struct maps *) retired_maps;
} resolver;

static void
close_retired(void)
{
	while (resolver.retired.n > 0)
		route_close(resolver.retired.items[--resolver.retired.n]);
	while (resolver.retired_maps.n > 0)
		maps_close(resolver.retired_maps.items[--resolver.retired_maps.n]);
}

void
resolver_retire(struct route *old)
{
	*vec_push(&resolver.retired) = old;
	if (resolver.running == 0)
		close_retired();
}

void
resolver_retire_maps(struct maps *old)
{
	*vec_push(&resolver.retired_maps) = old;
	if (resolver.running == 0)
		close_retired();
}

static void
work_run(void *arg)
{
	struct work *w;

	(void)arg;
	co_name("resolver");
	while ((w = resolver.first)) {
		resolver.first = w->next;
		if (!resolver.first)
			resolver.last = NULL;
		w->fn(w->arg);
		mem_free(w);
	}
	if (--resolver.running == 0)
		close_retired();
}

void
resolver_run(void (*fn)(void *arg), void *arg)
{
	struct work *w;

	service_renew_tables();
	if (!route_may_switch(outside.route) && !shaping_may_switch()) {
		fn(arg);
		return;
	}
	w = mem_alloc(sizeof(*w));
	*w = (struct work){ .fn = fn, .arg = arg };
	if (resolver.last)
		resolver.last->next = w;
	else
		resolver.first = w;
	resolver.last = w;
	if (resolver.running >= AT_ONCE)
		return;
	resolver.running++;
	co_spawn(work_run, NULL, CO_STACK_LARGE);
}
