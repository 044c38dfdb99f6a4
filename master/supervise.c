/* supervise.c -- one question for each line, asked again whenever something changed:
 * should another worker be started, or a connection be waited for?
 *
 * A line never keeps its neighbours from working: a program that cannot start is left
 * alone for service_throttle_time, one that dies in use is started again when it is
 * needed. */
#include "master.h"
#include "log.h"
#include <signal.h>
#include <sys/wait.h>

/* A worker that was fine and dies sooner than this is not started again at once. */
#define SHORT_LIFE ((msec_t)1000)
/* How long an only process may take to finish while its successor waits for it, and,
 * after it was told to stop, until it is killed. */
#define HANDOVER        ((msec_t)10000)
#define KILL_AFTER      ((msec_t)5000)
#define LIMIT_TOLD_EACH ((msec_t)60000)

/* ---- starting ---- */

static bool
may_start(const struct line *l)
{
	if (master.stopping || l->removed || l->missing || l->retry.place != 0)
		return false;
	if (l->alone ? l->workers.n > 0 : workers_accepting(l) >= l->most)
		return false;
	return l->sessions == 0 || workers_share(l) > 0;
}

/* One that is on its way will. */
static bool
somebody_accepts(const struct line *l)
{
	for (size_t i = 0; i < l->workers.n; i++)
		if (!l->workers.items[i]->leaving && !l->workers.items[i]->full)
			return true;
	return false;
}

void
supervise(struct line *l)
{
	bool nobody = !somebody_accepts(l);

	if (l->missing && !l->removed) {
		sockets_poll(l, !master.stopping);
		return;
	}
	if (nobody && may_start(l) && l->stays) {
		if (!worker_start(l))
			supervise_demand(l);
		return;
	}
	sockets_poll(l, nobody && may_start(l));
}

static void
try_again(void *arg)
{
	supervise(arg);
}

static void
throttle(struct line *l, msec_t span)
{
	sockets_poll(l, false);
	timer_set(&l->retry, deadline_in(span), try_again, l);
}

void
supervise_demand(struct line *l)
{
	sockets_poll(l, false);
	if (!may_start(l))
		return;
	if (!worker_start(l))
		throttle(l, SHORT_LIFE);
}

static void
go_on(struct line *l)
{
	for (size_t i = 0; i < l->workers.n; i++)
		if (l->workers.items[i]->waits) {
			l->workers.items[i]->waits = false;
			worker_order(l->workers.items[i], CONTROL_GO_ON, 0);
		}
}

static bool
needs_help(const struct worker *w)
{
	return w->full || !deadline_passed(w->busy_until);
}

/* Another one, when all workers are busy and the line may have more. Who said that it is
 * busy has stopped accepting until it hears of the outcome. */
static void
consider_another(struct line *l)
{
	for (size_t i = 0; i < l->workers.n; i++) {
		const struct worker *w = l->workers.items[i];

		if (!w->ready)
			return; /* on its way; it will say so */
		if (!needs_help(w) && !w->leaving) {
			go_on(l);
			return;
		}
	}
	if (!may_start(l) || !worker_start(l))
		go_on(l);
}

/* ---- stress: from 80 % of the bound, until some time after (contract 2.3) ---- */

#define STRESS_LASTS ((msec_t)1000000)

static void
set_stress(struct line *l, bool on)
{
	l->stressed = on;
	for (size_t i = 0; i < l->workers.n; i++)
		worker_order(l->workers.items[i], CONTROL_STRESS, on);
}

static void
calm_down(void *arg)
{
	set_stress(arg, false);
}

static void
consider_stress(struct line *l)
{
	uint64_t load = 0;

	if (l->sessions == 0 ||
		(l->conf.type != SERVICE_INET && l->conf.type != SERVICE_PASS))
		return;
	for (size_t i = 0; i < l->workers.n; i++)
		load += l->workers.items[i]->load;
	if (5 * load < 4 * (uint64_t)l->sessions) {
		if (l->stressed && l->calm.place == 0)
			timer_set(&l->calm, deadline_in(STRESS_LASTS), calm_down, l);
		return;
	}
	timer_cancel(&l->calm);
	if (!l->stressed)
		set_stress(l, true);
}

/* ---- records ---- */

static void
consider_limit(struct line *l)
{
	msec_t now = time_monotonic();

	if (somebody_accepts(l) || may_start(l))
		return;
	if (l->limit_told && now - l->limit_told < LIMIT_TOLD_EACH)
		return;
	l->limit_told = now;
	log_line(MASTER_LIMIT, l->conf.name, str_c(l->endpoint), log_num(l->sessions));
	log_warn("more sessions at a time: a higher number in the maxproc column of "
		 "master.cf, or a higher default_process_limit");
	log_warn("shorter sessions: lower timeouts and error limits under stress, as "
		 "STRESS_README of Postfix describes");
}

