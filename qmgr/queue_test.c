/* queue_test.c -- mail goes through the queue manager: to whom, how many at a time, and
 * what becomes of it when somebody else dies. */
#include "play.h"
#include <errno.h>
#include <unistd.h>

QUEUE_TEST(new_mail_goes_out_and_ends, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "r@far.example");
	UNTIL(play_n_deliveries == 1);
	CHECK_STR(play_deliveries[0].ask.nexthop, "far.example");
	CHECK_STR(play_deliveries[0].ask.content, "Subject: test\n\nbody\n");
	CHECK_INT((long long)play_deliveries[0].ask.rest, 0);
	CHECK_STR(play_deliveries[0].envelope.rcpts[0].address, "r@far.example");
	play_delivered(0);
	UNTIL(queue_index.n == 0);
	CHECK_STR(buf_str(&play_said), "1 FINISHED\n");
	CHECK(play_log_has("ID1: from=<s@x.example>, size=20, nrcpt=1 (queue active)\n"));
	CHECK(play_log_has("ID1: removed\n"));
	CHECK_INT((long long)play_started, 0);
}

QUEUE_TEST(recipients_of_a_destination_travel_together,
	"smtp_destination_recipient_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example",
		"a@one.example b@two.example c@one.example d@one.example");
	UNTIL(play_n_deliveries == 3);
	size_t rcpts = 0;
	for (size_t i = 0; i < 3; i++) {
		CHECK(play_deliveries[i].envelope.n_rcpts <= 2);
		rcpts += play_deliveries[i].envelope.n_rcpts;
	}
	CHECK_INT((long long)rcpts, 4);
	for (size_t i = 0; i < 3; i++)
		play_delivered(i);
	UNTIL(queue_index.n == 0);
	/* Who is done is written at once, but for the last, which ends it. */
	CHECK(str_find(buf_str(&play_said), STR("1 DONE 0,2\n")) >= 0);
	CHECK(str_ends(buf_str(&play_said), STR("1 FINISHED\n")));
}

QUEUE_TEST(whom_mail_is_forwarded_to_hears_of_another_sender, "")
{
	static const struct {
		const char *sender, *first;
		size_t n;
	} want[] = { { "s@x.example", "a@one.example", 2 }, { "SRS", "c@one.example", 1 },
		{ "s@x.example", "d@one.example", 1 } };

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example",
		"a@one.example b@one.example c@one.example> d@one.example");
	UNTIL(play_n_deliveries == COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		CHECK_STR(play_deliveries[i].envelope.sender, want[i].sender);
		CHECK_INT((long long)play_deliveries[i].envelope.n_rcpts,
			(long long)want[i].n);
		CHECK_STR(play_deliveries[i].envelope.rcpts[0].address, want[i].first);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_destination_gets_its_concurrency_and_no_more,
	"smtp_destination_concurrency_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 5; mid++)
		play_new_mail(mid, "s@x.example", "r@one.example");
	play_new_mail(6, "s@x.example", "r@two.example");
	UNTIL(play_n_deliveries == 3);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 3);
	for (size_t i = 0; i < 6; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_single_letter_does_not_wait_behind_a_list,
	"smtp_destination_recipient_limit = 2\nsmtp_destination_concurrency_limit = 1\n")
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < 30; i++)
		buf_printf(&list, "r%d@one.example ", i);
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "list@x.example", buf_cstr(&list));
	play_new_mail(2, "s@x.example", "r@one.example");
	UNTIL(play_n_deliveries == 1);
	play_delivered(0);
	UNTIL(play_n_deliveries == 2);
	CHECK_STR(play_deliveries[1].envelope.sender, "s@x.example");
	play_delivered(1);
	for (size_t i = 2; i < 16; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(destinations_of_a_message_take_turns, "smtp_destination_recipient_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 1);
	play_new_mail(1, "s@x.example",
		"a@one.example b@one.example c@one.example d@one.example "
		"a@two.example b@two.example c@two.example d@two.example");
	for (size_t i = 0; i < 4; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
	for (size_t i = 1; i < 4; i++)
		CHECK(!str_eq(play_deliveries[i].ask.nexthop,
			play_deliveries[i - 1].ask.nexthop));
}

QUEUE_TEST(workers_of_a_transport_share_its_mail, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 2);
	play_agent_connect("smtp", "smtp", 2);
	for (uint64_t mid = 1; mid <= 6; mid++)
		play_new_mail(mid, "s@x.example",
			arena_printf(play_arena, "r@d%d.example", (int)mid).data);
	UNTIL(play_n_deliveries == 4);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 4);
	size_t first = 0;
	for (size_t i = 0; i < 4; i++)
		first += play_deliveries[i].rq->link == play_agents[0].link;
	CHECK_INT((long long)first, 2);
}

