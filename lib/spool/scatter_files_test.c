/* scatter_files_test.c -- many messages that are files, damaged at random: bits, blocks,
 * ends that are cut off, files that are gone or there twice. As scatter_test.c does the
 * log. */
#include "scatter_test.h"
#include "file.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void
path_of(const struct rig *r, uint64_t mid, char out[512])
{
	char name[FILE_PATH];

	file_path(name, mid, "");
	snprintf(out, 512, "%s/" FILES_DIRECTORY "/%s", r->log, name);
}

static void
write_whole(const char *path, struct str bytes)
{
	FILE *f = fopen(path, "we");

	ensure(f && fwrite(bytes.data, 1, bytes.len, f) == bytes.len && fclose(f) == 0);
}

/* ---- what happens to a file ---- */
static void
flip(struct scatter *m, struct buf *b)
{
	b->data[scatter_roll(m, (uint32_t)b->len)] ^= (char)(1 << scatter_roll(m, 8));
}

static void
zero(struct scatter *m, struct buf *b)
{
	size_t at = scatter_roll(m, (uint32_t)(b->len / SPOOL_BLOCK)) * SPOOL_BLOCK;

	memset(b->data + at, 0, SPOOL_BLOCK);
}

static void
cut(struct scatter *m, struct buf *b)
{
	b->len = scatter_roll(m, (uint32_t)b->len);
}

static void
damage_bytes(struct scatter *m, const char *path)
{
	static void (*const ways[])(
		struct scatter * m, struct buf * b) = { flip, flip, zero, zero, cut };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT,
			 before CLEANUP(buf_free) = BUF_INIT;

	ensure(read_file(path, 1 << 20, &before) == 0);
	buf_add(&bytes, buf_str(&before));
	ways[scatter_roll(m, COUNT(ways))](m, &bytes);
	write_whole(path, buf_str(&bytes));
	scatter_look(m);
	scatter_start(m);
	write_whole(path, buf_str(&before));
}

static void
drop(struct scatter *m, const char *path)
{
	char aside[520];

	snprintf(aside, sizeof(aside), "%s/aside", m->r.queue);
	m->hit.is_removed = true;
	ensure(rename(path, aside) == 0);
	scatter_look(m);
	scatter_start(m);
	ensure(rename(aside, path) == 0);
}

/* Under the name of a message that there is not. */
static void
twice(struct scatter *m, const char *path)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	uint64_t mid = m->hit.mid;
	char other[512];

	do
		path_of(&m->r, ++mid, other);
	while (access(other, F_OK) == 0);
	ensure(read_file(path, 1 << 20, &bytes) == 0);
	write_whole(other, buf_str(&bytes));
	scatter_look(m);
	scatter_start(m);
	unlink(other);
}

/* ---- at random ---- */
static const struct letter *
pick(struct scatter *m)
{
	const struct letter *l;

	do
		l = &m->letters.items[scatter_roll(m, (uint32_t)m->letters.n)];
	while (l->ended);
	return l;
}

static void
files_run(bool killed)
{
	struct scatter m = { .random = scatter_seed() };
	/* A look opens each of them. */
	size_t places = scatter_places() / 4;
	char path[512];

	scatter_fill(&m, scatter_messages() / 3, true, killed);
	for (size_t i = 0; i < places; i++) {
		uint32_t how = scatter_roll(&m, 10);

		test_row(i);
		m.hit = (struct hit){ .mid = pick(&m)->mid };
		path_of(&m.r, m.hit.mid, path);
		(how == 0 ? drop : how == 1 ? twice : damage_bytes)(&m, path);
		CHECK_INT(m.faults, 0);
		m.faults = 0;
	}
	m.hit.mid = 0;
	scatter_look(&m);
	CHECK_INT(m.faults, 0);
	CHECK_STR(buf_str(&m.logged), "");
	scatter_free(&m);
}

TEST(damage_of_a_file_costs_its_message_and_names_it)
{
	files_run(false);
}

TEST(damage_of_a_file_after_a_kill_costs_its_message_and_names_it)
{
	files_run(true);
}

TEST(the_oracle_of_damaged_files_finds_faults)
{
	struct scatter m = { .random = 1, .is_quiet = true };
	const struct letter *l;
	char path[512], zeroes[FILE_HEAD] = "";

	scatter_fill(&m, 50, true, false);
	l = pick(&m);
	path_of(&m.r, l->mid, path);
	scatter_overwrite(path, 0, str_of(zeroes, sizeof(zeroes)), NULL);
	for (int row = 0; row < 3; row++) {
		test_row((size_t)row);
		m.hit.mid = row == 1 ? 0 : l->mid; /* another one was hit */
		m.is_deaf = row == 2;
		m.faults = 0;
		scatter_look(&m);
		CHECK_INT(m.faults > 0, row > 0);
	}
	scatter_free(&m);
}
