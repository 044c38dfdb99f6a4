/* event_test.h -- what the tests of lib/event share. */
#ifndef EVENT_TEST_H
#define EVENT_TEST_H

#include "event.h"
#include "test.h"

/* A letter as the argument of a callback. */
#define LETTER(c) ((void *)(uintptr_t)(c))

/* Runs fn in a coroutine of a fresh loop, until it returns. */
void in_loop(void (*fn)(void));
/* Lets everything that is ready run, and the poller once. */
SWITCHES void turns(int n);

#endif
