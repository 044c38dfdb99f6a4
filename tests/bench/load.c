/* load.c -- SMTP clients, thousands of them in one process, for the figures of
 * `./dev bench scale`. On two cores that also carry the server, a client that costs as
 *much as smtp-source is half of what is measured; this one costs a tenth.
 *
 *	load quit   connect, EHLO, QUIT, again
 *	load mail   one message for each connection; with -k all over the same ones
 *	load hold   EHLO, then silence, until our standard input ends
 *
 *	-s N  connections at once          -n N  stop after so many (messages, sessions)
 *	-t S  stop after so many seconds   -l N  bytes of a message
 *	-f T  recipient                    -k    keep connections
 *	-w N  of the connections, so many in a transaction at once; the others wait
 *	-o N  begin N connections each second, however many there are (no -s)
 *	-a N  come from N addresses, 127.0.2.1 on
 *	-p N  port on 127.0.0.1
 *
 * What happened is printed as one line of JSON. Times are of what was accepted, from
 * connect (-k: from MAIL) to the reply after the end of data, in milliseconds. */
#include "base.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { UNGREETED_MOST = 200 };
enum step { GREETING, EHLO, PARKED, MAIL, RCPT, DATA, BODY, QUIT };

struct client {
	int fd;
	enum step step;
	char code[4]; /* the line of a reply that is being read: its first bytes */
	size_t column, written; /* of the body */
	int64_t began;
	struct client *next; /* among the idle */
};

static struct {
	const char *mode, *rcpt;
	size_t sessions, count, size, active, rate, addresses;
	double seconds;
	bool keep;
	uint16_t port;
} o = { .mode = "", .rcpt = "u@relay.test", .sessions = 1, .size = 4096, .port = 25 };
static struct {
	size_t begun, open, accepted, tempfail, permfail, lost, failed, sessions, held;
} done;
static int epoll;
static int64_t start_us;
/* With -w: parked, ready for a transaction. */
static struct client *idle, **idle_end = &idle;
static size_t in_transaction, ungreeted;
static struct buf body;
static VEC(uint32_t) times_us;

static void client_new(void);
static void wake_waiting(void);

static bool
is_mode(const char *mode)
{
	return strcmp(o.mode, mode) == 0;
}

static bool
is_over(void)
{
	return (o.count && done.begun >= o.count) ||
	       (o.seconds > 0 &&
		       (double)(time_monotonic_us() - start_us) >= o.seconds * 1e6);
}

/* ---- the end of a connection ---- */
static void
client_end(struct client *c)
{
	bool counted = is_mode("quit") || (is_mode("mail") && !o.keep);

	close(c->fd);
	mem_free(c);
	done.open--;
	if (counted && !o.rate && !is_over())
		client_new();
}

static void
unpark(struct client *c)
{
	struct client **at = &idle;

	done.held--;
	while (*at && *at != c)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = c->next;
	if (idle_end == &c->next)
		idle_end = at;
}

static void
client_lost(struct client *c)
{
	done.lost++;
	if (c->step == GREETING)
		ungreeted--;
	if (c->step == PARKED)
		unpark(c);
	if (c->step >= MAIL && c->step < QUIT)
		in_transaction--;
	client_end(c);
	wake_waiting();
}

/* ---- speaking ---- */
static void
say(struct client *c, enum step step, const char *line)
{
	c->step = step;
	/* A line always fits; if the server is gone, the next read says so. */
	if (write(c->fd, line, strlen(line)) < 0 && errno != EPIPE && errno != ECONNRESET)
		perror("load: write");
}

