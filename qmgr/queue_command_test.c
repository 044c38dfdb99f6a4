/* queue_command_test.c -- what postsuper and postqueue ask for. */
#include "play.h"
#include <sys/socket.h>
#include <unistd.h>

static const struct ipc_handler control_handlers[] = {
	{ .type = queue_change_TYPE, .run = control_change, .stack = CO_STACK_SMALL },
	{ .type = queue_list_TYPE, .run = control_list, .stack = CO_STACK_SMALL },
	{ 0 },
};

static struct ipc_link *
command_connect(void)
{
	struct ipc_caller me = { .program = "command", .pid = getpid(), .uid = getuid() };
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ensure(ipc_hello(pair[1], &me) == 0);
	ensure(ipc_link_accept(pair[0], control_handlers, NULL, NULL, getuid()));
	return ipc_link_open(pair[1], NULL, NULL, NULL, "qmgr");
}

/* Asks for a change; gives the ids that were changed, separated by blanks. */
static struct str
command(struct ipc_link *link, enum queue_action action, const char *id)
{
	struct str ids = str_c(id);
	struct queue_change_request ask = { .action = (uint8_t)action,
		.queue_ids = { &ids, id ? 1 : 0 },
		.route = STR("other:there") };
	struct queue_change_reply reply;
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str got;

	queue_change_request_put(&bytes, &ask);
	CHECK_INT(ipc_link_call(link, queue_change_TYPE, buf_str(&bytes), -1, play_arena,
			  &got, NULL, deadline_in(PATIENCE)),
		0);
	CHECK_INT(queue_change_reply_get(got, &reply, play_arena), 0);
	CHECK_INT(reply.error, 0);
	for (size_t i = 0; i < reply.changed.n; i++)
		buf_printf(&out, "%s" STR_FMT, i ? " " : "",
			STR_ARG(reply.changed.items[i]));
	return arena_str(play_arena, buf_str(&out));
}

/* "queue:id" of each message, oldest first. */
static struct str
listing(struct ipc_link *link)
{
	struct queue_list_request ask = { .most = 3 };
	struct queue_list_reply reply;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str got;

	do {
		struct buf bytes CLEANUP(buf_free) = BUF_INIT;

		queue_list_request_put(&bytes, &ask);
		CHECK_INT(ipc_link_call(link, queue_list_TYPE, buf_str(&bytes), -1,
				  play_arena, &got, NULL, deadline_in(PATIENCE)),
			0);
		CHECK_INT(queue_list_reply_get(got, &reply, play_arena), 0);
		for (size_t i = 0; i < reply.n_entries; i++) {
			buf_printf(&out, "%s" STR_FMT ":" STR_FMT, out.len ? " " : "",
				STR_ARG(reply.entries[i].queue),
				STR_ARG(reply.entries[i].queue_id));
			ask.after = reply.entries[i].mid;
		}
	} while (reply.n_entries);
	return arena_str(play_arena, buf_str(&out));
}

QUEUE_TEST(commands_hold_release_and_delete, "")
{
	struct ipc_link *link = command_connect();

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 4; mid++) {
		play_put(mid, "s@x.example", "r@one.example");
		play_message(mid)->note.wake_us = (uint64_t)(play_now + 600 * SECOND);
		play_announce(mid, false);
	}
	UNTIL(queue_index.n == 4);
	CHECK_STR(listing(link), "deferred:ID1 deferred:ID2 deferred:ID3 deferred:ID4");
	CHECK_STR(command(link, QUEUE_HOLD, "ID2"), "ID2");
	CHECK_STR(command(link, QUEUE_HOLD, "ID2"), "");
	CHECK_STR(command(link, QUEUE_DELETE, "ID3"), "ID3");
	CHECK_STR(command(link, QUEUE_DELETE, "NOSUCH"), "");
	CHECK_STR(command(link, QUEUE_EXPIRE, "ID4"), "ID4");
	UNTIL(queue_index.n == 3 && store_pending() == 0);
	CHECK_STR(listing(link), "deferred:ID1 hold:ID2 deferred:ID4");
	CHECK(!play_log_has("ID3: removed")); /* that is postsuper's to say */
	CHECK_STR(buf_str(&play_said), "2 HOLD\n3 FINISHED\n4 EXPIRE\n");
	play_now += 700 * SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 2);
	play_answer(0, TEMPFAIL, "4.0.0", "no", false);
	play_answer(1, TEMPFAIL, "4.0.0", "no", false);
	UNTIL(active_count() == 0 && store_pending() == 0);
	CHECK(play_log_has(
		"ID4: from=<s@x.example>, status=force-expired, returned to sender"));
	CHECK_STR(listing(link), "deferred:ID1 hold:ID2");
	CHECK_STR(command(link, QUEUE_RELEASE, "ID2"), "ID2");
	play_now += SECOND; /* the release has to be in the log first */
	play_calm();
	ticker_run();
	UNTIL(play_n_deliveries == 3);
	CHECK_STR(listing(link), "deferred:ID1 active:ID2");
	ipc_link_close(link);
}

