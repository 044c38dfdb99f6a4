/* captured.c -- test builds only (--enable-captured): a daemon that was taken over. It
 * opens a socket in queue_directory/captured/ before the jail, and does in it what a
 * line asks for,
 *
 *	open-read PATH | open-write PATH | list PATH | unlink PATH | stat PATH
 *	connect-unix PATH | connect-inet ADDRESS PORT | bind-inet PORT | socket-raw
 *	exec PATH | fork | ptrace PID | signal PID | setuid UID
 *	io_uring | bpf | mount | executable-memory
 *	clock SECONDS
 *	holds HEX
 *
 * answering "ok" or the name of the errno. tests/jail asks each running daemon for what
 * design section 3 forbids it. "clock" makes its clock jump, for tests/faults; "holds"
 * says whether these bytes are anywhere in its memory (ENOENT: they are not). */
#include "config.h"
#include "service_impl.h"

#ifndef CAPTURED

void
captured_listen(void)
{
}

void
captured_start(void)
{
}

#else
#include "log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int listener = -1;
static int maps = -1; /* where its memory is, opened before the jail */

void
captured_listen(void)
{
	char path[200];
	struct why why;

	if (access("captured", X_OK) < 0)
		return;
	snprintf(
		path, sizeof(path), "captured/%s.%d", worker.options.name, (int)getpid());
	maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	listener = net_listen_unix(path, 0666, 16, &why);
	if (listener < 0)
		log_fatal("captured: %s", why.text);
}

/* ---- the acts: 0, or -1 and errno ---- */

struct act_args {
	const char *word[3];
};

