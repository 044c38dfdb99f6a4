/* schedule_impl.h -- between the parts of schedule.h: transport.c has the transports and
 * their workers, destination.c the destinations, schedule.c brings jobs to both. */
#ifndef SCHEDULE_IMPL_H
#define SCHEDULE_IMPL_H

#include "schedule.h"

extern struct schedule {
	struct map *transports;
	struct destination *dead; /* ring in the order of dead_until (one span for all) */
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
struct worker *worker_for(const struct transport *t, const struct destination *d);
void worker_dismiss(struct worker *w);

/* ---- destination.c ---- */
void job_link(struct job *j);
void job_unlink(struct job *j);
void ready_remove(struct destination *d);
void destination_consider(struct destination *d);
void destination_rest(struct destination *d);
/* A conversation took place, or did not: its window moves. */
void destination_succeeded(struct destination *d);
void destination_failed(struct destination *d, const struct why *why);
void first_dead_lives(void);
void destination_defer_jobs(struct destination *d, const char *code, struct str text);

#endif
