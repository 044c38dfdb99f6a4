/* reader.c -- see reader.h. */
#include "reader.h"
#include "dict.h"
#include "event.h"
#include "ipc.h"
#include "log.h"
#include "service.h"
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_MOST (64 * 1024 * 1024) /* octets of a file, or of a table's copy */
#define PATIENCE     ((msec_t)20000)

struct record {
	uint32_t kind;
	int32_t error; /* of an answer: errno, or 0 */
	uint64_t stamp;
	char name[READER_NAME + 1];
};

/* ---- the child: what may be read ---- */

static const char *const parameters[] = { "smtpd_tls_chain_files", "smtpd_tls_cert_file",
	"smtpd_tls_key_file", "smtpd_tls_eccert_file", "smtpd_tls_eckey_file",
	"smtpd_tls_dcert_file", "smtpd_tls_dkey_file", "postscreen_tls_chain_files",
	"postscreen_tls_cert_file", "postscreen_tls_key_file",
	"postscreen_tls_eccert_file", "postscreen_tls_eckey_file",
	"postscreen_tls_dcert_file", "postscreen_tls_dkey_file", "tls_server_sni_maps" };

static struct {
	char *directory;
	struct map *names; /* -> itself */
	uint64_t stamp;    /* of main.cf and master.cf, as they were read */
} named;

static uint64_t
mix(uint64_t stamp, uint64_t value)
{
	return (stamp ^ value) * UINT64_C(0x9e3779b97f4a7c15) + (stamp >> 29);
}

static uint64_t
stamp_of(const struct stat *st)
{
	uint64_t stamp = mix(st->st_dev, st->st_ino);

	stamp = mix(stamp, (uint64_t)st->st_size);
	stamp = mix(stamp, (uint64_t)st->st_mtim.tv_sec);
	stamp = mix(stamp, (uint64_t)st->st_mtim.tv_nsec);
	stamp = mix(stamp, (uint64_t)st->st_ctim.tv_sec);
	return mix(stamp, (uint64_t)st->st_ctim.tv_nsec) | 1;
}

static uint64_t
configuration_stamp(void)
{
	static const char *const files[] = { "main.cf", "master.cf" };
	uint64_t stamp = 1;

	for (size_t i = 0; i < COUNT(files); i++) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;
		struct stat st;

		buf_printf(&path, "%s/%s", named.directory, files[i]);
		if (stat(buf_cstr(&path), &st) == 0)
			stamp = mix(stamp, stamp_of(&st));
	}
	return stamp;
}

static void
add_names(const struct conf *c)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	for (size_t i = 0; i < COUNT(parameters); i++) {
		struct strs items = conf_list(conf_value(c, parameters[i]), arena);

		for (size_t j = 0; j < items.n; j++)
			map_set(named.names, items.items[j], &named);
	}
}

static void
add_service(const struct service_line *s)
{
	struct conf_issues issues;
	struct conf *own;

	if (s->overrides.n == 0)
		return;
	conf_issues_init(&issues);
	own = conf_load(named.directory, s->name, &s->overrides, &issues);
	conf_issues_free(&issues); /* the service itself complains */
	if (own) {
		add_names(own);
		conf_free(own);
	}
}

/* Mistakes are told by master: what cannot be read names nothing. */
static void
read_names(void)
{
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	c = conf_load(named.directory, STR_NONE, NULL, &issues);
	if (c) {
		struct master_conf *m = master_conf_load(named.directory, c, &issues);

		map_free(named.names);
		named.names = map_new();
		add_names(c);
		for (size_t i = 0; m && i < m->services.n; i++)
			add_service(&m->services.items[i]);
		if (m)
			master_conf_free(m);
		conf_free(c);
	}
	conf_issues_free(&issues);
}

static bool
is_named(struct str name)
{
	uint64_t stamp;

	if (map_get(named.names, name))
		return true;
	stamp = configuration_stamp();
	if (stamp == named.stamp)
		return false;
	named.stamp = stamp;
	conf_accepted_drop(); /* there was a reload */
	read_names();
	return map_get(named.names, name) != NULL;
}

