/* queue_export.c -- gives our queue to a Postfix (postern export).
 *
 * As with postern import, nothing gets lost and nothing comes twice: a message's files
 * are made in exported/, where Postfix does not look; it ends in our log; its files move
 * to where Postfix finds them, the message last. Each step is on the disk before the
 * next. A later run makes anew what is still in our log, and moves the rest. On its way
 * there a message gets the name that Postfix wants of its file. */
#include "postern.h"
#include "drop.h"
#include "event.h"
#include "log.h"
#include "postfix_file.h"
#include "postfix_queue.h"
#include "queue_client.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 200 };

/* Where the parts of a message go, logs first. */
static const char *const folders[] = { "defer", "bounce", "trace", "deferred", "hold" };
enum { DEFER, BOUNCE, TRACE, DEFERRED, HOLD };

struct export
{
	const char *queue; /* Postfix's directory */
	int dir;
	int last; /* the message file written last, or -1 */
	struct arena *arena;
	struct spool *spool;
	struct spool_reader *reader;
	struct map *ours; /* queue ids */
	VEC(struct known *) all;
	/* Postfix's. */
	struct strs hashed; /* hash_queue_names */
	unsigned depth;
	bool long_names; /* enable_long_queue_ids */
	msec_t delay_warning;
	uid_t owner;
	gid_t group;
	struct co_queue changed;
	bool waiting;
	unsigned long given, held, local, bad;
};

/* A message of our log. */
struct known {
	uint64_t mid;
	bool hold;
	char queue_id[32];
};

/* Its files are being made. */
struct making {
	struct export *ex;
	struct arena *arena;
	struct spool_entry e;
	struct spool_content content;
	struct postfix_message m;
	const struct spool_state **reasons; /* for each recipient, or NULL */
	bool *owed;                         /* a notice of its end */
	VEC(struct spool_state) states;
	struct buf logs[3];
};

static bool
note(const struct spool_entry *e, void *arg)
{
	struct export *ex = arg;
	struct known *k = arena_alloc(ex->arena, sizeof(*k));

	k->mid = e->mid;
	k->hold = e->hold;
	memcpy(k->queue_id, e->queue_id, sizeof(k->queue_id));
	*vec_push(&ex->all) = k;
	map_set(ex->ours, str_c(k->queue_id), k);
	return true;
}

/* ---- what became of the recipients ---- */
static void
apply(struct making *g, size_t rcpt, const struct spool_state *s)
{
	switch (s->kind) {
	case SPOOL_DEFERRED:
		if (!g->m.done[rcpt])
			g->reasons[rcpt] = s;
		break;
	case SPOOL_DONE:
	case SPOOL_NOTIFIED:
		g->m.done[rcpt] = true;
		g->owed[rcpt] = false;
		break;
	case SPOOL_FAILED:
		g->owed[rcpt] = !g->m.done[rcpt] || g->owed[rcpt];
		g->m.done[rcpt] = true;
		g->reasons[rcpt] = s;
		break;
	case SPOOL_DELAY_SENT:
		g->m.delay_sent = true;
		break;
	default:
		break;
	}
}

static void
apply_all(struct making *g)
{
	size_t n = g->m.envelope.n_rcpts;

	for (size_t i = 0; i < g->states.n; i++) {
		const struct spool_state *s = &g->states.items[i];

		for (size_t r = 0; r < n && s->rcpts.len == 0; r++)
			apply(g, r, s);
		for (size_t at = 0; at + 4 <= s->rcpts.len; at += 4)
			if (get_u32(s->rcpts.data + at) < n)
				apply(g, get_u32(s->rcpts.data + at), s);
	}
	/* An alias that became others: nothing is delivered to it. */
	for (size_t r = 0; r < n; r++)
		if ((g->m.envelope.rcpts[r].notify & NOTIFY_EXPANDED) && !g->m.done[r])
			g->m.done[r] = g->owed[r] = true;
}

