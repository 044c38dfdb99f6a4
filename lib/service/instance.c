/* instance.c -- see instance.h. */
#include "instance.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const struct instance_directory instance_directories[] = {
	{ "", true, false, 0755 }, { "pid", true, false, 0755 },
	{ "log", false, false, 0700 }, /* the spool's segments */
	{ "incoming", false, false, 0700 }, { "active", false, false, 0700 },
	{ "deferred", false, false, 0700 }, { "bounce", false, false, 0700 },
	{ "defer", false, false, 0700 }, { "trace", false, false, 0700 },
	{ "corrupt", false, false, 0700 }, { "hold", false, false, 0700 },
	{ "flush", false, false, 0700 }, { "saved", false, false, 0700 },
	{ "private", false, false, 0700 }, { "public", false, true, 0710 },
	{ "maildrop", false, true, 0730 },
	{ NULL, false, false, 0700 }, /* data_directory */
};
const size_t instance_directories_count = COUNT(instance_directories);

/* ---- owners ---- */

static const struct passwd *
user(struct str name)
{
	struct buf z CLEANUP(buf_free) = BUF_INIT;

	buf_add(&z, name);
	return getpwnam(buf_cstr(&z));
}

static const struct group *
group(struct str name)
{
	struct buf z CLEANUP(buf_free) = BUF_INIT;

	buf_add(&z, name);
	return getgrnam(buf_cstr(&z));
}

int
instance_owners(const struct conf *c, struct instance_owners *out, struct why *why)
{
	const struct passwd *owner;
	const struct group *setgid;

	*out = (struct instance_owners){ geteuid() == 0, geteuid(), getegid(),
		getegid() };
	if (!out->root)
		return 0;
	owner = user(c->p.mail_owner);
	setgid = group(c->p.setgid_group);
	if (!owner || owner->pw_uid == 0 || !setgid) {
		why_set(why, "4.3.5",
			"parameter %s: no such %s: " STR_FMT
			"; create it (make install-users) or name another",
			setgid ? "mail_owner" : "setgid_group",
			setgid ? "unprivileged user" : "group",
			STR_ARG(setgid ? c->p.mail_owner : c->p.setgid_group));
		return -1;
	}
	out->mail_owner = owner->pw_uid;
	out->mail_group = owner->pw_gid;
	out->setgid_group = setgid->gr_gid;
	return 0;
}

/* ---- directories ---- */

static void
path_of(const struct conf *c, const struct instance_directory *d, struct buf *out)
{
	buf_clear(out);
	buf_add(out, d->name ? c->p.queue_directory : c->p.data_directory);
	if (d->name && d->name[0])
		buf_printf(out, "/%s", d->name);
}

static uid_t
owner_of(const struct instance_directory *d, const struct instance_owners *owners)
{
	return d->root && owners->root ? 0 : owners->mail_owner;
}

/* Directories above queue_directory that are missing: root's, searchable by all. */
static int
make_parents(const char *path)
{
	char *copy = strdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
			free(copy);
			return -1;
		}
		*slash = '/';
	}
	free(copy);
	return 0;
}

static int
set_rights(const char *path, const struct instance_directory *d,
	const struct instance_owners *owners)
{
	gid_t gid = d->setgid ? owners->setgid_group
		    : d->root ? getegid()
			      : owners->mail_group;

	if (owners->root && lchown(path, owner_of(d, owners), gid) < 0)
		return -1;
	return chmod(path, d->mode);
}

static int
make(const char *path, const struct instance_directory *d,
	const struct instance_owners *owners)
{
	struct stat st;

	if (lstat(path, &st) == 0) {
		errno = ENOTDIR;
		return S_ISDIR(st.st_mode) ? 0 : -1;
	}
	if (make_parents(path) < 0 || mkdir(path, 0700) < 0 ||
		set_rights(path, d, owners) < 0)
		return -1;
	log_info("creating missing directory %s, mode %03o", path, (unsigned)d->mode);
	return 0;
}

static int
each_directory(const struct conf *c, const struct instance_owners *owners,
	int (*fn)(const char *, const struct instance_directory *,
		const struct instance_owners *),
	struct why *why)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(instance_directories); i++) {
		path_of(c, &instance_directories[i], &path);
		if (fn(buf_cstr(&path), &instance_directories[i], owners) < 0) {
			why_errno(why, "4.3.0", buf_cstr(&path));
			return -1;
		}
	}
	return 0;
}

int
instance_make_directories(
	const struct conf *c, const struct instance_owners *owners, struct why *why)
{
	return each_directory(c, owners, make, why);
}

int
instance_repair_directories(
	const struct conf *c, const struct instance_owners *owners, struct why *why)
{
	return each_directory(c, owners, set_rights, why);
}

/* Debian's maildrop has the sticky bit, and a directory may be closed further than it
 * need be; what matters is who can get in. */
static void
check(const char *path, const struct instance_directory *d,
	const struct instance_owners *owners, struct conf_issues *found)
{
	static const char remedy[] = "postern set-permissions";
	struct str file = str_c(path);
	struct stat st;

	if (lstat(path, &st) < 0) {
		conf_issue(found, false, file, 0, STR_NONE, "postern check makes it",
			"%s: %s", path, strerror(errno));
		return;
	}
	if (st.st_uid != owner_of(d, owners))
		conf_issue(found, false, file, 0, STR_NONE, remedy, "not owned by %s: %s",
			d->root && owners->root ? "root" : "the mail owner", path);
	if (st.st_mode & 07777 & ~(d->mode | S_ISVTX))
		conf_issue(found, false, file, 0, STR_NONE, remedy,
			"mode %04o of %s allows more than %04o",
			(unsigned)st.st_mode & 07777, path, (unsigned)d->mode);
	if (d->setgid && owners->root && st.st_gid != owners->setgid_group)
		conf_issue(found, false, file, 0, STR_NONE, remedy,
			"not owned by group setgid_group: %s", path);
}

