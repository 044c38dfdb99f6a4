/* queue_import.c -- takes over the queue that a Postfix left behind (postern import).
 *
 * Nothing may get lost, and nothing may come twice, wherever this is cut off. So each
 * message goes three steps, each on the disk before the next: it is stored, on hold, with
 * what became of its recipients so far; its file moves to imported/, where Postfix does
 * not look; it is released, or said to be held as it was. What is in our queue, on hold,
 * and was never told why, is in the middle of that: with its file still in its place it
 * is taken once more, with its file in imported/ it is released. */
#include "postern.h"
#include "drop.h"
#include "event.h"
#include "fields.h"
#include "log.h"
#include "postfix_file.h"
#include "postfix_queue.h"
#include "queue_client.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	AT_ONCE = 100,            /* messages that go these steps together ... */
	AT_ONCE_BYTES = 32 << 20, /* ... or fewer large ones */
	FILE_MOST = 1 << 30,
	LARGE = 512 << 10, /* gets a body file, as from cleanup */
	FIRST_PART = 64 << 10,
	DELIVERED_MOST = 100, /* as many Delivered-To: fields as cleanup notes */
};

/* What our queue has under a queue id. */
struct known {
	uint64_t mid;
};

struct import {
	const char *queue; /* Postfix's directory */
	struct arena *arena;
	struct spool *spool;
	struct spool_reader *reader;
	struct map *known;
	struct co_queue changed;
	size_t waiting;
	unsigned long taken, held, already, local, bad;
};

/* One file on its way. */
struct parcel {
	struct import *in;
	struct arena *arena;
	struct str path;  /* below the queue directory: "deferred/4/4BF3..." */
	struct str queue; /* "deferred" */
	struct str name;
	struct stat st;
	struct buf content;
	struct postfix_message m;
	struct spool_put_request put;
	VEC(struct spool_state) states;
	struct spool_state last; /* when it may be delivered, or that it is held */
	uint64_t mid;
	bool is_in; /* stored, now or before */
	bool only_move;
	int error;
};

/* ---- what there is ---- */
static bool
note_known(const struct spool_entry *e, void *arg)
{
	struct import *in = arg;
	struct known *k = arena_alloc(in->arena, sizeof(*k));

	k->mid = e->mid;
	map_set(in->known, str_c(e->queue_id), k);
	return true;
}

/* On hold by us, in the middle of an import. */
static bool
is_unfinished(struct import *in, const struct known *k)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_entry e;

	if (!spool_find(in->spool, k->mid, &e))
		return false;
	for (size_t i = 0; i < e.n_states; i++) {
		struct spool_state *states;
		size_t n;

		if (spool_read_states(
			    in->reader, k->mid, e.states[i], arena, &states, &n) < 0)
			return false; /* in doubt, hands off */
		for (size_t j = 0; j < n; j++)
			if (states[j].kind == SPOOL_HOLD ||
				states[j].kind == SPOOL_RELEASE)
				return false;
	}
	return e.hold;
}

/* ---- reading ---- */
static int
read_file_at(struct import *in, struct str path, struct buf *out, struct stat *st)
{
	char whole[4096];
	int result;

	snprintf(whole, sizeof(whole), "%s/" STR_FMT, in->queue, STR_ARG(path));
	postfix_queue_enter();
	result = lstat(whole, st);
	if (result == 0 && !S_ISREG(st->st_mode)) {
		errno = EINVAL;
		result = -1;
	}
	if (result == 0)
		result = read_file(whole, FILE_MOST, out);
	postfix_queue_leave();
	return result;
}

static struct str
rcpt_key(struct parcel *p, const struct postfix_outcome *o)
{
	if (o->has_offset)
		return arena_printf(p->arena, "%llu", (unsigned long long)o->offset);
	return arena_printf(p->arena, "<" STR_FMT, STR_ARG(o->recipient));
}

