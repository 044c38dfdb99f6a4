/* errand.c -- see errand.h. */
#include "errand.h"
#include "event.h"
#include "service.h"

#define AT_ONCE 20

static struct {
	struct active *first, *last; /* waiting for their turn */
	size_t running;
} errands;

static void
errands_run(void *arg)
{
	(void)arg;
	co_name("errand");
	while (errands.first && !service_draining()) {
		struct active *a = errands.first;

		errands.first = a->next_errand;
		if (!errands.first)
			errands.last = NULL;
		a->errand(a);
	}
	errands.running--;
}

size_t
errands_under_way(void)
{
	return errands.running;
}

void
errand_queue(struct active *a, SWITCHES void (*run)(struct active *a))
{
	a->errand = run;
	a->next_errand = NULL;
	if (errands.last)
		errands.last->next_errand = a;
	else
		errands.first = a;
	errands.last = a;
	if (errands.running >= AT_ONCE)
		return;
	errands.running++;
	co_spawn(errands_run, NULL, CO_STACK_SMALL);
}
