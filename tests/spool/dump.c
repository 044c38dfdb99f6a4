/* dump.c -- prints a mail log as tests/spool/reader.py does, by lib/spool.
 *
 * usage: dump DIRECTORY     Exit 1 when something is damaged. */
#include "spool.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct spool_reader *reader;

static void
hex(struct str s)
{
	printf(" %s", s.len ? "" : "-");
	for (size_t i = 0; i < s.len; i++)
		printf("%02x", (unsigned char)s.data[i]);
}

static void
show_states(const struct spool_entry *e, struct arena *arena)
{
	for (size_t i = 0; i < e->n_states; i++) {
		struct spool_state *s;
		size_t n;

		if (spool_read_states(reader, e->mid, e->states[i], arena, &s, &n) < 0)
			log_fatal("%s: states: %s", e->queue_id, strerror(errno));
		for (size_t k = 0; k < n; k++) {
			printf("state %llu %u %llu", (unsigned long long)e->mid,
				s[k].kind, (unsigned long long)s[k].when_us);
			hex(s[k].rcpts);
			hex(s[k].status);
			hex(s[k].reason);
			printf("\n");
		}
	}
}

static int
by_mid(const void *a, const void *b)
{
	const struct spool_entry *x = a, *y = b;

	return x->mid < y->mid ? -1 : x->mid > y->mid;
}

static VEC(struct spool_entry) all;

static bool
keep(const struct spool_entry *e, void *arg)
{
	struct spool_entry *mine = vec_push(&all);
	size_t size = e->n_states * sizeof(*e->states);
	struct spool_where *states = mem_alloc(size + 1);

	(void)arg;
	if (size)
		memcpy(states, e->states, size);
	*mine = *e;
	mine->states = states;
	return true;
}

/* False: it is damaged. */
static bool
show(const struct spool_entry *e)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_content c;
	struct buf body CLEANUP(buf_free) = BUF_INIT;
	struct stat st;

	if (spool_read(reader, e->mid, e->where, false, arena, &c) < 0) {
		log_error("%s: %s", e->queue_id, strerror(errno));
		return false;
	}
	printf("message %llu %s %llu %llu %d %d %llu", (unsigned long long)e->mid,
		e->queue_id, (unsigned long long)e->arrival_us,
		(unsigned long long)e->size, e->hold, e->expire,
		(unsigned long long)e->wake_us);
	hex(c.envelope);
	hex(c.content);
	if (c.body_fd >= 0 && fstat(c.body_fd, &st) == 0) {
		buf_need(&body, (size_t)st.st_size);
		body.len = (size_t)st.st_size;
		if (read(c.body_fd, body.data, body.len) != st.st_size)
			log_fatal("%s: body: %s", e->queue_id, strerror(errno));
	}
	fd_close(&c.body_fd);
	hex(buf_str(&body));
	printf("\n");
	show_states(e, arena);
	return true;
}

int
main(int argc, char **argv)
{
	struct why why;
	int damaged;

	if (argc != 2) {
		fprintf(stderr, "usage: dump DIRECTORY\n");
		return 2;
	}
	log_open("dump", LOG_TO_STDERR, -1, 0);
	reader = spool_reader_open(argv[1], &why);
	damaged = reader ? spool_scan(argv[1], keep, NULL, &why) : -1;
	if (damaged < 0)
		log_fatal("%s", why.text);
	if (all.n)
		qsort(all.items, all.n, sizeof(*all.items), by_mid);
	for (size_t i = 0; i < all.n; i++)
		damaged |= !show(&all.items[i]);
	return damaged;
}