/* The outcomes of a log by the recipient's place, or address. NULL: there is none. */
static struct map *
read_log(struct parcel *p, const char *folder)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct map *outcomes;
	struct postfix_outcome o;
	struct str rest;
	struct stat st;
	char sub[32];

	for (unsigned depth = 1;; depth = depth == 1 ? 0 : depth == 0 ? 2 : depth + 1) {
		struct str path;

		postfix_subfolder(p->name, depth, sub);
		path = arena_printf(p->arena, "%s/%s%s" STR_FMT, folder, sub,
			*sub ? "/" : "", STR_ARG(p->name));
		if (read_file_at(p->in, path, &text, &st) == 0)
			break;
		if (depth == 3)
			return NULL;
	}
	outcomes = map_new();
	rest = arena_str(p->arena, buf_str(&text));
	while (postfix_outcome_get(&rest, &o)) {
		struct postfix_outcome *kept = arena_alloc(p->arena, sizeof(*kept));

		*kept = o;
		map_set(outcomes, rcpt_key(p, &o), kept);
	}
	return outcomes;
}

static const struct postfix_outcome *
outcome_of(struct parcel *p, const struct map *log, size_t rcpt)
{
	struct postfix_outcome key = { .has_offset = true,
		.offset = p->m.offsets[rcpt],
		.recipient = p->m.envelope.rcpts[rcpt].address };
	const struct postfix_outcome *found;

	if (!log)
		return NULL;
	found = map_get(log, rcpt_key(p, &key));
	if (!found) {
		key.has_offset = false;
		found = map_get(log, rcpt_key(p, &key));
	}
	return found;
}

/* ---- what became of the recipients ---- */
static struct str
detail_of(struct parcel *p, const struct postfix_outcome *o)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct dsn_detail detail = { .remote_mta = o->remote_mta,
		.diagnostic = o->diagnostic,
		.diagnostic_is_smtp = o->diagnostic_is_smtp,
		.when_us = (uint64_t)p->st.st_ctim.tv_sec * 1000000,
		.expanded = str_is(o->action, "expanded") };

	dsn_detail_put(&bytes, &detail);
	return arena_str(p->arena, buf_str(&bytes));
}

static void
add_rcpt(struct parcel *p, struct spool_state *state, size_t rcpt)
{
	char *bytes = arena_alloc(p->arena, state->rcpts.len + 4);

	if (state->rcpts.len)
		memcpy(bytes, state->rcpts.data, state->rcpts.len);
	put_u32(bytes + state->rcpts.len, (uint32_t)rcpt);
	state->rcpts = str_of(bytes, state->rcpts.len + 4);
}

/* Recipients one after the other with the same reason share a record. */
static void
add_state(struct parcel *p, size_t rcpt, enum spool_state_kind kind, uint64_t when_us,
	const struct postfix_outcome *o)
{
	struct spool_state state = { .kind = (uint8_t)kind, .when_us = when_us };
	struct spool_state *before =
		p->states.n ? &p->states.items[p->states.n - 1] : NULL;

	if (o) {
		state.status = o->status;
		state.reason = o->reason;
		state.detail = detail_of(p, o);
	}
	if (!before || before->kind != state.kind ||
		!str_eq(before->reason, state.reason) ||
		!str_eq(before->status, state.status) ||
		!str_eq(before->detail, state.detail)) {
		before = vec_push(&p->states);
		*before = state;
	}
	add_rcpt(p, before, rcpt);
}

static uint64_t
next_attempt_us(const struct parcel *p)
{
	uint64_t now = (uint64_t)time_wall_us();
	uint64_t then = (uint64_t)p->st.st_mtim.tv_sec * 1000000 +
			(uint64_t)p->st.st_mtim.tv_nsec / 1000;

	return str_is(p->queue, "deferred") || str_is(p->queue, "hold") ? MAX(then, now)
									: now;
}

static void
make_states(struct parcel *p)
{
	struct map *deferred = read_log(p, "defer"), *failed = read_log(p, "bounce"),
		   *told = read_log(p, "trace");
	uint64_t next = next_attempt_us(p);

	for (size_t i = 0; i < p->m.envelope.n_rcpts; i++) {
		const struct postfix_outcome *o;

		if (!p->m.done[i] && (o = outcome_of(p, deferred, i)))
			add_state(p, i, SPOOL_DEFERRED, next, o);
		else if (p->m.done[i] &&
			 ((o = outcome_of(p, failed, i)) || (o = outcome_of(p, told, i))))
			add_state(p, i, SPOOL_FAILED, 0, o);
		else if (p->m.done[i])
			add_state(p, i, SPOOL_DONE, 0, NULL);
	}
	if (p->m.delay_sent)
		vec_push(&p->states)->kind = SPOOL_DELAY_SENT;
	if (p->st.st_mode & S_IXGRP)
		vec_push(&p->states)->kind = SPOOL_EXPIRE;
	p->last.kind = str_is(p->queue, "hold") ? SPOOL_HOLD : SPOOL_RELEASE;
	p->last.when_us = str_is(p->queue, "hold") ? 0 : next;
	if (deferred)
		map_free(deferred);
	if (failed)
		map_free(failed);
	if (told)
		map_free(told);
}