static int
making_read(struct making *g)
{
	int result = spool_read(
		g->ex->reader, g->e.mid, g->e.where, false, g->arena, &g->content);

	for (size_t i = 0; i < g->e.n_states && result == 0; i++) {
		struct spool_state *states;
		size_t n;

		result = spool_read_states(
			g->ex->reader, g->e.mid, g->e.states[i], g->arena, &states, &n);
		for (size_t j = 0; j < n && result == 0; j++)
			*vec_push(&g->states) = states[j];
	}
	if (result == 0)
		result = spool_body_check(&g->content);
	if (result == 0 &&
		(envelope_get(g->content.envelope, &g->m.envelope, g->arena) < 0 ||
			g->m.envelope.n_rcpts == 0)) {
		errno = EBADMSG;
		result = -1;
	}
	return result;
}

/* ---- the logs beside it ---- */
static void
log_rcpt(struct making *g, size_t rcpt)
{
	static const struct spool_state expanded = { .status = STR_INIT("2.0.0"),
		.reason = STR_INIT("alias expanded") };
	const struct rcpt *r = &g->m.envelope.rcpts[rcpt];
	const struct spool_state *s = g->reasons[rcpt] ? g->reasons[rcpt] : &expanded;
	struct dsn_detail detail = { .expanded = s == &expanded };
	struct postfix_outcome o = { .has_offset = true,
		.offset = g->m.offsets[rcpt],
		.recipient = r->address,
		.original = r->original,
		.orcpt = r->orcpt,
		.notify = r->notify & 15,
		.status = s->status,
		.reason = s->reason };
	unsigned which = DEFER;

	if (s->detail.len > 0 && dsn_detail_get(s->detail, &detail, g->arena) < 0)
		detail = (struct dsn_detail){ 0 };
	o.remote_mta = detail.remote_mta;
	o.diagnostic = detail.diagnostic;
	o.diagnostic_is_smtp = detail.diagnostic_is_smtp;
	o.action = STR("delayed");
	if (g->m.done[rcpt]) {
		which = str_starts(s->status, STR("2")) ? TRACE : BOUNCE;
		o.action = which == BOUNCE   ? STR("failed")
			   : detail.expanded ? STR("expanded")
					     : STR("delivered");
	}
	postfix_outcome_put(&g->logs[which], &o);
}

static void
make_logs(struct making *g)
{
	for (size_t r = 0; r < g->m.envelope.n_rcpts; r++)
		if (g->m.done[r] ? g->owed[r] : g->reasons[r] != NULL)
			log_rcpt(g, r);
}

/* ---- files ---- */
static int
open_staged(struct export *ex, const char *folder, struct str name, struct arena *a)
{
	struct str path = arena_printf(a, "exported/%s/" STR_FMT, folder, STR_ARG(name));
	int fd = openat(ex->dir, path.data,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fchown(fd, ex->owner, ex->group) < 0)
		fd_close(&fd);
	return fd;
}

static int
write_out(int fd, struct buf *b, uint64_t *written)
{
	if (write_all(fd, buf_str(b)) < 0)
		return -1;
	*written += b->len;
	buf_clear(b);
	return 0;
}

/* Content and the end, behind what b holds. */
static int
write_content(struct making *g, int fd, struct buf *b, uint64_t *written)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t got = 0;
	int result = 0;

	postfix_put_text(b, &line, g->content.content);
	while (result == 0 && g->content.body_fd >= 0 &&
		(got = pread(g->content.body_fd, piece, sizeof(piece), at)) > 0) {
		postfix_put_text(b, &line, str_of(piece, (size_t)got));
		result = write_out(fd, b, written);
		at += got;
	}
	postfix_put_end(b, &line);
	return result < 0 || got < 0 ? -1 : write_out(fd, b, written);
}

static int64_t
warn_time(const struct making *g)
{
	uint64_t arrival = g->m.envelope.arrival_us / 1000000;

	if (g->m.delay_sent)
		return 0;
	return g->ex->delay_warning > 0 && g->m.envelope.sender.len > 0
		       ? (int64_t)arrival + g->ex->delay_warning / 1000
		       : -1;
}

