/* launcher.c -- see launcher.h. */
#include "launcher.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include "spawn.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct launch_record {
	uint32_t kind, uid, gid;
};

static int launcher_fd = -1; /* the agent's end */
static uid_t launcher_uid;   /* whom the launcher runs as */

/* ---- the launcher ---- */

static void
launch(const struct launch_record *ask, int fd, int sock,
	const struct launcher_settings *s, const struct conf *c)
{
	/* The agent knows whom it may ask for; this is for one that was captured. */
	if (fd < 0 || (launcher_uid == 0 ? ask->uid == 0 : ask->uid != launcher_uid) ||
		(ask->kind == LAUNCH_RUNNER && !s->commands))
		return;
	if (fork() != 0)
		return;
	close(sock);
	signal(SIGCHLD, SIG_DFL);
	if (ask->kind == LAUNCH_RUNNER && s->chroot &&
		(chroot(s->chroot) < 0 || chdir("/") < 0))
		log_fatal("chroot %s: %m", s->chroot);
	if (ask->kind == LAUNCH_RUNNER)
		runner_child(fd, ask->uid, ask->gid, c);
	writer_child(fd, ask->uid, ask->gid, c);
}

NORETURN static void
launcher_main(int sock, const struct launcher_settings *s, const struct conf *c)
{
	struct launch_record ask;
	struct why why;
	int fd;

	event_after_fork();
	service_keep_only(sock);
	signal(SIGCHLD, SIG_IGN); /* children are nobody's to wait for */
	if (s->places)
		service_allow_write(s->places);
	if (sandbox_enter("launcher",
		    (s->commands ? SANDBOX_EXEC : SANDBOX_SPAWN) |
			    (s->chroot ? SANDBOX_CHROOT : 0),
		    0, 0, c, &why) < 0)
		log_fatal("launcher: %s", why.text);
	for (;;) {
		struct pollfd wait = { .fd = sock, .events = POLLIN };
		int got;

		if (poll(&wait, 1, -1) < 0)
			continue;
		got = record_receive(sock, &ask, sizeof(ask), &fd);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EPROTO))
			_exit(0); /* the agent has left */
		if (got > 0)
			launch(&ask, fd, sock, s, c);
		fd_close(&fd);
	}
}

/* ---- the agent ---- */

void
launcher_start(const struct launcher_settings *s, const struct conf *c)
{
	int pair[2];
	pid_t pid;

	launcher_uid = geteuid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		log_fatal("launcher: socketpair: %m");
	log_flush();
	pid = fork();
	if (pid < 0)
		log_fatal("launcher: fork: %m");
	if (pid == 0)
		launcher_main(pair[1], s, c);
	close(pair[1]);
	launcher_fd = pair[0];
}

int
launcher_child(enum launch kind, uid_t uid, gid_t gid)
{
	struct launch_record ask = { kind, uid, gid };
	int pair[2], sent;

	if (launcher_uid == 0 ? uid == 0 : uid != launcher_uid) {
		errno = EPERM;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	sent = record_send(launcher_fd, &ask, sizeof(ask), pair[1]);
	close(pair[1]);
	if (sent == 0)
		return pair[0];
	if (errno == EPIPE || errno == ECONNRESET)
		service_retire("its launcher is gone");
	fd_close(&pair[0]);
	return -1;
}

enum verdict
launcher_why(uid_t uid, struct why *why)
{
	if (errno != EPERM)
		return why_errno(why, "4.3.0", "cannot start a child");
	return why_set(why, "4.3.5",
		"mail system configuration error: this instance cannot deliver as uid %d",
		(int)uid);
}
