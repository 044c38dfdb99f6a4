/* service_test.c -- what a worker reads at its start, the records to master, queue ids.
 */
#include "service_impl.h"
#include "test.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the environment variable ---- */

static const struct {
	const char *text;
	int want;
} spawns[] = {
	{ "worker=3 generation=1 limit=0 control=3 listen=", 0 },
	{ "worker=3 generation=1 limit=100 control=3 broker=4 log=5 stays=1 stress=1 "
	  "listen=6,7",
		0 },
	{ "", -1 },
	{ "generation=1 control=3 listen=", -1 }, /* nobody */
	{ "worker=1 generation=1 listen=4", -1 }, /* nobody to tell */
	{ "worker=1 control=2 listen=", -1 },     /* stderr is not ours */
	{ "worker=1 control=3 listen=4,x", -1 },
	{ "worker=1 control=3 listen=4 extra=1", -1 },
	{ "worker=-1 control=3 listen=", -1 },
	{ "worker=99999999999 control=3 listen=", -1 },
	{ "worker", -1 },
	{ "worker=1 control=2000000 listen=", -1 },
};

TEST(spawn_texts_are_read_strictly)
{
	struct spawn s;

	for (size_t i = 0; i < COUNT(spawns); i++) {
		test_row(i);
		CHECK_INT(spawn_parse(str_c(spawns[i].text), &s), spawns[i].want);
	}
}

TEST(what_master_shows_the_worker_reads)
{
	struct spawn in = { .worker = 7,
		.generation = 2,
		.limit = 50,
		.control = 3,
		.broker = 4,
		.identities = -1,
		.log = 5,
		.suspects = 10,
		.accepted = 11,
		.explain = 12,
		.stays = true,
		.listeners = { 6, 9 },
		.n_listeners = 2 };
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct spawn out;

	spawn_show(&in, &text);
	CHECK_INT(spawn_parse(buf_str(&text), &out), 0);
	CHECK_INT(out.worker, 7);
	CHECK_INT(out.limit, 50);
	CHECK_INT(out.identities, -1);
	CHECK_INT(out.log, 5);
	CHECK_INT(out.suspects, 10);
	CHECK_INT(out.accepted, 11);
	CHECK_INT(out.explain, 12);
	CHECK(out.stays);
	CHECK_INT(out.n_listeners, 2);
	CHECK_INT(out.listeners[1], 9);
}

TEST(too_many_listeners_are_refused)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct spawn s;

	buf_addz(&text, "worker=1 control=3 listen=10");
	for (int i = 1; i <= SPAWN_LISTENERS; i++)
		buf_printf(&text, ",%d", i + 10);
	CHECK_INT(spawn_parse(buf_str(&text), &s), -1);
}

/* ---- records ---- */

