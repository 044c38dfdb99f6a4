/* stop.c -- the end, in the direction in which mail flows: who receives and delivers
 * first, so that nothing finishes whose outcome nobody would write down; spool and broker
 * last. */
#include "master.h"
#include "log.h"
#include "notify.h"
#include <signal.h>

#define STEP_PATIENCE ((msec_t)1000)

/* In which step a program ends; those not named in the first. */
static const struct {
	const char *program;
	int step;
} order[] = { { "qmgr", 1 }, { "spool", 2 }, { "broker", 3 } };
#define STEPS 4

static int step;
static struct timer patience;

static int
step_of(const struct line *l)
{
	for (size_t i = 0; i < COUNT(order); i++)
		if (str_is(l->conf.command, order[i].program))
			return order[i].step;
	return 0;
}

/* Calls fn for each worker that ends in this step, and counts them. */
static size_t
each_of_step(void (*fn)(struct worker *))
{
	size_t n = 0;

	for (size_t i = 0; i < master.lines.n; i++)
		for (size_t j = 0; j < master.lines.items[i]->workers.n; j++)
			if (step_of(master.lines.items[i]) == step) {
				n++;
				if (fn)
					fn(master.lines.items[i]->workers.items[j]);
			}
	return n;
}

static void
tell(struct worker *w)
{
	worker_order(w, CONTROL_STOP, 0);
}

static void
kill_hard(struct worker *w)
{
	kill(w->pid, SIGKILL);
}

static void
out_of_patience(void *arg)
{
	(void)arg;
	each_of_step(kill_hard);
}

void
stop_proceed(void)
{
	while (each_of_step(NULL) == 0) {
		timer_cancel(&patience);
		if (++step >= STEPS) {
			event_stop();
			return;
		}
		each_of_step(tell);
		timer_set(&patience, deadline_in(STEP_PATIENCE), out_of_patience, NULL);
	}
}

void
stop_now(int signo)
{
	if (master.stopping)
		return;
	log_line(MASTER_TERMINATING, log_num(signo));
	master.stopping = true;
	notify("STOPPING=1");
	for (size_t i = 0; i < master.lines.n; i++) {
		supervise(master.lines.items[i]);
		timer_cancel(&master.lines.items[i]->wakeup);
		timer_cancel(&master.lines.items[i]->retry);
	}
	step = 0;
	each_of_step(tell);
	timer_set(&patience, deadline_in(STEP_PATIENCE), out_of_patience, NULL);
	stop_proceed();
}
