/* body.c -- large bodies: a file of their own from the start, complete and synced before
 * the log says that there is such a message. */
#include "engine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* For the directory syncs of all spools. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

struct spool_body {
	struct spool *s;
	uint64_t number;
	octets_t size;
	uint32_t crc;
	int fd;
};

void
body_name(char out[32], uint64_t number)
{
	snprintf(out, 32, "%016llx", (unsigned long long)number);
}

uint64_t
body_number(const struct spool_body *b)
{
	return b->number;
}

octets_t
body_size(const struct spool_body *b)
{
	return b->size;
}

uint32_t
body_crc(const struct spool_body *b)
{
	return b->crc;
}

struct spool_body *
spool_body_new(struct spool *s, int *error)
{
	struct spool_body *b;
	char name[32];
	uint64_t number = ++s->body;
	int fd;

	body_name(name, number);
	*error = spool_starved(s) ? ENOSPC : 0;
	if (*error)
		return NULL;
	fd = openat(s->bodies, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		0600);
	if (fd < 0) {
		*error = errno;
		return NULL;
	}
	b = mem_alloc(sizeof(*b));
	*b = (struct spool_body){ .s = s, .number = number, .fd = fd };
	return b;
}

int
spool_body_write(struct spool_body *b, struct str bytes)
{
	if (write_at(b->fd, bytes, b->size) < 0)
		return -1;
	b->crc = crc32c(b->crc, bytes.data, bytes.len);
	b->size += bytes.len;
	return 0;
}

/* One sync of the directory serves all who ask before it begins: a second flush for each
 * body would be half of what a body costs. 0, or an errno. */
BLOCKS static int
sync_directory(struct spool *s)
{
	struct directory_sync *d = &s->body_sync;
	uint64_t mine;
	int error;

	pthread_mutex_lock(&lock);
	mine = d->begun + 1;
	while (d->ended < mine) {
		if (d->begun > d->ended) {
			pthread_cond_wait(&ended, &lock);
			continue;
		}
		d->begun++;
		pthread_mutex_unlock(&lock);
		error = fsync(s->bodies) < 0 ? errno : 0;
		pthread_mutex_lock(&lock);
		d->ended = d->begun;
		if (error) {
			d->failed = d->ended;
			d->error = error;
		}
		pthread_cond_broadcast(&ended);
	}
	error = d->failed >= mine ? d->error : 0;
	pthread_mutex_unlock(&lock);
	return error;
}

int
spool_body_finish(struct spool_body *b)
{
	if (b->s->o.broken_no_flush)
		return 0;
	if (fsync(b->fd) < 0)
		return -1;
	errno = sync_directory(b->s);
	return errno ? -1 : 0;
}

void
spool_body_abort(struct spool_body *b)
{
	char name[32];

	body_name(name, b->number);
	unlinkat(b->s->bodies, name, 0);
	body_keep(b);
}

void
body_keep(struct spool_body *b)
{
	fd_close(&b->fd);
	mem_free(b);
}

/* ---- at start ---- */
static int
number_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool
body_of_name(const char *name, uint64_t *number)
{
	char again[32];
	char *end;

	*number = strtoull(name, &end, 16);
	body_name(again, *number);
	return *end == 0 && strcmp(again, name) == 0;
}

/* Where records were damaged, the message of this body may be among them. */
static void
remove_orphan(struct spool *s, const char *name)
{
	char kept[64];

	snprintf(kept, sizeof(kept), "log-body-%.16s", name);
	if (!s->damaged)
		unlinkat(s->bodies, name, 0);
	else if (renameat(s->bodies, name, s->corrupt, kept) < 0)
		log_warn(
			"spool: log/body/%s belongs to no message that is left; it stays",
			name);
}

/* The next body file in the directory; false after the last one. */
static bool
next_body(DIR *d, const char **name, uint64_t *number)
{
	struct dirent *item;

	while ((item = readdir(d)))
		if (body_of_name(item->d_name, number)) {
			*name = item->d_name;
			return true;
		}
	return false;
}

static DIR *
open_bodies(const struct spool *s)
{
	int fd = openat(s->bodies, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopendir(fd);
}

uint64_t
body_last(const struct spool *s)
{
	DIR *d = open_bodies(s);
	uint64_t number, last = 0;
	const char *name;

	while (d && next_body(d, &name, &number))
		last = MAX(last, number);
	if (d)
		closedir(d);
	return last;
}

struct bodies {
	VEC(uint64_t) used;
};

static void
note_bodies(const struct index *x, struct bodies *b)
{
	for (size_t i = 0; i < x->room; i++) {
		const struct entry *e = x->table[i];

		if (e && !(e->flags & ENTRY_FINISHED) && e->body)
			*vec_push(&b->used) = e->body;
	}
}

/* last: those above it are of new mail. */
void
body_remove_orphans(struct spool *s, uint64_t last)
{
	DIR *d = open_bodies(s);
	struct bodies b = { 0 };
	uint64_t number;
	const char *name;

	if (!d)
		return;
	for (size_t i = 0; i < ENGINES; i++)
		note_bodies(engines[i]->index(s), &b);
	if (b.used.n)
		qsort(b.used.items, b.used.n, sizeof(*b.used.items), number_cmp);
	while (next_body(d, &name, &number))
		if (number <= last &&
			(!b.used.n || !bsearch(&number, b.used.items, b.used.n,
					      sizeof(number), number_cmp)))
			remove_orphan(s, name);
	closedir(d);
	vec_free(&b.used);
}
