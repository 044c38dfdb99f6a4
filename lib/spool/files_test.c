/* files_test.c -- the engine with a file for each message. */
#include "spool_test.h"
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void
rig_files(struct rig *r)
{
	rig_new(r);
	rig_close(r);
	r->o.files = true;
	rig_open(r);
}

static const char *
path_of(const struct rig *r, uint64_t mid)
{
	static char path[400];
	char name[FILE_PATH];

	file_path(name, mid, "");
	snprintf(path, sizeof(path), "%s/files/%s", r->log, name);
	return path;
}

TEST(a_message_is_a_file)
{
	struct rig r;
	struct spool_entry e;
	uint64_t mid;

	rig_files(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("Subject: x\n\nhello\n"), &mid), 0);
	rig_expect(&r, mid, "env", STR("Subject: x\n\nhello\n"));
	CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, 77), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_HOLD, 0), 0);
	CHECK_INT(access(path_of(&r, mid), F_OK), 0);
	rig_kill(&r);
	rig_open(&r);
	rig_expect(&r, mid, "env", STR("Subject: x\n\nhello\n"));
	CHECK(spool_find(r.spool, mid, &e) && e.hold && e.wake_us == 77);
	CHECK_STR(str_c(e.queue_id), "4abc");
	rig_settle(&r);
	rig_finish(&r, mid);
	CHECK_INT((long long)spool_count(r.spool), 0);
	rig_settle(&r);
	CHECK(access(path_of(&r, mid), F_OK) < 0);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST(an_end_that_was_written_counts)
{
	struct rig r;
	uint64_t mid;

	rig_files(&r);
	r.spool->o.state_flush = 1000000;
	CHECK_INT(rig_put(&r, "4abc", "env", STR("x"), &mid), 0);
	rig_finish(&r, mid);
	CHECK_INT(access(path_of(&r, mid), F_OK), 0);
	rig_kill(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 0);
	rig_settle(&r);
	CHECK(access(path_of(&r, mid), F_OK) < 0);
	rig_close(&r);
}

/* ---- many states ---- */
TEST(states_are_packed)
{
	struct rig r;
	struct spool_entry e;
	struct stat st;
	uint64_t mid;

	rig_files(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("x"), &mid), 0);
	for (unsigned i = 1; i <= 2000; i++)
		CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, i), 0);
	rig_settle(&r);
	CHECK(stat(path_of(&r, mid), &st) == 0 && st.st_size < 150000);
	CHECK(spool_find(r.spool, mid, &e) && e.wake_us == 2000);
	rig_close(&r);
	rig_open(&r);
	CHECK(spool_find(r.spool, mid, &e) && e.wake_us == 2000);
	rig_expect(&r, mid, "env", STR("x"));
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

/* ---- trouble ---- */
static int failures;

static int
failing_sync(int fd)
{
	if (failures > 0) {
		failures--;
		errno = EIO;
		return -1;
	}
	return fsync(fd);
}

static bool
was_logged(const char *text)
{
	struct str logged = rig_logged();
	bool was = str_find(logged, str_c(text)) >= 0;

	if (!was)
		printf("not logged: %s, but: " STR_FMT "\n", text, STR_ARG(logged));
	return was;
}

TEST(a_refused_message_leaves_no_file)
{
	struct rig r;
	uint64_t mid;

	rig_files(&r);
	r.spool->o.sync = r.o.sync = failing_sync;
	failures = 1;
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), NULL), EIO);
	CHECK(was_logged("could not be stored"));
	CHECK_INT(rig_put(&r, "BBB", "env", STR("b"), &mid), 0);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 1);
	rig_expect(&r, mid, "env", STR("b"));
	rig_close(&r);
}

