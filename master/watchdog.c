/* watchdog.c -- a process that does not answer for daemon_timeout is stuck, for whatever
 * reason, and killed: master asks, so that nothing in the process itself has to work. */
#include "master.h"
#include "log.h"
#include <signal.h>

/* Asked twice in daemon_timeout: seldom enough not to keep an idle machine awake. */
static msec_t
interval(const struct worker *w)
{
	return w->line->daemon_timeout / 2;
}

static void
ask(void *arg)
{
	struct worker *w = arg;
	bool silent = w->pinged;

	timer_set(&w->watchdog, deadline_in(interval(w)), ask, w);
	if (silent && !master.stopping) {
		log_warn("process %s pid %d: no sign of life for %lld s: killing it",
			w->line->path, (int)w->pid, (long long)(interval(w) / 1000));
		kill(w->pid, SIGKILL);
		return;
	}
	w->pinged = true;
	worker_order(w, CONTROL_PING, 0);
}

void
watchdog_start(struct worker *w)
{
	timer_set(&w->watchdog, deadline_in(interval(w)), ask, w);
}
