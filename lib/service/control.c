/* control.c -- the status socket: what master tells us, and what it hears of us. Seldom
 * used: a worker tells when something changes that master acts upon, not each session. */
#include "config.h"
#include "service_impl.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A further worker of the same line is worth its start when this one has run for so much
 * of the last window (percent). Not sooner: work that is spread over more processes than
 * it needs finds less to do in each turn, and each message costs more of everything. */
#define BUSY_PERCENT 70
#define BUSY_WINDOW  ((msec_t)100)
/* So long master believes it; it hears of it again after half of that. */
#define BUSY_AGAIN (CONTROL_BUSY_FOR / 2)
/* ... and this long its start may take before we go on alone. */
#define HELP_PATIENCE ((msec_t)200)
/* Small leaks and unlucky states end with their process: max_use counts requests of a
 * process that serves one client at a time; ours stands for as many of those as it may
 * have sessions, but for no more than this. */
#define PROCESSES_IN_ONE 1000
/* Master hears of the load in steps of this part of the limit, from half of it on: it
 * looks for 80 % of the whole line. */
#define LOAD_STEPS 32

static struct {
	struct io io;
	struct timer idle, help;
	bool told_used;
	deadline_t
		window; /* when it began, and what had been used of the processor then */
	int64_t window_cpu_us;
	deadline_t told_busy;
	size_t told_load;
} control = { .io = { .fd = -1 } };

void
control_tell(enum control_kind kind, uint32_t value)
{
	/* A full socket means that master is stuck: it will see our state by our end. */
	if (control_send(control.io.fd, kind, value, -1) < 0 && errno != EAGAIN &&
		errno != EPIPE && errno != ECONNRESET)
		log_warn("telling master: %m");
}

/* ---- leaving when there is nothing to do ---- */

static bool
is_idle(void)
{
	return worker.sessions == 0 && worker.links.n == 0 && worker.busy <= 0;
}

static void
on_idle(void *arg)
{
	(void)arg;
	if (is_idle())
		worker_drain();
}

static void
no_more_waiting(void *arg)
{
	(void)arg;
	accept_help(false);
}

/* Long sessions stay where they began. So that a burst of them does not all begin in the
 * first worker, connections wait for the next one, which is there in a few milliseconds.
 */
static void
wait_for_help(void)
{
	accept_help(true);
	timer_set(&control.help, deadline_in(HELP_PATIENCE), no_more_waiting, NULL);
	control_tell(CONTROL_BUSY, 0);
}

/* Asked at each change of the load, answered once a window. */
static bool
is_saturated(void)
{
	deadline_t now = event_now();
	msec_t passed = now - control.window;
	int64_t cpu, used;

	if (passed < BUSY_WINDOW)
		return false;
	cpu = time_cpu_us();
	used = cpu - control.window_cpu_us;
	control.window = now;
	control.window_cpu_us = cpu;
	return used >= passed * 1000 * BUSY_PERCENT / 100;
}

size_t
control_in_hand(void)
{
	return worker.sessions + (size_t)MAX(worker.busy, 0);
}

/* While we finish, each end makes room for our successor. */
static void
tell_load(void)
{
	size_t limit = worker.spawn.limit, now = control_in_hand();
	size_t told = control.told_load;
	size_t step = worker.draining ? 1 : MAX(limit / LOAD_STEPS, (size_t)1);
	size_t change = now > told ? now - told : told - now;

	if (limit == 0 || change < step ||
		(!worker.draining && 2 * MAX(now, told) < limit))
		return;
	control.told_load = now;
	control_tell(CONTROL_LOAD, (uint32_t)now);
}

/* How many requests this process may serve before a fresh one takes over. */
static uint64_t
most_use(void)
{
	uint32_t limit = worker.spawn.limit;

	return (uint64_t)worker.conf->p.max_use *
	       (limit ? MIN(limit, (uint32_t)PROCESSES_IN_ONE) : PROCESSES_IN_ONE);
}