static int
write_message(struct making *g)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	struct str id = str_c(g->e.queue_id);
	char size[POSTFIX_SIZE_RECORD];
	uint64_t written = 0, place;
	time_t wake = (time_t)((g->e.wake_us + 999999) / 1000000);
	struct timespec times[2] = { { .tv_sec = wake ? wake : time(NULL) } };
	int fd CLEANUP(fd_close) = -1;

	times[1] = times[0];
	fd = open_staged(g->ex, folders[g->e.hold ? HOLD : DEFERRED], id, g->arena);
	postfix_put_envelope(&b, &g->m, false, warn_time(g));
	place = b.len;
	make_logs(g);
	if (fd < 0 || write_content(g, fd, &b, &written) < 0)
		return -1;
	postfix_put_size(size, place, written - place - 4, &g->m,
		postfix_has_8bit_header(g->content.content));
	if (pwrite(fd, size, sizeof(size), 0) != sizeof(size) ||
		fchmod(fd, g->e.expire ? 0710 : 0700) < 0 || futimens(fd, times) < 0)
		return -1;
	fd_close(&g->ex->last);
	g->ex->last = fd_take(&fd);
	return 0;
}

static int
write_logs(struct making *g)
{
	for (unsigned i = 0; i < COUNT(g->logs); i++) {
		int fd CLEANUP(fd_close) = -1;

		if (g->logs[i].len == 0)
			continue;
		fd = open_staged(g->ex, folders[i], str_c(g->e.queue_id), g->arena);
		if (fd < 0 || write_all(fd, buf_str(&g->logs[i])) < 0)
			return -1;
	}
	return 0;
}

/* The first step, of one message. */
static bool
make_files(struct export *ex, const struct known *k)
{
	struct making g = { .ex = ex, .arena = arena_new() };
	int result;

	g.content.body_fd = -1;
	/* The cleaner may have moved it since it was noted. */
	ensure(spool_find(ex->spool, k->mid, &g.e));
	result = making_read(&g);
	if (result == 0) {
		size_t n = g.m.envelope.n_rcpts;

		g.m.envelope.queue_id = str_c(k->queue_id);
		g.m.done = arena_alloc(g.arena, n * sizeof(bool));
		g.m.offsets = arena_alloc(g.arena, n * sizeof(uint64_t));
		g.reasons = arena_alloc(g.arena, n * sizeof(*g.reasons));
		g.owed = arena_alloc(g.arena, n * sizeof(bool));
		apply_all(&g);
		postfix_queue_enter();
		if (write_message(&g) < 0 || write_logs(&g) < 0)
			log_fatal("write to %s/exported: %s", ex->queue, strerror(errno));
		postfix_queue_leave();
	} else {
		log_error("%s: %s: it stays", k->queue_id,
			errno == EBADMSG ? "damaged" : strerror(errno));
		ex->bad++;
	}
	fd_close(&g.content.body_fd);
	vec_free(&g.states);
	for (size_t i = 0; i < COUNT(g.logs); i++)
		buf_free(&g.logs[i]);
	arena_free(g.arena);
	return result == 0;
}

/* ---- the other steps ---- */
/* syncfs() alone need not flush the disk's cache (lib/spool/files_disk.c). */
static void
on_disk(struct export *ex)
{
	if (syncfs(ex->dir) < 0 || (ex->last >= 0 && fsync(ex->last) < 0))
		log_fatal("%s: %s", ex->queue, strerror(errno));
}

static bool
is_hashed(const struct export *ex, const char *folder)
{
	for (size_t i = 0; i < ex->hashed.n; i++)
		if (str_is(ex->hashed.items[i], folder))
			return true;
	return false;
}

/* Folders on the way to where Postfix looks; made as it makes them. */
static void
make_folders(struct export *ex, const char *path)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		char part[256];

		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdirat(ex->dir, part, 0700) == 0 &&
			fchownat(ex->dir, part, ex->owner, ex->group, 0) == 0)
			continue;
		if (errno != EEXIST)
			log_fatal("%s/%s: %s", ex->queue, part, strerror(errno));
	}
}

/* The name that a file gets, if it has been made. The same in a later run, should this
 * one end between the files of a message. */
