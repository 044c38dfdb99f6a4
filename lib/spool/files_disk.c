/* files_disk.c -- the files engine's work on the disk, in its thread and in the keeper's.
 *
 * New mail: all files of a batch are written under a name of no message and synced, then
 * renamed, then their directories are synced: no message is ever half there. A few files
 * are synced each for itself, many by one syncfs(), and one of them by fsync() behind it:
 * syncfs() need not flush the disk's cache where the journal has nothing to write, which
 * on XFS happens to data within a size that is on disk already; fsync() of a file always
 * does.
 */
#include "files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FEW = 3,
	RESERVE_FILE = 1 << 20,
	RESERVE_PIECE = 64 << 10,
	STATES_LIMIT = 1 << 30, /* of one message */
};
#define RESERVE_NAME "reserve"

/* ---- syncing ---- */
static int
sync_one(const struct spool *s, int fd)
{
	if (s->o.broken_no_flush)
		return 0;
	return (s->o.sync ? s->o.sync : fsync)(fd);
}

static int
sync_all(const struct spool *s)
{
	if (s->o.broken_no_flush)
		return 0;
	return (s->o.sync ? s->o.sync : syncfs)(s->files->dir);
}

/* The directories that a batch changed. */
struct touched {
	bool is[256];
	unsigned n;
};

static void
touch(struct touched *t, uint64_t mid)
{
	t->n += !t->is[mid & 0xff];
	t->is[mid & 0xff] = true;
}

static int
sync_touched(const struct spool *s, const struct touched *t)
{
	if (t->n > FEW)
		return sync_all(s);
	for (unsigned i = 0; i < 256 && t->n; i++) {
		char name[4];
		int fd CLEANUP(fd_close) = -1;

		if (!t->is[i])
			continue;
		snprintf(name, sizeof(name), "%02x", i);
		fd = openat(s->files->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || sync_one(s, fd) < 0)
			return -1;
	}
	return 0;
}

