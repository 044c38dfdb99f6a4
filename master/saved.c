/* saved.c -- the state that a master leaves to its successor: rows of words, written in
 * upgrade.c. */
#include "saved.h"
#include <stdio.h>

#define STATE_MOST (64 * 1024 * 1024)

/* The next word as a number of what was written with %d or %u. */
static int
take(struct str *rest, long *out)
{
	struct str word;

	return str_token(rest, " ", &word) ? str_to_long(word, out) : -1;
}

static int
take_all(struct str rest, long *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (take(&rest, &out[i]) < 0)
			return -1;
	return 0;
}

static int
read_worker(struct str rest, struct saved_line *l)
{
	long n[8];

	if (!l || take_all(rest, n, COUNT(n)) < 0)
		return -1;
	*vec_push(&l->workers) = (struct saved_worker){ .pid = (pid_t)n[0],
		.control = (int)n[1],
		.number = (uint32_t)n[2],
		.limit = (uint32_t)n[3],
		.load = (uint32_t)n[4],
		.ready = n[5],
		.leaving = n[6],
		.full = n[7] };
	return 0;
}

static int
read_listener(struct str rest, struct saved_line *l)
{
	long fd;

	if (!l || take(&rest, &fd) < 0)
		return -1;
	*vec_push(&l->listeners) = (int)fd;
	return 0;
}

static int
read_line(struct str rest, struct saved *out)
{
	struct saved_line l = { .conf = { .unprivileged = true, .maxproc = -1 } };
	long n[4];

	if (!str_token(&rest, " ", &l.conf.name) ||
		!str_token(&rest, " ", &l.conf.command) ||
		take_all(rest, n, COUNT(n)) < 0)
		return -1;
	l.conf.type = (enum service_type)n[0];
	l.conf.private_ = n[1];
	l.used = n[2];
	l.removed = n[3];
	*vec_push(&out->lines) = l;
	return 0;
}

static int
read_master(struct str rest, struct saved *out)
{
	long n[4];

	if (take_all(rest, n, COUNT(n)) < 0)
		return -1;
	out->generation = (uint32_t)n[0];
	out->locks[0] = (int)n[1];
	out->locks[1] = (int)n[2];
	out->identities = (int)n[3];
	return 0;
}

int
saved_parse(struct str text, struct saved *out)
{
	struct str row, kind;

	*out = (struct saved){ .identities = -1 };
	if (!str_split(&text, '\n', &row) || !str_is(row, SAVED_FORMAT))
		return -1;
	while (str_split(&text, '\n', &row)) {
		struct saved_line *last =
			out->lines.n ? &out->lines.items[out->lines.n - 1] : NULL;
		int got = -1;

		if (!str_token(&row, " ", &kind))
			continue;
		if (str_is(kind, "master"))
			got = read_master(row, out);
		else if (str_is(kind, "line"))
			got = read_line(row, out);
		else if (str_is(kind, "listener"))
			got = read_listener(row, last);
		else if (str_is(kind, "worker"))
			got = read_worker(row, last);
		if (got < 0)
			return -1;
	}
	return out->generation ? 0 : -1;
}

/* The text stays for good: views of the lines point into it. */
int
saved_read(int fd, struct saved *out)
{
	static struct buf text = BUF_INIT;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (read_file(path, STATE_MOST, &text) < 0)
		return -1;
	return saved_parse(buf_str(&text), out);
}

void
saved_free(struct saved *s)
{
	for (size_t i = 0; i < s->lines.n; i++) {
		vec_free(&s->lines.items[i].listeners);
		vec_free(&s->lines.items[i].workers);
	}
	vec_free(&s->lines);
}
