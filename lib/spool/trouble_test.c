/* trouble_test.c -- disks that fail and disks that are full. */
#include "spool_test.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures; /* syncs that are to fail */

static int
failing_sync(int fd)
{
	if (failures > 0) {
		failures--;
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}

static bool
was_logged(const char *text)
{
	return str_find(rig_logged(), str_c(text)) >= 0;
}

TEST(a_failed_sync_fails_its_batch_and_nothing_else)
{
	struct rig r;
	uint64_t before, after;
	struct spool_entry e;
	uint32_t failed;

	rig_new(&r);
	r.spool->o.sync = r.o.sync = failing_sync;
	r.spool->o.state_flush = 1000000;
	CHECK_INT(rig_put(&r, "AAA", "AAA", STR("a"), &before), 0);
	failed = index_get(&r.spool->index, before)->where.slot;
	CHECK_INT(rig_state(&r, before, SPOOL_HOLD, 0), 0);
	failures = 1;
	CHECK_INT(rig_put(&r, "BBB", "BBB", STR("b"), NULL), EIO);
	CHECK_INT(failures, 0);
	CHECK(was_logged("nothing more goes there"));
	CHECK_INT(rig_put(&r, "CCC", "CCC", STR("c"), &after), 0);
	CHECK(index_get(&r.spool->index, after)->where.slot != failed);
	CHECK_INT((long long)spool_count(r.spool), 2);
	rig_expect(&r, before, "AAA", STR("a"));
	/* The state was flushed with the segment that failed: it was written again. */
	CHECK(entry_states(index_get(&r.spool->index, before))->slot != failed);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT(
		(long long)spool_count(r.spool), 2); /* BBB was refused: it never comes */
	CHECK(spool_find(r.spool, before, &e) && e.hold);
	CHECK_INT((long long)e.n_states, 1);
	rig_finish(&r, before);
	rig_finish(&r, after);
	rig_close(&r);
}

TEST(a_disk_that_fails_for_long_loses_nothing)
{
	struct rig r;
	uint64_t mid;

	rig_new(&r);
	r.spool->o.sync = r.o.sync = failing_sync;
	CHECK_INT(rig_put(&r, "AAA", "AAA", STR("a"), &mid), 0);
	for (int i = 0; i < 12; i++) {
		char id[16];

		failures = 1;
		snprintf(id, sizeof(id), "X%d", i);
		CHECK_INT(rig_put(&r, id, id, STR("x"), NULL), EIO);
		rig_settle(&r);
	}
	(void)rig_logged();
	CHECK_INT(rig_put(&r, "BBB", "BBB", STR("b"), NULL), 0);
	CHECK_INT((long long)spool_count(r.spool), 2);
	rig_expect(&r, mid, "AAA", STR("a"));
	rig_settle(&r);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 2);
	rig_close(&r);
	(void)rig_logged();
}

static void
allow_writing(bool yes)
{
	struct rlimit limit = { yes ? RLIM_INFINITY : 0, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ensure(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* What was written can still be read: the cleaner finds victims and nowhere to put them.
 */
TEST(a_disk_that_takes_nothing_more_lets_nobody_wait)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct rig r;
	uint64_t mids[20];

	rig_new(&r);
	r.o.slack = RIG_SEGMENT;
	spool_change(r.spool, &r.o);
	for (unsigned i = 0; i < COUNT(mids); i++)
		CHECK_INT(rig_put(&r, "AAA", "AAA", fill_str(arena, 30000, i), &mids[i]),
			0);
	for (unsigned i = 0; i < COUNT(mids); i += 2)
		rig_finish(&r, mids[i]);
	allow_writing(false);
	for (unsigned i = 0; i < COUNT(r.spool->streams) + SPARES; i++)
		CHECK(rig_put(&r, "BBB", "BBB", STR("b"), NULL) != 0);
	allow_writing(true);
	while (rig_put(&r, "CCC", "CCC", STR("c"), NULL) != 0)
		; /* until the keeper has tried again */
	rig_settle(&r);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), COUNT(mids) / 2 + 1);
	rig_close(&r);
	(void)rig_logged();
}

/* ---- full ---- */
static bool
is_starved(void *arg)
{
	return ((struct spool *)arg)->starved;
}

/* Mail until it is refused; gives how much was taken. */
static unsigned
fill_the_disk(struct rig *r, uint64_t *mids, unsigned most)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	unsigned n;
	int error = 0;

	for (n = 0; n < most && !error; n++) {
		char id[16];

		snprintf(id, sizeof(id), "F%u", n);
		error = rig_put(r, id, id, fill_str(arena, 30000, n), &mids[n]);
	}
	CHECK_INT(error, ENOSPC);
	return n - (error != 0);
}

static void
states_still_work(struct rig *r, const uint64_t *mids, unsigned n)
{
	/* More states than the free part of any segment holds. */
	for (unsigned i = 0; i < 3000; i++)
		CHECK_INT(rig_state(r, mids[i % n], SPOOL_DEFERRED, i), 0);
}

