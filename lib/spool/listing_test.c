/* What showq writes is what postqueue reads; and nothing else is taken for it. */
#include "listing.h"
#include "test.h"

static const struct listing full = {
	.queue = STR_INIT("deferred"),
	.queue_id = STR_INIT("4Yq1Zp4rQzz1X2"),
	.time = 1700000000,
	.size = 1234567,
	.expire = true,
	.sender = STR_INIT("user@example.com"),
	.rcpts =
		(struct listing_rcpt[]){
			{ STR_INIT("a"), STR_INIT("a@example.org"), STR_INIT("no route"),
				false },
			{ STR_INIT("b@example.org"), STR_INIT("b@example.org"),
				STR_INIT(""), false },
			{ STR_INIT("c"), STR_INIT("c@example.org"),
				STR_INIT("no such user"), true },
		},
	.n_rcpts = 3,
};

static void
check_full(const struct listing *l)
{
	CHECK_STR(l->queue, "deferred");
	CHECK_STR(l->queue_id, "4Yq1Zp4rQzz1X2");
	CHECK_INT(l->time, 1700000000);
	CHECK_INT((long long)l->size, 1234567);
	CHECK(l->expire);
	CHECK_STR(l->sender, "user@example.com");
	CHECK_INT((long long)l->n_rcpts, 3);
	CHECK_STR(l->rcpts[0].original, "a");
	CHECK_STR(l->rcpts[0].address, "a@example.org");
	CHECK_STR(l->rcpts[0].reason, "no route");
	CHECK_STR(l->rcpts[1].reason, "");
	CHECK(!l->rcpts[1].failed);
	CHECK_STR(l->rcpts[2].address, "c@example.org");
	CHECK_STR(l->rcpts[2].reason, "no such user");
	CHECK(l->rcpts[2].failed);
}

/* Cut anywhere, the bytes ask for more, and never give a wrong message. */
TEST(listings_survive_the_socket)
{
	struct arena *arena = arena_new();
	struct buf b = BUF_INIT;
	struct listing l;

	listing_put_greeting(&b);
	listing_put(&b, &full);
	listing_put(&b, &full);
	listing_put_end(&b);
	for (size_t cut = 0; cut < b.len; cut++) {
		struct str rest = str_of(b.data, cut);
		enum listing_result r = listing_get_greeting(&rest);

		while (r == LISTING_MESSAGE)
			r = listing_get(&rest, arena, &l);
		CHECK_INT(r, LISTING_MORE);
	}
	struct str rest = buf_str(&b);
	CHECK_INT(listing_get_greeting(&rest), LISTING_MESSAGE);
	CHECK_INT(listing_get(&rest, arena, &l), LISTING_MESSAGE);
	check_full(&l);
	CHECK_INT(listing_get(&rest, arena, &l), LISTING_MESSAGE);
	check_full(&l);
	CHECK_INT(listing_get(&rest, arena, &l), LISTING_END);
	CHECK_INT((long long)rest.len, 0);
	buf_free(&b);
	arena_free(arena);
}

TEST(listings_as_postfix_writes_them)
{
	static const char bytes[] =
		"queue_name\0hold\0queue_id\0ABC\0time\0001\0size\0002\0"
		"forced_expire\0000\0sender\0\0recipient\0r@x\0reason\0\0"
		"recipient\0s@x\0reason\0no\0";
	struct arena *arena = arena_new();
	struct str rest = str_of(bytes, sizeof(bytes));
	struct listing l;

	CHECK_INT(listing_get(&rest, arena, &l), LISTING_MESSAGE);
	CHECK_INT((long long)l.n_rcpts, 2);
	CHECK_STR(l.rcpts[1].address, "s@x");
	CHECK_STR(l.rcpts[1].reason, "no");
	arena_free(arena);
}

TEST(nonsense_is_refused)
{
	static const struct {
		struct str bytes;
		enum listing_result want;
	} rows[] = {
		{ STR_INIT("time\0x\0\0"), LISTING_MALFORMED },
		{ STR_INIT("queue_name\0hold\0\0"), LISTING_MALFORMED },
		{ STR_INIT("queue_id"), LISTING_MORE },
		{ STR_INIT("\0"), LISTING_END },
	};
	struct arena *arena = arena_new();
	struct listing l;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str rest = rows[i].bytes;

		test_row(i);
		CHECK_INT(listing_get(&rest, arena, &l), rows[i].want);
	}
	arena_free(arena);
}

TEST_MAIN()