/* Where it was delivered before: cleanup notes that of mail that we take ourselves. */
static void
note_delivered(struct parcel *p)
{
	struct fields fields = { .limit = 102400 };
	struct str rest = buf_str(&p->content);
	struct strs *attributes = &p->m.envelope.attributes;
	VEC(struct str) all = { NULL, 0, 0 };
	struct field f;
	size_t before = attributes->n;

	for (size_t i = 0; i < before; i++)
		*vec_push(&all) = attributes->items[i];
	while (fields_next(&fields, &rest, &f) == FIELDS_FIELD)
		if (field_is(&f, "Delivered-To") && all.n < before + DELIVERED_MOST)
			*vec_push(&all) =
				arena_printf(p->arena, ATTRIBUTE_DELIVERED STR_FMT,
					STR_ARG(field_unfold(&f, p->arena)));
	fields_free(&fields);
	attributes->items = arena_alloc(p->arena, (all.n + 1) * sizeof(struct str));
	if (all.n)
		memcpy(attributes->items, all.items, all.n * sizeof(struct str));
	attributes->n = all.n;
	vec_free(&all);
}

static void
make_envelope(struct parcel *p)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct envelope *e = &p->m.envelope;

	e->queue_id = p->name;
	if (e->client_address.len == 0)
		e->flags |= ENVELOPE_LOCAL;
	note_delivered(p);
	envelope_put(&bytes, e);
	p->put.envelope = arena_str(p->arena, buf_str(&bytes));
	p->put.queue_id = p->name;
	p->put.arrival_us = e->arrival_us;
	p->put.recipients = (uint32_t)e->n_rcpts;
	p->put.hold = true;
	p->put.content = buf_str(&p->content);
}

/* -1 and errno. */
static int
parcel_read(struct parcel *p)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;

	if (read_file_at(p->in, p->path, &file, &p->st) < 0)
		return -1;
	/* Without the owner's execute bit its writer had not finished, and nobody was
	 * told that it is safe. */
	if (!(p->st.st_mode & S_IXUSR) || !queue_client_is_id(p->name)) {
		errno = EBADMSG;
		return -1;
	}
	if (postfix_get(buf_str(&file), p->arena, &p->m, &p->content) < 0)
		return -1;
	make_envelope(p);
	make_states(p);
	return 0;
}

static struct parcel *
parcel_new(struct import *in, struct str path)
{
	struct arena *arena = arena_new();
	struct parcel *p = arena_alloc(arena, sizeof(*p));
	ssize_t slash = str_chr(path, '/');

	p->in = in;
	p->arena = arena;
	p->path = path;
	p->queue = str_sub(path, 0, (size_t)slash);
	p->name = str_from(path, (size_t)str_rchr(path, '/') + 1);
	return p;
}

static void
parcel_free(struct parcel *p)
{
	vec_free(&p->states);
	buf_free(&p->content);
	arena_free(p->arena);
}

/* ---- first step: into the log ---- */
static void
step_done(struct parcel *p, int error)
{
	if (error)
		p->error = error;
	p->in->waiting--;
	co_wake_all(&p->in->changed);
}

static void
states_written(void *arg, int error)
{
	struct parcel *p = arg;

	p->is_in = !error;
	step_done(p, error);
}

static void
stored(void *arg, int error, const struct spool_entry *e)
{
	struct parcel *p = arg;

	if (error) {
		step_done(p, error);
		return;
	}
	p->mid = p->last.mid = e->mid;
	for (size_t i = 0; i < p->states.n; i++)
		p->states.items[i].mid = e->mid;
	spool_update(p->in->spool, p->states.items, p->states.n, states_written, p);
}