TEST(a_full_disk_refuses_mail_and_keeps_states)
{
	struct rig r;
	uint64_t mids[400];
	unsigned n;

	rig_new(&r);
	rig_settle(&r);
	r.o.reserve = (octets_t)1 << 60; /* the disk will never have that much */
	spool_change(r.spool, &r.o);
	CHECK(spool_full(r.spool));
	CHECK_INT(rig_put(&r, "000", "000", STR("in flight"), NULL), 0);
	r.o.reserve = 0;
	spool_change(r.spool, &r.o);
	CHECK_INT(rig_put(&r, "AAA", "AAA", STR("a"), &mids[0]), 0);
	r.o.reserve = (octets_t)1 << 60;
	spool_change(r.spool, &r.o);
	states_still_work(&r, mids, 1);
	r.o.reserve = 0;
	spool_change(r.spool, &r.o);
	n = 1;
	rig_finish(&r, mids[0]);
	(void)n;
	rig_settle(&r);
	rig_close(&r);
	(void)rig_logged();
}

TEST(a_small_file_system_fills_up_and_recovers)
{
	struct rig r;
	uint64_t mids[400];
	unsigned n;
	char path[300];

	rig_new(&r);
	rig_close(&r);
	snprintf(path, sizeof(path), "%s/small", r.queue);
	ensure(mkdir(path, 0700) == 0);
	if (mount("none", path, "tmpfs", 0, "size=3m") < 0) {
		printf("no tmpfs of our own (not root): not tried on a full file "
		       "system\n");
		return;
	}
	snprintf(r.log, sizeof(r.log), "%.240s/small/log", r.queue);
	ensure(mkdir(r.log, 0700) == 0);
	r.o.slack = 100 * RIG_SEGMENT;
	rig_open(&r);
	n = fill_the_disk(&r, mids, COUNT(mids));
	CHECK(n > 30);
	CHECK(r.spool->starved && spool_full(r.spool));
	CHECK(was_logged("no room for another log segment"));
	states_still_work(&r, mids, n);
	rig_run(is_starved, r.spool);
	/* Most of it ends: there is room again. */
	for (unsigned i = 5; i < n; i++)
		rig_finish(&r, mids[i]);
	rig_settle(&r);
	CHECK_INT(rig_put(&r, "NEW", "NEW", STR("new"), &mids[5]), 0);
	CHECK_INT((long long)spool_count(r.spool), 6);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 6);
	rig_expect(&r, mids[5], "NEW", STR("new"));
	rig_close(&r);
	(void)rig_logged();
	CHECK_INT(umount(path), 0);
}

/* ---- too long ---- */
TEST(what_no_segment_can_hold_is_refused)
{
	struct rig r;
	struct arena *arena = arena_new();
	uint64_t mid;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "AAA", "AAA", fill_str(arena, RIG_SEGMENT, 1), NULL),
		EMSGSIZE);
	CHECK_INT(rig_put(&r, "", "AAA", STR("x"), NULL), EINVAL);
	CHECK_INT(
		rig_put(&r, "AAA", "AAA", fill_str(arena, RIG_SEGMENT / 3, 1), &mid), 0);
	rig_expect(&r, mid, "AAA", fill_str(arena, RIG_SEGMENT / 3, 1));
	rig_close(&r);
	arena_free(arena);
}

/* ---- bodies ---- */
static bool flag;
static uint64_t body_mid;

static void
body_put(void *arg, int error, const struct spool_entry *e)
{
	(void)arg;
	CHECK_INT(error, 0);
	body_mid = e->mid;
	flag = true;
}

static bool
is_flagged(void *arg)
{
	(void)arg;
	return flag;
}

TEST(a_large_body_lives_and_ends_with_its_message)
{
	struct rig r;
	struct arena *arena = arena_new();
	struct spool_put_request m = { .queue_id = STR("AAA"), .recipients = 1 };
	struct str bytes = fill_str(arena, 300000, 7);
	struct spool_entry e;
	struct spool_content c;
	struct spool_reader *reader;
	struct why why;
	int error;
	char path[600], got[4];
	struct spool_body *b, *orphan;

	rig_new(&r);
	b = spool_body_new(r.spool, &error);
	orphan = spool_body_new(r.spool, &error);
	CHECK_INT(spool_body_write(b, bytes), 0);
	CHECK_INT(spool_body_write(b, STR("end")), 0);
	CHECK_INT(spool_body_finish(b), 0);
	CHECK_INT(spool_body_write(orphan, bytes), 0);
	flag = false;
	m.content = STR("first part ");
	spool_put(r.spool, &m, b, body_put, NULL);
	rig_run(is_flagged, NULL);
	body_keep(orphan); /* the process dies before its message is put */
	rig_settle(&r);
	rig_close(&r);
	snprintf(path, sizeof(path), "%s/body", r.log);
	rig_open(&r);
	CHECK(spool_find(r.spool, body_mid, &e));
	CHECK_INT((long long)e.size, 11 + 300003);
	reader = spool_reader_open(r.log, &why);
	CHECK_INT(spool_read(reader, body_mid, e.where, false, arena, &c), 0);
	CHECK_STR(c.content, "first part ");
	CHECK_INT(pread(c.body_fd, got, 3, 300000), 3);
	CHECK_STR(str_of(got, 3), "end");
	fd_close(&c.body_fd);
	spool_reader_close(reader);
	rig_finish(&r, body_mid);
	rig_settle(&r);
	rig_close(&r);
	CHECK_INT(rmdir(path), 0); /* nothing is left in it */
	arena_free(arena);
	CHECK_STR(rig_logged(), "");
}