static int
closing(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
act_open_read(const struct act_args *a)
{
	return closing(open(a->word[0], O_RDONLY | O_CLOEXEC));
}

static int
act_open_write(const struct act_args *a)
{
	return closing(open(a->word[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

static int
act_list(const struct act_args *a)
{
	return closing(open(a->word[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int
act_unlink(const struct act_args *a)
{
	return unlink(a->word[0]);
}

static int
act_stat(const struct act_args *a)
{
	struct stat st;

	return stat(a->word[0], &st);
}

static int
connect_to(int family, const void *sa, socklen_t len)
{
	int fd CLEANUP(fd_close) = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : connect(fd, sa, len);
}

static int
act_connect_unix(const struct act_args *a)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", a->word[0]);
	return connect_to(AF_UNIX, &sun, sizeof(sun));
}

static int
act_connect_inet(const struct act_args *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(a->word[1])) };

	inet_pton(AF_INET, a->word[0], &in.sin_addr);
	return connect_to(AF_INET, &in, sizeof(in));
}

static int
act_bind_inet(const struct act_args *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(a->word[0])) };
	int fd CLEANUP(fd_close) = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : bind(fd, (void *)&in, sizeof(in)) < 0 ? -1 : listen(fd, 1);
}

/* A success replaces the process: the connection closes without an answer. */
static int
act_exec(const struct act_args *a)
{
	char *argv[] = { (char *)(uintptr_t)a->word[0], NULL };

	return execv(argv[0], argv);
}

static int
act_ptrace(const struct act_args *a)
{
	return ptrace(PTRACE_ATTACH, atoi(a->word[0]), NULL, NULL) < 0 ? -1 : 0;
}

static int
act_signal(const struct act_args *a)
{
	return kill(atoi(a->word[0]), SIGCONT);
}

static int
act_fork(const struct act_args *a)
{
	pid_t pid = fork();

	(void)a;
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid < 0 ? -1 : 0;
}

static int
act_setuid(const struct act_args *a)
{
	uid_t uid = (uid_t)atoi(a->word[0]);

	/* The library would ask every thread to do it, too. */
	return (int)syscall(SYS_setresuid, uid, uid, uid);
}

static int
act_socket_raw(const struct act_args *a)
{
	(void)a;
	return closing(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int
act_io_uring(const struct act_args *a)
{
	struct io_uring_params params = { 0 };

	(void)a;
	return closing((int)syscall(SYS_io_uring_setup, 1, &params));
}

static int
act_bpf(const struct act_args *a)
{
	(void)a;
	return closing((int)syscall(SYS_bpf, 0, NULL, 0));
}

static int
act_mount(const struct act_args *a)
{
	(void)a;
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int
act_executable_memory(const struct act_args *a)
{
	void *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int got;

	(void)a;
	if (page == MAP_FAILED)
		return -1;
	got = mprotect(page, 4096, PROT_READ | PROT_EXEC);
	munmap(page, 4096);
	return got;
}

/* The clock jumps, for this process. */
static int
act_clock(const struct act_args *a)
{
	time_wall_shift_us = atoll(a->word[0]) * 1000000;
	return 0;
}

/* ---- what is in its memory ---- */

/* The bytes that are looked for are kept upside down, and so not found where they are
 * kept; nor is their text in hexadecimal. */
struct needle {
	unsigned char inverted[64];
	size_t len;
};

static bool
read_needle(const char *hex, struct needle *n)
{
	unsigned value;

	for (n->len = 0; n->len < sizeof(n->inverted); n->len++, hex += 2) {
		if (sscanf(hex, "%2x", &value) != 1)
			break;
		n->inverted[n->len] = (unsigned char)(0xff - value);
	}
	return n->len >= 8;
}

static bool
is_here(const struct needle *n, const unsigned char *from, size_t size)
{
	const unsigned char *end = from + size;

	for (; (from = memchr(from, 0xff - n->inverted[0], (size_t)(end - from)));
		from++) {
		size_t i = 1;

		if ((size_t)(end - from) < n->len)
			return false;
		while (i < n->len && from[i] + n->inverted[i] == 0xff)
			i++;
		if (i == n->len)
			return true;
	}
	return false;
}

static int
act_holds(const struct act_args *a)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str rest, line;
	struct needle n;
	ssize_t got;

	errno = EINVAL;
	if (maps < 0 || !read_needle(a->word[0], &n) || lseek(maps, 0, SEEK_SET) < 0)
		return -1;
	do {
		buf_need(&text, 65536);
		got = read(maps, text.data + text.len, 65536);
		text.len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	rest = buf_str(&text);
	while (str_token(&rest, "\n", &line)) {
		unsigned long from, to;
		char readable;

		if (sscanf(line.data, "%lx-%lx %c", &from, &to, &readable) != 3 ||
			readable != 'r' || memmem(line.data, line.len, "[v", 2))
			continue;
		if (is_here(&n, (const void *)from, to - from))
			return 0;
	}
	errno = ENOENT;
	return -1;
}

static const struct {
	const char *name;
	int (*run)(const struct act_args *a);
	size_t words;
} acts[] = {
	{ "open-read", act_open_read, 1 },
	{ "open-write", act_open_write, 1 },
	{ "list", act_list, 1 },
	{ "unlink", act_unlink, 1 },
	{ "stat", act_stat, 1 },
	{ "connect-unix", act_connect_unix, 1 },
	{ "connect-inet", act_connect_inet, 2 },
	{ "bind-inet", act_bind_inet, 1 },
	{ "exec", act_exec, 1 },
	{ "ptrace", act_ptrace, 1 },
	{ "signal", act_signal, 1 },
	{ "fork", act_fork, 0 },
	{ "setuid", act_setuid, 1 },
	{ "socket-raw", act_socket_raw, 0 },
	{ "io_uring", act_io_uring, 0 },
	{ "bpf", act_bpf, 0 },
	{ "mount", act_mount, 0 },
	{ "executable-memory", act_executable_memory, 0 },
	{ "clock", act_clock, 1 },
	{ "holds", act_holds, 1 },
};

static const char *
try_act(struct str line, struct arena *arena)
{
	struct act_args args = { { NULL } };
	struct str name, word;
	size_t n = 0;

	if (!str_token(&line, " ", &name))
		return "EINVAL";
	while (n < COUNT(args.word) && str_token(&line, " ", &word))
		args.word[n++] = arena_cstr(arena, word);
	for (size_t i = 0; i < COUNT(acts); i++)
		if (str_is(name, acts[i].name) && n == acts[i].words)
			return acts[i].run(&args) == 0 ? "ok" : strerrorname_np(errno);
	return "EINVAL";
}

/* ---- the conversation ---- */

static void
obey(void *arg)
{
	struct conn *conn = conn_open((int)(intptr_t)arg);
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str line;

	while (conn && conn_read_line(conn, &line, deadline_in(60000)) == CONN_LINE)
		conn_printf(conn, "%s\n", try_act(line, arena));
	if (conn)
		conn_close(conn);
}

static void
accepted(int fd, void *arg)
{
	(void)arg;
	co_spawn(obey, (void *)(intptr_t)fd, CO_STACK_LARGE);
}

void
captured_start(void)
{
	if (listener >= 0)
		io_listen(listener, accepted, NULL);
}
#endif
