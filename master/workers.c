/* workers.c -- making processes, and the sockets between them, us and broker. */
#include "master.h"
#include "log.h"
#include "suspects.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD       3 /* of those that a worker inherits besides the standard ones */
#define INHERITED_MOST (SPAWN_LISTENERS + 6)
/* Where descriptors are kept while they change places: above all their places, and below
 * the usual soft limit of 1024. */
#define ASIDE_FD (FIRST_FD + INHERITED_MOST)

struct worker *
workers_broker(void)
{
	for (size_t i = 0; i < master.lines.n; i++) {
		struct line *l = master.lines.items[i];

		if (str_is(l->conf.command, "broker") && l->workers.n > 0)
			return l->workers.items[0];
	}
	return NULL;
}

unsigned
workers_accepting(const struct line *l)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->workers.n; i++)
		if (!l->workers.items[i]->leaving)
			n++;
	return n;
}

/* The bound of a line in as many parts as there will be workers. While old workers
 * finish, what they have in hand is still in use: the whole stays within the bound. */
uint32_t
workers_share(const struct line *l)
{
	uint32_t taken = 0, part;

	if (l->sessions == 0)
		return l->each;
	for (size_t i = 0; i < l->workers.n; i++)
		taken += l->workers.items[i]->limit;
	part = (l->sessions + l->most - 1) / l->most;
	return taken >= l->sessions ? 0 : MIN(part, l->sessions - taken);
}

static bool
number_taken(uint32_t number)
{
	for (size_t i = 0; i < master.lines.n; i++)
		for (size_t j = 0; j < master.lines.items[i]->workers.n; j++)
			if (master.lines.items[i]->workers.items[j]->number == number)
				return true;
	return false;
}

static uint32_t
free_number(void)
{
	uint32_t number = 1;

	while (number_taken(number))
		number++;
	return number;
}

/* ---- the link between a worker and broker, made here, introduced here ---- */

static int identities = -1; /* our end of the socket to the broker that runs */

int
workers_identities(void)
{
	return identities;
}

void
workers_set_identities(int fd)
{
	identities = fd;
}

static void
copy(char *out, size_t room, struct str text)
{
	size_t len = MIN(text.len, room - 1);

	memset(out, 0, room);
	memcpy(out, text.data, len);
}

static void
introduce(const struct line *l, pid_t pid, int link)
{
	struct spawn_identity who = { .pid = (uint32_t)pid,
		.uid = l->conf.unprivileged ? master.owners.mail_owner : geteuid() };

	copy(who.program, sizeof(who.program), l->conf.command);
	copy(who.service, sizeof(who.service), l->conf.name);
	if (identity_send(identities, &who, link) < 0)
		log_warn("introducing %s to broker: %m", l->key);
}

static bool
link_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
		return true;
	log_warn("socketpair: %m");
	return false;
}

void
worker_link(struct worker *w)
{
	int ends[2];

	if (identities < 0 || !link_pair(ends))
		return;
	introduce(w->line, w->pid, ends[1]);
	if (control_send(w->control.fd, CONTROL_BROKER, 0, ends[0]) < 0)
		log_warn("%s: a new link to broker: %m", w->line->key);
	close(ends[0]);
	close(ends[1]);
}

/* A fresh broker knows nobody. */
static void
introduce_all(const struct worker *broker)
{
	for (size_t i = 0; i < master.lines.n; i++)
		for (size_t j = 0; j < master.lines.items[i]->workers.n; j++) {
			struct worker *w = master.lines.items[i]->workers.items[j];

			if (w != broker)
				worker_link(w);
		}
}

/* ---- the child's side ---- */

struct birth {
	struct line *line;
	struct spawn spawn;
	int *fds[INHERITED_MOST];
	size_t n;
};

static void
inherits(struct birth *b, int *fd)
{
	if (*fd >= 0)
		b->fds[b->n++] = fd;
}

/* The descriptors move to 3 and up in two steps, so that none is overwritten on its way.
 */
static int
place_descriptors(struct birth *b)
{
	for (size_t i = 0; i < b->n; i++)
		if ((*b->fds[i] = fcntl(*b->fds[i], F_DUPFD, ASIDE_FD)) < 0)
			return -1;
	for (size_t i = 0; i < b->n; i++)
		if (dup2(*b->fds[i], FIRST_FD + (int)i) < 0)
			return -1;
		else
			*b->fds[i] = FIRST_FD + (int)i;
	return close_range(FIRST_FD + (unsigned)b->n, ~0U, 0);
}

NORETURN static void
become(struct birth *b)
{
	struct arena *arena = arena_new();
	char **argv = service_line_argv(&b->line->conf, arena);
	sigset_t none; /* ours may come from a parent, or from ourselves before an upgrade
			*/

	event_after_fork();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (place_descriptors(b) == 0)
		execve(b->line->path, argv, environment_for(&b->spawn, arena));
	_exit(127);
}

/* ---- crashes in sessions ---- */

static void
show_suspects(void)
{
	msec_t now = time_monotonic();

	for (size_t i = 0; i < master.lines.n; i++)
		for (size_t j = 0; j < master.lines.items[i]->workers.n; j++) {
			struct worker *w = master.lines.items[i]->workers.items[j];

			if (w->suspects)
				suspects_show(w->suspects, now);
		}
}

static void
refusals_change(void *arg)
{
	static struct timer again;
	deadline_t next = suspects_change(time_monotonic());

	show_suspects();
	if (next != DEADLINE_NEVER)
		timer_set(&again, next, refusals_change, arg);
}

/* By our own hand, or an administrator's: KILL, TERM and their like say nothing about the
 * session. */
static bool
is_crash(int signo)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP,
		SIGSYS };

	for (size_t i = 0; i < COUNT(crashes); i++)
		if (signo == crashes[i])
			return true;
	return false;
}

