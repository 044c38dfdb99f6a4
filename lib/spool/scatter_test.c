/* scatter_test.c -- a log of many messages, damaged at random places: at most the
 * messages whose bytes were hit are missing, each of them is named, and what is served is
 * what was put. The seed is printed; SPOOL_TEST_SEED sets it. With TEST_MODE=long 10,000
 * messages and 2,000 places. */
#include "spool_test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct letter {
	uint64_t mid, seed;
	size_t len;
	char id[16];
	bool ended, found, unreadable;
	struct spool_where where; /* of its record; of its end when it ended */
};
struct hit {
	uint32_t generation, from, to;
};
struct scatter {
	struct rig r;
	uint64_t random;
	VEC(struct letter) letters;
	struct arena *arena;
	unsigned pending;
	struct spool_reader *reader;
	struct hit hit;
	struct buf logged; /* of the scan */
};

static uint32_t
roll(struct scatter *m, uint32_t below)
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
		l->len = roll(m, 10) ? roll(m, 2000) : roll(m, 9000);
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
		if (roll(m, 5) == 0) {
			m->letters.items[i].ended = true;
			rig_finish(&m->r, m->letters.items[i].mid);
		} else if (roll(m, 4) == 0) {
			rig_state(&m->r, m->letters.items[i].mid, SPOOL_DEFERRED, 1);
		}
}

static void
note_places(struct scatter *m)
{
	for (size_t i = 0; i < m->letters.n; i++) {
		struct letter *l = &m->letters.items[i];
		struct entry *e = index_get(&m->r.spool->index, l->mid);
		struct tomb *t = (struct tomb *)e;

		if (e)
			l->where = where_of(m->r.spool, l->ended ? t->where : e->where);
	}
}

