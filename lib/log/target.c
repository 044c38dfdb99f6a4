/* target.c -- where log lines go: syslog's socket, a file or stdout, stderr.
 *
 * Lines gather and leave in one sendmmsg() and one write() (a datagram at a time costs
 * ten times as much). The socket is connected before the jail. When syslogd was replaced
 * the connection is dead, and a jailed process may not connect() again; but a datagram
 * with the address in it needs no connection, so the rest of a batch goes that way. */
#include "log_impl.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define GATHER_LIMIT (64 * 1024) /* more than this does not wait for the turn's end */
#define STAMP_LENGTH 15          /* "Nov  3 09:05:00" */
#define BATCH        64          /* datagrams in one system call */
#define SYSLOG_PATIENCE_US \
	500000 /* a stuck syslogd holds us up this long per datagram \
		*/

static struct {
	char tag[128], host[65];
	unsigned targets;
	int fd, facility;
	bool fd_is_pipe, fd_is_socket;
	pid_t pid;
	int sock;        /* -1: not open */
	struct buf file; /* lines for fd */
	struct buf datagrams;
	VEC(size_t) ends; /* of each datagram in there */
	uint64_t lost;
	char stamp[20]; /* "Nov  3 09:05:00", of: */
	time_t stamp_of;
} out = { .targets = LOG_TO_STDERR, .fd = -1, .facility = LOG_MAIL, .sock = -1 };

static struct sockaddr_un dev_log = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };

static void
syslog_connect(void)
{
	struct timeval patience = { 0, SYSLOG_PATIENCE_US };

	if (out.sock < 0) {
		out.sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (out.sock < 0)
			return;
		setsockopt(
			out.sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	}
	/* A failure shows when the first line is sent. */
	(void)!connect(out.sock, (const struct sockaddr *)&dev_log, sizeof(dev_log));
}

void
log_target_syslog_at(const char *path)
{
	snprintf(dev_log.sun_path, sizeof(dev_log.sun_path), "%s", path);
}

static void
host_name(void)
{
	if (gethostname(out.host, sizeof(out.host) - 1) < 0 || !out.host[0])
		memcpy(out.host, "localhost", sizeof("localhost"));
	out.host[strcspn(out.host, ".")] = 0;
}

void
log_open(const char *tag, unsigned targets, int fd, int facility)
{
	struct stat st;

	log_flush();
	tzset(); /* reads /etc/localtime while we still can */
	host_name();
	snprintf(out.tag, sizeof(out.tag), "%s", tag);
	out.targets = targets;
	out.fd = fd;
	out.fd_is_pipe = fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
	out.fd_is_socket = fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	out.facility = facility >= 0 ? facility : LOG_MAIL;
	out.pid = getpid();
	if (targets & LOG_TO_SYSLOG)
		syslog_connect();
}

void
log_target_forked(void)
{
	out.pid = getpid();
	buf_clear(&out.file);
	buf_clear(&out.datagrams);
	out.ends.n = 0;
	out.lost = 0;
}

static const char *
stamp(void)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != out.stamp_of && localtime_r(&now.tv_sec, &tm)) {
		static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

		snprintf(out.stamp, sizeof(out.stamp), "%.3s %2d %02d:%02d:%02d",
			months + 3 * (tm.tm_mon % 12), tm.tm_mday % 100, tm.tm_hour % 100,
			tm.tm_min % 100, tm.tm_sec % 100);
		out.stamp_of = now.tv_sec;
	}
	return out.stamp;
}

/* "tag[number]: text" */
static void
put_tagged(struct buf *b, struct str text)
{
	char number[16];
	uint32_t id = log_session_number;
	int len;

	if (out.pid == 0)
		out.pid = getpid();
	len = snprintf(number, sizeof(number), "[%u]: ", id ? id : (unsigned)out.pid);
	buf_addz(b, out.tag);
	buf_add(b, str_of(number, (size_t)len));
	buf_add(b, text);
}

static void
add_file(struct str text)
{
	buf_addz(&out.file, stamp());
	buf_addc(&out.file, ' ');
	buf_addz(&out.file, out.host);
	buf_addc(&out.file, ' ');
	put_tagged(&out.file, text);
	buf_addc(&out.file, '\n');
}

/* "<22>Nov  3 09:05:00 tag[number]: text": what the C library's syslog() sends. */
static void
add_datagram(enum log_level level, struct str text)
{
	static const int priorities[] = { LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT,
		LOG_CRIT };

	buf_printf(&out.datagrams, "<%d>%s ", out.facility | priorities[level], stamp());
	put_tagged(&out.datagrams, text);
	*vec_push(&out.ends) = out.datagrams.len;
}

