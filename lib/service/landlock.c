/* landlock.c -- files by directory, TCP ports, signals and abstract sockets, as far as
 * the running kernel's Landlock goes (landlock(7)). Rules are on directories: one on a
 * file would die with the rename of postmap. */
#include "config.h"
#include "sandbox_internal.h"
#include "log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's kernel headers end at version 2 of the interface, so it stands here. */
#define LL_WRITE_FILE     (UINT64_C(1) << 1)
#define LL_READ_FILE      (UINT64_C(1) << 2)
#define LL_READ_DIR       (UINT64_C(1) << 3)
#define LL_REMOVE_DIR     (UINT64_C(1) << 4)
#define LL_REMOVE_FILE    (UINT64_C(1) << 5)
#define LL_MAKE_DIR       (UINT64_C(1) << 7)
#define LL_MAKE_REG       (UINT64_C(1) << 8)
#define LL_REFER          (UINT64_C(1) << 13)
#define LL_TRUNCATE       (UINT64_C(1) << 14)
#define LL_NET_BIND       (UINT64_C(1) << 0)
#define LL_NET_CONNECT    (UINT64_C(1) << 1)
#define LL_SCOPE_ABSTRACT (UINT64_C(1) << 0)
#define LL_SCOPE_SIGNAL   (UINT64_C(1) << 1)
#define LL_RULE_PATH      1
#define LL_RULE_NET       2
#define LL_VERSION        1 /* flag of landlock_create_ruleset */

#define LL_READ (LL_READ_FILE | LL_READ_DIR)
#define LL_WRITE \
	(LL_READ | LL_WRITE_FILE | LL_REMOVE_DIR | LL_REMOVE_FILE | LL_MAKE_DIR | \
		LL_MAKE_REG | LL_REFER | LL_TRUNCATE)

struct ruleset_attr {
	uint64_t files, net, scope;
};
struct path_attr {
	uint64_t rights;
	int32_t fd;
} __attribute__((packed));
struct port_attr {
	uint64_t rights, port;
};

int
landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_VERSION);

	return version > 0 ? (int)version : 0;
}

/* What each version added; the kernel refuses rights it does not know. */
static struct ruleset_attr
known_rights(int version)
{
	static const int last_file_right[] = { 0, 12, 13, 14, 14, 15 };
	int last = last_file_right[MIN(version, 5)];

	return (struct ruleset_attr){
		.files = (UINT64_C(2) << last) - 1,
		.net = version >= 4 ? LL_NET_BIND | LL_NET_CONNECT : 0,
		.scope = version >= 6 ? LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL : 0,
	};
}

/* ---- the directories of service_allow_read() and service_allow_write() ---- */

static struct {
	VEC(char *) read, write;
} extra;

void
service_allow_read(const char *directory)
{
	*vec_push(&extra.read) = strdup(directory);
}

static void
allow_read_once(const char *directory)
{
	for (size_t i = 0; i < extra.read.n; i++)
		if (strcmp(extra.read.items[i], directory) == 0)
			return;
	service_allow_read(directory);
}

void
service_allow_read_links(const char *directory)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;

	allow_read_once(directory);
	while (d && (entry = readdir(d))) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;
		char *leads_to, *slash;

		buf_printf(&path, "%s/%s", directory, entry->d_name);
		leads_to =
			entry->d_type == DT_LNK ? realpath(buf_cstr(&path), NULL) : NULL;
		slash = leads_to ? strrchr(leads_to, '/') : NULL;
		if (slash && slash != leads_to) {
			*slash = '\0';
			allow_read_once(leads_to);
		}
		free(leads_to);
	}
	if (d)
		closedir(d);
}

void
service_allow_write(const char *directory)
{
	*vec_push(&extra.write) = strdup(directory);
}

void
service_allow_write_of(struct str path)
{
	struct buf directory CLEANUP(buf_free) = BUF_INIT;
	ssize_t slash = str_rchr(path, '/');

	if (slash <= 0)
		return;
	buf_add(&directory, str_sub(path, 0, (size_t)slash));
	service_allow_write(buf_cstr(&directory));
}

/* ---- rules ---- */

struct rules {
	int fd;
	uint64_t handled; /* file rights that the ruleset speaks of */
};

/* A directory that is not there needs no rule. A file gets those rights that fit a file.
 */
static int
allow(struct rules *r, const char *path, uint64_t rights)
{
	struct path_attr rule = { .rights = rights & r->handled };
	int fd CLEANUP(fd_close) = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -1;
	rule.fd = fd;
	if (syscall(SYS_landlock_add_rule, r->fd, LL_RULE_PATH, &rule, 0) == 0)
		return 0;
	rule.rights &= LL_READ_FILE | LL_WRITE_FILE | LL_TRUNCATE;
	return (int)syscall(SYS_landlock_add_rule, r->fd, LL_RULE_PATH, &rule, 0);
}