TEST(a_state_whose_flush_failed_is_written_into_a_new_file)
{
	struct rig r;
	struct spool_entry e;
	struct stat before, after;
	uint64_t mid;

	rig_files(&r);
	r.spool->o.sync = r.o.sync = failing_sync;
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &mid), 0);
	CHECK(stat(path_of(&r, mid), &before) == 0);
	failures = 1;
	CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, 5), 0);
	rig_settle(&r);
	CHECK(was_logged("were not flushed"));
	CHECK(stat(path_of(&r, mid), &after) == 0 && after.st_ino != before.st_ino);
	CHECK_INT(rig_state(&r, mid, SPOOL_HOLD, 0), 0);
	rig_kill(&r);
	rig_open(&r);
	CHECK(spool_find(r.spool, mid, &e) && e.hold && e.wake_us == 5);
	rig_expect(&r, mid, "env", STR("a"));
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST(states_find_room_on_a_full_disk)
{
	struct rig r;
	struct spool_entry e;
	struct str content;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	uint64_t mid;

	rig_new(&r);
	rig_close(&r);
	if (geteuid() != 0 || mount("tmpfs", r.log, "tmpfs", 0, "size=6m") < 0)
		return; /* only root can mount */
	r.o.files = true;
	rig_open(&r);
	content = fill_str(arena, 100000, 1);
	CHECK_INT(rig_put(&r, "AAA", "env", content, &mid), 0);
	rig_settle(&r);
	while (rig_put(&r, "BBB", "env", content, NULL) == 0)
		;
	while (rig_put(&r, "CCC", "env", STR("c"), NULL) == 0)
		;
	for (unsigned i = 1; i <= 300; i++)
		CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, i), 0);
	rig_kill(&r);
	rig_open(&r);
	CHECK(spool_find(r.spool, mid, &e) && e.wake_us == 300);
	rig_close(&r);
	CHECK_INT(umount(r.log), 0);
}

/* ---- damage ---- */
static void
flip(const char *path, off_t at)
{
	int fd CLEANUP(fd_close) = open(path, O_RDWR | O_CLOEXEC);
	char c = 0;

	ensure(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c ^= 0x55;
	ensure(pwrite(fd, &c, 1, at) == 1);
}

enum { STATES_AT = FILE_HEAD + 8 }; /* of a message of 3 and 4 bytes */

static const struct {
	const char *what;
	off_t flip, cut; /* -1: none */
	bool stays, held, readable;
} damages[] = {
	{ "head", 30, -1, false, false, false },
	{ "envelope", FILE_HEAD, -1, true, false, false },
	{ "content", FILE_HEAD + 4, -1, true, false, false },
	{ "first state", STATES_AT + 50, -1, true, true, true },
	{ "last state", STATES_AT + 200, -1, true, true, true },
	{ "cut in the head", -1, 100, false, false, false },
	{ "cut in the content", -1, FILE_HEAD + 5, true, true, false },
	{ "empty", -1, 0, false, false, false },
};

TEST(damage_is_of_one_message)
{
	for (size_t i = 0; i < COUNT(damages); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct rig r;
		struct spool_entry e;
		struct spool_content c;
		struct spool_reader *reader;
		struct why why;
		uint64_t mid, other;

		printf("%s\n", damages[i].what);
		rig_files(&r);
		CHECK_INT(rig_put(&r, "AAA", "env", STR("abcd"), &mid), 0);
		CHECK_INT(rig_put(&r, "BBB", "env", STR("b"), &other), 0);
		CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, 5), 0);
		rig_settle(&r);
		CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, 6), 0);
		rig_close(&r);
		if (damages[i].flip >= 0)
			flip(path_of(&r, mid), damages[i].flip);
		else
			ensure(truncate(path_of(&r, mid), damages[i].cut) == 0);
		rig_open(&r);
		rig_expect(&r, other, "env", STR("b"));
		CHECK_INT(spool_find(r.spool, mid, &e), damages[i].stays);
		if (!damages[i].stays || damages[i].held)
			CHECK(was_logged("damaged"));
		if (damages[i].stays) {
			CHECK_INT(e.hold, damages[i].held);
			reader = spool_reader_open(r.log, &why);
			ensure(reader);
			CHECK_INT(spool_read(reader, mid, e.where, false, arena, &c),
				damages[i].readable ? 0 : -1);
			CHECK(damages[i].readable || errno == EBADMSG);
			spool_reader_close(reader);
		}
		rig_settle(&r);
		rig_close(&r);
		(void)rig_logged();
		rig_open(&r); /* said once */
		CHECK_STR(rig_logged(), "");
		CHECK_INT(spool_find(r.spool, mid, &e), damages[i].stays);
		CHECK(!damages[i].stays || e.hold == damages[i].held);
		rig_expect(&r, other, "env", STR("b"));
		rig_close(&r);
	}
}

