/* signal.c -- signals arrive as events: blocked everywhere, read from a signalfd. */
#include "event_impl.h"
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static struct {
	void (*fn)(int signo, void *arg);
	void *arg;
} handlers[NSIG];
static struct io io;
static sigset_t watched, original;

static void
arrived(struct io *unused)
{
	struct signalfd_siginfo info[8];
	ssize_t n = read(unused->fd, info, sizeof(info));

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*info); i++) {
		int signo = (int)info[i].ssi_signo;

		if (signo < NSIG && handlers[signo].fn)
			handlers[signo].fn(signo, handlers[signo].arg);
	}
}

void
event_on_signal(int signo, void (*fn)(int signo, void *arg), void *arg)
{
	ensure(signo > 0 && signo < NSIG);
	handlers[signo].fn = fn;
	handlers[signo].arg = arg;
	if (sigismember(&watched, signo))
		return;
	sigaddset(&watched, signo);
	ensure(sigprocmask(SIG_BLOCK, &watched, NULL) == 0);
	ensure(signalfd(io.fd, &watched, 0) == io.fd);
}

void
signal_init(void)
{
	sigemptyset(&watched);
	ensure(sigprocmask(SIG_BLOCK, NULL, &original) == 0);
	io = (struct io){ .on_event = arrived };
	io.fd = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
	ensure(io.fd >= 0);
	ensure(loop_watch(&io, EPOLLIN) == 0);
}

void
signal_close(void)
{
	fd_close(&io.fd);
	memset(handlers, 0, sizeof(handlers));
	sigprocmask(SIG_SETMASK, &original, NULL);
}