static int
allow_below(struct rules *r, struct str directory, const char *name, uint64_t rights)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	buf_add(&path, directory);
	buf_addc(&path, '/');
	buf_addz(&path, name);
	return allow(r, buf_cstr(&path), rights);
}

/* Each bit's places: `below` is relative to the queue directory unless it starts with /.
 */
static const struct {
	unsigned bits;
	const char *below;
	uint64_t rights;
} places[] = {
	{ SANDBOX_SPOOL_READ, "log", LL_READ },
	{ SANDBOX_SPOOL_READ, "corrupt", LL_READ },
	{ SANDBOX_SPOOL_WRITE, "log", LL_WRITE },
	{ SANDBOX_SPOOL_WRITE, "corrupt", LL_WRITE },
	{ SANDBOX_MAILDROP, "maildrop", LL_WRITE },
	{ SANDBOX_DNS_FILES, "/etc", LL_READ },
	{ SANDBOX_DNS_FILES, "/run/systemd/resolve", LL_READ },
	{ SANDBOX_DNS_FILES, "/run/resolvconf", LL_READ },
	{ SANDBOX_CLIENTS, "/etc", LL_READ },
	{ SANDBOX_CLIENTS, "/usr/lib", LL_READ },
	{ SANDBOX_CLIENTS, "/usr/share", LL_READ },
	{ SANDBOX_CLIENTS, "/lib", LL_READ },
	/* getpwnam and its modules. */
	{ SANDBOX_SPAWN, "/etc", LL_READ },
	{ SANDBOX_SPAWN, "/usr/lib", LL_READ },
	{ SANDBOX_SPAWN, "/lib", LL_READ },
	{ SANDBOX_SPAWN, "/dev/null", LL_READ_FILE | LL_WRITE_FILE },
	/* Which files, it knows from the configuration. */
	{ SANDBOX_KEYS, "/", LL_READ },
#ifdef SANITIZED
	/* The leak check reads the process's own maps, the report its symbols. */
	{ ~0U, "/", LL_READ },
#endif
};

static int
allow_places(struct rules *r, unsigned what, const struct conf *c)
{
	int bad = 0;

	for (size_t i = 0; i < COUNT(places); i++) {
		if (!(places[i].bits & what) && places[i].bits != ~0U)
			continue;
		if (places[i].below[0] == '/')
			bad |= allow(r, places[i].below, places[i].rights);
		else
			bad |= allow_below(r, c->p.queue_directory, places[i].below,
				places[i].rights);
	}
	if (what & SANDBOX_TABLES)
		bad |= allow_below(r, c->directory, ".", LL_READ);
	for (size_t i = 0; i < extra.read.n; i++)
		bad |= allow(r, extra.read.items[i], LL_READ);
	for (size_t i = 0; i < extra.write.n; i++)
		bad |= allow(r, extra.write.items[i], LL_WRITE);
	/* A parent that did not say where mailboxes are leaves it to each child. */
	if (what & SANDBOX_SPAWN && extra.write.n == 0)
		bad |= allow(r, "/", LL_WRITE);
	return bad;
}

/* Where no inet socket can be made seccomp has said all there is to say about ports, and
 * the rule costs nothing. Clients may connect to any port, and bind a source address. */
static int
allow_ports(struct rules *r, unsigned what, uint64_t handled)
{
	struct port_attr any_source = { .rights = LL_NET_BIND, .port = 0 };

	if (!(what & SANDBOX_INTERNET) || !(handled & LL_NET_BIND))
		return 0;
	return (int)syscall(SYS_landlock_add_rule, r->fd, LL_RULE_NET, &any_source, 0);
}

int
landlock_enter(unsigned what, const struct conf *c)
{
	int version = landlock_version();
	struct ruleset_attr handled = known_rights(version);
	int fd CLEANUP(fd_close) = -1;
	struct rules rules;

	if (version == 0) {
		errno = ENOSYS;
		return -1;
	}
	if (what & (SANDBOX_INTERNET | SANDBOX_CONNECT_LOCAL))
		handled.net &= ~LL_NET_CONNECT;
	if (what & SANDBOX_CONNECT_LOCAL)
		handled.scope &= ~LL_SCOPE_ABSTRACT;
	fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (fd < 0)
		return -1;
	rules = (struct rules){ fd, handled.files };
	if (allow_places(&rules, what, c) < 0 ||
		allow_ports(&rules, what, handled.net) < 0)
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, fd, 0);
}