QUEUE_TEST(a_dead_destination_costs_the_others_nothing,
	"smtp_destination_concurrency_limit = 1\ninitial_destination_concurrency = 1\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 3; mid++)
		play_new_mail(mid, "s@x.example", "r@dead.example");
	play_new_mail(4, "s@x.example", "r@well.example");
	UNTIL(play_n_deliveries == 2);
	for (size_t i = 0; i < 2; i++)
		if (str_is(play_deliveries[i].ask.nexthop, "dead.example"))
			play_answer(i, TEMPFAIL, "4.4.1",
				"connect to dead.example: refused", true);
		else
			play_delivered(i);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)play_n_deliveries, 2);
	CHECK(str_find(buf_str(&play_said),
		      STR("1 DEFERRED 0 4.4.1 connect to dead.example: refused +300")) >=
		0);
	CHECK(str_find(buf_str(&play_said),
		      STR("2 DEFERRED 0 4.4.1 delivery temporarily suspended: "
			  "connect to dead.example: refused +300")) >= 0);
	CHECK(play_log_has("ID3: to=<r@dead.example>, relay=none, delay="));
	CHECK(play_log_has(
		"dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to "
		"dead.example: refused)"));
	/* New mail for it does not try either, until the time has passed. */
	play_new_mail(5, "s@x.example", "r@dead.example");
	UNTIL(str_find(buf_str(&play_said), STR("5 DEFERRED")) >= 0);
	CHECK_INT((long long)play_n_deliveries, 2);
	schedule_tick(event_now() + 300 * 1000);
	play_new_mail(6, "s@x.example", "r@dead.example");
	UNTIL(play_n_deliveries == 3);
}

QUEUE_TEST(a_dead_agent_costs_a_retry, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example");
	UNTIL(play_n_deliveries == 1);
	ipc_link_close(play_agents[0].link);
	UNTIL(play_started == 1); /* another one is wanted */
	play_agent_connect("smtp", "smtp", 10);
	UNTIL(play_n_deliveries == 2);
	play_delivered(1);
	UNTIL(queue_index.n == 0);
	play_deliveries[0].answered = true;
	ipc_reply(play_deliveries[0].rq, STR_NONE, -1);
}

QUEUE_TEST(mail_that_kills_agents_is_deferred, "")
{
	play_spool_connect();
	play_new_mail(1, "s@x.example", "a@one.example");
	for (size_t i = 0; i < 3; i++) {
		play_agent_connect("smtp", "smtp", 10);
		UNTIL(play_n_deliveries == i + 1);
		ipc_link_close(play_agents[i].link);
		play_deliveries[i].answered = true;
		ipc_reply(play_deliveries[i].rq, STR_NONE, -1);
	}
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK(str_find(buf_str(&play_said),
		      STR("1 DEFERRED 0 4.3.0 unknown mail transport error +300")) >= 0);
}