/* ---- new mail ---- */
static int
write_new(const struct spool *s, struct file_put *p)
{
	char path[FILE_PATH];

	file_path(path, p->mid, ".tmp");
	p->fd = openat(s->files->dir, path,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return p->fd < 0 ? -1 : write_at(p->fd, buf_str(&p->bytes), 0);
}

static int
sync_new(struct file_job *k)
{
	bool many = k->puts.n > FEW;

	if (many && sync_all(k->s) < 0)
		return -1;
	for (size_t i = 0; i < (many ? 1 : k->puts.n); i++)
		if (sync_one(k->s, k->puts.items[i]->fd) < 0)
			return -1;
	return 0;
}

static int
name_new(struct file_job *k, struct touched *t)
{
	for (size_t i = 0; i < k->puts.n; i++) {
		char tmp[FILE_PATH], path[FILE_PATH];
		uint64_t mid = k->puts.items[i]->mid;

		file_path(tmp, mid, ".tmp");
		file_path(path, mid, "");
		if (renameat(k->s->files->dir, tmp, k->s->files->dir, path) < 0)
			return -1;
		touch(t, mid);
	}
	return sync_touched(k->s, t);
}

/* Their senders hear that they were not taken: nothing of them may be there later. */
static void
remove_new(struct file_job *k)
{
	struct touched t = { .n = 0 };

	for (size_t i = 0; i < k->puts.n; i++) {
		char path[FILE_PATH];
		uint64_t mid = k->puts.items[i]->mid;

		file_path(path, mid, ".tmp");
		unlinkat(k->s->files->dir, path, 0);
		file_path(path, mid, "");
		if (unlinkat(k->s->files->dir, path, 0) < 0 && errno != ENOENT)
			log_error("spool: %s/%s was refused to its sender and cannot be "
				  "removed: %s",
				FILES_DIRECTORY, path, strerror(errno));
		touch(&t, mid);
	}
	(void)sync_touched(k->s, &t);
}

static void
store_puts(struct file_job *k)
{
	struct touched t = { .n = 0 };
	int error = 0;

	if (k->s->o.broken_order)
		usleep(20000);
	for (size_t i = 0; i < k->puts.n && !error; i++)
		if (write_new(k->s, k->puts.items[i]) < 0)
			error = errno;
	if (!error && (sync_new(k) < 0 || name_new(k, &t) < 0))
		error = errno;
	for (size_t i = 0; i < k->puts.n; i++)
		fd_close(&k->puts.items[i]->fd);
	if (error)
		remove_new(k);
	k->put_error = error;
}

/* ---- states ---- */
static int
sync_dirty(struct file_job *k)
{
	bool many = k->dirty.n > FEW;

	if (many && sync_all(k->s) < 0)
		return -1;
	for (size_t i = 0; i < k->dirty.n; i++) {
		char path[FILE_PATH];
		int fd CLEANUP(fd_close) = -1;

		file_path(path, k->dirty.items[i], "");
		fd = openat(k->s->files->dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno == ENOENT)
			continue; /* removed by hand, which was said when it was written
				   */
		if (fd < 0 || sync_one(k->s, fd) < 0)
			return -1;
		if (many)
			break;
	}
	return 0;
}

static int
remove_ended(struct file_job *k)
{
	struct touched t = { .n = 0 };
	int error = 0;

	for (size_t i = 0; i < k->ended.n; i++) {
		char path[FILE_PATH];

		file_path(path, k->ended.items[i], "");
		if (unlinkat(k->s->files->dir, path, 0) < 0 && errno != ENOENT)
			error = errno;
		touch(&t, k->ended.items[i]);
	}
	if (sync_touched(k->s, &t) < 0 && !error)
		error = errno;
	for (size_t i = 0; i < k->ended_bodies.n && !error; i++) {
		char name[32];

		body_name(name, k->ended_bodies.items[i]);
		unlinkat(k->s->bodies, name, 0);
	}
	return error;
}

/* ---- writing a file anew: its states are packed, or the old one cannot be trusted ----
 */
struct packing {
	struct arena *arena;
	VEC(struct str) all;
	VEC(struct spool_state) states;
	bool newer; /* one that this program cannot read: nothing is left out */
};

static void
pack_state(void *arg, struct str bytes)
{
	struct packing *p = arg;

	*vec_push(&p->all) = bytes;
	if (spool_state_get(bytes, vec_push(&p->states), p->arena) < 0)
		p->newer = true;
}

/* What was flushed of its states, from the file, and what was not. */
static void
pack_states(
	struct packing *p, const struct file_rewrite *w, struct str area, struct buf *out)
{
	struct file_walk walk = { .state = pack_state, .arg = p };
	size_t *kept, n;

	file_walk(area, w->places.begin, w->mid, &walk);
	for (size_t i = 0; i < w->states.n; i++)
		pack_state(p, w->states.items[i]);
	kept = arena_alloc(p->arena, (p->all.n + 1) * sizeof(*kept));
	for (n = 0; n < p->all.n; n++)
		kept[n] = n;
	if (!p->newer)
		n = states_merge(
			p->states.items, p->all.n, w->recipients, p->arena, kept);
	for (size_t i = 0; i < n; i++) {
		struct str state = p->all.items[kept[i]];
		octets_t at = file_state_place(w->places.begin + out->len, state.len);

		while (out->len < (size_t)(at - w->places.begin))
			buf_addc(out, '\0');
		file_state_put(out, w->mid, at, w->places.begin, (uint32_t)i, state);
	}
}

static int
copy_with(struct file_job *k, const struct file_rewrite *w, const char *bytes,
	struct buf *states)
{
	char tmp[FILE_PATH], path[FILE_PATH];
	int fd CLEANUP(fd_close) = -1;
	struct touched t = { .n = 0 };
	int dir = k->s->files->dir;

	file_path(tmp, w->mid, ".tmp");
	file_path(path, w->mid, "");
	touch(&t, w->mid);
	unlinkat(dir, tmp, 0);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	buf_need(states, FILE_SPARE);
	memset(states->data + states->len, 0, FILE_SPARE);
	if (write_at(fd, str_of(bytes, (size_t)w->places.begin), 0) < 0 ||
		write_at(fd, str_of(states->data, states->len + FILE_SPARE),
			w->places.begin) < 0 ||
		sync_one(k->s, fd) < 0 || renameat(dir, tmp, dir, path) < 0) {
		int error = errno;

		unlinkat(dir, tmp, 0);
		errno = error;
		return -1;
	}
	return sync_touched(k->s, &t);
}

static void
rewrite(struct file_job *k, struct file_rewrite *w)
{
	struct packing p = { .arena = arena_new() };
	struct buf states CLEANUP(buf_free) = BUF_INIT;
	char path[FILE_PATH], *bytes;
	int fd CLEANUP(fd_close) = -1;
	size_t len = (size_t)w->places.durable;

	file_path(path, w->mid, "");
	fd = openat(k->s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bytes = arena_alloc(p.arena, len + 1);
	if (fd < 0 || read_at(fd, bytes, len, 0) < 0) {
		w->error = errno;
	} else {
		pack_states(&p, w,
			str_of(bytes + w->places.begin, len - (size_t)w->places.begin),
			&states);
		w->places.end = w->places.durable = w->places.begin + states.len;
		w->places.size = w->places.end + FILE_SPARE;
		w->places.records = 0;
		for (size_t at = 0; at + FILE_STATE <= states.len; at += FILE_ALIGN)
			if (memcmp(states.data + at, FILE_STATE_MARK,
				    FILE_STATE_MARK_SIZE) == 0)
				w->places.records = get_u32(states.data + at + 12) + 1;
		w->error = copy_with(k, w, bytes, &states) < 0 ? errno : 0;
	}
	vec_free(&p.all);
	vec_free(&p.states);
	arena_free(p.arena);
}

void
file_job_run(struct job *j)
{
	struct file_job *k = (struct file_job *)j;

	if (k->puts.n)
		store_puts(k);
	k->dirty_error = sync_dirty(k) < 0 ? errno : 0;
	if (k->ended.n)
		k->ended_error = remove_ended(k);
	for (size_t i = 0; i < k->rewrites.n; i++)
		rewrite(k, &k->rewrites.items[i]);
}

/* ---- the reserve: room for states on a disk that is full ---- */
int
reserve_make(int dir)
{
	int fd CLEANUP(fd_close) = openat(
		dir, RESERVE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char *zeroes CLEANUP(mem_free_at) = mem_alloc(RESERVE_PIECE);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	for (octets_t at = (octets_t)st.st_size; at < RESERVE_FILE; at += RESERVE_PIECE)
		if (write_at(fd, str_of(zeroes, RESERVE_PIECE), at) < 0)
			return -1;
	return st.st_size < RESERVE_FILE ? fsync(fd) : 0;
}

octets_t
reserve_size(int dir)
{
	struct stat st;

	return fstatat(dir, RESERVE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0
		       ? 0
		       : (octets_t)st.st_size;
}

int
reserve_use(int dir)
{
	int fd CLEANUP(fd_close) =
		openat(dir, RESERVE_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0 ||
		ftruncate(fd, MAX(st.st_size - RESERVE_PIECE, 0)) < 0)
		return -1;
	/* Freed blocks are free for others when the journal has it. */
	return fsync(fd);
}

/* ---- at start ---- */
void
files_names(struct spool *s,
	void (*fn)(struct spool *s, const char *path, uint64_t mid, void *arg), void *arg)
{
	for (unsigned i = 0; i < 256; i++) {
		char path[320];
		struct dirent *item;
		DIR *d;
		int fd;

		snprintf(path, sizeof(path), "%02x", i);
		fd = openat(s->files->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		d = fd < 0 ? NULL : fdopendir(fd);
		while (d && (item = readdir(d))) {
			if (item->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%02x/%s", i, item->d_name);
			fn(s, path, file_mid_of(item->d_name), arg);
		}
		if (d)
			closedir(d);
	}
}

struct looking {
	struct arena *arena;
	struct entry *e;
	bool finished, bad;
};

static void
apply_state(void *arg, struct str bytes)
{
	struct looking *l = arg;
	struct spool_state state;

	if (spool_state_get(bytes, &state, l->arena) < 0) {
		l->bad = true;
		return;
	}
	l->finished |= state.kind == SPOOL_FINISHED;
	entry_apply(l->e, state.kind, state.when_us);
}

/* A copy for the administrator, or the file itself. */
static void
keep_bad_file(struct spool *s, const char *path, bool itself)
{
	char name[64];
	int in CLEANUP(fd_close) = -1, out CLEANUP(fd_close) = -1;
	char piece[16 * 1024];
	ssize_t n;

	snprintf(name, sizeof(name), "file-%.40s", path + 3);
	if (s->read_only || s->corrupt < 0)
		return;
	if (itself) {
		if (renameat(s->files->dir, path, s->corrupt, name) < 0)
			log_error("spool: %s/%s cannot be moved to corrupt/: %s",
				FILES_DIRECTORY, path, strerror(errno));
		return;
	}
	in = openat(s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	out = openat(s->corrupt, name,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (in >= 0 && out >= 0 && (n = read(in, piece, sizeof(piece))) > 0)
		if (write_all(out, str_of(piece, (size_t)n)) < 0)
			break;
	if (out >= 0)
		(void)fsync(out);
}

static void
look_at_states(struct spool *s, int fd, octets_t size, const struct file_head *h,
	struct file_found *out)
{
	struct looking l = { .arena = arena_new(), .e = out->e };
	struct file_walk w = { .state = apply_state, .arg = &l };
	char path[FILE_PATH];
	size_t len = size > h->states
			     ? (size_t)MIN(size - h->states, (octets_t)STATES_LIMIT)
			     : 0;
	char *area = arena_alloc(l.arena, len + 1);
	bool is_short = size < h->states || read_at(fd, area, len, h->states) < 0;

	file_walk(str_of(area, is_short ? 0 : len), h->states, h->mid, &w);
	out->finished = l.finished;
	out->again = w.torn && !l.finished;
	if ((is_short || w.damaged || l.bad) && !l.finished) {
		file_path(path, h->mid, "");
		keep_bad_file(s, path, false);
		log_error(
			"spool: %s/%s: %s: states of the message are damaged; who had "
			"it already may not be known: it is held, a copy is in corrupt/",
			FILES_DIRECTORY, path, h->queue_id);
		out->again = !is_short;
		out->hold = true;
		s->damaged = true;
	}
	out->places = (struct file_places){
		.begin = h->states,
		.end = w.end,
		.durable = w.end,
		.size = size,
		.records = w.records,
	};
	arena_free(l.arena);
}

void
file_look(struct spool *s, uint64_t mid, struct file_found *out)
{
	char path[FILE_PATH], head[FILE_HEAD];
	struct file_head h;
	struct stat st;
	int fd CLEANUP(fd_close) = -1;

	*out = (struct file_found){ .e = NULL };
	file_path(path, mid, "");
	fd = openat(s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || read_at(fd, head, sizeof(head), 0) < 0 ||
		file_head_get(head, &h) < 0 || h.mid != mid) {
		log_error("spool: %s/%s: the head of the message is damaged; it is moved "
			  "to "
			  "corrupt/",
			FILES_DIRECTORY, path);
		keep_bad_file(s, path, true);
		s->damaged = true;
		return;
	}
	out->e = entry_new(h.queue_id);
	out->e->mid = mid;
	out->e->flags = h.hold ? ENTRY_HOLD | ENTRY_HELD_AT_FIRST : 0;
	out->e->recipients = h.recipients;
	out->e->size = h.size;
	out->e->arrival_us = h.arrival_us;
	out->e->body = h.body;
	look_at_states(s, fd, (octets_t)st.st_size, &h, out);
}
