/* queue_import.c -- takes over the queue that a Postfix left behind (postern import).
 *
 * Nothing may get lost, and nothing may come twice, wherever this is cut off. So each
 * message goes three steps, each on the disk before the next: it is stored, on hold, with
 * what became of its recipients so far; its file moves to imported/, where Postfix does
 * not look; it is released, or said to be held as it was. What is in our queue, on hold,
 * and was never told why, is in the middle of that: with its file still in its place it
 * is taken once more, with its file in imported/ it is released. */
#include "postern.h"
#include "log.h"
#include "postfix_queue.h"
#include "queue_client.h"
#include "queue_import.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	AT_ONCE = 100,            /* messages that go these steps together ... */
	AT_ONCE_BYTES = 32 << 20, /* ... or fewer large ones */
	LARGE = 512 << 10,        /* gets a body file, as from cleanup */
	FIRST_PART = 64 << 10,
};

/* What our queue has under a queue id. */
struct known {
	uint64_t mid;
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

void
import_move(struct import *in, struct parcel **parcels, size_t n)
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

void
import_release(struct import *in, struct parcel **parcels, size_t n)
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
	import_move(in, parcels, n);
	import_release(in, parcels, n);
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
	import_maildrop(in);
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
