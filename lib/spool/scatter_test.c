/* scatter_test.c -- a log of many messages, damaged at random places: bits, blocks,
 * segments that are gone or there twice. The seed is printed; SPOOL_TEST_SEED sets it.
 * With TEST_MODE=long 10,000 messages and 2,000 places. */
#include "scatter_test.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool starts_too;

static void
look(struct scatter *m)
{
	scatter_look(m);
	if (starts_too)
		scatter_start(m);
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

static void
zeroed(struct scatter *m, const char *path, uint32_t len)
{
	uint32_t from = scatter_roll(m, RIG_SEGMENT / len) * len;
	char *zero = mem_alloc(len), *before = mem_alloc(len);

	m->hit.from = from;
	m->hit.to = from + len;
	scatter_overwrite(path, from, str_of(zero, len), before);
	look(m);
	scatter_overwrite(path, from, str_of(before, len), NULL);
	mem_free(zero);
	mem_free(before);
}

static void
flipped(struct scatter *m, const char *path)
{
	uint32_t at = scatter_roll(m, RIG_SEGMENT);
	char before, after;
	int fd = open(path, O_RDONLY);

	ensure(fd >= 0 && read_at(fd, &before, 1, at) == 0);
	close(fd);
	after = (char)(before ^ (1 << scatter_roll(m, 8)));
	m->hit.from = at;
	m->hit.to = at + 1;
	scatter_overwrite(path, at, str_of(&after, 1), NULL);
	look(m);
	scatter_overwrite(path, at, str_of(&before, 1), NULL);
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
	uint32_t slot = scatter_roll(m, slots);
	char path[512];

	segment_path(&m->r, slot, path);
	m->hit = (struct hit){ .generation = generation_of(path) };
	switch (scatter_roll(m, 10)) {
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

/* Every tenth also for the writer, which takes longer. */
static void
damage_some(struct scatter *m, uint32_t slots)
{
	size_t places = scatter_places();

	for (size_t i = 0; i < places; i++) {
		test_row(i);
		starts_too = i % 10 == 0;
		damage_once(m, slots);
		CHECK_INT(m->faults, 0);
		m->faults = 0;
	}
}

static uint32_t
count_slots(const struct rig *r)
{
	uint32_t slots = 0;
	char path[512];

	for (segment_path(r, 0, path); access(path, F_OK) == 0;)
		segment_path(r, ++slots, path);
	ensure(slots > 0);
	return slots;
}

static void
scatter_run(bool killed)
{
	struct scatter m = { .random = scatter_seed() };

	scatter_fill(&m, scatter_messages(), false, killed);
	damage_some(&m, count_slots(&m.r));
	m.hit = (struct hit){ .generation = 0 };
	scatter_look(&m);
	CHECK_INT(m.faults, 0);
	CHECK_STR(buf_str(&m.logged), "");
	scatter_free(&m);
}

TEST(damage_anywhere_costs_what_it_hits_and_names_it)
{
	scatter_run(false);
}

TEST(damage_after_a_kill_costs_what_it_hits_and_names_it)
{
	scatter_run(true);
}

/* ---- the oracle itself ---- */
static const struct {
	const char *what;
	bool is_deaf, is_hit_elsewhere, is_other_content, finds;
} oracles[] = {
	{ "all is as it should be", false, false, false, false },
	{ "a missing message is not named", true, false, false, true },
	{ "one is missing that was not hit", false, true, false, true },
	{ "wrong content is served", false, false, true, true },
};

TEST(the_oracle_of_damage_finds_faults)
{
	char path[512], *zero = mem_alloc(RIG_SEGMENT);
	struct scatter m = { .random = 1, .is_quiet = true };

	scatter_fill(&m, 300, false, false);
	segment_path(&m.r, 0, path);
	m.hit = (struct hit){ generation_of(path), 0, RIG_SEGMENT, 0, false };
	scatter_overwrite(
		path, SPOOL_BLOCK, str_of(zero, RIG_SEGMENT - 2 * SPOOL_BLOCK), NULL);
	for (size_t i = 0; i < COUNT(oracles); i++) {
		test_row(i);
		m.is_deaf = oracles[i].is_deaf;
		m.hit.generation += oracles[i].is_hit_elsewhere;
		m.letters.items[m.letters.n - 1].seed ^= oracles[i].is_other_content;
		m.letters.items[m.letters.n - 1].ended &= !oracles[i].is_other_content;
		for (int start = 0; start < 2; start++) {
			m.faults = 0;
			(start ? scatter_start : scatter_look)(&m);
			CHECK_INT(m.faults > 0, oracles[i].finds);
		}
		m.hit.generation -= oracles[i].is_hit_elsewhere;
	}
	mem_free(zero);
	scatter_free(&m);
}