/* ---- the child: reading ---- */

/* A descriptor, or -1 and errno: EALREADY for one that the asker knows. */
static int
open_file(const char *path, uint64_t *stamp)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	uint64_t now;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CONTENT_MOST) {
		now = stamp_of(&st);
		errno = EALREADY;
		if (now != *stamp) {
			*stamp = now;
			return fd;
		}
	} else {
		errno = EFBIG;
	}
	fd_close(&fd);
	return -1;
}

static void
add_stamp(const char *path, void *arg)
{
	uint64_t *stamp = arg;
	struct stat st;

	if (stat(path, &st) == 0)
		*stamp = mix(*stamp, stamp_of(&st));
}

/* The places of a table are directories: the files that its types make of its name. */
static uint64_t
table_stamp(struct str spec)
{
	static const char *const suffixes[] = { "", ".db", ".lmdb", ".cdb" };
	struct str rest = spec, type;
	uint64_t stamp = 1;

	if (!str_split(&rest, ':', &type))
		return 1;
	for (size_t i = 0; i < COUNT(suffixes); i++) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;

		buf_add(&path, rest);
		buf_addz(&path, suffixes[i]);
		if (str_chr(buf_str(&path), 0) < 0)
			add_stamp(buf_cstr(&path), &stamp);
	}
	return stamp | 1;
}

struct copying {
	struct buf *out;
	bool files; /* values name files, as in the source that postmap -F reads */
	bool bad;
};

/* What postmap -F would have done. */
static bool
add_files(struct str list, struct buf *out)
{
	struct buf pem CLEANUP(buf_wipe) = BUF_INIT;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct strs files = conf_list(list, arena);

	for (size_t i = 0; i < files.n; i++) {
		const char *path = arena_cstr(arena, files.items[i]);

		if (!path || read_file(path, CONTENT_MOST, &pem) < 0)
			return false;
	}
	base64_encode(buf_str(&pem), out);
	return true;
}

static bool
copy_entry(struct str key, struct str value, void *arg)
{
	struct copying *to = arg;
	struct buf encoded CLEANUP(buf_wipe) = BUF_INIT;

	if (to->files) {
		if (!add_files(value, &encoded))
			log_warn("tls_server_sni_maps: the files for " STR_FMT ": %m",
				STR_ARG(key));
		value = buf_str(&encoded);
	}
	ipc_put_str(to->out, key);
	ipc_put_str(to->out, value);
	to->bad = to->out->len > CONTENT_MOST;
	return !to->bad;
}

static int
open_table(struct str spec, uint64_t *stamp, const struct conf *c)
{
	struct buf copy CLEANUP(buf_wipe) = BUF_INIT;
	struct copying to = { .out = &copy };
	uint64_t now = table_stamp(spec);
	struct why why;
	struct dict *d;
	int result;

	errno = EALREADY;
	if (now == *stamp)
		return -1;
	to.files = str_starts(spec, STR("texthash:")) || str_starts(spec, STR("inline:"));
	d = dict_open(spec, DICT_FOLD, c, &why);
	errno = ENOTSUP;
	if (!d)
		return -1;
	result = why.code[0] ? -1 : dict_each(d, copy_entry, &to);
	dict_close(d);
	errno = why.code[0] ? EIO : to.bad ? EFBIG : ENOTSUP;
	if (result < 0 || to.bad)
		return -1;
	*stamp = now;
	return memfd_sealed("sni", buf_str(&copy));
}

static int
answer(struct record *r, const struct conf *c)
{
	struct str name;
	int fd = -1;

	r->name[READER_NAME] = '\0';
	name = str_c(r->name);
	errno = EPERM;
	if (is_named(name))
		fd = r->kind == READER_TABLE ? open_table(name, &r->stamp, c)
					     : open_file(r->name, &r->stamp);
	r->error = fd < 0 ? errno_of_failure() : 0;
	return fd;
}

