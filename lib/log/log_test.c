/* log_test.c -- shapes, prefixes and where lines end up. */
#include "log_impl.h"
#include "test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static const struct {
	const char *shape;
	struct str args[4];
	const char *want;
} shapes[] = {
	{ "plain", { STR_INIT("") }, "plain" },
	{ "from {a}[{b}]", { STR_INIT("mx"), STR_INIT("192.0.2.1") },
		"from mx[192.0.2.1]" },
	{ "{a}[[, b={b}]], c={c}", { STR_INIT("1"), STR_INIT("2"), STR_INIT("3") },
		"1, b=2, c=3" },
	{ "{a}[[, b={b}]], c={c}", { STR_INIT("1"), { NULL, 0 }, STR_INIT("3") },
		"1, c=3" },
	{ "{a}[[, b={b}]]", { STR_INIT("1"), STR_INIT("") },
		"1, b=" }, /* empty is not none */
	{ "[[{a}: ]]lost", { { NULL, 0 } }, "lost" },
	{ "[[ to {a}[{b}]]]!", { STR_INIT("x"), STR_INIT("y") }, " to x[y]!" },
	{ "[[ to {a}[{b}]]]!", { { NULL, 0 }, STR_INIT("y") }, "!" },
	{ "[[{a} {b}]]{c}", { { NULL, 0 }, STR_INIT("y"), STR_INIT("z") }, "z" },
	{ "{a}", { STR_INIT("a\r\nb\0c\x7f") }, "a??b?c?" },
	{ "{a}", { STR_INIT("gr\xc3\xbc\xc3\x9f") }, "gr\xc3\xbc\xc3\x9f" },
	{ "{a}", { STR_INIT("\xc3") }, "?" },                     /* cut short */
	{ "{a}", { STR_INIT("\xc0\xaf\xe0\x80\x80") }, "?????" }, /* overlong */
	{ "{a}", { STR_INIT("\xed\xa0\x80") }, "???" },           /* a surrogate */
	{ "{a}", { STR_INIT("\xc2\x9b") }, "??" }, /* CSI, for some terminals */
	{ "{a}", { STR_INIT("\xf0\x9f\x93\xa7") }, "\xf0\x9f\x93\xa7" },
	{ "{a}", { STR_INIT("\xf4\x90\x80\x80") }, "????" }, /* beyond U+10FFFF */
};

TEST(shapes_are_filled_in)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		log_render_shape(shapes[i].shape, shapes[i].args, &got);
		CHECK_STR(buf_str(&got), shapes[i].want);
	}
}

static const struct {
	int nargs;
	const char *shape;
} declared[] = {
#define LINE(id, level, nargs, shape) { nargs, shape },
#include "lines.def"
#undef LINE
};

TEST(declared_numbers_of_arguments_are_right)
{
	for (size_t i = 0; i < COUNT(declared); i++) {
		int braces = 0;

		test_row(i);
		for (const char *p = declared[i].shape; *p; p++)
			braces += *p == '{';
		CHECK_INT(declared[i].nargs, braces);
	}
}

/* Lines as the contract quotes them. */
static struct buf captured;
static enum log_level captured_level;
static void
keep(enum log_level level, struct str line, void *arg)
{
	(void)arg;
	captured_level = level;
	buf_clear(&captured);
	buf_add(&captured, line);
}

#define LOGGED(want, id, ...) \
	do { \
		log_line(id, __VA_ARGS__); \
		CHECK_STR(buf_str(&captured), want); \
	} while (0)

