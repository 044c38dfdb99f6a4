/* queue_parts_test.c -- large messages, whose recipients come in parts. */
#include "play.h"

/* New mail to r0@d0.example, r1@d1.example ...; nexthop: all of them there. */
static void
new_mailing(uint64_t mid, const char *sender, int n, const char *nexthop)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < n; i++)
		buf_printf(&list, "r%d@%s ", i,
			nexthop ? nexthop
				: arena_printf(play_arena, "d%d.m%d.example", i, (int)mid)
					  .data);
	play_new_mail(mid, sender, buf_cstr(&list));
}

#define COUNTED(n) \
	UNTIL(play_n_deliveries >= (n)); \
	play_calm(); \
	CHECK_INT((long long)play_n_deliveries, n)

QUEUE_TEST(a_mailing_beyond_the_limit_holds_up_nobody,
	"qmgr_message_recipient_limit = 5\nsmtp_recipient_limit = 5\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 30, NULL);
	COUNTED(10); /* the minimum */
	play_new_mail(2, "s@x.example", "r@one.example");
	UNTIL(play_n_deliveries == 11);
	CHECK_STR(play_deliveries[10].envelope.sender, "s@x.example");
	for (size_t i = 0; i < 31; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
	CHECK(str_ends(buf_str(&play_said), STR("1 FINISHED\n")));
}

QUEUE_TEST(recipients_come_by_the_refill_limit,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 4\n"
	"smtp_recipient_limit = 0\nsmtp_recipient_refill_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 10, NULL);
	COUNTED(4);
	play_delivered(0);
	COUNTED(4);
	play_delivered(1);
	COUNTED(6);
	for (size_t i = 2; i < 10; i++) {
		UNTIL(play_n_deliveries > i);
		play_delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(recipients_come_after_the_refill_delay,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 4\n"
	"smtp_recipient_limit = 0\nsmtp_recipient_refill_delay = 20s\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 10, NULL);
	COUNTED(4);
	play_now += 19 * SECOND;
	play_delivered(0);
	COUNTED(4);
	play_now += 2 * SECOND;
	play_delivered(1);
	COUNTED(6);
	/* When nothing is in hand any more, there is nothing to wait for. */
	for (size_t i = 2; i < 6; i++)
		play_delivered(i);
	COUNTED(10);
}

QUEUE_TEST(the_first_message_gets_what_the_transport_has,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 2\n"
	"smtp_recipient_limit = 6\nsmtp_recipient_refill_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 100);
	new_mailing(1, "one@x.example", 20, NULL);
	COUNTED(2);
	play_delivered(0);
	COUNTED(9); /* 8 at a time: the limit and the minimum */
	new_mailing(2, "two@x.example", 20, NULL);
	COUNTED(11);
	play_delivered(9);
	COUNTED(11);
	play_delivered(10);
	COUNTED(13); /* the minimum: the other one is before it */
	CHECK_STR(play_deliveries[12].envelope.sender, "two@x.example");
}

QUEUE_TEST(who_goes_before_gets_extra_recipients,
	"smtp_destination_recipient_limit = 1\nqmgr_message_recipient_limit = 20\n"
	"qmgr_message_recipient_minimum = 2\nsmtp_recipient_limit = 20\n"
	"smtp_extra_recipient_limit = 12\nsmtp_recipient_refill_limit = 2\n"
	"smtp_delivery_slot_cost = 2\nsmtp_delivery_slot_discount = 100\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 1);
	new_mailing(1, "big@x.example", 20, NULL);
	UNTIL(play_n_deliveries == 1);
	new_mailing(2, "small@x.example", 8, NULL);
	UNTIL(active_count() == 2);
	play_calm();
	for (size_t i = 0; i < 10; i++) {
		UNTIL(play_n_deliveries > i);
		CHECK_STR(play_deliveries[i].envelope.sender,
			i == 0 || i == 9 ? "big@x.example" : "small@x.example");
		play_delivered(i);
	}
}

QUEUE_TEST(recipients_that_wait_share_the_fate_of_their_next_hop,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 2\n"
	"smtp_recipient_limit = 2\ninitial_destination_concurrency = 1\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 6, "one.example");
	COUNTED(1);
	play_answer(0, TEMPFAIL, "4.4.1", "connection refused", true);
	UNTIL(play_flights_are_over());
	CHECK_INT((long long)play_n_deliveries, 1);
	CHECK(str_find(buf_str(&play_said), STR("1 DEFERRED 0,1 ")) >= 0);
	CHECK(str_find(buf_str(&play_said), STR("1 DEFERRED 2,3,4,5 ")) >= 0);
}

QUEUE_TEST(a_mailing_in_parts_can_be_deleted,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 2\n"
	"smtp_recipient_limit = 2\n")
{
	play_spool_connect();
	play_agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 6, NULL);
	COUNTED(2);
	active_cancel(index_find(&queue_index, 1)->active);
	play_delivered(0);
	play_delivered(1);
	UNTIL(active_count() == 0);
	CHECK_INT((long long)play_n_deliveries, 2);
}