QUEUE_TEST(a_transport_without_agents_defers,
	"transport_maps = inline:{nobody.example=gone:}\n")
{
	play_spool_connect();
	play_start_error = ENOENT;
	play_new_mail(1, "s@x.example", "a@nobody.example");
	UNTIL(str_find(buf_str(&play_said),
		      STR("1 DEFERRED 0 4.3.0 mail transport unavailable")) >= 0);
	CHECK(play_log_has(
		"warning: connect to transport private/gone: No such file or directory"));
	/* For a while nobody knocks again. */
	play_new_mail(2, "s@x.example", "a@nobody.example");
	UNTIL(str_find(buf_str(&play_said), STR("2 DEFERRED")) >= 0);
	CHECK_INT((long long)play_started, 1);
	schedule_tick(event_now() + 60 * 1000);
	play_new_mail(3, "s@x.example", "a@nobody.example");
	UNTIL(play_started == 2);
}

QUEUE_TEST(an_agent_that_never_came_is_asked_for_again, "")
{
	play_spool_connect();
	play_new_mail(1, "s@x.example", "a@one.example");
	UNTIL(play_started == 1);
	schedule_tick(event_now() + 500);
	CHECK_INT((long long)play_started, 1);
	schedule_tick(event_now() + 1000);
	CHECK_INT((long long)play_started, 2);
	play_agent_connect("smtp", "smtp", 10);
	UNTIL(play_n_deliveries == 1);
	schedule_tick(event_now() + 60 * 1000);
	CHECK_INT((long long)play_started, 2);
	play_delivered(0);
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(deferred_transports_wait_for_a_flush, "defer_transports = smtp\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example");
	UNTIL(str_find(buf_str(&play_said),
		      STR("1 DEFERRED 0 4.3.2 deferred transport")) >= 0);
	UNTIL(store_pending() == 0);
	CHECK_INT((long long)play_n_deliveries, 0);
	index_wake_all(&queue_index);
	loader_wake();
	UNTIL(play_n_deliveries == 1);
}

QUEUE_TEST(results_survive_a_lost_spool, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example");
	play_new_mail(2, "s@x.example", "a@two.example");
	UNTIL(play_n_deliveries == 2);
	ipc_link_close(play_spool);
	UNTIL(!store_is_up());
	play_delivered(0);
	UNTIL(store_pending() == 1);
	CHECK_INT((long long)play_said.len, 0);
	/* Spool tells all it has again; nothing in flight is delivered twice. */
	play_spool_connect();
	UNTIL(queue_index.n == 1 && store_pending() == 0);
	CHECK_STR(buf_str(&play_said), "1 FINISHED\n");
	play_delivered(1);
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)play_n_deliveries, 2);
}

QUEUE_TEST(what_spool_no_longer_has_is_forgotten, "")
{
	play_spool_connect();
	play_put(1, "s@x.example", "a@one.example");
	play_message(1)->note.hold = true;
	play_announce(1, false);
	UNTIL(queue_index.n == 1);
	play_message(1)->ended = true;
	ipc_link_close(play_spool);
	UNTIL(!store_is_up());
	play_spool_connect();
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_restart_goes_on_where_it_was, "")
{
	struct spool_state done = {
		.mid = 1, .kind = SPOOL_DONE, .rcpts = STR("\0\0\0\0")
	};

	play_agent_connect("smtp", "smtp", 10);
	play_put(1, "s@x.example", "a@one.example b@one.example");
	play_put(2, "s@x.example", "held@one.example");
	play_put(3, "s@x.example", "later@one.example");
	play_state(&done);
	buf_clear(&play_said);
	play_message(1)->note.wake_us = (uint64_t)play_now - 1;
	play_message(2)->note.hold = true;
	play_message(3)->note.wake_us = (uint64_t)(play_now + 60 * SECOND);
	play_spool_connect();
	UNTIL(play_n_deliveries == 1);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 1);
	CHECK_INT((long long)play_deliveries[0].envelope.n_rcpts, 1);
	CHECK_STR(play_deliveries[0].envelope.rcpts[0].address, "b@one.example");
	play_now += 61 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 2);
	CHECK_STR(play_deliveries[1].envelope.rcpts[0].address, "later@one.example");
	play_delivered(0);
	play_delivered(1);
	UNTIL(queue_index.n == 1);
}