/* ---- from one engine into the other ---- */
TEST(mail_moves_between_the_engines)
{
	struct rig r;
	struct spool_entry e;
	struct why why = { 0 };
	uint64_t first, held;
	size_t moved;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "AAA", "", STR("a"), &first), 0);
	CHECK_INT(rig_put(&r, "BBB", "", STR("b"), &held), 0);
	CHECK_INT(rig_state(&r, first, SPOOL_DEFERRED, 7), 0);
	CHECK_INT(rig_state(&r, held, SPOOL_HOLD, 0), 0);
	for (int way = 0; way < 4; way++) {
		bool to_files = way % 2 == 0;
		uint64_t mids[2] = { 0 };
		size_t n = 0;

		r.o.files = to_files;
		rig_close(&r);
		rig_open(&r);
		CHECK_INT(spool_convert(r.spool, &moved, &why), 0);
		CHECK_INT((long long)moved, 2);
		rig_close(&r);
		rig_open(&r);
		CHECK_INT((long long)spool_count(r.spool), 2);
		for (size_t i = 0; i < 2; i++) {
			const struct index *x =
				to_files ? &r.spool->files->index : &r.spool->index;

			for (size_t k = 0; k < x->room; k++)
				if (x->table[k] &&
					!(x->table[k]->flags & ENTRY_FINISHED) && n < 2)
					mids[n++] = x->table[k]->mid;
		}
		CHECK_INT((long long)n, 2);
		for (size_t i = 0; i < 2; i++) {
			bool is_held;

			CHECK(spool_find(r.spool, mids[i], &e));
			CHECK_INT(is_file_mid(e.mid), to_files);
			is_held = strcmp(e.queue_id, "BBB") == 0;
			CHECK_INT(e.hold, is_held);
			CHECK_INT((long long)e.wake_us, is_held ? 0 : 7);
			CHECK_INT((long long)e.arrival_us, 1000);
			rig_expect(&r, e.mid, "", is_held ? STR("b") : STR("a"));
		}
	}
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

static bool
note_mid(const struct spool_entry *e, void *arg)
{
	*(uint64_t *)arg = e->mid;
	return true;
}

static uint64_t
only_mid(struct rig *r)
{
	uint64_t mid = 0;

	CHECK_INT((long long)spool_count(r->spool), 1);
	(void)spool_each(r->spool, note_mid, &mid);
	return mid;
}

/* Who waits for a flush is told while mail keeps coming. */
static unsigned puts_left;

static void
put_another(void *arg, int error, const struct spool_entry *e)
{
	struct rig *r = arg;
	struct spool_put_request put = { .queue_id = STR("MORE"),
		.arrival_us = 1,
		.recipients = 1,
		.envelope = STR("env"),
		.content = STR("x") };

	CHECK_INT(error, 0);
	if (e && puts_left > 0) {
		struct spool_state state = { .mid = e->mid, .kind = SPOOL_DEFERRED };

		puts_left--;
		spool_update(r->spool, &state, 1, NULL, NULL);
		spool_put(r->spool, &put, NULL, put_another, r);
	}
}

static void
flushed(struct spool *s, void *arg)
{
	(void)s;
	*(unsigned *)arg = puts_left;
}

static bool
no_puts_left(void *arg)
{
	(void)arg;
	return puts_left == 0;
}