void
instance_check_directories(const struct conf *c, const struct instance_owners *owners,
	struct conf_issues *found)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(instance_directories); i++) {
		path_of(c, &instance_directories[i], &path);
		check(buf_cstr(&path), &instance_directories[i], owners, found);
	}
}

/* ---- the lock ---- */

static int pid_file = -1, data_lock = -1;

static void
pid_path(const struct conf *c, const char *name, struct buf *path)
{
	buf_add(path, c->p.queue_directory);
	buf_addc(path, '/');
	buf_add(path, c->p.process_id_directory);
	buf_addz(path, name);
}

static int
pid_open(const struct conf *c, int flags)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	pid_path(c, "/master.pid", &path);
	return open(buf_cstr(&path), flags | O_CLOEXEC | O_NOFOLLOW, 0644);
}

pid_t
instance_master(const struct conf *c)
{
	int fd CLEANUP(fd_close) = pid_open(c, O_RDONLY);
	char text[64];
	ssize_t got;
	long pid;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK || (got = read(fd, text, sizeof(text))) < 0)
		return -1;
	if (str_to_long(str_trim(str_of(text, (size_t)got)), &pid) == 0 && pid > 0)
		return (pid_t)pid;
	errno = EAGAIN; /* locked, not yet written: it is starting */
	return -1;
}

static int
lock_data(const struct conf *c, const struct instance_owners *owners)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	buf_add(&path, c->p.data_directory);
	buf_addz(&path, "/master.lock");
	data_lock =
		open(buf_cstr(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (data_lock < 0 || flock(data_lock, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return owners->root ? fchown(data_lock, owners->mail_owner, owners->mail_group)
			    : 0;
}

void
instance_lock_descriptors(int out[2])
{
	out[0] = pid_file;
	out[1] = data_lock;
}

void
instance_lock_adopt(const int fds[2])
{
	pid_file = fds[0];
	data_lock = fds[1];
}

int
instance_lock(const struct conf *c, const struct instance_owners *owners, struct why *why)
{
	pid_file = pid_open(c, O_RDWR | O_CREAT);
	if (pid_file < 0) {
		why_errno(why, "4.3.0", "master.pid");
		return -1;
	}
	if (flock(pid_file, LOCK_EX | LOCK_NB) < 0) {
		why_set(why, "4.3.0", "the Postfix mail system is already running");
		return -1;
	}
	if (lock_data(c, owners) < 0) {
		why_set(why, "4.3.0",
			"master.lock in " STR_FMT ": %s; another instance must have a "
			"data_directory of its own",
			STR_ARG(c->p.data_directory), strerror(errno));
		return -1;
	}
	return 0;
}

int
instance_write_pid(struct why *why)
{
	char text[40];
	int len = snprintf(text, sizeof(text), "%32ld\n", (long)getpid());

	if (ftruncate(pid_file, 0) == 0 && pwrite(pid_file, text, (size_t)len, 0) == len)
		return 0;
	why_errno(why, "4.3.0", "writing master.pid");
	return -1;
}

/* ---- what to reload ---- */

#define RELOAD_MOST 65536 /* octets of names that are read */
/* In front of a table; services have no blanks. */
#define RELOAD_TABLE "table "

int
instance_ask_reload(const struct conf *c, const struct instance_reload *what)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	if (what->all)
		buf_addz(&text, "*\n");
	for (size_t i = 0; i < what->services.n; i++)
		buf_printf(&text, STR_FMT "\n", STR_ARG(what->services.items[i]));
	for (size_t i = 0; i < what->tables.n; i++)
		buf_printf(
			&text, RELOAD_TABLE STR_FMT "\n", STR_ARG(what->tables.items[i]));
	pid_path(c, "/reload", &path);
	fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		0600);
	return fd < 0 ? -1 : write_all(fd, buf_str(&text));
}

/* The file is moved away first: who asks from now on makes a new one, and sends a signal
 * of his own. */
static bool
take_rows(const struct conf *c, struct buf *out)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct buf taken CLEANUP(buf_free) = BUF_INIT;
	bool got;

	pid_path(c, "/reload", &path);
	pid_path(c, "/reload.taken", &taken);
	if (rename(buf_cstr(&path), buf_cstr(&taken)) < 0)
		return false;
	got = read_file(buf_cstr(&taken), RELOAD_MOST, out) == 0;
	unlink(buf_cstr(&taken));
	return got;
}

void
instance_take_reload(
	const struct conf *c, struct arena *arena, struct instance_reload *out)
{
	struct buf rows CLEANUP(buf_free) = BUF_INIT;
	struct str rest, row;
	size_t most;

	*out = (struct instance_reload){ .all = !take_rows(c, &rows) };
	rest = arena_str(arena, buf_str(&rows));
	most = rest.len / 2 + 1; /* a row has two octets at least, or says nothing */
	out->services.items = arena_alloc(arena, most * sizeof(row));
	out->tables.items = arena_alloc(arena, most * sizeof(row));
	while (str_split(&rest, '\n', &row))
		if (str_is(row, "*"))
			out->all = true;
		else if (str_starts(row, STR(RELOAD_TABLE)))
			out->tables.items[out->tables.n++] =
				str_from(row, strlen(RELOAD_TABLE));
		else if (row.len > 0)
			out->services.items[out->services.n++] = row;
}