static int
make_body(struct parcel *p, struct spool_body **body)
{
	struct str content = p->put.content;
	int error = 0;

	*body = NULL;
	if (content.len < LARGE)
		return 0;
	*body = spool_body_new(p->in->spool, &error);
	if (!*body)
		return error;
	p->put.content = str_sub(content, 0, FIRST_PART);
	if (spool_body_write(*body, str_from(content, FIRST_PART)) == 0 &&
		spool_body_finish(*body) == 0)
		return 0;
	error = errno_of_failure();
	spool_body_abort(*body);
	return error;
}

static void
parcel_store(struct parcel *p)
{
	const struct known *k = map_get(p->in->known, p->name);
	struct spool_state again = { .kind = SPOOL_FINISHED };
	struct spool_body *body;
	int error;

	if (k && !is_unfinished(p->in, k)) {
		p->is_in = p->only_move = true;
		return;
	}
	if (parcel_read(p) < 0) {
		p->error = errno;
		return;
	}
	if (k) {
		again.mid = k->mid;
		spool_update(p->in->spool, &again, 1, NULL, NULL);
	}
	error = make_body(p, &body);
	p->in->waiting++;
	if (error)
		step_done(p, error);
	else
		spool_put(p->in->spool, &p->put, body, stored, p);
}

static void
wait_for_all(struct import *in)
{
	while (in->waiting > 0 && co_wait(&in->changed, DEADLINE_NEVER) == 0)
		;
}

static void
flushed(struct spool *s, void *arg)
{
	struct import *in = arg;

	(void)s;
	in->waiting--;
	co_wake_all(&in->changed);
}

static void
flush(struct import *in)
{
	in->waiting++;
	spool_flush(in->spool, flushed, in);
	wait_for_all(in);
}

/* ---- second step: the file moves ---- */
static void
sync_folder(const char *path)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		log_fatal("%s: %s", path, strerror(errno));
	if (fsync(fd) < 0)
		log_fatal("fsync %s: %s", path, strerror(errno));
}

static struct str
imported_folder(struct import *in, struct str queue, struct arena *a)
{
	struct str path = arena_printf(a, "%s/imported", in->queue);
	struct str folder =
		arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(path), STR_ARG(queue));

	if ((mkdir(path.data, 0700) < 0 && errno != EEXIST) ||
		(mkdir(folder.data, 0700) < 0 && errno != EEXIST))
		log_fatal("%s: %s", folder.data, strerror(errno));
	return folder;
}

static void
parcel_move(struct parcel *p)
{
	struct str folder = imported_folder(p->in, p->queue, p->arena);
	struct str from =
		arena_printf(p->arena, "%s/" STR_FMT, p->in->queue, STR_ARG(p->path));
	struct str to = arena_printf(
		p->arena, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(p->name));

	if (rename(from.data, to.data) < 0)
		log_fatal("rename %s to %s: %s", from.data, to.data, strerror(errno));
}

static void
move_all(struct import *in, struct parcel **parcels, size_t n)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	postfix_queue_enter();
	for (size_t i = 0; i < n; i++)
		if (parcels[i]->is_in)
			parcel_move(parcels[i]);
	if (n > 0) {
		struct str folder = imported_folder(in, parcels[0]->queue, arena);

		sync_folder(folder.data);
		sync_folder(arena_printf(arena, "%s/imported", in->queue).data);
		sync_folder(in->queue);
	}
	postfix_queue_leave();
}

/* ---- third step: it is ours ---- */

/* What was being received when Postfix was stopped: without the owner's execute bit its
 * sender was not told that it is accepted, and tries again. */
static bool
was_being_received(const struct parcel *p)
{
	return p->error == EBADMSG && str_is(p->queue, "incoming") &&
	       !(p->st.st_mode & S_IXUSR);
}

