/* store.h -- the link to spool: what is in the queue comes in, what happened to it goes
 * out.
 *
 * A state is kept until spool confirmed it; when the link is lost it is sent again over
 * the next one. Spool ignores what it has already. */
#ifndef STORE_H
#define STORE_H

#include "base.h"
#include "index.h"
#include "ipc.h"
#include "messages.h"

/* Keeps a link to spool alive, from a coroutine of its own. */
void store_start(void);
/* Takes over a link (tests bring a socket pair): announces everything that is pending and
 * watches. */
void store_attach(int fd);
bool store_is_up(void);
/* Passes a question on to spool, and its answer back. */
void store_pass_on(struct ipc_request *rq);
/* Waits until spool has told once what there is: before that the index knows nothing of
 * most mail. -1 and errno. */
SWITCHES int store_wait_told(deadline_t patience) MUST_CHECK;
/* States not yet confirmed. */
size_t store_pending(void);
/* A state of m: sent at the end of this turn of the loop. Everything is copied. */
void store_state(struct message *m, const struct spool_state *state);
/* Damaged on the disk, it will be no better later: the administrator decides, with
 * postcat and postsuper. Deliveries under way are the caller's to cancel. */
void store_hold_damaged(struct message *m);
/* The message ends: no state of it follows. It leaves the index when spool confirms. */
void store_finish(struct message *m);
/* New mail waits for room among the active, or none does any more: cleanup slows down
 * while it does (in_flow_delay). */
void store_tell_pace(bool behind);
/* Forgets everything (tests). */
void store_reset(void);

#endif
