/* damage_test.c -- what a start makes of damaged, torn, missing and doubled segments. */
#include "spool_test.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Three messages, each in a batch of its own, and a state of the second. */
struct three {
	struct rig r;
	uint64_t mid[3];
	struct place at[3], state;
	uint32_t slot;
};
static const char *const ids[3] = { "AAA", "BBB", "CCC" };

static struct str
content_of(size_t i)
{
	static char text[3][200];

	memset(text[i], 'a' + (char)i, sizeof(text[i]));
	return str_of(text[i], sizeof(text[i]));
}

/* How the last run ended. After a power cut that came before the mark was on the disk,
 * what was flushed last cannot be told from what was not. */
enum ended { CLOSED, KILLED, POWER_CUT };

static void
drop_mark(const struct rig *r)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/lock", r->log);
	ensure(truncate(path, 0) == 0);
}

static void
three_new(struct three *t, enum ended how)
{
	rig_new(&t->r);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(rig_put(&t->r, ids[i], ids[i], content_of(i), &t->mid[i]), 0);
		if (i == 1)
			CHECK_INT(rig_state(&t->r, t->mid[1], SPOOL_DEFERRED, 9), 0);
		rig_settle(&t->r);
	}
	for (size_t i = 0; i < 3; i++) {
		const struct entry *e = index_get(&t->r.spool->index, t->mid[i]);

		t->at[i] = e->where;
		if (i == 1)
			t->state = *entry_states(e);
	}
	t->slot = t->at[0].slot;
	if (how == CLOSED)
		rig_close(&t->r);
	else
		rig_kill(&t->r);
	if (how == POWER_CUT)
		drop_mark(&t->r);
}

static void
segment_path(const struct rig *r, uint32_t slot, char out[512])
{
	char name[24];

	segment_name(name, slot);
	snprintf(out, 512, "%s/%s", r->log, name);
}

static void
flip(const struct rig *r, uint32_t slot, octets_t offset)
{
	char path[512], byte;
	int fd;

	segment_path(r, slot, path);
	fd = open(path, O_RDWR);
	ensure(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1);
	byte ^= 0x10;
	ensure(pwrite(fd, &byte, 1, (off_t)offset) == 1);
	close(fd);
}

static bool
was_logged(const char *text)
{
	return str_find(rig_logged(), str_c(text)) >= 0;
}

