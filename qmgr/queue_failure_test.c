/* queue_failure_test.c -- deliveries that fail: next tries, notices, age. */
#include "play.h"

QUEUE_TEST(what_failed_for_now_is_tried_again, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example b@two.example");
	UNTIL(play_n_deliveries == 2);
	for (size_t i = 0; i < 2; i++)
		if (str_is(play_deliveries[i].ask.nexthop, "one.example"))
			play_delivered(i);
		else
			play_answer(i, TEMPFAIL, "4.2.0", "greylisted", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_STR(buf_str(&play_said), "1 DONE 0\n1 DEFERRED 1 4.2.0 greylisted +300\n");
	play_now += 299 * SECOND;
	ticker_run();
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 2);
	play_now += 1 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 3);
	CHECK_INT((long long)play_deliveries[2].envelope.n_rcpts, 1);
	CHECK_STR(play_deliveries[2].envelope.rcpts[0].address, "b@two.example");
	play_now += 300 * SECOND; /* older by now: waits longer */
	buf_clear(&play_said);
	play_answer(2, TEMPFAIL, "4.2.0", "still", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_STR(buf_str(&play_said), "1 DEFERRED 1 4.2.0 still +600\n");
}

QUEUE_TEST(failures_are_told_to_the_sender, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_bounce_is_slow = true;
	play_new_mail(1, "s@x.example", "a@one.example b@one.example!");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, PERMFAIL, "5.1.1", "user unknown", false);
	UNTIL(play_noticed.n == 1 && store_pending() == 0);
	CHECK_STR(buf_str(&play_said), "notice about ID1: a@one.example\n"
				       "1 FAILED 0,1 5.1.1 user unknown\n");
	CHECK_INT((long long)queue_index.n, 1); /* kept until bounce has it */
	active_notices_ended(play_noticed.items[0], PLAY_ALL_NOTICES);
	UNTIL(queue_index.n == 0);
	CHECK(str_ends(buf_str(&play_said), STR("1 FINISHED\n")));
}

QUEUE_TEST(without_bounce_a_failure_waits_and_is_not_delivered_again, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_bounce_accepts = false;
	play_new_mail(1, "s@x.example", "a@one.example");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, PERMFAIL, "5.1.1", "user unknown", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)queue_index.n, 1);
	play_bounce_accepts = true;
	play_now += 300 * SECOND;
	ticker_run();
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)play_n_deliveries, 1);
	CHECK_INT((long long)play_noticed.n, 2);
}

QUEUE_TEST(notify_never_needs_no_notice, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example!");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, PERMFAIL, "5.1.1", "user unknown", false);
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)play_noticed.n, 0);
}

QUEUE_TEST(success_is_told_to_those_who_ask, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_bounce_is_slow = true;
	play_new_mail(1, "s@x.example", "a@one.example+ b@one.example");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, ACCEPT, "2.0.0", "there", false);
	UNTIL(play_noticed.n == 1 && store_pending() == 0);
	CHECK(str_find(buf_str(&play_said), STR("success about ID1: a@one.example\n")) >=
		0);
	CHECK(str_find(buf_str(&play_said), STR("1 FAILED 0 2.0.0 there\n")) >= 0);
	CHECK_INT((long long)queue_index.n, 1); /* kept until bounce has it */
	active_notices_ended(play_noticed.items[0], PLAY_ALL_NOTICES);
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(nobody_is_told_that_a_notice_arrived, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "", "a@one.example+");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, ACCEPT, "2.0.0", "there", false);
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)play_noticed.n, 0);
}

QUEUE_TEST(a_delay_is_told_once, "delay_warning_time = 1h\nconfirm_delay_cleared = yes\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example b@one.example!");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, TEMPFAIL, "4.2.0", "busy", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)play_noticed.n, 0);
	play_now += 3700 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 2);
	play_answer(1, TEMPFAIL, "4.2.0", "busy", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)play_noticed.n, 1);
	CHECK(str_find(buf_str(&play_said), STR("delay about ID1: a@one.example\n")) >=
		0);
	CHECK(str_find(buf_str(&play_said), STR("1 DELAY")) >= 0);
	play_now += 5000 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 3);
	play_answer(2, TEMPFAIL, "4.2.0", "busy", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)play_noticed.n, 1);
	play_now += 5000 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 4);
	play_answer(3, ACCEPT, "2.0.0", "at last", false);
	UNTIL(queue_index.n == 0);
	CHECK(str_find(buf_str(&play_said), STR("success about ID1: a@one.example\n")) >=
		0);
}

QUEUE_TEST(bad_addresses_fail_without_an_agent, "")
{
	play_spool_connect();
	play_new_mail(1, "s@x.example", "a@b..c");
	UNTIL(play_log_has("ID1: removed"));
	CHECK(play_log_has("ID1: to=<a@b..c>, relay=none, delay="));
	CHECK(play_log_has("dsn=5.1.3, status=bounced (bad address syntax)"));
	CHECK(str_find(buf_str(&play_said), STR("notice about ID1: a@b..c")) >= 0);
}

QUEUE_TEST(old_mail_expires, "")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_put(1, "s@x.example", "a@one.example");
	play_now += 5 * 86400 * SECOND - 2 * SECOND;
	play_announce(1, true);
	UNTIL(play_n_deliveries == 1);
	play_answer(0, TEMPFAIL, "4.4.1", "no", false);
	UNTIL(play_flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)play_noticed.n, 0);
	play_now += 4000 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 2);
	play_answer(1, TEMPFAIL, "4.4.1", "no", false);
	UNTIL(queue_index.n == 0);
	CHECK(play_log_has(
		"ID1: from=<s@x.example>, status=expired, returned to sender\n"));
	CHECK_INT((long long)play_noticed.n, 1);
	CHECK(str_find(buf_str(&play_said), STR("1 FAILED 0 4.4.1 no\n")) >= 0);
}

QUEUE_TEST(a_bounce_with_no_lifetime_gets_one_try, "bounce_queue_lifetime = 0\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "", "a@one.example");
	UNTIL(play_n_deliveries == 1);
	play_answer(0, TEMPFAIL, "4.4.1", "no", false);
	UNTIL(queue_index.n == 0);
	CHECK(play_log_has("ID1: from=<>, status=expired, returned to sender\n"));
}
