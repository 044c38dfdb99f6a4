/* upgrade.c -- `postern upgrade`: the same process becomes the new program, with the
 * sockets and the children it has, so no connection is refused and no child is an orphan.
 *
 * The new program is first asked, in a child, whether it can read the configuration and
 * our state. What it says no to, or what does not even start, changes nothing. Once it
 * runs, all workers are told to finish, and fresh ones take over. */
#include "config.h"
#include "master.h"
#include "log.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_PATIENCE ((msec_t)60000)

static struct {
	pid_t checker; /* 0: none runs */
	int state;     /* which it reads */
	struct timer patience;
	struct saved saved; /* by the program that we were */
} upgrade = { .state = -1 };

/* ---- the state, written ---- */

static void
save_worker(struct buf *out, const struct worker *w)
{
	buf_printf(out, "worker %d %d %u %u %u %d %d %d\n", (int)w->pid, w->control.fd,
		w->number, w->limit, w->load, w->ready, w->leaving, w->full);
}

static void
save_line(struct buf *out, const struct line *l)
{
	buf_printf(out, "line " STR_FMT " " STR_FMT " %d %d %d %d\n",
		STR_ARG(l->conf.name), STR_ARG(l->conf.command), (int)l->conf.type,
		l->conf.private_, l->used, l->removed);
	for (size_t i = 0; i < l->listeners.n; i++)
		buf_printf(out, "listener %d\n", l->listeners.items[i]->fd);
	for (size_t i = 0; i < l->workers.n; i++)
		save_worker(out, l->workers.items[i]);
}

/* A descriptor with the state to be read from its beginning; -1. */
static int
save_state(void)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	int locks[2], fd = memfd_create("master", MFD_CLOEXEC);

	instance_lock_descriptors(locks);
	buf_printf(&out, SAVED_FORMAT "\nmaster %u %d %d %d\n", master.generation,
		locks[0], locks[1], workers_identities());
	for (size_t i = 0; i < master.lines.n; i++)
		save_line(&out, master.lines.items[i]);
	if (fd >= 0 && write_all(fd, buf_str(&out)) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	log_warn("upgrade: %m");
	fd_close(&fd);
	return -1;
}

/* ---- asking, and becoming, the new program ---- */

static void
keep_open(int fd, bool keep)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* Everything that the state names. */
static void
keep_all(bool keep)
{
	int locks[2];

	instance_lock_descriptors(locks);
	keep_open(locks[0], keep);
	keep_open(locks[1], keep);
	keep_open(workers_identities(), keep);
	for (size_t i = 0; i < master.lines.n; i++) {
		const struct line *l = master.lines.items[i];

		for (size_t j = 0; j < l->listeners.n; j++)
			keep_open(l->listeners.items[j]->fd, keep);
		for (size_t j = 0; j < l->workers.n; j++)
			keep_open(l->workers.items[j]->control.fd, keep);
	}
}

/* Returns only when that failed, with errno. */
static void
execute(int state, bool only_check)
{
	struct arena *arena = arena_new();
	const char *path =
		arena_cstr(arena, arena_printf(arena, STR_FMT "/master",
					  STR_ARG(master.conf->p.daemon_directory)));
	char *argv[8] = { NULL };
	char number[20];
	size_t n = 0;

	snprintf(number, sizeof(number), "%d", state);
	argv[n++] = arena_cstr(arena, STR("master"));
	argv[n++] = arena_cstr(arena, STR("-c"));
	argv[n++] = arena_cstr(arena, str_c(master.directory));
	argv[n++] = arena_cstr(arena, STR("-U"));
	argv[n++] = number;
	if (only_check)
		argv[n++] = arena_cstr(arena, STR("-C"));
	else if (master.foreground)
		argv[n++] = arena_cstr(arena, STR("-s"));
	keep_open(state, true);
	execv(path, argv);
	keep_open(state, false);
	arena_free(arena);
}

/* Not while the ends of children are being told: one that nobody has heard of yet would
 * be named in the state, and the new program would wait for it. */