void
control_load_changed(void)
{
	if (control.io.fd < 0)
		return; /* control_start() will ask */
	tell_load();
	if (!control.told_used && !is_idle()) {
		control.told_used = true;
		control_tell(CONTROL_USED, 0);
	}
	if (is_saturated() && event_now() >= control.told_busy + BUSY_AGAIN) {
		control.told_busy = event_now();
		wait_for_help();
	}
	if (worker.served >= most_use() && !worker.service->reload)
		worker_drain();
	if (worker.spawn.stays || worker.draining)
		return;
	if (!is_idle())
		timer_cancel(&control.idle);
	else if (control.idle.place == 0)
		timer_set(&control.idle, deadline_in(worker.conf->p.max_idle), on_idle,
			NULL);
}

/* ---- what master says ---- */

/* Settings that only -o of this line makes a mistake of: what runs stays, as with master
 * itself. */
static void
reload_in_place(uint32_t generation)
{
	struct conf *fresh, *old = worker.conf;
	struct conf_issues issues;

	conf_issues_init(&issues);
	fresh = conf_load(conf_directory(NULL), str_c(worker.options.name),
		&worker.options.overrides, &issues);
	if (fresh) {
		worker.conf = fresh;
		worker.spawn.generation = generation;
		if (worker.service->reload(fresh))
			conf_free(old);
	} else {
		conf_issues_log_fatal(&issues);
		log_error("reload: the running configuration stays");
	}
	conf_issues_free(&issues);
}

/* In place where the program can; else this process ends with what it has begun, under
 * the configuration it began with, and master starts others. Who is on the way out has
 * put away what a reload would change. */
static void
on_reload(uint32_t generation, int accepted)
{
	if (worker.draining || !worker.service->reload) {
		fd_close(&accepted);
		worker_drain();
	} else if (accepted_take(&accepted) < 0) {
		worker_drain();
	} else {
		reload_in_place(generation);
	}
}

/* Sessions end with their next wait; then the process does, in hand or not. */
static void
stop_now(void *arg)
{
	(void)arg;
	accept_cancel_all();
	worker_drain();
}

static void
on_stop(void)
{
	if (worker.stopping)
		return;
	worker.stopping = true;
	accept_stop();
	co_spawn(stop_now, NULL, CO_STACK_SMALL);
}

/* The new file takes the old one's place and number: nothing else has to change. */
static void
use_log(int passed)
{
	log_flush();
	if (worker.spawn.log >= 0 && passed >= 0 &&
		dup3(passed, worker.spawn.log, O_CLOEXEC) < 0)
		log_warn("the new maillog_file: %m");
	fd_close(&passed);
}

static void
obey(const struct control *said, int passed)
{
	switch (said->kind) {
	case CONTROL_RELOAD:
		on_reload(said->value, passed);
		break;
	case CONTROL_STOP:
		on_stop();
		break;
	case CONTROL_DRAIN:
		worker_drain();
		break;
	case CONTROL_GO_ON:
		timer_cancel(&control.help);
		accept_help(false);
		break;
	case CONTROL_LOG:
		use_log(passed);
		break;
	case CONTROL_STRESS:
		worker.spawn.stress = said->value != 0;
		break;
	case CONTROL_PING:
		control_tell(CONTROL_ALIVE, 0);
		break;
	case CONTROL_TABLES:
		tables_changed(passed);
		break;
	case CONTROL_BROKER:
		if (passed >= 0)
			peers_replace(passed);
		break;
	}
}

/* The end of the socket is master's end (`postfix drain`, a crash): finish and leave. */
static void
on_event(struct io *io)
{
	struct control said;
	int passed, got;

	while ((got = control_receive(io->fd, &said, &passed)) > 0)
		obey(&said, passed);
	if (got == 0 || errno != EAGAIN)
		worker_drain();
	io->readable = false;
}

void
control_start(void)
{
	if (io_open(&control.io, worker.spawn.control) < 0)
		log_fatal("the status socket: %m");
	control.io.on_event = on_event;
	control_tell(CONTROL_READY, 0);
	control_load_changed();
}