TEST(a_flush_ends_while_mail_comes)
{
	struct rig r;
	unsigned left = 0;
	uint64_t mid;

	rig_files(&r);
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &mid), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_HOLD, 0), 0);
	puts_left = 200;
	put_another(&r, 0, &(struct spool_entry){ .mid = mid });
	spool_flush(r.spool, flushed, &left);
	rig_run(no_puts_left, NULL);
	CHECK(left > 0);
	rig_settle(&r);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST(a_failed_flush_is_waited_for_again)
{
	struct rig r;
	unsigned left = 1;
	uint64_t mid;

	rig_files(&r);
	r.spool->o.sync = r.o.sync = failing_sync;
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &mid), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_HOLD, 0), 0);
	failures = 1;
	puts_left = 0;
	spool_flush(r.spool, flushed, &left);
	rig_settle(&r);
	CHECK_INT(left, 0);
	CHECK_INT(failures, 0);
	rig_close(&r);
}

/* What became of a message goes with it, all of it: a release too, and who held it. */
TEST(states_go_with_a_converted_message)
{
	for (int way = 0; way < 2; way++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		static const uint8_t kinds[] = { SPOOL_DEFERRED, SPOOL_HOLD,
			SPOOL_RELEASE, SPOOL_EXPIRE, SPOOL_HOLD };
		struct rig r;
		struct why why = { 0 };
		struct spool_reader *reader;
		struct spool_state *states;
		struct spool_entry e;
		uint64_t mid;
		size_t moved, n, seen = 0;

		rig_new(&r);
		rig_close(&r);
		r.o.files = way;
		rig_open(&r);
		CHECK_INT(rig_put(&r, "AAA", "", STR("a"), &mid), 0);
		for (size_t i = 0; i < COUNT(kinds); i++)
			CHECK_INT(rig_state(&r, mid, kinds[i], 10 + i), 0);
		rig_close(&r);
		r.o.files = !way;
		rig_open(&r);
		CHECK_INT(spool_convert(r.spool, &moved, &why), 0);
		rig_settle(&r);
		mid = only_mid(&r);
		CHECK(spool_find(r.spool, mid, &e) && e.hold && e.expire);
		CHECK_INT((long long)e.wake_us, 12);
		reader = spool_reader_open(r.log, &why);
		ensure(reader);
		for (size_t i = 0; i < e.n_states; i++) {
			CHECK_INT(spool_read_states(
					  reader, mid, e.states[i], arena, &states, &n),
				0);
			for (size_t k = 0; k < n && seen < COUNT(kinds); k++)
				CHECK_INT(states[k].kind, kinds[seen++]);
		}
		CHECK_INT((long long)seen, COUNT(kinds));
		spool_reader_close(reader);
		rig_close(&r);
		CHECK_STR(rig_logged(), "");
	}
}

/* A conversion that was broken off between the two. */
TEST(what_is_in_both_is_one_message)
{
	struct rig r;
	uint64_t log, file;
	struct spool_entry e;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &log), 0);
	rig_close(&r);
	r.o.files = true;
	rig_open(&r);
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &file), 0);
	CHECK_INT((long long)spool_count(r.spool), 2);
	rig_kill(&r);
	rig_open(&r);
	rig_settle(&r);
	CHECK_INT((long long)spool_count(r.spool), 1);
	CHECK(spool_find(r.spool, file, &e) && !spool_find(r.spool, log, &e));
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

static bool
count_up(const struct spool_entry *e, void *arg)
{
	(void)e;
	++*(unsigned *)arg;
	return true;
}

/* A file that ended and is not removed yet: what was moved into the log is the message,
 * for who only looks, too. */
TEST(a_file_that_ended_hides_nothing)
{
	struct rig r;
	struct why why;
	uint64_t file, log;
	unsigned found = 0;

	rig_files(&r);
	r.spool->o.state_flush = 1000000;
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &file), 0);
	r.spool->o.files = false;
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &log), 0);
	rig_finish(&r, file);
	CHECK_INT(access(path_of(&r, file), F_OK), 0);
	rig_kill(&r);
	CHECK_INT(spool_scan(r.log, count_up, &found, &why), 0);
	CHECK_INT(found, 1);
	rig_open(&r);
	rig_expect(&r, log, "env", STR("a"));
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

