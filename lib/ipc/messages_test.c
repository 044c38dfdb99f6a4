/* messages_test.c -- every declared message survives the way through bytes, and no bytes
 * break a decoder. */
#include "all_messages.h"
#include "test.h"
#include <errno.h>

enum { ROUNDS = 50 };

/* What is decoded shows and encodes like what was encoded. */
static void
check_round_trip(const struct message_kind *k, struct arena *arena)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT, again CLEANUP(buf_free) = BUF_INIT;
	struct buf shown CLEANUP(buf_free) = BUF_INIT, shows CLEANUP(buf_free) = BUF_INIT;
	void *sent = arena_alloc(arena, k->size), *got = arena_alloc(arena, k->size);

	k->fill(sent, arena);
	k->put(&bytes, sent);
	CHECK(k->get(buf_str(&bytes), got, arena) == 0);
	k->put(&again, got);
	CHECK(str_eq(buf_str(&bytes), buf_str(&again)));
	k->show(&shown, sent);
	k->show(&shows, got);
	CHECK(str_eq(buf_str(&shown), buf_str(&shows)));

	/* A newer peer's field behind the last one is skipped. */
	buf_addz(&bytes, "more");
	CHECK(k->get(buf_str(&bytes), got, arena) == 0);
}

/* Cut anywhere: an older peer's message at best, an error at worst. */
static void
check_cut(const struct message_kind *k, struct arena *arena)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	void *v = arena_alloc(arena, k->size);

	k->fill(v, arena);
	k->put(&bytes, v);
	for (size_t len = 0; len < bytes.len; len++) {
		char *exact = mem_alloc(len); /* so that ASan sees a step too far */

		if (len > 0)
			memcpy(exact, bytes.data, len);
		memset(v, 0xff, k->size);
		(void)k->get(str_of(exact, len), v, arena);
		mem_free(exact);
	}
}

TEST(every_message_goes_round)
{
	size_t row = 0;

	for (const struct message_kind *k = message_kinds; k; k = k->next) {
		test_row(row++);
		for (int i = 0; i < ROUNDS; i++) {
			struct arena *arena CLEANUP(arena_free_at) = arena_new();

			check_round_trip(k, arena);
			check_cut(k, arena);
		}
	}
	CHECK(row > 20);
}

TEST(fields_an_older_peer_does_not_send_are_zero)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct submit_reply got;

	memset(&got, 0xff, sizeof(got));
	CHECK(submit_reply_get(str_of("\2", 1), &got, arena) == 0);
	CHECK_INT(got.verdict, PERMFAIL);
	CHECK(!got.queue_id.data);
	CHECK_INT(got.smtp_code, 0);
}

static const struct {
	struct str bytes;
	bool ok;
} replies[] = {
	{ STR_INIT(""), true }, { STR_INIT("\0"), true },
	{ STR_INIT("\0\0\0\0\1"), true }, /* an empty code */
	{ STR_INIT("\0\0\0\0\2x"), true },
	{ STR_INIT("\0\0\0\0\3x"), false }, /* one byte short */
	{ STR_INIT("\0\xff\xff\xff\xff"), false },
	{ STR_INIT("\0\0\0"), false }, /* within a length */
};

TEST(strings_do_not_reach_past_the_end)
{
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct submit_reply got;

		test_row(i);
		CHECK((submit_reply_get(replies[i].bytes, &got, arena) == 0) ==
			replies[i].ok);
	}
}

TEST(lists_do_not_promise_more_than_there_is)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_update_request got;

	CHECK(spool_update_request_get(STR("\xff\xff\xff\xff"), &got, arena) < 0);
	CHECK(spool_update_request_get(STR("\0\0\0\1"), &got, arena) < 0);
	CHECK(spool_update_request_get(STR("\0\0\0\1\0\0\0\0"), &got, arena) == 0);
	CHECK_INT((long long)got.n_states, 1);
	errno = 0;
	CHECK(ipc_decoded(-1) == -1 && errno == EPROTO);
}

TEST(messages_can_be_shown)
{
	struct buf shown CLEANUP(buf_free) = BUF_INIT;
	struct outcome outcome = { .verdict = PERMFAIL,
		.code = STR("5.1.1"),
		.text = STR("a \"b\"\n"),
		.relayed = true };
	struct deliver_reply reply = { .outcomes = &outcome, .n_outcomes = 1 };

	deliver_reply_show(&shown, &reply);
	CHECK(str_find(buf_str(&shown), STR(" outcomes{ verdict=2 code=\"5.1.1\" "
					    "text=\"a \\x22b\\x22\\x0a\"")) == 0);
}

TEST_MAIN()
