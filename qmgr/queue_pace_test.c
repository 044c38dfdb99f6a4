/* queue_pace_test.c -- pauses between deliveries, and warnings about who needs long. */
#include "play.h"

/* How often the log says so. */
static size_t
logged_times(const char *text)
{
	struct str rest = buf_str(&play_logged);
	size_t n = 0;

	for (ssize_t at; (at = str_find(rest, str_c(text))) >= 0; n++)
		rest = str_from(rest, (size_t)at + 1);
	return n;
}

#define CLOGGED "mail for one.example is using up "

QUEUE_TEST(who_fills_the_active_queue_is_named,
	"qmgr_message_active_limit = 10\nsmtp_destination_concurrency_limit = 1\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 4; mid++)
		play_new_mail(mid, "s@x.example", "r@one.example");
	UNTIL(active_count() == 4);
	CHECK_INT((long long)logged_times(CLOGGED), 1);
	CHECK(play_log_has(CLOGGED "3 of 3 active queue entries\n"));
	CHECK(play_log_has(
		"to turn off these warnings specify: qmgr_clog_warn_time = 0\n"));
	play_now += 301 * SECOND;
	play_new_mail(5, "s@x.example", "r@one.example");
	UNTIL(active_count() == 5);
	CHECK_INT((long long)logged_times(CLOGGED), 2);
	CHECK(play_log_has("you may need to increase the main.cf "
			   "smtp_destination_concurrency_limit from 1\n"));
}

static void
not_named(void)
{
	play_spool_connect();
	for (uint64_t mid = 1; mid <= 4; mid++)
		play_new_mail(mid, "s@x.example", "r@one.example");
	UNTIL(active_count() == 4);
	CHECK_INT((long long)logged_times(CLOGGED), 0);
}

QUEUE_TEST(nobody_is_named_with_a_time_of_zero,
	"qmgr_message_active_limit = 10\nqmgr_clog_warn_time = 0\n")
{
	not_named();
}

QUEUE_TEST(nobody_is_named_without_helpful_warnings,
	"qmgr_message_active_limit = 10\nhelpful_warnings = no\n")
{
	not_named();
}

QUEUE_TEST(rate_delays_space_deliveries, "smtp_destination_rate_delay = 1h\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "r@one.example");
	play_new_mail(2, "s@x.example", "r@one.example");
	UNTIL(play_n_deliveries == 1);
	play_delivered(0);
	UNTIL(queue_index.n == 1);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 1);
}

QUEUE_TEST(a_transport_rate_delay_spaces_all_its_deliveries,
	"slow_transport_rate_delay = 1h\ntransport_maps = "
	"inline:{{one.example = slow:} {two.example = slow:}}\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_agent_connect("smtp", "slow", 10);
	play_new_mail(1, "s@x.example", "r@one.example");
	play_new_mail(2, "s@x.example", "r@two.example");
	play_new_mail(3, "s@x.example", "r@far.example");
	UNTIL(play_n_deliveries == 2);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 2);
	for (size_t i = 0; i < 2; i++)
		play_delivered(i);
	UNTIL(queue_index.n == 1);
	play_calm();
	CHECK_INT((long long)play_n_deliveries, 2);
}

QUEUE_TEST(delays_below_a_second_end,
	"smtp_transport_rate_delay = 0.02s\nsmtp_destination_rate_delay = 0.01s\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 6; mid++)
		play_new_mail(
			mid, "s@x.example", mid % 2 ? "r@one.example" : "r@two.example");
	for (size_t i = 0; i < 6; i++) {
		UNTIL(play_n_deliveries == i + 1);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_window_is_logged_when_asked_for,
	"destination_concurrency_feedback_debug = yes\n"
	"smtp_destination_concurrency_positive_feedback = 1/concurrency\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "r@one.example");
	UNTIL(play_n_deliveries == 1);
	play_delivered(0);
	UNTIL(queue_index.n == 0);
	CHECK(play_log_has("qmgr_queue_unthrottle: feedback 0.2\n"));
	CHECK(play_log_has(
		"qmgr_queue_unthrottle: queue one.example: limit 20 window 5 success "
		"0.2 failure 0 fail_cohorts 0\n"));
}
