/* process_test.c -- signals, children, and the loop across a fork. */
#include "event_test.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int got_signal, signals;
static struct co_queue queue;

static void
on_signal(int signo, void *arg)
{
	CHECK(arg == &queue);
	got_signal = signo;
	signals++;
	co_wake_all(&queue);
}

static void
takes_signals(void)
{
	event_on_signal(SIGUSR1, on_signal, &queue);
	event_on_signal(SIGTERM, on_signal, &queue);
	kill(getpid(), SIGUSR1);
	CHECK_INT(co_wait(&queue, event_now() + 10000), 0);
	CHECK_INT(got_signal, SIGUSR1);
	kill(getpid(), SIGTERM);
	CHECK_INT(co_wait(&queue, event_now() + 10000), 0);
	CHECK_INT(got_signal, SIGTERM);
	event_on_signal(SIGUSR1, NULL, NULL); /* from now on it is only swallowed */
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGTERM);
	CHECK_INT(co_wait(&queue, event_now() + 10000), 0);
	CHECK_INT(signals, 3);
}

TEST(signals_arrive_in_the_loop)
{
	in_loop(takes_signals);
}

static pid_t
child_that_exits(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

/* Ends when its side of a pipe is closed: by us, or by our death. */
static pid_t
child_that_waits(int *hold)
{
	int fds[2];
	char c;
	pid_t pid;

	ensure(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1) == 0 ? 5 : 6);
	}
	close(fds[0]);
	*hold = fds[1];
	return pid;
}

static size_t ended;

static void
on_end(pid_t pid, int status, void *arg)
{
	pid_t *want = arg;

	CHECK_INT(pid, *want);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	ended++;
	co_wake_all(&queue);
}

static void
never(pid_t pid, int status, void *arg)
{
	(void)pid;
	(void)status;
	(void)arg;
	CHECK(!"a forgotten child is told of");
}

static void
waits_for_children(void)
{
	pid_t pids[20], forgotten, early;
	siginfo_t info;
	int status = 0, hold;

	ended = 0;
	for (size_t i = 0; i < COUNT(pids); i++) {
		pids[i] = child_that_exits(7);
		event_on_child(pids[i], on_end, &pids[i]);
	}
	forgotten = child_that_exits(7);
	event_on_child(forgotten, never, NULL);
	event_forget_child(forgotten);
	while (ended < COUNT(pids))
		CHECK_INT(co_wait(&queue, event_now() + 10000), 0);
	CHECK(waitpid(forgotten, &status, 0) == forgotten);
	/* It has ended, and its signal been delivered, before anybody waits for it. */
	early = child_that_exits(7);
	CHECK_INT(waitid(P_PID, (id_t)early, &info, WEXITED | WNOWAIT), 0);
	turns(3);
	CHECK_INT(co_wait_child(early, &status, event_now() + 10000), 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);

	early = child_that_waits(&hold);
	CHECK(co_wait_child(early, &status, event_now() + 1) < 0 && errno == ETIMEDOUT);
	co_cancel(co_self());
	CHECK(co_wait_child(early, &status, DEADLINE_NEVER) < 0 && errno == ECANCELED);
	co_shield(1);
	close(hold);
	CHECK_INT(co_wait_child(early, &status, event_now() + 10000), 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

TEST(children_are_waited_for)
{
	in_loop(waits_for_children);
}

/* ---- the loop in a child ---- */

static bool timer_ran;
static struct timer inherited;
static struct event_later later;

static void
timer_runs(void *arg)
{
	(void)arg;
	timer_ran = true;
}

static void
work_of_the_child(void)
{
	timer_cancel(&inherited); /* not set here: harmless */
	if (co_sleep(event_now() + 1) < 0 || timer_ran || co_count() != 1)
		_exit(1);
	event_offload(timer_runs, NULL); /* the threads are our own */
	if (!timer_ran)
		_exit(2);
}

static void
nothing(void *arg)
{
	(void)arg;
}

/* From a coroutine, with timers, callbacks, threads and a blocked signal at hand. */
static void
forks_a_loop(void)
{
	pid_t pid;
	int status;

	event_on_signal(SIGUSR1, on_signal, &queue);
	timer_set(&inherited, event_now(), timer_runs, NULL);
	later = (struct event_later){ .fn = timer_runs };
	event_at_turn_end(&later);
	event_offload(nothing, NULL);
	timer_set(&inherited, event_now(), timer_runs, NULL);
	timer_ran = false;
	pid = fork();
	if (pid == 0) {
		in_loop(work_of_the_child);
		_exit(0);
	}
	timer_cancel(&inherited);
	CHECK_INT(co_wait_child(pid, &status, event_now() + 60000), 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pid = fork();
	if (pid == 0) {
		sigset_t now;

		event_after_fork();
		sigprocmask(SIG_BLOCK, NULL, &now);
		if (sigismember(&now, SIGUSR1) || sigismember(&now, SIGCHLD))
			_exit(1);
		_exit(signal(SIGPIPE, SIG_DFL) == SIG_DFL ? 0 : 2);
	}
	CHECK_INT(co_wait_child(pid, &status, event_now() + 60000), 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(a_forked_child_has_a_loop_of_its_own)
{
	in_loop(forks_a_loop);
}