static int
files_in(const char *queue, const char *folder)
{
	char path[512];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s", queue, folder);
	d = opendir(path);
	for (struct dirent *item; d && (item = readdir(d));)
		n += item->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void
expect_one(struct three *t, size_t i, bool there)
{
	struct spool_entry e;

	CHECK_INT(spool_find(t->r.spool, t->mid[i], &e), there);
	if (there)
		rig_expect(&t->r, t->mid[i], ids[i], content_of(i));
}

/* ---- a flipped bit in each kind of place ---- */
enum from { SEGMENT_START, SEGMENT_TAIL, BATCH_B, RECORD_B, STATE_B, BATCH_C, RECORD_C };
static const struct {
	const char *what;
	enum ended how;
	enum from from;
	uint32_t offset;
	bool b, c;          /* are they still there? */
	const char *logged; /* or nothing */
	int kept;           /* files in corrupt/ */
} flips[] = {
	{ "first header", CLOSED, SEGMENT_START, 9, true, true, NULL,
		0 }, /* mended from the last */
	{ "last header", CLOSED, SEGMENT_TAIL, 9, true, true, NULL, 0 },
	{ "both are fine: unused byte", CLOSED, SEGMENT_START, 200, true, true, NULL, 0 },
	{ "batch: salt", CLOSED, BATCH_B, 0, true, true, "is damaged", 1 },
	{ "batch: length", CLOSED, BATCH_B, 21, true, true, "is damaged", 1 },
	{ "batch: CRC", CLOSED, BATCH_B, 61, true, true, "is damaged", 1 },
	{ "record: CRC", CLOSED, RECORD_B, 0, false, true, "is damaged", 1 },
	{ "record: length", CLOSED, RECORD_B, 5, false, true, "is damaged", 1 },
	{ "record: generation", CLOSED, RECORD_B, 15, false, true, "is damaged", 1 },
	{ "record: sequence", CLOSED, RECORD_B, 20, false, true, "is damaged", 1 },
	{ "record: type", CLOSED, RECORD_B, 24, false, true, "is damaged", 1 },
	{ "message: queue id", CLOSED, RECORD_B, 81, false, true, "is damaged", 1 },
	{ "state: head", CLOSED, STATE_B, 3, true, true, "is damaged", 1 },
	{ "state: kind", CLOSED, STATE_B, STATES_HEAD + 4 + 8, true, true, "is damaged",
		1 },
	/* Killed: the mark knows that the newest batch was whole. */
	{ "newest batch", KILLED, BATCH_C, 3, true, true, "no message is lost", 1 },
	{ "newest record", KILLED, RECORD_C, 3, true, false, "among them CCC", 1 },
	/* The end of the newest segment: torn, which is nobody's loss. */
	{ "torn batch", POWER_CUT, BATCH_C, 3, true, false, NULL, 0 },
	{ "torn record", POWER_CUT, RECORD_C, 3, true, false, "CCC was being written",
		0 },
	{ "torn envelope", POWER_CUT, RECORD_C, MESSAGE_HEAD + 1, true, false,
		"CCC was being written", 0 },
	{ "torn content", POWER_CUT, RECORD_C, MESSAGE_HEAD + 100, true, false,
		"CCC was being written", 0 },
};

static octets_t
place_of(const struct three *t, enum from from)
{
	switch (from) {
	case SEGMENT_START:
		return 0;
	case SEGMENT_TAIL:
		return RIG_SEGMENT - SPOOL_BLOCK;
	case BATCH_B:
		return t->at[1].offset - BATCH_HEADER;
	case RECORD_B:
		return t->at[1].offset;
	case STATE_B:
		return t->state.offset;
	case BATCH_C:
		return t->at[2].offset - BATCH_HEADER;
	default:
		return t->at[2].offset;
	}
}

TEST(a_flipped_bit_costs_only_what_it_hits)
{
	for (size_t i = 0; i < COUNT(flips); i++) {
		struct three t;
		uint64_t mid;

		test_row(i);
		three_new(&t, flips[i].how);
		CHECK_STR(rig_logged(), "");
		flip(&t.r, t.slot, place_of(&t, flips[i].from) + flips[i].offset);
		rig_open(&t.r);
		expect_one(&t, 0, true);
		expect_one(&t, 1, flips[i].b);
		expect_one(&t, 2, flips[i].c);
		if (flips[i].logged)
			CHECK(was_logged(flips[i].logged));
		else
			CHECK_STR(rig_logged(), "");
		CHECK_INT(files_in(t.r.queue, "corrupt"), flips[i].kept);
		/* Work goes on, and the next start says no more than this one. */
		CHECK_INT(rig_put(&t.r, "DDD", "DDD", STR("new"), &mid), 0);
		CHECK_INT(rig_put(&t.r, "EEE", "EEE", STR("newer"), NULL), 0);
		rig_settle(&t.r);
		rig_close(&t.r);
		rig_open(&t.r);
		expect_one(&t, 0, true);
		expect_one(&t, 1, flips[i].b);
		expect_one(&t, 2, flips[i].c);
		rig_expect(&t.r, mid, "DDD", STR("new"));
		CHECK_INT(was_logged("is damaged"), flips[i].kept > 0);
		CHECK_INT(files_in(t.r.queue, "corrupt"), flips[i].kept);
		rig_close(&t.r);
	}
	test_row(0);
}

/* Contents are not read at start; whoever reads them is told. */
TEST(damaged_content_is_an_error_of_its_reader)
{
	struct three t;
	struct spool_entry e;
	struct spool_content c;
	struct arena *arena = arena_new();
	struct spool_reader *reader;
	struct why why;

	three_new(&t, CLOSED);
	flip(&t.r, t.slot, t.at[1].offset + MESSAGE_HEAD + 50);
	rig_open(&t.r);
	CHECK(spool_find(t.r.spool, t.mid[1], &e));
	reader = spool_reader_open(t.r.log, &why);
	CHECK_INT(spool_read(reader, e.mid, e.where, true, arena, &c), 0);
	CHECK_INT(spool_read(reader, e.mid, e.where, false, arena, &c), -1);
	CHECK_INT(errno, EBADMSG);
	/* Somebody else's place. */
	CHECK_INT(spool_read(reader, t.mid[0], e.where, false, arena, &c), -1);
	CHECK_INT(errno, ESTALE);
	e.where.segment = 4711;
	CHECK_INT(spool_read(reader, e.mid, e.where, false, arena, &c), -1);
	CHECK_INT(errno, ESTALE);
	spool_reader_close(reader);
	arena_free(arena);
	rig_close(&t.r);
}

/* As the cleaner does: gives the place of the second record. */
static struct place
copy_record(struct rig *r, struct place from)
{
	struct spool *s = r->spool;
	struct segment *g = segment_of(s, from.slot);
	struct build b = { 0 };
	struct record rec;
	char *bytes = mem_alloc(from.length), *to;
	struct place at = { .length = from.length };

	ensure(read_at(g->fd, bytes, from.length, from.offset) == 0 &&
		record_get(bytes, from.length, &g->id, &rec) == 0);
	rec.flags |= RECORD_MOVED;
	to = build_record(&b, &rec);
	memcpy(to + RECORD_HEADER, bytes + RECORD_HEADER, rec.length - RECORD_HEADER);
	at.offset = (uint32_t)(to - b.bytes.data);
	ensure(stream_write(s, &s->streams[STREAM_COLD], &b, false, &from.offset) == 0);
	at.slot = s->streams[STREAM_COLD].seg->id.slot;
	at.offset += from.offset;
	build_free(&b);
	mem_free(bytes);
	return at;
}

TEST(of_two_records_the_whole_one_counts)
{
	for (size_t damaged = 0; damaged < 2; damaged++) {
		struct rig r;
		struct place at[2];
		uint64_t mid;

		test_row(damaged);
		rig_new(&r);
		CHECK_INT(rig_put(&r, "AAA", "AAA", content_of(0), &mid), 0);
		rig_settle(&r);
		at[0] = index_get(&r.spool->index, mid)->where;
		at[1] = copy_record(&r, at[0]);
		rig_close(&r);
		flip(&r, at[damaged].slot, at[damaged].offset + MESSAGE_HEAD + 50);
		rig_open(&r);
		CHECK_INT((long long)spool_count(r.spool), 1);
		rig_expect(&r, mid, "AAA", content_of(0));
		rig_finish(&r, mid);
		rig_settle(&r);
		rig_close(&r);
		rig_open(&r);
		CHECK_INT((long long)spool_count(r.spool), 0);
		rig_close(&r);
		CHECK_STR(rig_logged(), "");
	}
	test_row(0);
}

/* A process dies with states that were written and not flushed, then the power goes: some
 * of them are on the disk, one in between is not. */
TEST(a_hole_between_unflushed_states_is_no_damage)
{
	struct rig r;
	uint64_t mid;
	struct spool_entry e;
	struct place hole;

	rig_new(&r);
	r.spool->o.state_flush = 1000000;
	CHECK_INT(rig_put(&r, "AAA", "AAA", STR("a"), &mid), 0);
	for (uint64_t i = 1; i <= 3; i++)
		CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, i), 0);
	hole = entry_states(index_get(&r.spool->index, mid))[1];
	rig_kill(&r);
	flip(&r, hole.slot, hole.offset - BATCH_HEADER);
	rig_open(&r);
	CHECK(spool_find(r.spool, mid, &e));
	CHECK_INT((long long)e.n_states, 2);
	CHECK_INT((long long)e.wake_us, 3);
	CHECK_INT(rig_put(&r, "BBB", "BBB", STR("b"), NULL), 0);
	CHECK_INT(rig_put(&r, "CCC", "CCC", STR("c"), NULL), 0);
	rig_settle(&r);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 3);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

