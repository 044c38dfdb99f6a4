/* switch.c -- contexts, and what AddressSanitizer must be told about them. */
#include "config.h"
#include "switch.h"
#include <signal.h>

#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(fake, low, size)  ((void)0)
#define __sanitizer_finish_switch_fiber(fake, low, size) ((void)0)
#endif

/* Who was left last: after the switch the one that arrives completes the note about it.
 */
static struct context *left;

#if CO_UCONTEXT

/* swapcontext() would bring back the signal mask of earlier; the one that holds is that
 * of the process. */
static void
swap(struct context *from, struct context *to)
{
	ensure(sigprocmask(SIG_BLOCK, NULL, &to->uc.uc_sigmask) == 0);
	ensure(swapcontext(&from->uc, &to->uc) == 0);
}

static void
prepare(struct context *c, void *low, size_t size, void (*entry)(void))
{
	ensure(getcontext(&c->uc) == 0);
	c->uc.uc_stack.ss_sp = low;
	c->uc.uc_stack.ss_size = size;
	c->uc.uc_link = NULL;
	makecontext(&c->uc, entry, 0);
}

#else

void context_swap(void **from_sp, void *to_sp);
void context_first(void);

static void
swap(struct context *from, struct context *to)
{
	context_swap(&from->sp, to->sp);
}

/* The stack as context_swap() would have left it. */
static void
prepare(struct context *c, void *low, size_t size, void (*entry)(void))
{
	uintptr_t top = ((uintptr_t)low + size) & ~(uintptr_t)15;
	void **sp = (void **)top;

#if defined(__x86_64__)
	*--sp = NULL; /* keeps the call in context_first() aligned */
	*--sp = NULL;
	*--sp = (void *)context_first;
	*--sp = NULL;          /* rbp */
	*--sp = (void *)entry; /* rbx */
	sp -= 4;
	memset(sp, 0, 4 * sizeof(*sp)); /* r12 to r15 */
#else
	sp -= 20;
	memset(sp, 0, 20 * sizeof(*sp));
	sp[0] = (void *)entry;          /* x19 */
	sp[11] = (void *)context_first; /* x30 */
#endif
	c->sp = sp;
}

#endif

void
context_make(struct context *c, void *low, size_t size, void (*entry)(void))
{
	c->low = low;
	c->size = size;
	c->fake = NULL;
	prepare(c, low, size, entry);
}

/* For the main stack, whose bounds nobody told us, this is how they become known. */
void
context_arrived(void)
{
	__sanitizer_finish_switch_fiber(NULL, &left->low, &left->size);
}

void
context_switch(struct context *from, struct context *to, bool ended)
{
	(void)ended;
	left = from;
	__sanitizer_start_switch_fiber(ended ? NULL : &from->fake, to->low, to->size);
	swap(from, to);
	__sanitizer_finish_switch_fiber(from->fake, &left->low, &left->size);
}