static bool
name_of(const struct export *ex, const char *folder, struct str id, char out[32])
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "exported/%s/" STR_FMT, folder, STR_ARG(id));
	if (fstatat(ex->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	postfix_file_name(
		id, ex->long_names, (uint64_t)st.st_mtim.tv_sec, st.st_ino, out);
	return true;
}

static void
place(struct export *ex, const char *folder, struct str id, struct str name)
{
	char from[256], to[256], sub[32] = "";

	snprintf(from, sizeof(from), "exported/%s/" STR_FMT, folder, STR_ARG(id));
	if (is_hashed(ex, folder))
		postfix_subfolder(name, ex->depth, sub);
	snprintf(to, sizeof(to), "%s/%s%s" STR_FMT, folder, sub, *sub ? "/" : "",
		STR_ARG(name));
	if (faccessat(ex->dir, from, F_OK, 0) < 0)
		return; /* it has no such log */
	make_folders(ex, to);
	if (renameat(ex->dir, from, ex->dir, to) < 0)
		log_fatal("rename %s to %s in %s: %s", from, to, ex->queue,
			strerror(errno));
}

static void
place_all(struct export *ex, struct str id)
{
	char name[32];

	if (!name_of(ex, folders[DEFERRED], id, name) &&
		!name_of(ex, folders[HOLD], id, name))
		log_fatal("%s/exported: no message " STR_FMT, ex->queue, STR_ARG(id));
	for (size_t f = 0; f < COUNT(folders); f++)
		place(ex, folders[f], id, str_c(name));
}

static void
flushed(struct spool *s, void *arg)
{
	struct export *ex = arg;

	(void)s;
	ex->waiting = false;
	co_wake_all(&ex->changed);
}

static void
end_in_log(struct export *ex, const struct known **batch, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct spool_state end = { .mid = batch[i]->mid, .kind = SPOOL_FINISHED };

		spool_update(ex->spool, &end, 1, NULL, NULL);
	}
	ex->waiting = true;
	spool_flush(ex->spool, flushed, ex);
	while (ex->waiting && co_wait(&ex->changed, DEADLINE_NEVER) == 0)
		;
}

static void
give_batch(struct export *ex, const struct known **batch, size_t n)
{
	postfix_queue_enter();
	on_disk(ex);
	postfix_queue_leave();
	end_in_log(ex, batch, n);
	postfix_queue_enter();
	for (size_t i = 0; i < n; i++)
		place_all(ex, str_c(batch[i]->queue_id));
	on_disk(ex);
	postfix_queue_leave();
	for (size_t i = 0; i < n; i++) {
		ex->given++;
		ex->held += batch[i]->hold;
	}
}

static void
give_all(struct export *ex)
{
	const struct known *batch[AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < ex->all.n; i++) {
		if (make_files(ex, ex->all.items[i]))
			batch[n++] = ex->all.items[i];
		if (n == AT_ONCE || (n > 0 && i == ex->all.n - 1)) {
			give_batch(ex, batch, n);
			n = 0;
		}
	}
	if (n > 0)
		give_batch(ex, batch, n);
}

/* What an earlier run has made, and whose message has ended in our log. Logs of others
 * are written over, or have no message. */
static void
finish_earlier(struct export *ex)
{
	postfix_queue_enter();
	for (size_t f = DEFERRED; f < COUNT(folders); f++) {
		struct postfix_files files = { { NULL, 0, 0 } };
		char folder[64];

		snprintf(folder, sizeof(folder), "exported/%s", folders[f]);
		postfix_queue_list(ex->queue, folder, ex->arena, &files);
		for (size_t i = 0; i < files.paths.n; i++) {
			struct str id =
				str_from(files.paths.items[i], strlen(folder) + 1);

			if (map_get(ex->ours, id)) {
				unlinkat(ex->dir, files.paths.items[i].data, 0);
				continue;
			}
			place_all(ex, id);
			ex->given++;
		}
		vec_free(&files.paths);
	}
	postfix_queue_leave();
}

/* ---- local mail that pickup has not seen ---- */
static int
read_content(struct drop_reader *r, struct buf *b)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	struct str chunk;
	int got;

	while ((got = drop_read_chunk(r, &chunk)) > 0)
		postfix_put_text(b, &line, chunk);
	postfix_put_end(b, &line);
	return got;
}

