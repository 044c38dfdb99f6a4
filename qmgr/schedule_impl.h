/* schedule_impl.h -- between the parts of schedule.h: transport.c has the transports and
 * their workers, destination.c the destinations, ready.c those that may deliver, job.c
 * the jobs in their order, preempt.c changes it; schedule.c brings all together. */
#ifndef SCHEDULE_IMPL_H
#define SCHEDULE_IMPL_H

#include "schedule.h"

extern struct schedule {
	struct map *transports;
	struct destination *dead; /* ring in the order of dead_until (one span for all) */
	size_t n_dead;
} schedule;

/* Something changed: looks for deliveries at the end of this turn of the loop. */
void schedule_soon(void);

/* ---- transport.c ---- */
void transport_configure(struct transport *t);
void transport_free(struct transport *t);
void transport_want_worker(struct transport *t);
/* <transport>_transport_rate_delay: one delivery at a time, and time between. */
bool transport_rests(const struct transport *t);
void transport_rest(struct transport *t);
/* When it is to be called again. */
deadline_t transport_tick(struct transport *t, deadline_t now);
/* Has a worker room for one more? */
bool transport_has_room(const struct transport *t);
struct worker *worker_for(const struct transport *t, const struct destination *d);
void worker_dismiss(struct worker *w);

/* ---- ready.c ---- */
void ready_add(struct destination *d);
void ready_remove(struct destination *d);
/* Its first share is another one, or has another turn. */
void ready_moved(struct destination *d);
static inline struct destination *
ready_first(const struct transport *t)
{
	return t->ready.n ? t->ready.items[0] : NULL;
}

/* ---- job.c ---- */
/* What a has for d, perhaps nothing yet. */
struct share *share_get(struct active *a, struct destination *d);
void share_add(struct share *s, uint32_t rcpt);
/* How many recipients the next delivery has. */
uint32_t share_batch(const struct share *s);
/* The first n recipients leave, to out. */
void share_take(struct share *s, uint32_t n, uint32_t *out);
/* Those that are left leave, unseen. */
void share_drop(struct share *s);
/* n recipients that were taken are over. */
void job_release(struct job *j, uint32_t n);
/* Puts j before the job, right before. */
void job_go_before(struct job *j, struct job *before);
/* The recipients that a delivery takes are other ones: a reload. */
void jobs_count_again(struct transport *t);

/* ---- preempt.c ---- */
/* The job that goes before j, which is next: most often j itself. */
struct job *preempt(struct job *j);
/* A job came or grew, or a destination has room again. */
void preempt_look_again(struct transport *t);
/* It ended: nobody may think of it any more. */
void preempt_forget(struct job *j);

/* ---- clog.c ---- */
/* It got more mail: says so when that is much of what may be at work. */
void destination_warn(struct destination *d);

/* ---- destination.c ---- */
/* Does it have room in its window? */
bool destination_has_room(const struct destination *d);
void destination_consider(struct destination *d);
void destination_rest(struct destination *d);
/* A conversation took place, or did not: its window moves. */
void destination_succeeded(struct destination *d);
void destination_failed(struct destination *d, const struct why *why);
/* Its mail is deferred for a while. */
void destination_die(struct destination *d, const struct why *why);
void first_dead_lives(void);
/* Their limits are other ones: a reload. */
void destinations_shape(struct transport *t);
/* Those of t that are suspended by now: their mail is deferred. */
void destinations_suspend(struct transport *t);
void destination_defer_jobs(struct destination *d, const char *code, struct str text);

#endif