/* What comes off hold is tried like other mail: only a flush overrides defer_transports.
 */
QUEUE_TEST(released_mail_waits_with_its_transport, "defer_transports = smtp\n")
{
	struct ipc_link *link = command_connect();

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_put(1, "s@x.example", "r@one.example");
	play_message(1)->note.wake_us = (uint64_t)(play_now + 600 * SECOND);
	play_announce(1, false);
	UNTIL(queue_index.n == 1);
	CHECK_STR(command(link, QUEUE_HOLD, "ID1"), "ID1");
	CHECK_STR(command(link, QUEUE_RELEASE, "ID1"), "ID1");
	play_now += SECOND; /* the release has to be in the log first */
	play_calm();
	ticker_run();
	UNTIL(str_find(buf_str(&play_said),
		      STR("1 DEFERRED 0 4.3.2 deferred transport")) >= 0);
	UNTIL(active_count() == 0 && store_pending() == 0);
	CHECK_INT((long long)play_n_deliveries, 0);
	CHECK_STR(command(link, QUEUE_FLUSH, "ID1"), "ID1");
	UNTIL(play_n_deliveries == 1);
	ipc_link_close(link);
}

static void
connect_late(void *arg)
{
	(void)arg;
	play_calm();
	play_spool_connect();
}

/* A queue manager that has just started must not call the queue empty. */
QUEUE_TEST(commands_wait_for_what_spool_has, "")
{
	struct ipc_link *link = command_connect();

	for (uint64_t mid = 1; mid <= 2; mid++) {
		play_put(mid, "s@x.example", "r@one.example");
		play_message(mid)->note.wake_us = (uint64_t)(play_now + 600 * SECOND);
	}
	co_spawn(connect_late, NULL, CO_STACK_SMALL);
	CHECK_STR(listing(link), "deferred:ID1 deferred:ID2");
	CHECK_STR(command(link, QUEUE_HOLD, "ID2"), "ID2");
	ipc_link_close(link);
}

QUEUE_TEST(commands_reach_mail_in_flight, "")
{
	struct ipc_link *link = command_connect();

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example b@two.example");
	play_new_mail(2, "s@x.example", "a@one.example");
	UNTIL(play_n_deliveries == 3);
	CHECK_STR(command(link, QUEUE_HOLD, "ID1"), "ID1");
	CHECK_STR(command(link, QUEUE_DELETE, "ID2"), "ID2");
	for (size_t i = 0; i < 3; i++)
		if (str_is(play_deliveries[i].envelope.rcpts[0].address, "b@two.example"))
			play_answer(i, TEMPFAIL, "4.0.0", "no", false);
		else
			play_delivered(i);
	UNTIL(queue_index.n == 1 && store_pending() == 0 && active_count() == 0);
	CHECK_STR(listing(link), "hold:ID1");
	/* What was delivered is known when it goes on. */
	CHECK_STR(command(link, QUEUE_RELEASE, "ID1"), "ID1");
	play_calm();
	play_now += SECOND;
	ticker_run();
	UNTIL(play_n_deliveries == 4);
	CHECK_INT((long long)play_deliveries[3].envelope.n_rcpts, 1);
	CHECK_STR(play_deliveries[3].envelope.rcpts[0].address, "b@two.example");
	ipc_link_close(link);
}