static void
release_all(struct import *in, struct parcel **parcels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct parcel *p = parcels[i];

		if (p->only_move) {
			in->already++;
		} else if (p->is_in) {
			spool_update(in->spool, &p->last, 1, NULL, NULL);
			in->taken++;
			in->held += p->last.kind == SPOOL_HOLD;
		} else if (was_being_received(p)) {
			log_info("%s/" STR_FMT
				 ": was never received whole: left where it is",
				in->queue, STR_ARG(p->path));
		} else {
			log_error("%s/" STR_FMT ": %s: left where it is", in->queue,
				STR_ARG(p->path),
				p->error == EBADMSG ? "not a whole message"
						    : strerror(p->error));
			in->bad++;
		}
	}
}

static void
take_batch(struct import *in, struct parcel **parcels, size_t n)
{
	wait_for_all(in);
	flush(in);
	move_all(in, parcels, n);
	release_all(in, parcels, n);
	for (size_t i = 0; i < n; i++)
		parcel_free(parcels[i]);
}

static void
take_queue(struct import *in, const char *queue)
{
	struct postfix_files files = { { NULL, 0, 0 } };
	struct parcel *batch[AT_ONCE];
	size_t n = 0, bytes = 0;

	postfix_queue_enter();
	postfix_queue_list(in->queue, queue, in->arena, &files);
	postfix_queue_leave();
	for (size_t i = 0; i < files.paths.n; i++) {
		struct parcel *p = parcel_new(in, files.paths.items[i]);

		batch[n++] = p;
		parcel_store(p);
		bytes += p->content.len;
		if (n < AT_ONCE && bytes < AT_ONCE_BYTES)
			continue;
		take_batch(in, batch, n);
		n = bytes = 0;
	}
	if (n > 0)
		take_batch(in, batch, n);
	vec_free(&files.paths);
}

/* ---- what an earlier run left in the middle ---- */
static void
finish_queue(struct import *in, const char *queue)
{
	struct postfix_files files = { { NULL, 0, 0 } };
	struct str folder = arena_printf(in->arena, "imported/%s", queue);

	postfix_queue_enter();
	postfix_queue_list(in->queue, folder.data, in->arena, &files);
	postfix_queue_leave();
	for (size_t i = 0; i < files.paths.n; i++) {
		struct parcel *p = parcel_new(in, files.paths.items[i]);
		const struct known *k = map_get(in->known, p->name);

		p->queue = str_c(queue);
		if (k && is_unfinished(in, k) && parcel_read(p) == 0) {
			p->last.mid = k->mid;
			spool_update(in->spool, &p->last, 1, NULL, NULL);
			in->taken++;
		}
		parcel_free(p);
	}
	vec_free(&files.paths);
}

/* ---- local mail that pickup has not seen ---- */
static int
write_drop(const struct parcel *p, int fd)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	const struct envelope *e = &p->m.envelope;
	struct drop drop = { .sender = e->sender,
		.envid = e->envid,
		.ret = e->ret,
		.flags = e->flags & DROP_FLAGS,
		.rcpts = e->rcpts,
		.n_rcpts = e->n_rcpts,
		.full_name = p->m.full_name };

	for (size_t i = 0; i < e->attributes.n; i++)
		if (str_starts(e->attributes.items[i], STR(ATTRIBUTE_VERP)))
			drop.verp = str_from(
				e->attributes.items[i], sizeof(ATTRIBUTE_VERP) - 1);
	drop_put(&bytes, &drop);
	if (drop_write_envelope(fd, buf_str(&bytes)) < 0 ||
		(p->content.len > 0 && drop_write_chunk(fd, buf_str(&p->content)) < 0) ||
		drop_write_end(fd) < 0)
		return -1;
	return 0;
}

/* Under another name, since both may be the same folder; it belongs to whom it belonged
 * to, and gets its name last. A run that ends between two and three finds it there. */
static int
make_drop(const struct parcel *p)
{
	struct timespec times[2] = { p->st.st_atim, p->st.st_mtim };
	struct str to = arena_printf(p->arena, STR_FMT "/maildrop/" STR_FMT "I",
		STR_ARG(postern.conf->p.queue_directory), STR_ARG(p->name));
	struct str new = arena_printf(p->arena, STR_FMT ".new", STR_ARG(to));
	int fd CLEANUP(fd_close) = open(
		new.data, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || write_drop(p, fd) < 0 || fchown(fd, p->st.st_uid, (gid_t)-1) < 0 ||
		futimens(fd, times) < 0 || fsync(fd) < 0)
		return -1;
	return rename(new.data, to.data);
}