static void
say_body(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->step = BODY;
	while (c->written < body.len) {
		ssize_t n = write(c->fd, body.data + c->written, body.len - c->written);

		if (n < 0 && errno == EAGAIN) {
			e.events |= EPOLLOUT;
			break;
		}
		if (n < 0)
			return; /* the next read says so */
		c->written += (size_t)n;
	}
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void
transaction(struct client *c)
{
	if (o.keep) {
		done.begun++;
		c->began = time_monotonic_us();
	}
	in_transaction++;
	c->written = 0;
	say(c, MAIL, "MAIL FROM:<a@client.test>\r\n");
}

/* With -w, whoever waited longest goes next; in the end all of them go home. */
static void
wake_waiting(void)
{
	while (idle && (in_transaction < o.active || is_over())) {
		struct client *first = idle;

		idle = first->next;
		if (!idle)
			idle_end = &idle;
		done.held--;
		if (is_over())
			say(first, QUIT, "QUIT\r\n");
		else
			transaction(first);
	}
}

static void
transaction_or_wait(struct client *c)
{
	if (o.keep && is_over()) {
		say(c, QUIT, "QUIT\r\n");
		return;
	}
	if (!o.active) {
		transaction(c);
		return;
	}
	c->step = PARKED;
	done.held++;
	c->next = NULL;
	*idle_end = c;
	idle_end = &c->next;
	wake_waiting();
}

static void
after_ehlo(struct client *c)
{
	if (is_mode("quit"))
		say(c, QUIT, "QUIT\r\n");
	else if (is_mode("mail"))
		transaction_or_wait(c);
	else {
		c->step = PARKED;
		done.held++;
	}
}

static void
message_taken(struct client *c)
{
	done.accepted++;
	*vec_push(&times_us) = (uint32_t)(time_monotonic_us() - c->began);
	in_transaction--;
	if (o.keep)
		transaction_or_wait(c);
	else
		say(c, QUIT, "QUIT\r\n");
}

static void
refused(struct client *c, char class)
{
	if (class == '4')
		done.tempfail++;
	else
		done.permfail++;
	if (c->step == PARKED)
		unpark(c);
	else if (c->step >= MAIL)
		in_transaction--;
	say(c, QUIT, "QUIT\r\n");
	wake_waiting();
}

/* A whole reply of the given class; false: the client is no more. */
static bool
take_reply(struct client *c, char class)
{
	char line[300];

	if (c->step == GREETING)
		ungreeted--;
	if (c->step == QUIT) {
		done.sessions++;
		client_end(c);
		return false;
	}
	if (class != '2' && class != '3') {
		refused(c, class);
		return true;
	}
	switch (c->step) {
	case GREETING:
		say(c, EHLO, "EHLO client.test\r\n");
		break;
	case EHLO:
		after_ehlo(c);
		break;
	case MAIL:
		snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", o.rcpt);
		say(c, RCPT, line);
		break;
	case RCPT:
		say(c, DATA, "DATA\r\n");
		break;
	case DATA:
		say_body(c);
		break;
	case BODY:
		message_taken(c);
		break;
	case PARKED:
	case QUIT:
		break;
	}
	return true;
}

static void
client_read(struct client *c)
{
	char bytes[4096];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (c->step == QUIT)
			client_end(c);
		else
			client_lost(c);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (c->column < sizeof(c->code))
				c->code[c->column++] = bytes[i];
			continue;
		}
		c->column = 0;
		if (c->code[3] != '-' && !take_reply(c, c->code[0]))
			return;
	}
}

