/* offload.c -- work that blocks, done by helper threads while its coroutine waits. */
#include "event_impl.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>

int event_offload_threads = 4;

/* On the stack of the coroutine, which does not go away before the work is done. */
struct job {
	void (*fn)(void *);
	void *arg;
	struct co *co;
	int error; /* what fn left in errno */
	struct post done;
	struct job *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct job *first, *last; /* these four under the lock */
static int threads, idle;

static struct job *
job_take(void)
{
	struct job *job;

	pthread_mutex_lock(&lock);
	idle++;
	while (!first)
		pthread_cond_wait(&more, &lock);
	idle--;
	job = first;
	first = job->next;
	pthread_mutex_unlock(&lock);
	return job;
}

static void
job_done(void *arg)
{
	struct job *job = arg;

	co_ready(job->co, 0);
}

static void *
helper(void *unused)
{
	(void)unused;
	for (;;) {
		struct job *job = job_take();

		errno = 0;
		job->fn(job->arg);
		job->error = errno;
		job->done.fn = job_done;
		job->done.arg = job;
		post_add(&job->done);
	}
	return NULL;
}

/* Helpers take no signals: those belong to the loop. But SIGSYS, by which the jail
 * refuses a call, must reach its handler: blocked, it would end the process. */
static bool
helper_start(void)
{
	pthread_t thread;
	sigset_t all, before;
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, helper, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		pthread_detach(thread);
	return error == 0;
}

static int
queued(void)
{
	int n = 0;

	for (struct job *job = first; job; job = job->next)
		n++;
	return n;
}

/* False when there is no thread at all, and none is to be had. */
static bool
job_give(struct job *job)
{
	bool taken;

	pthread_mutex_lock(&lock);
	if (idle <= queued() && threads < event_offload_threads && helper_start())
		threads++;
	taken = threads > 0;
	if (taken) {
		if (first)
			last->next = job;
		else
			first = job;
		last = job;
		pthread_cond_signal(&more);
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

void
event_offload(void (*fn)(void *), void *arg)
{
	struct job job = { .fn = fn, .arg = arg, .co = co_self() };

	if (!job.co || !job_give(&job)) {
		fn(arg);
		return;
	}
	co_shield(1);
	ensure(co_block(DEADLINE_NEVER) == 0);
	co_shield(-1);
	errno = job.error;
}

void
offload_forked(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&more, NULL);
	first = NULL;
	threads = idle = 0;
}