static void
kill_it(void *arg)
{
	struct worker *w = arg;

	log_warn(
		"process %s pid %d does not end; killing it", w->line->path, (int)w->pid);
	kill(w->pid, SIGKILL);
}

static void
stop_it(void *arg)
{
	struct worker *w = arg;

	worker_order(w, CONTROL_STOP, 0);
	timer_set(&w->impatience, deadline_in(KILL_AFTER), kill_it, w);
}

/* Its successor may not start before it ended. */
static void
hurry(struct worker *w)
{
	if (w->line->alone && w->impatience.place == 0)
		timer_set(&w->impatience, deadline_in(HANDOVER), stop_it, w);
}

void
supervise_record(struct worker *w, const struct control *said)
{
	struct line *l = w->line;

	switch (said->kind) {
	case CONTROL_READY:
		w->ready = true;
		go_on(l);
		break;
	case CONTROL_USED:
		l->used = true;
		break;
	case CONTROL_BUSY:
		w->waits = true;
		w->busy_until = deadline_in(CONTROL_BUSY_FOR);
		consider_another(l);
		break;
	case CONTROL_FULL:
		w->full = true;
		if (l->each == 0)
			consider_another(l); /* agents are not asked: they offer */
		supervise(l);
		consider_limit(l);
		break;
	case CONTROL_ROOM:
		w->full = false;
		supervise(l);
		break;
	case CONTROL_DRAINING:
		w->leaving = true;
		w->limit = w->load = MIN(said->value, w->limit);
		hurry(w);
		supervise(l);
		break;
	case CONTROL_LOAD:
		w->load = MIN(said->value, w->limit);
		consider_stress(l);
		if (w->leaving) {
			w->limit = w->load;
			supervise(l);
		}
		break;
	case CONTROL_ALIVE:
		w->pinged = false;
		break;
	case CONTROL_UNLINKED:
		log_warn("%s: process %d lost its link to broker; it gets another",
			l->key, (int)w->pid);
		worker_link(w);
		break;
	}
}

/* ---- ends ---- */

static void
tell_end(const struct worker *w, int status)
{
	struct str path = str_c(w->line->path), pid = log_num(w->pid);

	if (WIFSIGNALED(status))
		log_line(MASTER_KILLED, path, pid, log_num(WTERMSIG(status)));
	else
		log_line(MASTER_EXIT, path, pid, log_num(WEXITSTATUS(status)));
}

static void
forget(struct worker *w)
{
	struct line *l = w->line;

	for (size_t i = 0; i < l->workers.n; i++)
		if (l->workers.items[i] == w)
			l->workers.items[i] = l->workers.items[--l->workers.n];
	timer_cancel(&w->impatience);
	timer_cancel(&w->watchdog);
	io_close(&w->control);
	suspect_page_free(w->suspects);
	mem_free(w);
}

/* Lines that left master.cf live on until their last worker ended. */
static void
drop_if_done(struct line *l)
{
	if (!l->removed || l->workers.n > 0)
		return;
	for (size_t i = 0; i < master.lines.n; i++)
		if (master.lines.items[i] == l)
			master.lines.items[i] = master.lines.items[--master.lines.n];
	line_free(l);
}

void
supervise_worker_ended(struct worker *w, int status)
{
	struct line *l = w->line;
	bool ready = w->ready, bad = status != 0;
	msec_t age = time_monotonic() - w->started;

	if (bad && !(master.stopping && WIFSIGNALED(status)))
		tell_end(w, status);
	if (WIFSIGNALED(status))
		worker_blame(w, WTERMSIG(status));
	forget(w);
	consider_stress(l);
	if (master.stopping) {
		stop_proceed();
		return;
	}
	if (!ready && !l->removed) {
		log_line(MASTER_THROTTLING, str_c(l->path));
		throttle(l, master.conf->p.service_throttle_time);
	} else if (bad && age < SHORT_LIFE && !l->removed) {
		throttle(l, SHORT_LIFE);
	}
	if (l->removed)
		drop_if_done(l);
	else
		supervise(l);
}

void
supervise_retire_all(struct line *l)
{
	l->removed = true;
	timer_cancel(&l->wakeup);
	sockets_close(l);
	for (size_t i = 0; i < l->workers.n; i++)
		worker_order(l->workers.items[i], CONTROL_DRAIN, 0);
	drop_if_done(l);
}
