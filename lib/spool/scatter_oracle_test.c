/* scatter_oracle_test.c -- see scatter_test.h. */
#include "scatter_test.h"
#include "file.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

uint32_t
scatter_roll(struct scatter *m, uint32_t below)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->random >> 33) % below;
}

/* ---- the log ---- */
static struct scatter *scatter;

static void
put_done(void *arg, int error, const struct spool_entry *e)
{
	struct letter *l = arg;

	CHECK_INT(error, 0);
	l->mid = e ? e->mid : 0;
	scatter->pending--;
}

static bool
none_pending(void *arg)
{
	return ((struct scatter *)arg)->pending == 0;
}

/* Several at once, so that they share batches. */
static void
put_some(struct scatter *m, size_t n)
{
	vec_grow((void **)&m->letters.items, &m->letters.room, m->letters.n + n,
		sizeof(*m->letters.items));
	for (size_t i = 0; i < n; i++) {
		struct letter *l = vec_push(&m->letters);
		struct spool_put_request put = { .arrival_us = 1, .recipients = 1 };

		l->seed = m->random;
		l->len = scatter_roll(m, 10) ? scatter_roll(m, 2000)
					     : scatter_roll(m, 9000);
		snprintf(l->id, sizeof(l->id), "L%zu", m->letters.n);
		put.queue_id = put.envelope = str_c(l->id);
		put.content = fill_str(m->arena, l->len, l->seed);
		m->pending++;
		spool_put(m->r.spool, &put, NULL, put_done, l);
	}
	rig_run(none_pending, m);
	arena_reset(m->arena);
}

static void
end_some(struct scatter *m)
{
	for (size_t i = 0; i < m->letters.n; i++)
		if (scatter_roll(m, 5) == 0) {
			m->letters.items[i].ended = true;
			rig_finish(&m->r, m->letters.items[i].mid);
		} else if (scatter_roll(m, 4) == 0) {
			rig_state(&m->r, m->letters.items[i].mid, SPOOL_DEFERRED, 1);
		}
}

static void
note_places(struct scatter *m)
{
	if (m->r.o.files)
		return;
	for (size_t i = 0; i < m->letters.n; i++) {
		struct letter *l = &m->letters.items[i];
		struct entry *e = index_get(&m->r.spool->index, l->mid);
		struct tomb *t = (struct tomb *)e;

		if (e)
			l->where = where_of(m->r.spool, l->ended ? t->where : e->where);
	}
}

void
scatter_fill(struct scatter *m, size_t n, bool files, bool killed)
{
	scatter = m;
	m->arena = arena_new();
	rig_new(&m->r);
	rig_close(&m->r);
	m->r.o.slack = (octets_t)1 << 40;
	m->r.o.files = files;
	rig_open(&m->r);
	while (m->letters.n < n)
		put_some(m, 1 + scatter_roll(m, 20));
	end_some(m);
	rig_settle(&m->r);
	note_places(m);
	if (killed)
		rig_kill(&m->r);
	else
		rig_close(&m->r);
	CHECK_STR(rig_logged(), "");
}

/* ---- what is said to be lost ---- */

/* Is it in a range that some line names? */
static bool
number_is_named(const char *log, uint64_t mid)
{
	for (const char *at = log; (at = strstr(at, "numbered ")); at++) {
		unsigned long long from, to;

		if (sscanf(at, "numbered from %llu", &from) == 1 && mid >= from)
			return true;
		if (sscanf(at, "numbered %llu to %llu", &from, &to) == 2 && mid >= from &&
			mid <= to)
			return true;
	}
	return false;
}

static bool
id_is_named(const char *log, const char *id)
{
	size_t len = strlen(id);

	for (const char *at = log; (at = strstr(at, id)); at++)
		if (!ascii_is_alnum(at[len]))
			return true;
	return false;
}

static bool
is_named(const char *log, const struct letter *l)
{
	char file[FILE_PATH];

	if (!is_file_mid(l->mid))
		return id_is_named(log, l->id) || number_is_named(log, l->mid);
	file_path(file, l->mid, "");
	return strstr(log, file);
}

static bool
is_hit(const struct scatter *m, const struct letter *l)
{
	if (m->r.o.files)
		return l->mid == m->hit.mid;
	return l->where.segment == m->hit.generation && l->where.offset < m->hit.to &&
	       l->where.offset + l->where.length > m->hit.from;
}