static void
pair(int ends[2])
{
	ensure(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
}

TEST(records_arrive_with_their_descriptor)
{
	struct control said;
	int ends[2], passed;

	pair(ends);
	CHECK_INT(control_send(ends[0], CONTROL_BROKER, 5, ends[0]), 0);
	CHECK_INT(control_receive(ends[1], &said, &passed), 1);
	CHECK_INT(said.kind, CONTROL_BROKER);
	CHECK_INT(said.value, 5);
	CHECK(passed >= 0);
	fd_close(&passed);
	CHECK_INT(control_receive(ends[1], &said, &passed), -1);
	CHECK_INT(errno, EAGAIN);
	fd_close(&ends[0]);
	CHECK_INT(control_receive(ends[1], &said, &passed), 0);
	fd_close(&ends[1]);
}

/* What a captured worker may send to master, who is root. */
TEST(records_of_another_size_are_refused)
{
	struct control said;
	char junk[100] = "junk";
	int ends[2], passed;

	pair(ends);
	for (size_t len = 1; len < sizeof(junk); len += 3) {
		test_row(len);
		if (len == sizeof(said))
			continue;
		CHECK(send(ends[0], junk, len, 0) == (ssize_t)len);
		CHECK_INT(control_receive(ends[1], &said, &passed), -1);
		CHECK_INT(errno, EPROTO);
		CHECK_INT(passed, -1);
	}
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

TEST(identities_end_inside_their_fields)
{
	struct spawn_identity who, got;
	int ends[2], link;

	pair(ends);
	memset(&who, 'x', sizeof(who));
	CHECK_INT(identity_send(ends[0], &who, ends[0]), 0);
	CHECK_INT(identity_receive(ends[1], &got, &link), 1);
	CHECK_INT(strlen(got.program), sizeof(got.program) - 1);
	CHECK_INT(strlen(got.service), sizeof(got.service) - 1);
	fd_close(&link);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

/* ---- argv ---- */

static const struct {
	const char *words; /* after the program's name, separated by | */
	int want;
	const char *name;
	int verbose;
	size_t overrides, args;
} lines[] = {
	{ "-n|smtp|-t|inet|-u", 0, "smtp", 0, 0, 0 },
	{ "-n|smtp|-t|inet|-u|-c|-o|x=y|-v|-v", 0, "smtp", 2, 1, 0 },
	{ "-n|smtp|-t|inet|-vv|-ox=y|-o|{ z = a b }", 0, "smtp", 2, 2, 0 },
	{ "-n|maildrop|-t|unix|flags=DR|user=vmail|argv=/bin/x|-d", 0, "maildrop", 0, 0,
		4 },
	{ "-n|x|-t|inet|-S|-v", 0, "x", 0, 0, 2 }, /* -S is the program's own */
	{ "-n|x|-t|inet|-o", -1, NULL, 0, 0, 0 },
	{ "-n|x", -1, NULL, 0, 0, 0 },
	{ "", -1, NULL, 0, 0, 0 },
};

TEST(arguments_are_those_of_postfix)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct str rest = str_c(lines[i].words), word;
		char *argv[20] = { arena_cstr(arena, STR("program")) };
		struct options o;
		struct why why;
		int argc = 1;

		while (str_token(&rest, "|", &word))
			argv[argc++] = arena_cstr(arena, word);
		test_row(i);
		CHECK_INT(options_parse(argc, argv, arena, &o, &why), lines[i].want);
		if (lines[i].want < 0)
			continue;
		CHECK_STR(str_c(o.name), lines[i].name);
		CHECK_INT(o.verbose, lines[i].verbose);
		CHECK_INT(o.overrides.n, lines[i].overrides);
		CHECK_INT(o.args.n, lines[i].args);
	}
}

/* ---- queue ids ---- */

TEST(queue_ids_have_the_two_shapes)
{
	char id[32];

	queue_id_short(1700000000123456, 5, id);
	CHECK_INT(strlen(id), 14);
	CHECK_INT(strspn(id, "0123456789ABCDEF"), 14);
	CHECK(strncmp(id, "1E240", 5) == 0); /* 123456 microseconds */
	queue_id_long(1700000000123456, 5, id);
	CHECK(strlen(id) >= 12);
	CHECK_INT(strcspn(id, "z"), 10);
	CHECK_INT(strspn(id, "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"),
		strlen(id));
}

TEST(queue_ids_differ_between_workers_and_moments)
{
	static const struct {
		uint64_t us;
		uint32_t worker;
	} moments[] = { { 1700000000123456, 1 }, { 1700000000123456, 2 },
		{ 1700000000123457, 1 }, { 1700000001123456, 1 },
		{ 1700000000123456, 1023 } };
	char ids[COUNT(moments)][2][32];

	for (size_t i = 0; i < COUNT(moments); i++) {
		queue_id_short(moments[i].us, moments[i].worker, ids[i][0]);
		queue_id_long(moments[i].us, moments[i].worker, ids[i][1]);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(ids[i][0], ids[j][0]) != 0 &&
				strcmp(ids[i][1], ids[j][1]) != 0);
	}
}

TEST(one_process_never_gives_an_id_twice)
{
	char before[32] = "", id[32];

	for (int i = 0; i < 10000; i++) {
		service_queue_id(id);
		if (strcmp(id, before) == 0)
			CHECK_STR(str_c(id), "another id");
		memcpy(before, id, sizeof(id));
	}
	CHECK(before[0] != '\0');
}

TEST_MAIN()
