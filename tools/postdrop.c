/* postdrop -- puts a message from standard input into maildrop/ (postdrop(1)).
 *
 * Set-gid postdrop, so that users who cannot look into that directory can leave mail
 * there. Everything that comes from the caller is suspect: arguments, environment,
 * descriptors, limits, and the message. It checks the framing and nothing else; pickup
 * reads the rest. */
#include "conf.h"
#include "drop.h"
#include "log.h"
#include "net.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

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

/* Descriptors 0 to 2 exist and no others do; the environment says nothing; limits that
 * could make us fail halfway in odd ways are what they should be. */
static void
scrub(void)
{
	struct rlimit none = { 0, 0 };
	char *config = getenv("MAIL_CONFIG");

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			exit(EX_OSERR);
	close_range(3, ~0U, 0);
	config = config ? strdup(config) : NULL;
	clearenv();
	setenv("PATH", "/usr/bin:/bin", 1);
	if (config)
		setenv("MAIL_CONFIG", config, 1);
	free(config);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGHUP, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGQUIT, on_signal);
	umask(022);
}

/* Another configuration than the default one may be asked for by root, by those whose
 * rights we have anyway, and where the default main.cf lists it. */
static void
check_directory(const char *directory)
{
	struct conf *c;
	struct arena *a;
	struct strs allowed;

	if (strcmp(directory, conf_default_directory) == 0 || getuid() == 0 ||
		getegid() == getgid())
		return;
	c = conf_must_load(conf_default_directory, STR_NONE, NULL);
	a = arena_new();
	allowed = conf_list(c->p.alternate_config_directories, a);
	for (size_t i = 0; i < allowed.n; i++)
		if (str_is(allowed.items[i], directory))
			return;
	allowed = conf_list(c->p.multi_instance_directories, a);
	for (size_t i = 0; i < allowed.n; i++)
		if (str_is(allowed.items[i], directory))
			return;
	log_fatal("unauthorized configuration directory: %s: list it in "
		  "alternate_config_directories of %s/main.cf",
		directory, conf_default_directory);
}

static bool
may_submit(const struct conf *c)
{
	struct arena *a = arena_new();
	struct strs users = conf_list(c->p.authorized_submit_users, a);
	struct passwd *pw = getpwuid(getuid());
	bool allowed = getuid() == 0;

	for (size_t i = 0; i < users.n && !allowed; i++) {
		struct str item = users.items[i];
		bool no = str_starts(item, STR("!"));

		if (no)
			item = str_from(item, 1);
		if (str_case_is(item, "static:anyone") ||
			(pw && str_is(item, pw->pw_name))) {
			allowed = !no;
			break;
		}
	}
	arena_free(a);
	return allowed;
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
		if (error == EFBIG)
			log_error("message of uid %d is larger than message_size_limit",
				(int)getuid());
		else
			log_error("uid %d: %s", (int)getuid(),
				error == EPIPE ? "the message was cut off"
					       : strerror(error));
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
	struct conf *c;
	int option;

	scrub();
	log_open("postdrop", LOG_TO_STDERR, -1, -1);
	while ((option = getopt(argc, argv, "c:rvh")) > 0) {
		if (option == 'c')
			directory = optarg;
		else if (option == 'h') {
			puts("usage: postdrop [-c config_dir] [-rv] < message\n"
			     "sendmail(1) calls this; people do not.");
			return 0;
		} else if (option == '?') {
			return EX_USAGE;
		}
	}
	directory = conf_directory(directory);
	check_directory(directory);
	c = conf_must_load(directory, STR_NONE, NULL);
	if (!may_submit(c)) {
		log_error(
			"User %d is not allowed to submit mail (authorized_submit_users)",
			(int)getuid());
		return EX_NOPERM;
	}
	return drop(c);
}
