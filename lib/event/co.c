/* co.c -- coroutines: birth, the ready list, waiting, cancelling, death.
 *
 * A coroutine that waits switches straight to the next one that is ready, and to the loop
 * only when there is none or the turn's budget is used up. What belongs to a coroutine
 * besides its stack, errno, the log's session number and for whom it works, is kept on
 * that stack across the switch. */
#include "config.h"
#include "event_impl.h"
#include "log.h"
#include <errno.h>

/* Programs that never set a session number need not be linked with the log at all: a weak
 * reference says that, and cannot be forgotten as a registration can. */
#pragma weak log_session
#pragma weak log_session_current

/* Resumptions in one turn; then the poller is asked again, so that coroutines that keep
 * each other busy do not starve the descriptors. */
enum { BUDGET = 1024 };

struct ready_list {
	struct co *first, *last;
};

static struct ready_list ready;    /* to run in this turn */
static struct ready_list yielders; /* to run in the next one */
static struct co *current;
static struct co *ended; /* its stack is given back by whoever runs next */
static struct context loop_context;
static struct co_link all = { &all, &all, NULL };
static size_t alive;
static int budget;
static volatile uint64_t seen_by_nobody;
volatile uint64_t *co_works_for = &seen_by_nobody;

static void
list_add(struct ready_list *list, struct co *co)
{
	co->next = NULL;
	if (list->first)
		list->last->next = co;
	else
		list->first = co;
	list->last = co;
}

static struct co *
list_take(struct ready_list *list)
{
	struct co *co = list->first;

	if (co)
		list->first = co->next;
	return co;
}

static void
link_add(struct co_link *list, struct co_link *link, struct co *co)
{
	*link = (struct co_link){ list->prev, list, co };
	list->prev->next = link;
	list->prev = link;
}

static void
bury(void)
{
	if (ended)
		stack_give(ended);
	ended = NULL;
}

static uint32_t
session_current(void)
{
	return log_session_current ? log_session_current() : 0;
}

static void
session_is(uint32_t number)
{
	if (log_session)
		log_session(number);
}

/* Everything that runs passes here; `to` NULL is the loop. */
static void
switch_to(struct co *to)
{
	struct co *from = current;
	int error = errno;
	uint32_t session = session_current();
	uint64_t works_for = *co_works_for;

	current = to;
	if (to)
		to->state = CO_RUNNING;
	context_switch(from ? &from->context : &loop_context,
		to ? &to->context : &loop_context, from && from->state == CO_ENDED);
	bury();
	session_is(session);
	*co_works_for = works_for;
	errno = error;
}

static void
leave(void)
{
	switch_to(budget > 0 && ready.first ? (budget--, list_take(&ready)) : NULL);
}

static void
co_main(void)
{
	struct co *self = current;

	context_arrived();
	bury();
	session_is(self->session);
	*co_works_for = self->works_for;
	errno = 0;
	self->fn(self->arg);
	self->all.prev->next = self->all.next;
	self->all.next->prev = self->all.prev;
	alive--;
	if (self->scope)
		scope_child_ended(self);
	self->state = CO_ENDED;
	ended = self;
	leave();
}

struct co *
co_spawn(void (*fn)(void *), void *arg, enum co_stack stack)
{
	struct co *co = stack_take(stack);
	char *low = stack_low(co);

	co->fn = fn;
	co->arg = arg;
	co->session = session_current();
	co->works_for = *co_works_for;
	context_make(&co->context, low, (size_t)((char *)co - low), co_main);
	link_add(&all, &co->all, co);
	alive++;
	list_add(&ready, co);
	return co;
}

struct co *
co_self(void)
{
	return current;
}

void
co_name(const char *name)
{
	ensure(current);
	current->name = name;
}

const char *
co_name_of(const struct co *co)
{
	return co->name;
}

size_t
co_count(void)
{
	return alive;
}

struct co *
co_each(struct co *after)
{
	struct co_link *next = after ? after->all.next : all.next;

	return next->co;
}

/* ---- waiting ---- */

bool
co_ready(struct co *co, int outcome)
{
	if (co->state != CO_BLOCKED)
		return false;
	co->state = CO_READY;
	co->outcome = outcome;
	list_add(&ready, co);
	return true;
}

static void
patience_ends(void *arg)
{
	co_ready(arg, ETIMEDOUT);
}

int
co_block(deadline_t patience)
{
	struct co *self = current;

	ensure(self);
	if (co_cancelled() && self->shield == 0) {
		errno = ECANCELED;
		return -1;
	}
	if (patience <= event_now()) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (patience != DEADLINE_NEVER)
		timer_set(&self->patience, patience, patience_ends, self);
	self->state = CO_BLOCKED;
	leave();
	timer_cancel(&self->patience);
	if (self->outcome == 0)
		return 0;
	errno = self->outcome;
	return -1;
}

void co_yield (void)
{
	ensure(current);
	current->state = CO_READY;
	list_add(&yielders, current);
	leave();
}

int
co_sleep(deadline_t until)
{
	return co_block(until) < 0 && errno == ETIMEDOUT ? 0 : -1;
}

/* ---- cancelling ---- */

void
co_cancel(struct co *co)
{
	co->cancelled = true;
	if (co->shield == 0)
		co_ready(co, ECANCELED);
}

bool
co_cancelled(void)
{
	return current && current->cancelled;
}

void
co_shield(int change)
{
	ensure(current);
	current->shield += change;
	ensure(current->shield >= 0);
}

/* ---- the loop's side ---- */

bool
co_any_ready(void)
{
	return ready.first || yielders.first;
}

void
co_run_ready(void)
{
	if (yielders.first) {
		if (ready.first)
			ready.last->next = yielders.first;
		else
			ready.first = yielders.first;
		ready.last = yielders.last;
		yielders.first = NULL;
	}
	budget = BUDGET;
	while (budget > 0 && ready.first) {
		budget--;
		switch_to(list_take(&ready));
	}
}

/* After a fork: the parent's coroutines are not ours. Their stacks stay mapped, for this
 * may be called on one of them. */
void
co_reset(void)
{
	ready.first = yielders.first = NULL;
	all.prev = all.next = &all;
	alive = 0;
	current = NULL;
	ended = NULL;
}
