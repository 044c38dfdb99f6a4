/* post.c -- from any thread into the loop. */
#include "event_impl.h"
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct post *first, *last; /* under the lock */
static struct io io = { .fd = -1 };

/* Only the first of several posts makes noise. */
void
post_add(struct post *post)
{
	bool was_quiet;

	post->next = NULL;
	pthread_mutex_lock(&lock);
	was_quiet = !first;
	if (first)
		last->next = post;
	else
		first = post;
	last = post;
	pthread_mutex_unlock(&lock);
	if (was_quiet) {
		uint64_t one = 1;

		ensure(write(io.fd, &one, sizeof(one)) == sizeof(one));
	}
}

void
event_post(void (*fn)(void *), void *arg)
{
	struct post *post = mem_alloc(sizeof(*post));

	post->fn = fn;
	post->arg = arg;
	post->allocated = true;
	post_add(post);
}

static struct post *
take_all(void)
{
	struct post *list;

	pthread_mutex_lock(&lock);
	list = first;
	first = NULL;
	pthread_mutex_unlock(&lock);
	return list;
}

/* The counter is not read: each write is an edge of its own. */
static void
arrived(struct io *unused)
{
	(void)unused;
	for (struct post *post = take_all(); post;) {
		struct post here = *post;

		if (here.allocated)
			mem_free(post);
		here.fn(here.arg);
		post = here.next;
	}
}

void
post_init(void)
{
	io = (struct io){ .on_event = arrived };
	io.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ensure(io.fd >= 0);
	ensure(loop_watch(&io, EPOLLIN | EPOLLET) == 0);
}

void
post_forked(void)
{
	pthread_mutex_init(&lock, NULL);
}

void
post_close(void)
{
	fd_close(&io.fd);
	for (struct post *post = take_all(), *next; post; post = next) {
		next = post->next;
		if (post->allocated)
			mem_free(post);
	}
}