void
worker_blame(const struct worker *w, int signo)
{
	uint64_t network = w->suspects ? w->suspects->running : 0;
	char text[SUSPECT_TEXT];

	if (!is_crash(signo) || network == 0)
		return;
	log_warn("process %d was in a session with a client in %s", (int)w->pid,
		suspect_text(network, text));
	if (!suspects_crash(network, time_monotonic()))
		return;
	log_warn("clients in %s have ended %d processes within an hour: they are refused "
		 "for an hour",
		suspect_text(network, text), SUSPECTS_CRASHES);
	refusals_change(NULL);
}

/* What serves clients of the network. */
static struct suspect_page *
page_for(const struct line *l, int *fd)
{
	struct suspect_page *page;

	*fd = -1;
	if (l->conf.type != SERVICE_INET && l->conf.type != SERVICE_PASS)
		return NULL;
	page = suspect_page_new(fd);
	if (page)
		suspects_show(page, time_monotonic());
	else
		log_warn("%s: a page to share: %m", l->key);
	return page;
}

/* ---- ours ---- */

static void
on_record(struct io *io)
{
	struct worker *w = io->arg;
	struct control said;
	int passed;

	while (control_receive(io->fd, &said, &passed) > 0) {
		fd_close(&passed); /* no worker has anything to pass */
		supervise_record(w, &said);
	}
}

static void
on_end(pid_t pid, int status, void *arg)
{
	struct worker *w = arg;

	(void)pid;
	on_record(&w->control); /* its last words may still wait */
	supervise_worker_ended(w, status);
}

static struct worker *
enlist(struct line *l, pid_t pid, const struct spawn *spawn, int control)
{
	struct worker *w = mem_alloc(sizeof(*w));

	w->line = l;
	w->pid = pid;
	w->number = spawn->worker;
	w->limit = spawn->limit;
	w->started = time_monotonic();
	if (io_open(&w->control, control) < 0)
		log_fatal("epoll: %m");
	w->control.on_event = on_record;
	w->control.arg = w;
	*vec_push(&l->workers) = w;
	event_on_child(pid, on_end, w);
	watchdog_start(w);
	return w;
}

/* It was started by the program that this process was before. */
struct worker *
worker_adopt(struct line *l, const struct saved_worker *was)
{
	struct worker *w = enlist(l, was->pid,
		&(struct spawn){ .worker = was->number, .limit = was->limit },
		was->control);

	w->ready = was->ready;
	w->leaving = was->leaving;
	w->full = was->full;
	w->load = was->load;
	return w;
}

/* The pairs: [0] is the worker's end, [1] ours or broker's. */
static void
close_pair(int pair[2])
{
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

struct worker *
worker_start(struct line *l)
{
	bool is_broker = str_is(l->conf.command, "broker");
	int control[2] = { -1, -1 }, link[2] = { -1, -1 };
	struct birth b = { .line = l };
	struct suspect_page *page;
	struct worker *w;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0 ||
		(is_broker ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link)
			   : workers_broker() && !link_pair(link))) {
		log_warn("%s: socketpair: %m", l->key);
		close_pair(control);
		return NULL;
	}
	page = page_for(l, &b.spawn.suspects);
	b.spawn = (struct spawn){ .suspects = b.spawn.suspects,
		.accepted = master.accepted,
		.explain = -1,
		.worker = free_number(),
		.generation = master.generation,
		.limit = workers_share(l),
		.control = control[0],
		.broker = is_broker ? -1 : link[0],
		.identities = is_broker ? link[0] : -1,
		.log = master.log,
		.stays = l->stays,
		.stress = l->stressed };
	inherits(&b, &b.spawn.control);
	inherits(&b, &b.spawn.broker);
	inherits(&b, &b.spawn.identities);
	inherits(&b, &b.spawn.log);
	inherits(&b, &b.spawn.suspects);
	inherits(&b, &b.spawn.accepted);
	for (size_t i = 0; i < l->listeners.n && i < SPAWN_LISTENERS; i++) {
		b.spawn.listeners[b.spawn.n_listeners] = l->listeners.items[i]->fd;
		inherits(&b, &b.spawn.listeners[b.spawn.n_listeners++]);
	}
	log_flush();
	pid = fork();
	if (pid == 0)
		become(&b);
	fd_close(&b.spawn.suspects);
	if (pid < 0) {
		log_warn("%s: fork: %m", l->key);
		suspect_page_free(page);
		close_pair(control);
		close_pair(link);
		return NULL;
	}
	fd_close(&control[0]);
	w = enlist(l, pid, &b.spawn, control[1]);
	w->suspects = page;
	if (is_broker) {
		fd_close(&identities);
		identities = link[1];
		fd_close(&link[0]);
		introduce_all(w);
	} else if (link[1] >= 0) {
		introduce(l, pid, link[1]);
		close_pair(link);
	}
	return w;
}

static void
tell(struct worker *w, enum control_kind kind, uint32_t value, int pass)
{
	if (control_send(w->control.fd, kind, value, pass) < 0 && errno != EPIPE &&
		errno != ECONNRESET)
		log_warn("%s: telling process %d: %m", w->line->key, (int)w->pid);
}

void
worker_order(struct worker *w, enum control_kind kind, uint32_t value)
{
	tell(w, kind, value, -1);
}

void
worker_reload(struct worker *w)
{
	tell(w, CONTROL_RELOAD, master.generation, master.accepted);
}

void
worker_tables(struct worker *w, int names)
{
	tell(w, CONTROL_TABLES, 0, names);
}

void
worker_log(struct worker *w)
{
	if (master.log >= 0)
		tell(w, CONTROL_LOG, 0, master.log);
}
