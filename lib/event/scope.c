/* scope.c -- children end before their scope does. */
#include "event_impl.h"
#include <errno.h>

void
co_scope_init(struct co_scope *s)
{
	*s = (struct co_scope){ NULL, NULL, 0 };
}

void
co_scope_spawn(struct co_scope *s, void (*fn)(void *), void *arg, enum co_stack stack)
{
	struct co *co = co_spawn(fn, arg, stack);

	co->scope = s;
	co->link = (struct co_link){ NULL, s->children, co };
	if (s->children)
		s->children->prev = &co->link;
	s->children = &co->link;
	s->running++;
}

void
scope_child_ended(struct co *co)
{
	struct co_scope *s = co->scope;

	if (co->link.prev)
		co->link.prev->next = co->link.next;
	else
		s->children = co->link.next;
	if (co->link.next)
		co->link.next->prev = co->link.prev;
	if (--s->running == 0 && s->waiting)
		co_ready(s->waiting, 0);
}

static void
cancel_children(struct co_scope *s)
{
	for (struct co_link *link = s->children; link; link = link->next)
		co_cancel(link->co);
}

/* Whoever waits here and is cancelled passes that on, and waits on: leaving earlier would
 * leave children behind that use what is about to go. */
void
co_scope_end(struct co_scope *s, bool cancel)
{
	bool told = cancel;

	ensure(!s->waiting);
	if (cancel)
		cancel_children(s);
	s->waiting = co_self();
	while (s->running > 0) {
		if (told)
			co_shield(1);
		if (co_block(DEADLINE_NEVER) < 0 && !told) {
			cancel_children(s);
			told = true;
			continue;
		}
		if (told)
			co_shield(-1);
	}
	s->waiting = NULL;
}
