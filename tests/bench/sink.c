/* sink.c -- an SMTP server that takes everything and keeps nothing, for `./dev bench
 *scale`. It looks only at the end of what it reads, so a large message costs little more
 *than its copy out of the kernel. Clients must not send behind the end of data before its
 *reply.
 *
 *	sink COUNTERS PORT ADDRESS...
 *
 * COUNTERS is a file of three 64-bit numbers: messages, recipients, and the time (us, the
 * monotonic clock) of the last message. */
#include "base.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TAIL = 4 };
struct client {
	int fd;
	bool is_listener, in_data;
	uint64_t rcpts;
	char line[8]; /* how the command begins */
	size_t column;
	char tail[TAIL]; /* the end of the content so far */
};

static struct {
	uint64_t messages, rcpts, last_us;
} * counters;
static int epoll;

static void
watch(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
}

static void
listen_at(const char *address, uint16_t port)
{
	struct client *c = mem_alloc(sizeof(*c));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->is_listener = true;
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
		bind(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(c->fd, 4096) < 0) {
		perror(address);
		exit(1);
	}
	watch(c);
}

static void
command(struct client *c, struct buf *out)
{
	if (strncasecmp(c->line, "EHLO", 4) == 0)
		buf_addz(out,
			"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n");
	else if (strncasecmp(c->line, "DATA", 4) == 0) {
		c->in_data = true;
		memcpy(c->tail, "\0\0\r\n", TAIL);
		buf_addz(out, "354 go\r\n");
	} else if (strncasecmp(c->line, "QUIT", 4) == 0)
		buf_addz(out, "221 bye\r\n");
	else {
		if (strncasecmp(c->line, "RCPT", 4) == 0)
			c->rcpts++;
		else if (strncasecmp(c->line, "MAIL", 4) == 0)
			c->rcpts = 0;
		buf_addz(out, "250 ok\r\n");
	}
}

/* The place behind the end of data; NULL: it is not there. There is at most one, since
 * dots at the start of lines are doubled, and our clients' messages have few others. */
static const char *
end_of_data(const char *bytes, size_t n)
{
	const char *dot = memrchr(bytes, '.', n);

	while (dot) {
		size_t at = (size_t)(dot - bytes);

		if (at >= 2 && at + 3 <= n && memcmp(dot - 2, "\r\n.\r\n", 5) == 0)
			return dot + 3;
		dot = memrchr(bytes, '.', at);
	}
	return NULL;
}

/* Content, behind the last bytes of what came before. Returns what is left for commands:
 * Postfix sends QUIT along with the end of data. */
static const char *
content(struct client *c, const char *bytes, const char *end, struct buf *out)
{
	const char *behind = end_of_data(bytes, (size_t)(end - bytes));

	if (!behind) {
		memcpy(c->tail, end - sizeof(c->tail), sizeof(c->tail));
		return end;
	}
	c->in_data = false;
	counters->messages++;
	counters->rcpts += c->rcpts;
	counters->last_us = (uint64_t)time_monotonic_us();
	buf_addz(out, "250 ok\r\n");
	return behind;
}

static void
commands(struct client *c, const char *at, const char *end, struct buf *out)
{
	for (; at < end; at++) {
		if (*at != '\n') {
			if (c->column < sizeof(c->line))
				c->line[c->column++] = *at;
			continue;
		}
		command(c, out);
		c->column = 0;
		memset(c->line, 0, sizeof(c->line));
	}
}

static void
client_read(struct client *c)
{
	static char room[TAIL + (1 << 20)];
	static struct buf out;
	const char *at = room + TAIL;
	ssize_t n = read(c->fd, room + TAIL, sizeof(room) - TAIL);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close(c->fd);
		mem_free(c);
		return;
	}
	buf_clear(&out);
	if (c->in_data) {
		memcpy(room, c->tail, TAIL);
		at = content(c, room, at + n, &out);
	}
	commands(c, at, room + TAIL + n, &out);
	if (out.len && write(c->fd, out.data, out.len) < 0 && errno != EPIPE &&
		errno != ECONNRESET)
		perror("sink: write");
}

static void
clients_accept(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *c = mem_alloc(sizeof(*c));
		int on = 1;

		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (write(fd, "220 sink ESMTP\r\n", 16) < 0)
			perror("sink: write");
		watch(c);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct rlimit most;
	int fd;

	if (argc < 4) {
		fprintf(stderr, "usage: sink COUNTERS PORT ADDRESS...\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	signal(SIGPIPE, SIG_IGN);
	fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*counters)) < 0 ||
		(counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0)) == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 3; i < argc; i++)
		listen_at(argv[i], (uint16_t)strtoul(argv[2], NULL, 10));
	for (;;) {
		int n = epoll_wait(epoll, events, COUNT(events), -1);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (c->is_listener)
				clients_accept(c->fd);
			else
				client_read(c);
		}
	}
}