/* Killed, it has no last batch that speaks for the one before: the mark does. */
static void
fill_log(struct scatter *m, size_t n, bool killed)
{
	scatter = m;
	rig_new(&m->r);
	m->r.spool->o.slack = m->r.o.slack = (octets_t)1 << 40;
	while (m->letters.n < n)
		put_some(m, 1 + roll(m, 20));
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
is_hit(const struct scatter *m, const struct letter *l)
{
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

static bool
look_at(const struct spool_entry *e, void *arg)
{
	struct scatter *m = arg;
	struct letter *l = letter_of(m, e->mid);
	struct spool_content c;

	CHECK(l);
	if (!l)
		return true;
	CHECK_STR(str_c(e->queue_id), l->id);
	CHECK(!l->found);
	l->found = true;
	if (spool_read(m->reader, e->mid, e->where, false, m->arena, &c) < 0) {
		l->unreadable = true;
	} else {
		CHECK_STR(c.envelope, l->id);
		CHECK(str_eq(c.content, fill_str(m->arena, l->len, l->seed)));
	}
	arena_reset(m->arena);
	return true;
}

static void
judge(struct scatter *m)
{
	const char *log = buf_cstr(&m->logged);

	for (size_t i = 0; i < m->letters.n; i++) {
		const struct letter *l = &m->letters.items[i];
		bool as_it_was = l->found == !l->ended && !l->unreadable;

		if (as_it_was)
			continue;
		if (!is_hit(m, l))
			printf("%s (%llu): segment %u, %u to %u\n%s\n", l->id,
				(unsigned long long)l->mid, l->where.segment,
				l->where.offset, l->where.offset + l->where.length, log);
		CHECK(is_hit(m, l));
		if (l->found) /* its reader is told; or it is back, its end is lost */
			continue;
		if (!id_is_named(log, l->id) && !number_is_named(log, l->mid))
			printf("%s (%llu): missing, and not named:\n%s\n", l->id,
				(unsigned long long)l->mid, log);
		CHECK(id_is_named(log, l->id) || number_is_named(log, l->mid));
	}
}

static void
look(struct scatter *m)
{
	struct why why;

	for (size_t i = 0; i < m->letters.n; i++)
		m->letters.items[i].found = m->letters.items[i].unreadable = false;
	m->reader = spool_reader_open(m->r.log, &why);
	CHECK(spool_scan(m->r.log, look_at, m, &why) >= 0);
	spool_reader_close(m->reader);
	buf_clear(&m->logged);
	buf_add(&m->logged, rig_logged());
	judge(m);
}

/* ---- damage ---- */
static void
segment_path(const struct rig *r, uint32_t slot, char out[512])
{
	char name[24];

	segment_name(name, slot);
	snprintf(out, 512, "%s/%s", r->log, name);
}

static uint32_t
generation_of(const char *path)
{
	char head[SEGMENT_HEADER];
	struct segment_id id;
	int fd = open(path, O_RDONLY);

	ensure(fd >= 0 && read_at(fd, head, sizeof(head), 0) == 0 &&
		segment_get(head, &id) == 0);
	close(fd);
	return id.generation;
}

/* Writes over some bytes; gives what was there. */
static void
overwrite(const char *path, uint32_t from, struct str bytes, char *before)
{
	int fd = open(path, O_RDWR);

	ensure(fd >= 0 && (!before || read_at(fd, before, bytes.len, from) == 0) &&
		write_at(fd, bytes, from) == 0);
	close(fd);
}

static void
zeroed(struct scatter *m, const char *path, uint32_t len)
{
	uint32_t from = roll(m, RIG_SEGMENT / len) * len;
	char *zero = mem_alloc(len), *before = mem_alloc(len);

	m->hit.from = from;
	m->hit.to = from + len;
	overwrite(path, from, str_of(zero, len), before);
	look(m);
	overwrite(path, from, str_of(before, len), NULL);
	mem_free(zero);
	mem_free(before);
}

static void
flipped(struct scatter *m, const char *path)
{
	uint32_t at = roll(m, RIG_SEGMENT);
	char before, after;
	int fd = open(path, O_RDONLY);

	ensure(fd >= 0 && read_at(fd, &before, 1, at) == 0);
	close(fd);
	after = (char)(before ^ (1 << roll(m, 8)));
	m->hit.from = at;
	m->hit.to = at + 1;
	overwrite(path, at, str_of(&after, 1), NULL);
	look(m);
	overwrite(path, at, str_of(&before, 1), NULL);
}

static void
dropped(struct scatter *m, const char *path)
{
	char aside[600];

	snprintf(aside, sizeof(aside), "%s.aside", path);
	m->hit.to = RIG_SEGMENT;
	ensure(rename(path, aside) == 0);
	look(m);
	ensure(rename(aside, path) == 0);
}

static void
doubled(struct scatter *m, const char *path, uint32_t free_slot)
{
	char to[512];
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	int fd;

	segment_path(&m->r, free_slot, to);
	ensure(read_file(path, RIG_SEGMENT, &all) == 0);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ensure(fd >= 0 && write_all(fd, buf_str(&all)) == 0);
	close(fd);
	look(m);
	unlink(to);
}

static void
damage_once(struct scatter *m, uint32_t slots)
{
	uint32_t slot = roll(m, slots);
	char path[512];

	segment_path(&m->r, slot, path);
	m->hit = (struct hit){ generation_of(path), 0, 0 };
	switch (roll(m, 10)) {
	case 0:
		dropped(m, path);
		break;
	case 1:
		doubled(m, path, slots + 1);
		break;
	case 2:
	case 3:
		zeroed(m, path, 64 << 10);
		break;
	case 4:
	case 5:
	case 6:
		zeroed(m, path, SPOOL_BLOCK);
		break;
	default:
		flipped(m, path);
	}
}

static void
scatter_run(bool killed)
{
	const char *mode = getenv("TEST_MODE"), *seed = getenv("SPOOL_TEST_SEED");
	bool is_long = mode && strcmp(mode, "long") == 0;
	struct scatter m = { .arena = arena_new() };
	size_t n = is_long ? 10000 : 1500, places = is_long ? 2000 : 100;
	uint32_t slots = 0;
	char path[512];

	m.random = seed ? strtoull(seed, NULL, 10) : (uint64_t)time_wall_us() % 1000000;
	printf("seed %llu, %zu messages, %zu places\n", (unsigned long long)m.random, n,
		places);
	fill_log(&m, n, killed);
	for (segment_path(&m.r, 0, path); access(path, F_OK) == 0;)
		segment_path(&m.r, ++slots, path);
	ensure(slots > 0);
	for (size_t i = 0; i < places; i++) {
		test_row(i);
		damage_once(&m, slots);
	}
	m.hit = (struct hit){ 0, 0, 0 };
	look(&m);
	CHECK_STR(buf_str(&m.logged), "");
	vec_free(&m.letters);
	buf_free(&m.logged);
	arena_free(m.arena);
}

TEST(damage_anywhere_costs_what_it_hits_and_names_it)
{
	scatter_run(false);
}

TEST(damage_after_a_kill_costs_what_it_hits_and_names_it)
{
	scatter_run(true);
}