/* ---- one look ---- */
static struct letter *
letter_of(struct scatter *m, uint64_t mid)
{
	for (size_t low = 0, high = m->letters.n; low < high;) {
		size_t middle = (low + high) / 2;
		struct letter *l = &m->letters.items[middle];

		if (l->mid == mid)
			return l;
		if (l->mid < mid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void
fault(struct scatter *m, const struct letter *l, const char *what)
{
	m->faults++;
	if (!m->is_quiet)
		printf("%s (%llu; segment %u, %u to %u): %s\n" STR_FMT "\n", l->id,
			(unsigned long long)l->mid, l->where.segment, l->where.offset,
			l->where.offset + l->where.length, what,
			STR_ARG(buf_str(&m->logged)));
}

static bool
look_at(const struct spool_entry *e, void *arg)
{
	static const struct letter unknown = { .id = "unknown" };
	struct scatter *m = arg;
	struct letter *l = letter_of(m, e->mid);

	if (!l || strcmp(l->id, e->queue_id) != 0) {
		fault(m, l ? l : &unknown, "is none that was put");
		return true;
	}
	if (l->found)
		fault(m, l, "is there twice");
	l->found = true;
	l->at = e->where;
	return true;
}

static void
read_one(struct scatter *m, struct letter *l)
{
	struct spool_content c;

	if (spool_read(m->reader, l->mid, l->at, false, m->arena, &c) < 0)
		l->unreadable = true;
	else if (!str_is(c.envelope, l->id) ||
		 !str_eq(c.content, fill_str(m->arena, l->len, l->seed)))
		fault(m, l, "is not what was put");
	arena_reset(m->arena);
}

static int
by_place(const void *a, const void *b)
{
	const struct spool_where *x = &(*(struct letter *const *)a)->at;
	const struct spool_where *y = &(*(struct letter *const *)b)->at;

	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Segment by segment: a reader keeps few of them open. */
static void
read_all(struct scatter *m)
{
	VEC(struct letter *) found = { 0 };

	for (size_t i = 0; i < m->letters.n; i++)
		if (m->letters.items[i].found)
			*vec_push(&found) = &m->letters.items[i];
	if (found.n)
		qsort(found.items, found.n, sizeof(*found.items), by_place);
	for (size_t i = 0; i < found.n; i++)
		read_one(m, found.items[i]);
	vec_free(&found);
}

static void
judge(struct scatter *m)
{
	const char *log;

	buf_clear(&m->logged);
	if (!m->is_deaf)
		buf_add(&m->logged, rig_logged());
	log = buf_cstr(&m->logged);
	for (size_t i = 0; i < m->letters.n; i++) {
		const struct letter *l = &m->letters.items[i];

		if (l->found == !l->ended && !l->unreadable)
			continue;
		if (!is_hit(m, l))
			fault(m, l, "is not as it was, and was not hit");
		/* Found: its reader is told; or it is back, its end is lost. */
		if (!l->found && !m->hit.is_removed && !is_named(log, l))
			fault(m, l, "is missing, and not named");
	}
}

static void
forget(struct scatter *m)
{
	for (size_t i = 0; i < m->letters.n; i++)
		m->letters.items[i].found = m->letters.items[i].unreadable = false;
	(void)rig_logged();
}

void
scatter_look(struct scatter *m)
{
	struct why why;

	forget(m);
	m->reader = spool_reader_open(m->r.log, &why);
	ensure(m->reader);
	if (spool_scan(m->r.log, look_at, m, &why) < 0)
		fault(m, &m->letters.items[0], why.text);
	read_all(m);
	spool_reader_close(m->reader);
	judge(m);
}

static void
copy_queue(const struct rig *r, char to[300])
{
	char command[1000];

	snprintf(to, 300, "%s.copy", r->queue);
	snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", to, r->queue,
		to);
	ensure(system(command) == 0);
}

void
scatter_start(struct scatter *m)
{
	char queue[300], log[310];
	struct spool_options o = m->r.o;
	struct spool *spool;
	struct why why;

	copy_queue(&m->r, queue);
	snprintf(log, sizeof(log), "%s/log", queue);
	o.directory = log;
	forget(m);
	spool = spool_open(&o, &why);
	m->reader = spool_reader_open(log, &why);
	ensure(m->reader);
	if (spool) {
		spool_index(spool);
		(void)spool_each(spool, look_at, m);
		read_all(m);
		spool_close(spool);
	} else {
		fault(m, &m->letters.items[0], why.text);
	}
	spool_reader_close(m->reader);
	judge(m);
}

void
scatter_overwrite(const char *path, uint32_t from, struct str bytes, char *before)
{
	int fd = open(path, O_RDWR);

	ensure(fd >= 0 && (!before || read_at(fd, before, bytes.len, from) == 0) &&
		write_at(fd, bytes, from) == 0);
	close(fd);
}

void
scatter_free(struct scatter *m)
{
	vec_free(&m->letters);
	buf_free(&m->logged);
	arena_free(m->arena);
}

static bool
is_long(void)
{
	const char *mode = getenv("TEST_MODE");

	return mode && strcmp(mode, "long") == 0;
}

size_t
scatter_messages(void)
{
	return is_long() ? 10000 : 1500;
}

size_t
scatter_places(void)
{
	const char *given = getenv("SPOOL_TEST_PLACES");

	return given ? (size_t)atol(given) : is_long() ? 2000 : 100;
}

uint64_t
scatter_seed(void)
{
	const char *given = getenv("SPOOL_TEST_SEED");
	uint64_t seed =
		given ? strtoull(given, NULL, 10) : (uint64_t)time_wall_us() % 1000000;

	printf("seed %llu, %zu messages, %zu places\n", (unsigned long long)seed,
		scatter_messages(), scatter_places());
	return seed;
}
