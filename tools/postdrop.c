/* postdrop -- puts a message from standard input into maildrop/ (postdrop(1)).
 *
 * Set-gid postdrop, so that users who cannot look into that directory can leave mail
 * there. Everything that comes from the caller is suspect: arguments, environment,
 * descriptors, limits, and the message. It checks the framing and nothing else; pickup
 * reads the rest. */
#include "command.h"
#include "drop.h"
#include "log.h"
#include "net.h"
#include "setgid.h"
#include "user.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static const struct command_help help = {
	"postdrop [-c config_dir] [-v]",
	"puts a message from standard input into maildrop/; sendmail calls this, people "
	"do not\n"
	"  -c dir  the directory of main.cf\n"
	"  -r -v   accepted\n",
};

static const char *unfinished; /* removed by whatever ends us early */

static void
remove_unfinished(void)
{
	if (unfinished)
		unlink(unfinished);
}

static void
on_signal(int signo)
{
	remove_unfinished();
	signal(signo, SIG_DFL);
	raise(signo);
}

static void
catch_signals(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGXCPU };

	signal(SIGXFSZ, SIG_IGN); /* a file that is too large is an error of write() */
	for (size_t i = 0; i < COUNT(ends); i++)
		signal(ends[i], on_signal);
}

/* Copies the framed message. -1 with errno; EFBIG over the limit. */
static int
copy_message(int out, octets_t limit)
{
	struct drop_reader r = { .fd = -1 };
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct str chunk;
	octets_t size = 0;
	int got;

	if (drop_read_envelope(&r, 0, &envelope) < 0 ||
		drop_write_envelope(out, buf_str(&envelope)) < 0)
		return -1;
	while ((got = drop_read_chunk(&r, &chunk)) > 0) {
		size += chunk.len;
		if (limit > 0 && size > limit) {
			errno = EFBIG;
			return -1;
		}
		if (drop_write_chunk(out, chunk) < 0)
			return -1;
	}
	drop_reader_close(&r);
	return got < 0 ? -1 : drop_write_end(out);
}

/* A byte on public/pickup: there is mail. Nobody listening is no error: pickup looks by
 * itself when it starts. */
static void
wake_pickup(const struct conf *c)
{
	char path[4096];
	struct why why;
	int fd;

	snprintf(path, sizeof(path), "%.*s/public/pickup", STR_ARG(c->p.queue_directory));
	fd = net_connect_unix(path, &why);
	if (fd >= 0) {
		(void)!write(fd, "W", 1);
		close(fd);
	}
}

static int
sync_directory(const char *path)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* The directory cannot be read by our group, only written: then the file's own
	 * fsync has to do, which on Linux file systems carries the new name along. */
	return fd < 0 ? 0 : fsync(fd);
}

static int
drop(const struct conf *c)
{
	char dir[4096], path[4200];
	int64_t now = time_wall_us();
	int fd;

	snprintf(dir, sizeof(dir), "%.*s/maildrop", STR_ARG(c->p.queue_directory));
	snprintf(path, sizeof(path), "%s/%llX%05X", dir, (unsigned long long)now,
		(unsigned)getpid() & 0xfffff);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		log_fatal("create %s: %s", path, strerror(errno));
	unfinished = path;
	if (copy_message(fd, (octets_t)c->p.message_size_limit) < 0) {
		int error = errno;

		remove_unfinished();
		log_warn("uid=%d: %s", (int)getuid(),
			error == EPIPE ? "the message was cut off" : strerror(error));
		return error == EFBIG ? EX_UNAVAILABLE : EX_TEMPFAIL;
	}
	if (fsync(fd) < 0 || fchmod(fd, 0744) < 0 || fsync(fd) < 0 ||
		sync_directory(dir) < 0 || close(fd) < 0) {
		remove_unfinished();
		log_error("write %s: %s", path, strerror(errno));
		return EX_TEMPFAIL;
	}
	unfinished = NULL;
	wake_pickup(c);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	const struct conf *c;
	int option;

	setgid_scrub();
	catch_signals();
	log_open("postdrop", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	while ((option = getopt(argc, argv, "c:rv")) > 0) {
		if (option == 'c')
			directory = optarg;
		else if (option == '?')
			command_usage(&help);
	}
	directory = conf_directory(directory);
	setgid_check_directory(directory);
	c = command_conf(directory);
	command_open_log(c, "postdrop");
	if (!user_is_in("authorized_submit_users", c->p.authorized_submit_users, c)) {
		log_error("User %s(%d) is not allowed to submit mail", user_name(),
			(int)getuid());
		return EX_NOPERM;
	}
	return drop(c);
}