/* ---- files ---- */
static void
copy_file(const char *from, const char *to)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	int fd;

	ensure(read_file(from, 1 << 30, &all) == 0);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ensure(fd >= 0 && write_all(fd, buf_str(&all)) == 0);
	close(fd);
}

TEST(a_copy_of_a_segment_is_told_and_left_alone)
{
	struct three t;
	char from[512], to[512];

	three_new(&t, CLOSED);
	segment_path(&t.r, t.slot, from);
	segment_path(&t.r, 9, to);
	copy_file(from, to);
	rig_open(&t.r);
	CHECK(was_logged("is a copy of segment"));
	for (size_t i = 0; i < 3; i++)
		expect_one(&t, i, true);
	CHECK_INT((long long)spool_count(t.r.spool), 3);
	rig_close(&t.r);
	CHECK_INT(access(to, F_OK), 0);
}

/* Renamed by somebody: what it holds counts, not its name. */
TEST(a_renamed_segment_is_served)
{
	struct three t;
	char from[512], to[512];

	three_new(&t, CLOSED);
	segment_path(&t.r, t.slot, from);
	segment_path(&t.r, 9, to);
	ensure(rename(from, to) == 0);
	rig_open(&t.r);
	for (size_t i = 0; i < 3; i++)
		expect_one(&t, i, true);
	rig_close(&t.r);
}

