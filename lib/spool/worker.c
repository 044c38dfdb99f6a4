/* worker.c -- a thread that runs jobs in order; each ends in the loop.
 *
 * event_offload() has a pool, whose order is nobody's; flushes and what depends on them
 * must not overtake each other. What ended waits in a list and the loop is told once;
 * when the spool is closed outside of the loop, the same list is collected by hand. */
#include "private.h"
#include <pthread.h>
#include <signal.h>

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, ended;
	struct job *first, **last; /* queued */
	struct job *done, **done_last;
	size_t running; /* submitted and not yet collected */
	bool told;      /* the loop has a call to worker_told() coming */
	bool stop, orphan;
};

static void
worker_free(struct worker *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->more);
	pthread_cond_destroy(&w->ended);
	mem_free(w);
}

/* In the loop: something ended. */
static void
worker_told(void *arg)
{
	struct worker *w = arg;

	if (w->orphan) {
		worker_free(w);
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->told = false;
	pthread_mutex_unlock(&w->lock);
	worker_collect(w, false);
}

static void
job_ended(struct worker *w, struct job *j)
{
	bool tell = !w->told;

	j->next = NULL;
	*w->done_last = j;
	w->done_last = &j->next;
	w->told = true;
	pthread_cond_signal(&w->ended);
	if (tell)
		event_post(worker_told, w);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *j;

		while (!w->first && !w->stop)
			pthread_cond_wait(&w->more, &w->lock);
		if (!(j = w->first))
			break;
		if (!(w->first = j->next))
			w->last = &w->first;
		pthread_mutex_unlock(&w->lock);
		j->run(j);
		pthread_mutex_lock(&w->lock);
		job_ended(w, j);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct worker *
worker_start(void)
{
	struct worker *w = mem_alloc(sizeof(*w));
	sigset_t all, before;
	int error;

	w->last = &w->first;
	w->done_last = &w->done;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	pthread_cond_init(&w->ended, NULL);
	sigfillset(&all);        /* signals are the loop's ... */
	sigdelset(&all, SIGSYS); /* ... but the jail's, which would kill when blocked */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		log_fatal("spool: cannot start a thread: %s", strerror(error));
	return w;
}

void
worker_submit(struct worker *w, struct job *j)
{
	j->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->last = j;
	w->last = &j->next;
	w->running++;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

bool
worker_collect(struct worker *w, bool wait)
{
	struct job *j;

	pthread_mutex_lock(&w->lock);
	while (wait && !w->done && w->running > 0)
		pthread_cond_wait(&w->ended, &w->lock);
	j = w->done;
	w->done = NULL;
	w->done_last = &w->done;
	pthread_mutex_unlock(&w->lock);
	while (j) {
		struct job *next = j->next;

		pthread_mutex_lock(&w->lock);
		w->running--;
		pthread_mutex_unlock(&w->lock);
		j->done(j);
		j = next;
	}
	return w->running > 0;
}

bool
worker_is_idle(const struct worker *w)
{
	return w->running == 0;
}

void
worker_stop(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	ensure(w->running == 0);
	w->stop = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	if (w->told)
		w->orphan = true; /* freed by the call that is still to come */
	else
		worker_free(w);
}