TEST(lines_have_the_shapes_of_the_contract)
{
	log_capture(keep, NULL);
	LOGGED("connect from mx.example[192.0.2.1]", SMTPD_CONNECT,
		STR("mx.example[192.0.2.1]"));
	LOGGED("lost connection after DATA (17 bytes) from unknown[192.0.2.1]",
		SMTPD_LOST, STR_NONE, STR("DATA"), log_num(17),
		STR("unknown[192.0.2.1]"));
	LOGGED("NOQUEUE: reject: RCPT from u[192.0.2.1]: 554 5.7.1 <a@b>: Relay access "
	       "denied; from=<> to=<a@b> proto=ESMTP helo=<h>",
		SMTPD_ACTION, STR("NOQUEUE"), STR("reject"), STR("RCPT"),
		STR("u[192.0.2.1]"), STR("554 5.7.1 <a@b>: Relay access denied"), STR(""),
		STR("a@b"), STR("ESMTP"), STR("h"), STR_NONE, STR_NONE, STR_NONE);
	LOGGED("4bX: to=<a@b>, relay=virtual, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, "
	       "status=sent (delivered to maildir)",
		DELIVERY, STR("4bX"), STR("a@b"), STR_NONE, STR("virtual"), STR_NONE,
		STR("0.1"), STR("0.1/0/0/0"), STR_NONE, STR("2.0.0"), STR("sent"),
		STR("delivered to maildir"));
	LOGGED("4bX: to=<\"a b\"@c>, orig_to=<d>, relay=x, delay=0, delays=0/0/0/0, "
	       "dsn=2.0.0, status=sent (\"e f\"@g h@i)",
		DELIVERY, STR("4bX"), STR("a b@c"), STR("d"), STR("x"), STR_NONE,
		STR("0"), STR("0/0/0/0"), STR_NONE, STR("2.0.0"), STR("sent"),
		STR("\"e f\"@g h@i"));
	LOGGED("4bX: from=<\"x\\\"\\\\\"@a>, size=1, nrcpt=1 (queue active)", QMGR_ACTIVE,
		STR("4bX"), STR("x\"\\@a"), log_num(1), log_num(1));
	log_addresses_internal = true;
	LOGGED("4bX: from=<a b@c>, size=1, nrcpt=1 (queue active)", QMGR_ACTIVE,
		STR("4bX"), STR("a b@c"), log_num(1), log_num(1));
	log_addresses_internal = false;
	LOGGED("warning: process /x/smtpd pid 7 exit status 1", MASTER_EXIT,
		STR("/x/smtpd"), log_num(7), log_num(1));
	CHECK(captured_level == LOG_WARNING_LEVEL);
	log_capture(NULL, NULL);
}

TEST(free_text_is_clean_and_cut)
{
	char big[3000];

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = 0;
	log_capture(keep, NULL);
	log_warn("%s: %d", "bad\nline", 5);
	CHECK_STR(buf_str(&captured), "warning: bad?line: 5");
	log_error("e");
	CHECK_STR(buf_str(&captured), "error: e");
	log_info("%s", big);
	CHECK_INT((long long)captured.len, LOG_TEXT_LIMIT);
	log_line(SMTPD_CONNECT, str_of(big, sizeof(big) - 1));
	CHECK_INT((long long)captured.len, LOG_TEXT_LIMIT);
	log_capture(NULL, NULL);
}

/* A file target in a fresh directory, and what stands in it. */
static int
open_file(char *path, size_t room)
{
	snprintf(path, room, "%s/maillog-%d", test_dir(), rand());
	return open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0600);
}

static size_t
count_lines(const char *path, struct buf *all)
{
	size_t n = 0;

	buf_clear(all);
	if (read_file(path, 1 << 24, all) < 0)
		return 0;
	for (size_t i = 0; i < all->len; i++)
		n += all->data[i] == '\n';
	return n;
}

TEST(a_file_gets_whole_lines_once_per_flush)
{
	char path[200], host[65];
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	struct str line, rest;
	int fd = open_file(path, sizeof(path));

	log_open("postfix/smtpd", LOG_TO_FD, fd, -1);
	log_session(4711);
	log_info("one");
	CHECK_INT((long long)count_lines(path, &all), 0);
	log_info("two");
	log_flush();
	CHECK_INT((long long)count_lines(path, &all), 2);
	log_warn("at once");
	CHECK_INT((long long)count_lines(path, &all), 3);

	/* "Nov  3 09:05:00 host postfix/smtpd[4711]: one" */
	rest = buf_str(&all);
	CHECK(str_split(&rest, '\n', &line));
	CHECK(line.data[3] == ' ' && line.data[6] == ' ' && line.data[9] == ':');
	line = str_from(line, 16);
	gethostname(host, sizeof(host));
	host[strcspn(host, ".")] = 0;
	CHECK(str_starts(line, str_c(host)));
	CHECK_STR(str_from(line, strlen(host)), " postfix/smtpd[4711]: one");
	log_session(0);
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
}

TEST(a_child_does_not_repeat_its_parents_lines)
{
	char path[200];
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	int fd = open_file(path, sizeof(path)), status = 0;
	pid_t pid;

	log_open("t", LOG_TO_FD, fd, -1);
	log_info("from the parent");
	pid = fork();
	if (pid == 0) {
		log_info("from the child");
		log_flush();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	log_flush();
	CHECK_INT((long long)count_lines(path, &all), 2);
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
}

TEST(fatal_says_why_and_exits)
{
	char path[200];
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	int fd = open_file(path, sizeof(path)), status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		log_open("t", LOG_TO_FD, fd, -1);
		log_info("first");
		log_fatal("parameter %s: no such thing", "foo");
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK_INT((long long)count_lines(path, &all), 2);
	CHECK(str_ends(buf_str(&all), STR("fatal: parameter foo: no such thing\n")));
	close(fd);
}

/* What a full disk swallowed is counted. */
TEST(lost_lines_are_told)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fd;
	char path[200];
	struct buf all CLEANUP(buf_free) = BUF_INIT;

	fd = open_file(path, sizeof(path));
	log_open("t", LOG_TO_FD, full, -1);
	log_info("lost");
	log_info("lost as well");
	log_flush();
	dup2(fd, full);
	log_info("seen");
	log_flush();
	CHECK_INT((long long)count_lines(path, &all), 2);
	CHECK(str_find(buf_str(&all), STR("warning: 2 log lines were lost")) >= 0);
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
	close(full);
}

