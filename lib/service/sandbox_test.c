/* sandbox_test.c -- the jail itself, on the kernel at hand: a child enters it and tries.
 * Rows say which bits an act needs; without them it fails with EPERM or EACCES. What each
 * daemon may is tests/jail. */
#include "config.h"
#include "sandbox_internal.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The sanitizers need holes in the jail. */
#ifdef SANITIZED
static const bool holes = true;
#else
static const bool holes = false;
#endif

static char inside[300], outside[300];

/* ---- acts ---- */

static int
closing(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
act_read_inside(void)
{
	return closing(open(inside, O_RDONLY));
}

static int
act_write_inside(void)
{
	return closing(open(inside, O_WRONLY));
}

static int
act_read_outside(void)
{
	return closing(open(outside, O_RDONLY));
}

static int
act_inet(void)
{
	return closing(socket(AF_INET, SOCK_STREAM, 0));
}

static int
act_unix(void)
{
	return closing(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
act_netlink(void)
{
	return closing(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
act_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static int
act_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int
act_kill_parent(void)
{
	return kill(getppid(), 0);
}

static int
act_make_code(void)
{
	void *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int
act_map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0) == MAP_FAILED
		       ? -1
		       : 0;
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
act_thread(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, nothing, NULL);

	if (error == 0)
		return pthread_join(thread, NULL);
	errno = error;
	return -1;
}

static int
act_memory(void)
{
	void *p = mem_alloc(64 * 1024 * 1024);

	mem_free(p);
	return 0;
}

static int
act_socketpair(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	close(ends[0]);
	return closing(ends[1]);
}

static int
act_x32(void)
{
	return (int)syscall(SYS_getpid | 0x40000000);
}

#define ALL   0xffffffff
#define NEVER 0
static const struct {
	const char *name;
	int (*run)(void);
	unsigned needs; /* allowed with any of these bits */
} acts[] = {
	{ "read inside", act_read_inside, SANDBOX_SPOOL_READ | SANDBOX_SPOOL_WRITE },
	{ "write inside", act_write_inside, SANDBOX_SPOOL_WRITE },
	{ "read outside", act_read_outside, NEVER },
	{ "inet socket", act_inet, SANDBOX_INTERNET },
	{ "unix socket", act_unix, SANDBOX_CONNECT_LOCAL },
	{ "netlink socket", act_netlink, NEVER },
	{ "fork", act_fork, SANDBOX_SPAWN },
	{ "exec", act_exec, NEVER },
	{ "code in memory that was written", act_make_code, SANDBOX_PCRE },
	{ "code in fresh memory", act_map_code, SANDBOX_PCRE | SANDBOX_SPAWN },
	{ "signal to the parent", act_kill_parent, NEVER },
	{ "thread", act_thread, ALL },
	{ "memory", act_memory, ALL },
	{ "socketpair", act_socketpair, ALL },
};

/* ---- in a child ---- */

static struct conf *
conf_of_test(void)
{
	static struct conf c;
	const char *dir = test_dir();

	if (c.arena)
		return &c;
	c.arena = arena_new();
	c.p.sandbox = STR("yes");
	c.p.queue_directory = arena_str(c.arena, str_c(dir));
	c.directory = STR("/nonexistent");
	snprintf(inside, sizeof(inside), "%s/log", dir);
	mkdir(inside, 0700);
	snprintf(inside, sizeof(inside), "%s/log/segment", dir);
	snprintf(outside, sizeof(outside), "%s/secret", dir);
	close(open(inside, O_CREAT | O_WRONLY, 0600));
	close(open(outside, O_CREAT | O_WRONLY, 0600));
	return &c;
}

/* 0 done, an errno, 1000: no jail, 2000 and up: ended by that signal. */
static int
in_jail(unsigned what, int (*act)(void))
{
	const struct conf *c = conf_of_test();
	int results[2], result = -1, status = 0;
	pid_t pid;

	ensure(pipe(results) == 0);
	pid = fork();
	if (pid == 0) {
		struct why why;

		result = 1000;
		if (sandbox_enter("test", what, 0, 0, c, &why) == 0)
			result = act() == 0 ? 0 : errno;
		(void)!write(results[1], &result, sizeof(result));
		_exit(0);
	}
	close(results[1]);
	(void)!read(results[0], &result, sizeof(result));
	close(results[0]);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 2000 + WTERMSIG(status) : result;
}

static bool
is_refusal(int error)
{
	return error == EPERM || error == EACCES;
}

TEST(every_bit_allows_its_acts_and_no_others)
{
	static const unsigned bits[] = { 0, SANDBOX_TABLES, SANDBOX_PCRE,
		SANDBOX_INTERNET, SANDBOX_SPOOL_READ, SANDBOX_SPOOL_WRITE,
		SANDBOX_CONNECT_LOCAL, SANDBOX_MAILDROP, SANDBOX_MAILBOX,
		SANDBOX_DNS_FILES };

	for (size_t i = 0; i < COUNT(bits) && !holes; i++)
		for (size_t j = 0; j < COUNT(acts); j++) {
			int got = in_jail(bits[i], acts[j].run);
			bool allowed = acts[j].needs == ALL || acts[j].needs & bits[i];

			test_row(i * 100 + j);
			if (allowed ? got != 0 : !is_refusal(got))
				CHECK_STR(str_c(acts[j].name),
					allowed ? "allowed" : "refused");
			else
				CHECK(true);
		}
}

TEST(another_table_of_calls_is_the_end)
{
#if defined(__x86_64__)
	CHECK_INT(in_jail(0, act_x32), 2000 + SIGSYS);
#else
	(void)act_x32;
#endif
}

/* A parent's child goes into a narrower jail of its own. */
static int
narrower(void)
{
	struct why why;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter("child", SANDBOX_MAILBOX, 0, 0, conf_of_test(), &why) <
			0)
			_exit(1);
		_exit(act_fork() < 0 && act_read_inside() < 0 && act_memory() == 0 ? 0
										   : 2);
	}
	errno = EPROTO;
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

TEST(a_child_of_a_parent_has_a_jail_of_its_own)
{
	if (!holes)
		CHECK_INT(in_jail(SANDBOX_SPAWN, narrower), 0);
}

/* sandbox = no: the user is switched, and no more. */
TEST(no_jail_where_none_is_wanted)
{
	struct conf *c = conf_of_test();

	c->p.sandbox = STR("no");
	CHECK_INT(in_jail(0, act_inet), 0);
	c->p.sandbox = STR("yes");
}

TEST_MAIN()
