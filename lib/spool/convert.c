/* convert.c -- moves the mail of one engine into the other.
 *
 * A message is read as any reader reads it, put into the new engine with its states, and
 * flushed there; only then it ends in the old one. A file comes into being with its
 * states, a message of the log does not: while both are there, the file is the one that
 * counts (files_settle()). So a file ends only when all states are flushed in the log,
 * which the log's put() waits for. */
#include "files.h"
#include <errno.h>
#include <unistd.h>

struct converting {
	struct spool *s;
	struct spool_reader *reader;
	VEC(uint64_t) mids;
	size_t moved;
	struct why why; /* of the last one that could not be moved */
	bool failed;
};
struct moving {
	bool ended;
	int error;
};
enum { FLUSH_EVERY = 256 }; /* moved messages; until then their ends are in memory */

static bool
note_mid(const struct spool_entry *e, void *arg)
{
	struct converting *c = arg;

	if (engine_of(e->mid) != engine_for_new(c->s))
		*vec_push(&c->mids) = e->mid;
	return true;
}

static int
read_all_states(struct converting *c, const struct spool_entry *e, struct arena *arena,
	struct spool_state **out, size_t *n)
{
	VEC(struct spool_state) all = { 0 };
	int result = 0;

	for (size_t i = 0; i < e->n_states && result == 0; i++) {
		struct spool_state *some;
		size_t k;

		result = spool_read_states(
			c->reader, e->mid, e->states[i], arena, &some, &k);
		for (size_t j = 0; j < k && result == 0; j++)
			*vec_push(&all) = some[j];
	}
	*n = all.n;
	*out = arena_alloc(arena, (all.n + 1) * sizeof(**out));
	if (all.n)
		memcpy(*out, all.items, all.n * sizeof(**out));
	vec_free(&all);
	return result;
}

static int
copy_body(struct spool *s, int from, struct spool_body **out)
{
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t got;
	int error = 0;

	*out = spool_body_new(s, &error);
	if (!*out)
		return error;
	while ((got = pread(from, piece, sizeof(piece), at)) > 0) {
		if (spool_body_write(*out, str_of(piece, (size_t)got)) < 0)
			break;
		at += got;
	}
	if (got == 0 && spool_body_finish(*out) == 0)
		return 0;
	error = errno;
	spool_body_abort(*out);
	return error;
}

static void
is_there(void *arg, int error, const struct spool_entry *e)
{
	struct moving *m = arg;

	(void)e;
	m->error = error;
	m->ended = true;
}

/* Turns of our own, as when the spool is closed. */
static void
run_until(struct spool *s, const bool *ended)
{
	for (s->turn.fn(s->turn.arg); !*ended; s->turn.fn(s->turn.arg))
		(void)spool_collect(s, !worker_is_idle(s->keeper));
}

/* Writes the ends of what was moved; on the disk they need not be kept in memory. One
 * whose flush fails stays there until spool_close(). */
static void
flush_ends(struct spool *s)
{
	for (size_t i = 0; i < ENGINES; i++)
		engines[i]->demand(s);
	s->turn.fn(s->turn.arg);
	(void)spool_collect(s, false);
}

static int
move_one(struct converting *c, const struct spool_entry *e, struct arena *arena)
{
	struct moving m = { 0 };
	struct spool_put_request put = { .queue_id = str_c(e->queue_id),
		.hold = e->hold };
	struct spool_state end = { .mid = e->mid, .kind = SPOOL_FINISHED };
	struct spool_content content;
	struct spool_body *body = NULL;
	struct spool_state *states = NULL;
	size_t n = 0;
	struct envelope envelope;

	if (spool_read(c->reader, e->mid, e->where, false, arena, &content) < 0)
		return errno;
	if (spool_body_check(&content) < 0 ||
		read_all_states(c, e, arena, &states, &n) < 0)
		m.error = errno;
	else if (content.body_fd >= 0)
		m.error = copy_body(c->s, content.body_fd, &body);
	fd_close(&content.body_fd);
	if (m.error)
		return m.error;
	put.arrival_us = content.arrival_us;
	put.envelope = content.envelope;
	put.content = content.content;
	if (envelope_get(put.envelope, &envelope, arena) == 0)
		put.recipients = (uint32_t)envelope.n_rcpts;
	engine_for_new(c->s)->put(c->s, &put, body, states, n, is_there, &m);
	run_until(c->s, &m.ended);
	if (!m.error)
		spool_update(c->s, &end, 1, NULL, NULL);
	return m.error;
}

int
spool_convert(struct spool *s, size_t *moved, struct why *why)
{
	struct converting c = { .s = s };

	*moved = 0;
	c.reader = spool_reader_open(s->o.directory, why);
	if (!c.reader)
		return -1;
	(void)spool_each(s, note_mid, &c);
	for (size_t i = 0; i < c.mids.n; i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct spool_entry e;
		int error;

		if (!spool_find(s, c.mids.items[i], &e))
			continue;
		error = move_one(&c, &e, arena);
		if (!error) {
			if (++*moved % FLUSH_EVERY == 0)
				flush_ends(s);
			continue;
		}
		why_set(why, "4.3.0", "%s stays where it is: %s", e.queue_id,
			error == EBADMSG ? "it is damaged" : strerror(error));
		log_error("spool: %s", why->text);
		c.failed = true;
	}
	flush_ends(s);
	spool_reader_close(c.reader);
	vec_free(&c.mids);
	return c.failed ? -1 : 0;
}