TEST(lines_that_were_shown_are_not_lost)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fd;
	char path[200];
	struct buf all CLEANUP(buf_free) = BUF_INIT;

	fd = open_file(path, sizeof(path));
	log_open("t", LOG_TO_FD | LOG_TO_STDERR, full, -1);
	log_info("shown");
	log_open("t", LOG_TO_FD, fd, -1);
	log_info("seen");
	log_flush();
	CHECK_INT((long long)count_lines(path, &all), 1);
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
	close(full);
}

/* A syslogd of our own. */
static int
syslogd(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

static struct str
datagram(int fd, char *room, size_t size)
{
	ssize_t n = recv(fd, room, size, 0);

	return n < 0 ? STR_NONE : str_of(room, (size_t)n);
}

TEST(syslog_gets_a_datagram_for_each_line)
{
	char path[100], room[3000];
	struct str got;
	int fd;

	snprintf(path, sizeof(path), "%s/log", test_dir());
	fd = syslogd(path);
	log_target_syslog_at(path);
	log_open("postfix/qmgr", LOG_TO_SYSLOG, -1, LOG_MAIL);
	log_session(7);
	log_line(QMGR_REMOVED, STR("4bX"));
	CHECK(datagram(fd, room, sizeof(room)).data == NULL); /* not yet */
	log_warn("careful");
	got = datagram(fd, room, sizeof(room));
	CHECK(str_starts(got, STR("<22>")));
	CHECK(str_ends(got, STR(" postfix/qmgr[7]: 4bX: removed")));
	CHECK_INT((long long)got.len, 4 + 15 + 30);
	got = datagram(fd, room, sizeof(room));
	CHECK(str_starts(got, STR("<20>")));
	CHECK(str_ends(got, STR(" postfix/qmgr[7]: warning: careful")));

	/* syslogd restarts: a new socket at the same place. */
	close(fd);
	fd = syslogd(path);
	log_info("still here");
	log_flush();
	CHECK(str_ends(datagram(fd, room, sizeof(room)), STR("still here")));
	log_session(0);
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
}

TEST(facilities)
{
	CHECK_INT(log_facility(STR("mail")), LOG_MAIL);
	CHECK_INT(log_facility(STR("local7")), LOG_LOCAL7);
	CHECK_INT(log_facility(STR("nothing")), -1);
}

TEST(numbers_stay_good_for_sixteen)
{
	struct str first = log_num(-5);

	for (int i = 0; i < 15; i++)
		(void)log_fmt("%d", i);
	CHECK_STR(first, "-5");
}

/* What a socket of postlogd gets, and what that makes of it. */
TEST(finished_lines_travel_as_datagrams)
{
	char path[200], room[300];
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	int ends[2], fd = open_file(path, sizeof(path));
	struct str got;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		0);
	log_open("tool", LOG_TO_FD, ends[1], -1);
	log_info("one");
	log_info("two");
	log_flush();
	got = datagram(ends[0], room, sizeof(room));
	CHECK(str_ends(got, STR("]: one")));
	got = datagram(ends[0], room, sizeof(room));
	CHECK(str_ends(got, STR("]: two")));
	CHECK(datagram(ends[0], room, sizeof(room)).data == NULL);
	log_open("postfix/postlogd", LOG_TO_FD, fd, -1);
	log_relay(STR("Nov  3 09:05:00 host tool[1]: a\tb"));
	log_flush();
	CHECK_INT((long long)count_lines(path, &all), 1);
	CHECK_STR(buf_str(&all), "Nov  3 09:05:00 host tool[1]: a?b\n");
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

TEST(relayed_lines_lose_their_host_for_syslogd)
{
	char path[100], room[300];
	int fd;

	snprintf(path, sizeof(path), "%s/log", test_dir());
	fd = syslogd(path);
	log_target_syslog_at(path);
	log_open("postfix/postlogd", LOG_TO_SYSLOG, -1, LOG_MAIL);
	log_relay(STR("Nov  3 09:05:00 host tool[1]: text"));
	log_flush();
	CHECK_STR(datagram(fd, room, sizeof(room)), "<22>Nov  3 09:05:00 tool[1]: text");
	log_relay(STR("short"));
	log_flush();
	CHECK(datagram(fd, room, sizeof(room)).data == NULL);
	log_open("", LOG_TO_STDERR, -1, -1);
	close(fd);
}

TEST_MAIN()