QUEUE_TEST(more_mail_than_may_be_active_waits, "qmgr_message_active_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 5; mid++)
		play_new_mail(mid, "s@x.example",
			arena_printf(play_arena, "r@d%d.example", (int)mid).data);
	UNTIL(play_n_deliveries == 2);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 2);
	CHECK_INT((long long)active_count(), 2);
	for (size_t i = 0; i < 5; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(spool_hears_who_is_behind, "qmgr_message_active_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 4; mid++)
		play_new_mail(mid, "s@x.example", "r@one.example");
	UNTIL(play_said.len > 0);
	CHECK_STR(buf_str(&play_said), "behind\n");
	for (size_t i = 0; i < 4; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(str_find(buf_str(&play_said), STR("caught up\n")) > 0);
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(large_content_travels_in_a_descriptor, "")
{
	char first[8] = "";
	size_t size;

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_put(1, "s@x.example", "a@one.example b@two.example");
	while (play_message(1)->content.len < 200000)
		buf_addz(&play_message(1)->content,
			"0123456789012345678901234567890123456789\n");
	play_message(1)->note.size = size = play_message(1)->content.len;
	play_announce(1, true);
	UNTIL(play_n_deliveries == 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT((long long)play_deliveries[i].ask.content.len, 0);
		CHECK_INT((long long)play_deliveries[i].ask.rest, (long long)size);
		CHECK_INT(pread(play_deliveries[i].rq->fd, first, 7, 0), 7);
		CHECK_STR(str_c(first), "Subject");
		CHECK(write(play_deliveries[i].rq->fd, "x", 1) < 0);
	}
}

QUEUE_TEST(a_message_on_the_move_is_read_again, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_read_error = ESTALE;
	play_new_mail(1, "s@x.example", "a@one.example");
	UNTIL(str_ends(buf_str(&play_said), STR(" +1\n")) && store_pending() == 0);
	play_now += SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 1);
}

QUEUE_TEST(a_damaged_message_goes_on_hold, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_put(1, "s@x.example", "a@one.example");
	play_read_error = EBADMSG;
	play_announce(1, false);
	UNTIL(str_find(buf_str(&play_said), STR("1 HOLD\n")) >= 0);
	CHECK_INT((long long)play_n_deliveries, 0);
	CHECK_INT(index_find(&queue_index, 1)->queue, QUEUE_ON_HOLD);
}

/* Read only when an agent is there for it: the loader reads no content of this size. */
QUEUE_TEST(a_large_damaged_message_goes_on_hold, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_put(1, "s@x.example", "a@one.example b@two.example");
	while (play_message(1)->content.len < 200000)
		buf_addz(&play_message(1)->content,
			"0123456789012345678901234567890123456789\n");
	play_message(1)->note.size = play_message(1)->content.len;
	play_read_error = EBADMSG;
	play_announce(1, true);
	UNTIL(str_find(buf_str(&play_said), STR("1 HOLD\n")) >= 0 && active_count() == 0);
	CHECK_INT((long long)play_n_deliveries, 0);
	CHECK_INT(index_find(&queue_index, 1)->queue, QUEUE_ON_HOLD);
	CHECK(str_find(buf_str(&play_said), STR("DEFERRED")) < 0);
}

QUEUE_TEST(error_agents_get_no_content,
	"transport_maps = inline:{ {x.example=error:5.7.1 no} }\n")
{
	play_spool_connect();
	play_agent_connect("error", "error", 10);
	play_new_mail(1, "s@x.example", "a@x.example");
	UNTIL(play_n_deliveries == 1);
	CHECK_STR(play_deliveries[0].ask.nexthop, "5.7.1 no");
	CHECK_INT((long long)play_deliveries[0].ask.content.len, 0);
	CHECK_INT((long long)play_deliveries[0].ask.rest, 0);
}

TEST_MAIN()