/* Enough mail for several segments. Gives the last message's. */
static void
several_segments(struct rig *r, uint64_t *first, uint64_t *last)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	for (unsigned i = 0; i < 30; i++) {
		char id[16];

		snprintf(id, sizeof(id), "N%u", i);
		CHECK_INT(rig_put(r, id, id, fill_str(arena, 30000, i), last), 0);
		if (i == 0)
			*first = *last;
	}
	rig_settle(r);
}

TEST(a_missing_segment_is_told_and_the_rest_is_served)
{
	struct rig r;
	uint64_t first, last;
	uint32_t slot;
	char path[512], aside[600];
	size_t all;

	rig_new(&r);
	several_segments(&r, &first, &last);
	slot = index_get(&r.spool->index, first)->where.slot;
	all = spool_count(r.spool);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
	segment_path(&r, slot, path);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	ensure(rename(path, aside) == 0);
	rig_open(&r);
	CHECK(was_logged("is missing"));
	CHECK(spool_count(r.spool) > 10 && spool_count(r.spool) < all);
	rig_close(&r);
	/* It comes back. */
	unlink(path);
	ensure(rename(aside, path) == 0);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), (long long)all);
	rig_close(&r);
}

TEST(an_unreadable_segment_is_told_and_not_overwritten)
{
	struct three t;

	three_new(&t, CLOSED);
	flip(&t.r, t.slot, 3);
	flip(&t.r, t.slot, RIG_SEGMENT - SPOOL_BLOCK + 3);
	rig_open(&t.r);
	CHECK(was_logged("is no segment"));
	CHECK_INT((long long)spool_count(t.r.spool), 0);
	CHECK_INT(rig_put(&t.r, "DDD", "DDD", STR("d"), NULL), 0);
	rig_settle(&t.r);
	rig_close(&t.r);
	flip(&t.r, t.slot, 3);
	flip(&t.r, t.slot, RIG_SEGMENT - SPOOL_BLOCK + 3);
	rig_open(&t.r);
	CHECK_INT((long long)spool_count(t.r.spool), 4);
	for (size_t i = 0; i < 3; i++)
		expect_one(&t, i, true);
	rig_close(&t.r);
}

TEST(a_second_writer_is_refused)
{
	struct rig r;
	struct why why;

	rig_new(&r);
	CHECK(spool_open(&r.o, &why) == NULL);
	CHECK(str_find(str_c(why.text), STR("in use")) >= 0);
	CHECK_INT(spool_scan(r.log, NULL, NULL, &why), -1);
	rig_close(&r);
	r.o.directory = "/nonexistent/log";
	CHECK(spool_open(&r.o, &why) == NULL);
}