/* syslogd knows its host. */
void
log_target_relay(struct str line)
{
	struct str rest = line, time, host;

	if (out.targets & LOG_TO_FD) {
		buf_add(&out.file, line);
		buf_addc(&out.file, '\n');
	}
	if (!(out.targets & LOG_TO_SYSLOG))
		return;
	time = str_sub(line, 0, MIN(line.len, (size_t)STAMP_LENGTH));
	rest = str_from(line, time.len);
	if (!str_token(&rest, " ", &host))
		return;
	buf_printf(&out.datagrams, "<%d>" STR_FMT STR_FMT, out.facility | LOG_INFO,
		STR_ARG(time), STR_ARG(rest));
	*vec_push(&out.ends) = out.datagrams.len;
}

/* What a command tells its user: the last part of the tag, no time. */
static void
write_stderr(struct str text)
{
	const char *slash = strrchr(out.tag, '/');
	const char *name = slash ? slash + 1 : out.tag;
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	if (!name[0])
		name = program_invocation_short_name;
	buf_printf(&line, "%s: " STR_FMT "\n", name, STR_ARG(text));
	(void)!write(STDERR_FILENO, line.data, line.len);
}

void
log_target_add(enum log_level level, struct str text)
{
	unsigned targets = out.targets;

	if (targets & LOG_TO_STDERR) {
		write_stderr(text);
		if (level >= LOG_FATAL_LEVEL && out.tag[0] &&
			!(targets & ~LOG_TO_STDERR)) {
			targets |= LOG_TO_SYSLOG;
			syslog_connect();
		}
	}
	if (targets & LOG_TO_FD)
		add_file(text);
	if (targets & LOG_TO_SYSLOG)
		add_datagram(level, text);
	if (out.file.len + out.datagrams.len > GATHER_LIMIT)
		log_target_flush();
}

/* What standard error showed is not lost: a command, or a master that has not read its
 * configuration yet, where no syslogd runs. */
static void
count_lost(uint64_t lines)
{
	if (!(out.targets & LOG_TO_STDERR))
		out.lost += lines;
}

/* How much of the gathered text goes in one write(): several processes share a pipe,
 * where only PIPE_BUF bytes stay together; a datagram is a line. */
static size_t
file_piece(struct str rest)
{
	const char *end;

	if (out.fd_is_socket)
		return (size_t)str_chr(rest, '\n') + 1;
	if (!out.fd_is_pipe || rest.len <= PIPE_BUF)
		return rest.len;
	end = memrchr(rest.data, '\n', PIPE_BUF);
	return end ? (size_t)(end + 1 - rest.data) : PIPE_BUF;
}

static void
flush_file(void)
{
	struct str rest = buf_str(&out.file);

	while (rest.len > 0) {
		size_t piece = file_piece(rest);
		ssize_t n = write(out.fd, rest.data, piece - out.fd_is_socket);

		if (n >= 0)
			n += out.fd_is_socket; /* the line's end did not go along */
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		rest = str_from(rest, (size_t)n);
	}
	for (size_t i = 0; i < rest.len; i++)
		count_lost(rest.data[i] == '\n');
	buf_clear(&out.file);
}

/* Sends datagrams from number `first` on; how many went, or -1 and errno. */
static int
send_batch(size_t first, bool with_address)
{
	static struct mmsghdr msgs[BATCH];
	static struct iovec parts[BATCH];
	size_t n = MIN(out.ends.n - first, (size_t)BATCH);

	for (size_t i = 0; i < n; i++) {
		size_t from = first + i ? out.ends.items[first + i - 1] : 0;

		parts[i].iov_base = out.datagrams.data + from;
		parts[i].iov_len = out.ends.items[first + i] - from;
		msgs[i].msg_hdr =
			(struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
		if (with_address) {
			msgs[i].msg_hdr.msg_name = &dev_log;
			msgs[i].msg_hdr.msg_namelen = sizeof(dev_log);
		}
	}
	return sendmmsg(out.sock, msgs, (unsigned)n, MSG_NOSIGNAL);
}

static void
flush_datagrams(void)
{
	size_t sent = 0;
	bool with_address = false;

	while (sent < out.ends.n) {
		int n = send_batch(sent, with_address);

		if (n > 0) {
			sent += (size_t)n;
		} else if (errno == EINTR) {
			continue;
		} else if (!with_address) {
			with_address = true; /* syslogd was restarted */
			syslog_connect();
		} else {
			break;
		}
	}
	count_lost(out.ends.n - sent);
	out.ends.n = 0;
	buf_clear(&out.datagrams);
}

void
log_target_flush(void)
{
	uint64_t lost = out.lost;

	if (out.file.len == 0 && out.ends.n == 0)
		return;
	flush_file();
	flush_datagrams();
	if (lost > 0 && out.lost == lost) { /* it works again */
		char text[100];
		int len = snprintf(text, sizeof(text),
			"warning: %llu log lines were lost while the log took none",
			(unsigned long long)lost);

		out.lost = 0;
		log_target_add(LOG_WARNING_LEVEL, str_of(text, (size_t)len));
		flush_file();
		flush_datagrams();
	}
}