/* qmgr may tell of messages that a new spool has not looked at yet. */
TEST(states_of_old_mail_are_taken_before_it_is_indexed)
{
	struct rig r;
	struct spool_entry e;
	uint64_t old, ended, new;

	rig_files(&r);
	CHECK_INT(rig_put(&r, "OLD", "env", STR("a"), &old), 0);
	CHECK_INT(rig_put(&r, "END", "env", STR("a"), &ended), 0);
	rig_close(&r);
	rig_open_early(&r);
	CHECK(!spool_is_indexed(r.spool));
	for (int i = 0; i < 2; i++) {
		struct spool_state state = { .mid = i ? ended : old,
			.kind = i ? SPOOL_FINISHED : SPOOL_DEFERRED,
			.when_us = 9 };

		spool_update(r.spool, &state, 1, NULL, NULL);
	}
	CHECK_INT(rig_put(&r, "NEW", "env", STR("b"), &new), 0);
	rig_settle(&r);
	CHECK_INT((long long)spool_count(r.spool), 2);
	CHECK(spool_find(r.spool, old, &e) && e.wake_us == 9);
	CHECK(!spool_find(r.spool, ended, &e));
	rig_expect(&r, new, "env", STR("b"));
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 2);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

/* ---- the head ---- */
TEST(a_head_is_read_again)
{
	static const char begin[] =
		"Postern queue file 1\nmid 8000000000000007\nid 4abc\narrival 12\nsize "
		"9\n"
		"recipients 2\nhold 1\nenvelope 512 3 0000000a\ncontent 515 4 0000000b\n"
		"body 000000000000000c 0000000d\nstates 520\n\n";
	struct file_head h = { .mid = FILE_MID | 7,
		.arrival_us = 12,
		.size = 9,
		.recipients = 2,
		.hold = true,
		.envelope = 3,
		.content = 4,
		.envelope_crc = 10,
		.content_crc = 11,
		.body = 12,
		.body_crc = 13,
		.states = 520,
		.queue_id = "4abc" };
	struct file_head got;
	char bytes[FILE_HEAD], again[FILE_HEAD];

	file_head_put(bytes, &h);
	CHECK(memcmp(bytes, begin, sizeof(begin) - 1) == 0);
	CHECK_INT(file_head_get(bytes, &got), 0);
	file_head_put(again, &got);
	CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 1;
		CHECK_INT(file_head_get(bytes, &got), -1);
		bytes[i] ^= 1;
	}
}

/* Some are flushed and forgotten while others come: none may be missing in a new file. */
TEST(states_that_were_flushed_stay_when_a_later_flush_fails)
{
	struct rig r;
	struct spool_entry e;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_reader *reader;
	struct spool_state *states;
	struct why why;
	size_t n;
	uint64_t mid;

	rig_files(&r);
	r.spool->o.sync = r.o.sync = failing_sync;
	CHECK_INT(rig_put(&r, "AAA", "env", STR("a"), &mid), 0);
	for (unsigned i = 0; i < 40; i++) {
		char rcpt[4];
		struct spool_state state = { .mid = mid, .kind = SPOOL_DONE };

		index_get(&r.spool->files->index, mid)->recipients = 100;
		put_u32(rcpt, i);
		state.rcpts = str_of(rcpt, 4);
		spool_update(r.spool, &state, 1, NULL, NULL);
		CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, i), 0);
		if (i % 3 == 0)
			r.spool->files->flush_due = true;
		failures = i % 7 == 6;
	}
	rig_settle(&r);
	failures = 0;
	reader = spool_reader_open(r.log, &why);
	ensure(reader && spool_find(r.spool, mid, &e));
	CHECK_INT(spool_read_states(reader, mid, e.states[0], arena, &states, &n), 0);
	for (uint32_t i = 0; i < 40; i++) {
		unsigned times = 0;

		for (size_t k = 0; k < n; k++)
			times += states[k].kind == SPOOL_DONE &&
				 get_u32(states[k].rcpts.data) == i;
		CHECK_INT(times, 1);
	}
	spool_reader_close(reader);
	rig_close(&r);
}
