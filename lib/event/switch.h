/* switch.h -- leaving one stack for another.
 *
 * Own code for x86-64 and aarch64: ucontext makes a system call for the signal mask at
 * each switch, and every coroutine here has the same mask. CO_UCONTEXT=1 chooses ucontext
 * all the same (other machines, and the test that compares the two). */
#ifndef SWITCH_H
#define SWITCH_H

#include "base.h"
#include "switch_which.h"
#if CO_UCONTEXT
#include <ucontext.h>
#endif

struct context {
#if CO_UCONTEXT
	ucontext_t uc;
#else
	void *sp; /* everything else is on the stack that it points to */
#endif
	/* For AddressSanitizer: its second stack, and where this one is. */
	void *fake;
	const void *low;
	size_t size;
};

/* Prepares a context that begins in entry() on the given stack. entry never returns. */
void context_make(struct context *c, void *low, size_t size, void (*entry)(void));
/* Leaves `from`, to come back when somebody switches to it; a context that `ended` is
 * never come back to. */
void context_switch(struct context *from, struct context *to, bool ended);
/* The first thing that entry() calls. */
void context_arrived(void);

#endif