/* ---- the beginning of a connection ---- */
static void
come_from(int fd)
{
	static unsigned turn;
	unsigned host = turn++ % (unsigned)o.addresses;
	struct sockaddr_in a = { .sin_family = AF_INET };
	int on = 1;

	a.sin_addr.s_addr = htonl(0x7f000201u + host % 250 + (host / 250 << 8));
	/* The port is chosen when the other end is known. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		perror("load: bind");
}

static void
client_new(void)
{
	struct client *c = mem_alloc(sizeof(*c));
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(o.port) };
	int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		done.failed++;
		mem_free(c);
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (o.addresses)
		come_from(c->fd);
	c->began = time_monotonic_us();
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
		errno != EINPROGRESS) {
		done.failed++;
		close(c->fd);
		mem_free(c);
		return;
	}
	if (!o.keep)
		done.begun++;
	done.open++;
	ungreeted++;
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
}

/* With -o: those whose time has come. With -s: up to that many, but not in one burst:
 * where the listen queue overflows, the kernel forgets connections that the client
 * believes in. */
static void
begin_more(void)
{
	static size_t opened;
	size_t due = o.sessions;

	if (o.rate)
		due = (size_t)((double)(time_monotonic_us() - start_us) / 1e6 *
			       (double)o.rate);
	while (opened < due && (o.rate || ungreeted < UNGREETED_MOST)) {
		if (is_over() && !is_mode("hold"))
			return;
		client_new();
		opened++;
	}
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double
quantile_ms(double q)
{
	size_t n = times_us.n;

	return n ? times_us.items[MIN(n - 1, (size_t)((double)n * q))] / 1e3 : 0;
}

static void
report(void)
{
	double seconds = (double)(time_monotonic_us() - start_us) / 1e6;

	if (times_us.n)
		qsort(times_us.items, times_us.n, sizeof(*times_us.items), by_size);
	printf("{\"seconds\": %.4f, \"accepted\": %zu, \"tempfail\": %zu, "
	       "\"permfail\": %zu, \"lost\": %zu, \"failed\": %zu, \"sessions\": %zu, "
	       "\"held\": %zu, \"open\": %zu, \"p50\": %.3f, \"p99\": %.3f}\n",
		seconds, done.accepted, done.tempfail, done.permfail, done.lost,
		done.failed, done.sessions, done.held, done.open, quantile_ms(.5),
		quantile_ms(.99));
	fflush(stdout);
}

/* Lines of 72 bytes, and the end. */
static void
make_body(void)
{
	char line[73];

	memset(line, 'X', 70);
	line[70] = '\r';
	line[71] = '\n';
	buf_addz(&body, "From: a@client.test\r\nSubject: load\r\n\r\n");
	while (body.len + 3 < o.size)
		buf_add(&body, str_of(line, 72));
	buf_addz(&body, ".\r\n");
}

static bool
is_finished(bool told)
{
	if (is_mode("hold"))
		return told;
	/* What was offered and not answered by the end is part of the result. */
	if (o.rate && is_over())
		return true;
	return is_over() && done.open == 0;
}

static void
run(void)
{
	struct epoll_event events[512], stop = { .events = EPOLLIN };
	bool told = false, reported = false;

	if (is_mode("hold"))
		epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &stop);
	start_us = time_monotonic_us();
	while (!is_finished(told)) {
		int n;

		begin_more();
		n = epoll_wait(epoll, events, COUNT(events), 1);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (!c)
				told = true;
			else if (events[i].events & EPOLLOUT && c->written < body.len)
				say_body(c);
			else
				client_read(c);
		}
		if (idle && is_over())
			wake_waiting();
		if (is_mode("hold") && !reported &&
			done.held + done.failed >= o.sessions) {
			report();
			reported = true;
		}
	}
	report();
}

static bool
options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "s:n:t:l:f:kw:o:a:p:")) != -1) {
		switch (opt) {
		case 's':
			o.sessions = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			o.count = strtoul(optarg, NULL, 10);
			break;
		case 't':
			o.seconds = strtod(optarg, NULL);
			break;
		case 'l':
			o.size = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			o.rcpt = optarg;
			break;
		case 'k':
			o.keep = true;
			break;
		case 'w':
			o.active = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			o.rate = strtoul(optarg, NULL, 10);
			break;
		case 'a':
			o.addresses = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			o.port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		default:
			return false;
		}
	}
	if (optind >= argc)
		return false;
	o.mode = argv[optind];
	return (is_mode("quit") || is_mode("mail") || is_mode("hold")) &&
	       (o.count || o.seconds > 0 || is_mode("hold"));
}

int
main(int argc, char **argv)
{
	struct rlimit most;

	if (!options(argc, argv)) {
		fprintf(stderr, "usage: load [-k] [-s N] [-n N] [-t S] [-l N] [-f RCPT] "
				"[-w N] [-o N] [-a N] [-p PORT] quit|mail|hold\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	signal(SIGPIPE, SIG_IGN);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	make_body();
	run();
	return 0;
}