static void
make_local(const struct drop *d, const struct stat *st, struct arena *a, struct buf *b)
{
	struct postfix_message m = { .full_name = d->full_name };
	struct str *verp = arena_alloc(a, sizeof(*verp));

	m.envelope =
		(struct envelope){ .arrival_us = (uint64_t)st->st_mtim.tv_sec * 1000000,
			.sender = d->sender,
			.envid = d->envid,
			.ret = d->ret,
			.flags = d->flags,
			.rcpts = d->rcpts,
			.n_rcpts = d->n_rcpts };
	if (d->verp.len) {
		*verp = arena_printf(a, ATTRIBUTE_VERP STR_FMT, STR_ARG(d->verp));
		m.envelope.attributes = (struct strs){ verp, 1 };
	}
	postfix_put_envelope(b, &m, true, -1);
}

/* Into maildrop/, which may be ours, too. */
static void
place_local(struct export *ex, struct str name)
{
	char from[256], to[256], its_name[32];

	snprintf(from, sizeof(from), "exported/maildrop/" STR_FMT, STR_ARG(name));
	if (!name_of(ex, "maildrop", name, its_name))
		log_fatal("%s/%s: %s", ex->queue, from, strerror(errno));
	snprintf(to, sizeof(to), "maildrop/%s", its_name);
	if (renameat(ex->dir, from, ex->dir, to) < 0)
		log_fatal("%s/%s: %s", ex->queue, to, strerror(errno));
}

/* Made beside it; ours is gone before the other is where Postfix's pickup looks. */
static bool
give_local(struct export *ex, struct str path, struct str name, struct arena *a)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT, b CLEANUP(buf_free) = BUF_INIT;
	struct str temp = arena_printf(a, "exported/maildrop/" STR_FMT, STR_ARG(name));
	int from CLEANUP(fd_close) = open(path.data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int fd CLEANUP(fd_close) = -1;
	struct drop_reader r = { .fd = -1 };
	struct drop drop;
	struct stat st;
	bool whole;

	if (from < 0 || fstat(from, &st) < 0 || !(st.st_mode & S_IXUSR))
		return false;
	whole = drop_read_envelope(&r, from, &bytes) == 0 &&
		drop_get(buf_str(&bytes), &drop, a) == 0;
	if (whole) {
		make_local(&drop, &st, a, &b);
		whole = read_content(&r, &b) == 0;
	}
	drop_reader_close(&r);
	if (!whole)
		return false;
	fd = openat(ex->dir, temp.data,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, buf_str(&b)) < 0 ||
		fchown(fd, st.st_uid, (gid_t)-1) < 0 || fchmod(fd, 0744) < 0 ||
		fsync(fd) < 0)
		log_fatal("%s/%s: %s", ex->queue, temp.data, strerror(errno));
	on_disk(ex);
	if (unlink(path.data) < 0)
		log_fatal("%s: %s", path.data, strerror(errno));
	place_local(ex, name);
	return true;
}

/* An earlier run had made these and taken ours away. */
static void
finish_maildrop(struct export *ex, const char *ours)
{
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_list(ex->queue, "exported/maildrop", ex->arena, &files);
	for (size_t i = 0; i < files.paths.n; i++) {
		struct str name =
			str_from(files.paths.items[i], sizeof("exported/maildrop/") - 1);
		struct str path = arena_printf(
			ex->arena, "%s/maildrop/" STR_FMT, ours, STR_ARG(name));

		if (access(path.data, F_OK) == 0)
			continue; /* made anew */
		place_local(ex, name);
		ex->local++;
	}
	vec_free(&files.paths);
}

static void
give_maildrop(struct export *ex)
{
	struct str ours = arena_printf(
		ex->arena, STR_FMT, STR_ARG(postern.conf->p.queue_directory));
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_enter();
	finish_maildrop(ex, ours.data);
	postfix_queue_list(ours.data, "maildrop", ex->arena, &files);
	for (size_t i = 0; i < files.paths.n; i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct str name = str_from(files.paths.items[i], sizeof("maildrop/") - 1);
		struct str path = arena_printf(arena, STR_FMT "/" STR_FMT, STR_ARG(ours),
			STR_ARG(files.paths.items[i]));

		/* Else it is not finished, or not ours. */
		ex->local += give_local(ex, path, name, arena);
	}
	on_disk(ex);
	postfix_queue_leave();
	vec_free(&files.paths);
}