static void
become_new(void *arg)
{
	int state = master.stopping ? -1 : save_state();

	(void)arg;
	if (state < 0)
		return;
	log_flush();
	keep_all(true);
	execute(state, false);
	log_error("upgrade: %m; the running version stays");
	keep_all(false);
	fd_close(&state);
}

static void
checked(pid_t pid, int status, void *arg)
{
	static struct event_later later = { .fn = become_new };

	(void)pid, (void)arg;
	timer_cancel(&upgrade.patience);
	upgrade.checker = 0;
	fd_close(&upgrade.state);
	upgrade.state = -1;
	if (master.stopping)
		return;
	if (status == 0)
		event_at_turn_end(&later);
	else
		log_error(
			"upgrade: the new program failed its check; the running version "
			"stays");
}

static void
out_of_patience(void *arg)
{
	(void)arg;
	kill(upgrade.checker, SIGKILL);
}

void
upgrade_begin(void)
{
	if (upgrade.checker || (upgrade.state = save_state()) < 0)
		return;
	log_flush();
	upgrade.checker = fork();
	if (upgrade.checker == 0) {
		event_after_fork();
		execute(upgrade.state, true);
		log_error("upgrade: %m");
		_exit(127);
	}
	if (upgrade.checker < 0) {
		log_error("upgrade: fork: %m; the running version stays");
		upgrade.checker = 0;
		fd_close(&upgrade.state);
		upgrade.state = -1;
		return;
	}
	event_on_child(upgrade.checker, checked, NULL);
	timer_set(&upgrade.patience, deadline_in(CHECK_PATIENCE), out_of_patience, NULL);
}

/* ---- having become it ---- */

static struct saved_line *
saved_find(struct saved *s, const char *key)
{
	for (size_t i = 0; i < s->lines.n; i++)
		if (!s->lines.items[i].removed &&
			strcmp(line_key(&s->lines.items[i].conf), key) == 0)
			return &s->lines.items[i];
	return NULL;
}

void
upgrade_take_sockets(struct line *l)
{
	struct saved_line *was = saved_find(&upgrade.saved, l->key);

	for (size_t i = 0; was && i < was->listeners.n; i++) {
		keep_open(was->listeners.items[i], false);
		sockets_adopt(l, was->listeners.items[i]);
	}
	if (was)
		was->listeners.n = 0;
}

/* A line that is no more lives until its workers have finished. */
static struct line *
line_for(const struct saved_line *was)
{
	struct line *l = was->removed ? NULL : lines_find(line_key(&was->conf));

	if (l)
		return l;
	l = line_new(&was->conf, NULL);
	l->removed = true;
	*vec_push(&master.lines) = l;
	return l;
}

static void
take_workers(struct saved_line *was)
{
	struct line *l;

	for (size_t i = 0; i < was->listeners.n; i++)
		fd_close(&was->listeners.items[i]);
	if (was->workers.n == 0)
		return;
	l = line_for(was);
	l->used = was->used;
	for (size_t i = 0; i < was->workers.n; i++) {
		struct worker *w;

		keep_open(was->workers.items[i].control, false);
		w = worker_adopt(l, &was->workers.items[i]);
		worker_order(w, CONTROL_DRAIN, 0);
	}
}

int
upgrade_prepare(int fd)
{
	struct saved *s = &upgrade.saved;

	if (saved_read(fd, s) < 0)
		return -1;
	fd_close(&fd);
	master.generation = s->generation + 1;
	instance_lock_adopt(s->locks);
	keep_open(s->locks[0], false);
	keep_open(s->locks[1], false);
	keep_open(s->identities, false);
	workers_set_identities(s->identities);
	return 0;
}

void
upgrade_take_workers(void)
{
	for (size_t i = 0; i < upgrade.saved.lines.n; i++)
		take_workers(&upgrade.saved.lines.items[i]);
	saved_free(&upgrade.saved);
	log_line(MASTER_UPGRADED, str_c(conf_mail_version), str_c(master.directory));
}