NORETURN static void
reader_main(int sock, const struct conf *c)
{
	static struct record r;
	struct why why;
	int fd;

	event_after_fork();
	read_names();
	named.stamp = configuration_stamp();
	conf_enter_jail();
	if (sandbox_enter("reader", SANDBOX_KEYS, 0, 0, c, &why) < 0)
		log_fatal("reader: %s", why.text);
	for (;;) {
		struct pollfd wait = { .fd = sock, .events = POLLIN };
		int got;

		if (poll(&wait, 1, -1) < 0)
			continue;
		got = record_receive(sock, &r, sizeof(r), &fd);
		fd_close(&fd);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EPROTO))
			_exit(0); /* tlsmgr has left */
		if (got < 0)
			continue;
		fd = answer(&r, c);
		if (record_send(sock, &r, sizeof(r), fd) < 0)
			log_warn("reader: %m");
		fd_close(&fd);
		log_flush();
	}
}

/* ---- tlsmgr ---- */

static struct io reader = { .fd = -1 };
static int reader_fd = -1;
static struct co_queue turn;
static bool asking;

void
reader_start(const struct conf *c)
{
	int pair[2];
	pid_t pid;

	named.names = map_new();
	named.directory = strdup(conf_directory(NULL));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		log_fatal("reader: socketpair: %m");
	log_flush();
	pid = fork();
	if (pid < 0)
		log_fatal("reader: fork: %m");
	if (pid == 0) {
		service_keep_only(pair[1]);
		reader_main(pair[1], c);
	}
	close(pair[1]);
	reader_fd = pair[0];
}

static int
receive(struct record *r, int *fd)
{
	for (;;) {
		int got = record_receive(reader.fd, r, sizeof(*r), fd);

		if (got > 0)
			return 0;
		if (got == 0)
			errno = ECONNRESET;
		if (got == 0 || errno != EAGAIN)
			return -1;
		reader.readable = false;
		if (io_wait_read(&reader, deadline_in(PATIENCE)) < 0)
			return -1;
	}
}

static int
exchange(struct record *r, int *fd)
{
	if (reader.fd < 0 && io_open(&reader, reader_fd) < 0)
		return -1;
	if (record_send(reader.fd, r, sizeof(*r), -1) < 0 || receive(r, fd) < 0) {
		/* Without its reader it has the keys it has; a fresh one has both. */
		if (errno != EAGAIN)
			service_retire("its reader of keys is gone");
		return -1;
	}
	if (r->error == 0 && *fd >= 0)
		return 1;
	errno = r->error ? r->error : EPROTO;
	return errno == EALREADY ? 0 : -1;
}

static int
read_all(int fd, struct buf *out)
{
	ssize_t got;

	do {
		buf_need(out, 65536);
		got = pread(fd, out->data + out->len, 65536, (off_t)out->len);
		out->len += got > 0 ? (size_t)got : 0;
	} while (got > 0 && out->len <= CONTENT_MOST);
	return got < 0 ? -1 : 0;
}

SWITCHES int
reader_get(enum reader_kind kind, struct str name, uint64_t *stamp, struct buf *out)
{
	struct record *r;
	int fd CLEANUP(fd_close) = -1;
	int result;

	errno = ENAMETOOLONG;
	if (name.len == 0 || name.len > READER_NAME || str_chr(name, 0) >= 0)
		return -1;
	while (asking)
		if (co_wait(&turn, deadline_in(PATIENCE)) < 0)
			return -1;
	asking = true;
	r = mem_alloc(sizeof(*r));
	r->kind = kind;
	r->stamp = *stamp;
	memcpy(r->name, name.data, name.len);
	co_shield(1);
	result = exchange(r, &fd);
	co_shield(-1);
	if (result == 1 && read_all(fd, out) < 0)
		result = -1;
	if (result == 1)
		*stamp = r->stamp;
	asking = false;
	co_wake_one(&turn);
	mem_free(r);
	return result;
}