/* What was delivered stays so; the rest has the new route, also when it is tried again.
 */
QUEUE_TEST(mail_in_flight_is_rerouted, "")
{
	struct ipc_link *link = command_connect();

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_agent_connect("smtp", "other", 10);
	play_new_mail(1, "s@x.example", "a@one.example b@two.example");
	UNTIL(play_n_deliveries == 2);
	CHECK_STR(command(link, QUEUE_REROUTE, "ID1"), "ID1");
	for (size_t i = 0; i < 2; i++)
		if (str_is(play_deliveries[i].envelope.rcpts[0].address, "b@two.example"))
			play_answer(i, TEMPFAIL, "4.0.0", "no", false);
		else
			play_delivered(i);
	UNTIL(store_pending() == 0 && active_count() == 0);
	for (size_t i = 2; i < 4; i++) {
		play_calm();
		play_now += 5000 * SECOND;
		ticker_run();
		UNTIL(play_n_deliveries == i + 1);
		CHECK_STR(play_deliveries[i].ask.nexthop, "there");
		CHECK_INT((long long)play_deliveries[i].envelope.n_rcpts, 1);
		CHECK_STR(play_deliveries[i].envelope.rcpts[0].address, "b@two.example");
		play_answer(i, TEMPFAIL, "4.0.0", "no", false);
		UNTIL(store_pending() == 0 && active_count() == 0);
	}
	ipc_link_close(link);
}

QUEUE_TEST(a_requeue_takes_what_is_left, "")
{
	struct ipc_link *link = command_connect();

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	play_new_mail(1, "s@x.example", "a@one.example b@two.example");
	play_put(2, "s@x.example", "refused@one.example");
	play_message(2)->note.hold = true;
	play_announce(2, false);
	UNTIL(play_n_deliveries == 2 && queue_index.n == 2);
	CHECK_STR(command(link, QUEUE_REQUEUE, "ID1"), "ID1");
	CHECK_STR(command(link, QUEUE_REQUEUE, "ID2"), "ID2");
	CHECK_STR(buf_str(&play_said), "1 REQUEUE\n2 RELEASE\n2 REQUEUE\n");
	buf_clear(&play_said);
	for (size_t i = 0; i < 2; i++) /* those are not called back */
		if (str_is(play_deliveries[i].envelope.rcpts[0].address, "b@two.example"))
			play_answer(i, TEMPFAIL, "4.0.0", "no", false);
		else
			play_delivered(i);
	UNTIL(active_count() == 0 && store_pending() == 0);
	play_now += SECOND;
	ticker_run();
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)play_n_deliveries, 2);
	CHECK(str_find(buf_str(&play_said), STR("requeue ID1: b@two.example\n")) >= 0);
	CHECK(!play_log_has("ID1: removed"));
	/* What cleanup refuses goes back to the sender. */
	CHECK(str_find(buf_str(&play_said),
		      STR("notice about ID2: refused@one.example\n")) >= 0);
	CHECK(play_log_has("ID2: to=<refused@one.example>, relay=none, "));
	CHECK(play_log_has("ID2: removed"));
	ipc_link_close(link);
}

QUEUE_TEST(a_flush_tries_everything_now, "")
{
	struct ipc_link *link = command_connect();

	play_spool_connect();
	play_agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 3; mid++) {
		play_put(mid, "s@x.example", "r@one.example");
		play_message(mid)->note.wake_us = (uint64_t)(play_now + 600 * SECOND);
		play_announce(mid, false);
	}
	UNTIL(queue_index.n == 3);
	CHECK_STR(command(link, QUEUE_FLUSH, "ID2"), "ID2");
	UNTIL(play_n_deliveries == 1);
	CHECK_STR(play_deliveries[0].envelope.queue_id, "ID2");
	CHECK_STR(command(link, QUEUE_FLUSH, NULL), "");
	UNTIL(play_n_deliveries == 3);
	ipc_link_close(link);
}
