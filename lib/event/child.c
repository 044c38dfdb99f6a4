/* child.c -- children that end.
 *
 * SIGCHLD says only that there is something to ask for; each awaited child is asked for
 * by its number, so that children which libraries started are left to them. */
#include "event_impl.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct child {
	pid_t pid;
	void (*fn)(pid_t, int status, void *arg);
	void *arg;
	int status;
	struct child *next;
};

static struct child *awaited;
static struct child *gone; /* ended, fn not called yet */

/* No fn is called while the list is being walked: it may change both lists. */
static void
ask_all(void)
{
	struct child **at = &awaited, **end = &gone;

	while (*end)
		end = &(*end)->next;
	while (*at) {
		struct child *c = *at;
		pid_t got = waitpid(c->pid, &c->status, WNOHANG);

		ensure(got >= 0); /* not our child? */
		if (got == 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->next = NULL;
		*end = c;
		end = &c->next;
	}
}

static void
child_run(void *unused)
{
	(void)unused;
	ask_all();
	while (gone) {
		struct child c = *gone;

		mem_free(gone);
		gone = c.next;
		c.fn(c.pid, c.status, c.arg);
	}
}

static struct event_later ask_soon = { .fn = child_run };

static void
on_sigchld(int signo, void *arg)
{
	(void)signo;
	child_run(arg);
}

/* Its signal may have come before anybody waited for it. */
void
event_on_child(pid_t pid, void (*fn)(pid_t, int status, void *arg), void *arg)
{
	struct child *c = mem_alloc(sizeof(*c));

	c->pid = pid;
	c->fn = fn;
	c->arg = arg;
	c->next = awaited;
	awaited = c;
	event_at_turn_end(&ask_soon);
}

static bool
forget(struct child **at, pid_t pid)
{
	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	if (*at) {
		struct child *c = *at;

		*at = c->next;
		mem_free(c);
		return true;
	}
	return false;
}

void
event_forget_child(pid_t pid)
{
	if (!forget(&awaited, pid))
		forget(&gone, pid);
}

struct wait {
	struct co *co;
	int status;
	bool ended;
};

static void
wait_ends(pid_t pid, int status, void *arg)
{
	struct wait *w = arg;

	(void)pid;
	w->status = status;
	w->ended = true;
	co_ready(w->co, 0);
}

/* A child that ended in the turn in which patience did has been reaped: that counts. */
int
co_wait_child(pid_t pid, int *status, deadline_t patience)
{
	struct wait w = { co_self(), 0, false };
	int error;

	event_on_child(pid, wait_ends, &w);
	if (co_block(patience) < 0 && !w.ended) {
		error = errno;
		event_forget_child(pid);
		errno = error;
		return -1;
	}
	*status = w.status;
	return 0;
}

void
child_init(void)
{
	event_on_signal(SIGCHLD, on_sigchld, NULL);
}

void
child_reset(void)
{
	while (awaited)
		event_forget_child(awaited->pid);
	while (gone)
		event_forget_child(gone->pid);
}
