/* judge.c -- is everything on this disk that somebody was told is there?
 *
 * Reads the notes up to the cut (see work.c) from stdin, scans the log, and says what is
 * wrong with it, a line for each fault; exit 1 if there was one.
 *
 * usage: judge DIRECTORY */
#include "spool.h"
#include "event.h"
#include "log.h"
#include "work.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct told {
	char id[16];
	size_t length, body;
	uint64_t seed;
	bool put, ending, found;
	unsigned said, flushed; /* recipients done: perhaps; certainly */
	unsigned written;       /* certainly, once flushed */
	bool ended;             /* certainly */
	bool end_written;
};
static struct map *all;
static VEC(struct told *) list;
static unsigned faults;
static struct spool_reader *reader;

static void fault(const char *fmt, ...) PRINTF(1, 2);
static void
fault(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	faults++;
}

/* ---- the notes ---- */
static void
all_flushed(void)
{
	for (size_t i = 0; i < list.n; i++) {
		struct told *t = list.items[i];

		t->flushed = t->written;
		t->ended |= t->end_written;
	}
}

static void
read_note(char *line)
{
	char id[16] = "";
	unsigned n = 0;
	unsigned long long seed = 0;
	size_t length = 0, body = 0;
	struct told *t;

	if (line[0] == 'S') {
		all_flushed();
		return;
	}
	if (line[0] == 'p') {
		sscanf(line, "p %15s %zu %llu %zu", id, &length, &seed, &body);
		t = mem_alloc(sizeof(*t));
		*t = (struct told){ .length = length, .seed = seed, .body = body };
		memcpy(t->id, id, sizeof(id));
		map_set(all, str_c(id), t);
		*vec_push(&list) = t;
		return;
	}
	sscanf(line + 1, " %15s %u", id, &n);
	t = map_get(all, str_c(id));
	ensure(t);
	if (line[0] == 'P')
		t->put = true;
	else if (line[0] == 'd')
		t->said = n;
	else if (line[0] == 'D')
		t->written = n;
	else if (line[0] == 'f')
		t->ending = t->end_written = true; /* written before the next S */
}

/* ---- what is there ---- */
static bool
is_filled(struct str bytes, size_t len, uint64_t seed)
{
	char *want CLEANUP(mem_free_at) = mem_alloc(len + 1);

	fill(want, len, seed);
	return bytes.len == len && memcmp(bytes.data, want, len) == 0;
}

static void
judge_body(const struct told *t, int fd)
{
	char *got CLEANUP(mem_free_at) = mem_alloc(t->body + 1);

	if (fd < 0 || read(fd, got, t->body + 1) != (ssize_t)t->body ||
		!is_filled(str_of(got, t->body), t->body, t->seed + 1))
		fault("%s: its body is not what was put", t->id);
}

static unsigned
count_done(const struct spool_entry *e, struct arena *arena)
{
	unsigned done = 0;

	for (size_t i = 0; i < e->n_states; i++) {
		struct spool_state *states;
		size_t n;

		if (spool_read_states(reader, e->mid, e->states[i], arena, &states, &n) <
			0)
			fault("%s: a state cannot be read: %s", e->queue_id,
				strerror(errno));
		for (size_t k = 0; k < n; k++)
			done += states[k].kind == SPOOL_DONE;
	}
	return done;
}

static bool
judge_message(const struct spool_entry *e, void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct told *t = map_get(all, str_c(e->queue_id));
	struct spool_content c;
	unsigned done;

	(void)arg;
	if (!t) {
		fault("%s: nobody put that", e->queue_id);
		return true;
	}
	if (t->found)
		fault("%s: is there twice", t->id);
	t->found = true;
	if (t->ended)
		fault("%s: ended, and is back", t->id);
	if (spool_read(reader, e->mid, e->where, false, arena, &c) < 0) {
		fault("%s: cannot be read: %s", t->id, strerror(errno));
		return true;
	}
	if (!str_is(c.envelope, t->id) || !is_filled(c.content, t->length, t->seed))
		fault("%s: is not what was put", t->id);
	if (t->body)
		judge_body(t, c.body_fd);
	fd_close(&c.body_fd);
	done = count_done(e, arena);
	if (done < t->flushed || done > t->said)
		fault("%s: %u recipients are done, not %u to %u", t->id, done, t->flushed,
			t->said);
	return true;
}

static void
on_log(enum log_level level, struct str line, void *arg)
{
	(void)arg;
	if (level >= LOG_WARNING_LEVEL)
		fault("logged: " STR_FMT, STR_ARG(line));
}

/* A start of the writer covers what was torn; the next start must find the same mail, and
 * nothing to complain about. */
static void
restart_writer(const char *directory)
{
	struct spool_options o = { .directory = directory,
		.segment_size = WORK_SEGMENT,
		.state_flush = 100,
		.slack = 8 * WORK_SEGMENT };
	struct why why;
	struct spool *s;

	event_init();
	s = spool_open(&o, &why);
	if (!s)
		fault("cannot be opened: %s", why.text);
	else {
		spool_index(s);
		spool_close(s);
	}
}

static void
judge_all(const char *directory)
{
	struct why why;

	for (size_t i = 0; i < list.n; i++)
		list.items[i]->found = false;
	reader = spool_reader_open(directory, &why);
	if (!reader || spool_scan(directory, judge_message, NULL, &why) < 0) {
		fault("cannot be scanned: %s", why.text);
		return;
	}
	spool_reader_close(reader);
	for (size_t i = 0; i < list.n; i++)
		if (list.items[i]->put && !list.items[i]->ending && !list.items[i]->found)
			fault("%s: was acknowledged, and is lost", list.items[i]->id);
}

int
main(int argc, char **argv)
{
	char line[200];

	if (argc != 2) {
		fprintf(stderr, "usage: judge DIRECTORY <NOTES\n");
		return 2;
	}
	all = map_new();
	while (fgets(line, sizeof(line), stdin))
		read_note(line);
	log_capture(on_log, NULL);
	judge_all(argv[1]);
	restart_writer(argv[1]);
	if (!faults)
		judge_all(argv[1]);
	return faults > 0;
}