/* ---- all of it ---- */
static void
open_directory(struct export *ex)
{
	struct stat st;

	postfix_queue_enter();
	ex->dir = open(ex->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ex->dir < 0 || fstatat(ex->dir, "deferred", &st, 0) < 0)
		log_fatal("%s/deferred: %s: \"postfix check\" of Postfix makes it",
			ex->queue, strerror(errno));
	ex->owner = st.st_uid;
	ex->group = st.st_gid;
	for (size_t i = 0; i < COUNT(folders); i++) {
		char path[64];

		snprintf(path, sizeof(path), "exported/%s/", folders[i]);
		make_folders(ex, path);
	}
	make_folders(ex, "exported/maildrop/");
	postfix_queue_leave();
}

static void
remove_folders(struct export *ex)
{
	char path[64];

	postfix_queue_enter();
	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof(path), "exported/%s", folders[i]);
		unlinkat(ex->dir, path, AT_REMOVEDIR);
	}
	unlinkat(ex->dir, "exported/maildrop", AT_REMOVEDIR);
	unlinkat(ex->dir, "exported", AT_REMOVEDIR);
	postfix_queue_leave();
}

static void
export_all(void *arg)
{
	struct export *ex = arg;
	struct why why = { 0 };

	if (queue_client_link(postern.conf))
		log_fatal("the mail system is running; stop it first");
	ex->spool = queue_client_open_log(postern.conf);
	if (!ex->spool)
		log_fatal("%s is not there: there is no queue",
			queue_client_log(postern.conf));
	ex->reader = spool_reader_open(queue_client_log(postern.conf), &why);
	if (!ex->reader)
		log_fatal("%s", why.text);
	open_directory(ex);
	spool_each(ex->spool, note, ex);
	finish_earlier(ex);
	give_all(ex);
	give_maildrop(ex);
	remove_folders(ex);
	spool_reader_close(ex->reader);
	spool_close(ex->spool);
}

/* What Postfix will look at; to us these say nothing. */
static struct str
theirs(const struct conf *c, const char *name)
{
	return conf_value(c, name);
}

static void
read_postfix(struct export *ex, const char *configuration)
{
	struct conf_issues issues;
	struct conf *c;
	long depth = 1;

	conf_issues_init(&issues);
	c = conf_open(configuration, STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	ex->hashed = conf_list(theirs(c, "hash_queue_names"), ex->arena);
	for (size_t i = 0; i < ex->hashed.n; i++)
		ex->hashed.items[i] = arena_str(ex->arena, ex->hashed.items[i]);
	if (str_to_long(theirs(c, "hash_queue_depth"), &depth) == 0 && depth >= 0)
		ex->depth = (unsigned)depth;
	ex->long_names = str_case_is(theirs(c, "enable_long_queue_ids"), "yes");
	if (conf_time(theirs(c, "delay_warning_time"), 'h', &ex->delay_warning) < 0)
		ex->delay_warning = 0;
	conf_free(c);
	conf_issues_free(&issues);
}

int
queue_export(const char *configuration)
{
	struct export ex = {
		.arena = arena_new(), .ours = map_new(), .dir = -1, .last = -1
	};

	ex.queue = arena_cstr(ex.arena, postfix_queue_directory(configuration, ex.arena));
	if (postfix_queue_is_running(ex.queue))
		log_fatal("the mail system of %s is running; stop it first", ex.queue);
	read_postfix(&ex, configuration);
	queue_client_run(export_all, &ex);
	printf("%lu messages given to %s (%lu of them on hold), %lu local ones not "
	       "picked "
	       "up yet; %lu could not be read\n",
		ex.given, ex.queue, ex.held, ex.local, ex.bad);
	fd_close(&ex.last);
	fd_close(&ex.dir);
	vec_free(&ex.all);
	map_free(ex.ours);
	arena_free(ex.arena);
	return ex.bad > 0;
}