/* Ours begins with a magic, and is nobody else's. */
static bool
is_ours(const struct buf *file)
{
	return str_starts(buf_str(file), DROP_MAGIC);
}

static void
take_local(struct import *in, struct str path)
{
	struct parcel *p = parcel_new(in, path);
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct str made = arena_printf(p->arena, STR_FMT "/maildrop/" STR_FMT "I",
		STR_ARG(postern.conf->p.queue_directory), STR_ARG(p->name));
	int result = read_file_at(in, path, &file, &p->st);

	if (result == 0 && is_ours(&file)) {
		parcel_free(p);
		return;
	}
	if (result == 0 && !(p->st.st_mode & S_IXUSR)) {
		errno = EBADMSG;
		result = -1;
	}
	if (result == 0)
		result = postfix_get(buf_str(&file), p->arena, &p->m, &p->content);
	postfix_queue_enter();
	if (result == 0)
		result = make_drop(p);
	p->error = errno;
	if (result == 0) {
		p->is_in = true;
		move_all(in, &p, 1);
		result = chmod(made.data, 0744); /* finished: pickup may have it */
	}
	postfix_queue_leave();
	if (result == 0)
		in->local++;
	else
		release_all(in, &p, 1);
	parcel_free(p);
}

/* An earlier run ended between the last two steps of take_local(). */
static void
finish_maildrop(struct import *in)
{
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_list(in->queue, "imported/maildrop", in->arena, &files);
	for (size_t i = 0; i < files.paths.n; i++) {
		struct str path = files.paths.items[i];
		struct str made =
			arena_printf(in->arena, STR_FMT "/maildrop/" STR_FMT "I",
				STR_ARG(postern.conf->p.queue_directory),
				STR_ARG(str_from(path, (size_t)str_rchr(path, '/') + 1)));

		if (chmod(made.data, 0744) < 0 && errno != ENOENT)
			log_error("chmod %s: %s", made.data, strerror(errno));
	}
	vec_free(&files.paths);
}

static void
take_maildrop(struct import *in)
{
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_enter();
	finish_maildrop(in);
	postfix_queue_list(in->queue, "maildrop", in->arena, &files);
	postfix_queue_leave();
	for (size_t i = 0; i < files.paths.n; i++)
		take_local(in, files.paths.items[i]);
	vec_free(&files.paths);
}

/* ---- all of it ---- */
static void
import_all(void *arg)
{
	static const char *const queues[] = { "hold", "deferred", "active", "incoming" };
	struct import *in = arg;
	struct why why = { 0 };

	if (queue_client_link(postern.conf))
		log_fatal("the mail system is running; stop it first");
	in->spool = queue_client_open_log(postern.conf);
	if (!in->spool)
		log_fatal("%s: %s", queue_client_log(postern.conf), strerror(ENOENT));
	in->reader = spool_reader_open(queue_client_log(postern.conf), &why);
	if (!in->reader)
		log_fatal("%s", why.text);
	spool_each(in->spool, note_known, in);
	for (size_t i = 0; i < COUNT(queues); i++)
		finish_queue(in, queues[i]);
	for (size_t i = 0; i < COUNT(queues); i++)
		take_queue(in, queues[i]);
	take_maildrop(in);
	spool_reader_close(in->reader);
	spool_close(in->spool);
}

int
queue_import(const char *configuration)
{
	struct import in = { .arena = arena_new(), .known = map_new() };
	struct why why = { 0 };

	in.queue = arena_cstr(in.arena, postfix_queue_directory(configuration, in.arena));
	if (postfix_queue_is_running(in.queue))
		log_fatal("the mail system of %s is running; stop it first", in.queue);
	if (instance_make_directories(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	queue_client_run(import_all, &in);
	printf("%lu messages taken over from %s (%lu of them on hold), %lu local ones "
	       "not "
	       "picked up yet; %lu were there already, %lu left behind\n",
		in.taken, in.queue, in.held, in.local, in.already, in.bad);
	if (in.taken + in.local + in.already > 0)
		printf("their files are in %s/imported\n", in.queue);
	map_free(in.known);
	arena_free(in.arena);
	return in.bad > 0;
}
