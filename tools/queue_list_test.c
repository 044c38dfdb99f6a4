/* The columns and JSON of listings, byte by byte as Postfix 3.7's postqueue printed them
 * for the same messages. */
#include "queue_list.h"
#include "test.h"
#include <stdlib.h>

static const struct listing samples[] = {
	{ .queue = STR_INIT("active"),
		.queue_id = STR_INIT("C0CBE4A0E83"),
		.time = 1700000000,
		.size = 350,
		.sender = STR_INIT("user@example.com"),
		.rcpts =
			(struct listing_rcpt[]){
				{ STR_INIT("r1@example.org"), STR_INIT("r1@example.org"),
					STR_INIT("short reason"), false },
				{ STR_INIT("r2@example.org"), STR_INIT("r2@example.org"),
					STR_INIT("short reason"), false },
				{ STR_INIT("r3@example.org"), STR_INIT("r3@example.org"),
					STR_INIT("connect to "
						 "mail.example.org[192.0.2.1]:25: "
						 "Connection timed out and so on and on "
						 "and "
						 "on"),
					false },
				{ STR_INIT("r4@example.org"), STR_INIT("r4@example.org"),
					STR_INIT(""), false },
			},
		.n_rcpts = 4 },
	{ .queue = STR_INIT("hold"),
		.queue_id = STR_INIT("4Yq1Zp4rQzz1X2"),
		.time = 1700000000,
		.size = 1234567,
		.sender = STR_INIT("MAILER-DAEMON") },
	{ .queue = STR_INIT("deferred"),
		.queue_id = STR_INIT("ABCDEF1234"),
		.time = 1700000000,
		.size = 99999999,
		.expire = true,
		.sender = STR_INIT("a\"b\\\n@x"),
		.rcpts =
			(struct listing_rcpt[]){
				{ STR_INIT("o@x"), STR_INIT("r@x"), STR_INIT("\x01"),
					false },
				{ STR_INIT(""), STR_INIT("f@x"), STR_INIT("no such user"),
					true },
			},
		.n_rcpts = 2 },
};

static const char short_form[] =
	"-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
	"C0CBE4A0E83*     350 Tue Nov 14 22:13:20  user@example.com\n"
	"                                                                (short reason)\n"
	"                                         r1@example.org\n"
	"                                         r2@example.org\n"
	"(connect to mail.example.org[192.0.2.1]:25: Connection timed out and so on and "
	"on and "
	"on)\n"
	"                                         r3@example.org\n"
	"                                                          (reason unavailable)\n"
	"                                         r4@example.org\n"
	"\n"
	"4Yq1Zp4rQzz1X2! 1234567 Tue Nov 14 22:13:20  MAILER-DAEMON\n"
	"\n"
	"ABCDEF1234# 99999999 Tue Nov 14 22:13:20  a\"b\\?@x\n"
	"                                                                           (?)\n"
	"                                         r@x\n"
	"                                                                (no such user)\n"
	"                                         f@x\n"
	"\n"
	"-- 98862 Kbytes in 3 Requests.\n";

static const char long_form[] =
	"----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
	"4Yq1Zp4rQzz1X2!    1234567 Tue Nov 14 22:13:20 MAILER-DAEMON\n"
	"\n"
	"-- 1205 Kbytes in 1 Request.\n";

static const char json_form[] =
	"{\"queue_name\": \"hold\", \"queue_id\": \"4Yq1Zp4rQzz1X2\", \"arrival_time\": "
	"1700000000, \"message_size\": 1234567, \"forced_expire\": false, \"sender\": "
	"\"MAILER-DAEMON\", \"recipients\": []}\n"
	"{\"queue_name\": \"deferred\", \"queue_id\": \"ABCDEF1234\", \"arrival_time\": "
	"1700000000, \"message_size\": 99999999, \"forced_expire\": true, \"sender\": "
	"\"a\\\"b\\\\\\n@x\", \"recipients\": [{\"orig_address\": \"o@x\", \"address\": "
	"\"r@x\", \"delay_reason\": \"\\u0001\"}, {\"address\": \"f@x\", "
	"\"bounce_reason\": \"no such user\"}]}\n";

static void
check_form(enum queue_form form, bool long_ids, size_t from, size_t to, const char *want)
{
	char *text = NULL;
	size_t len = 0;
	struct queue_print p = {
		.out = open_memstream(&text, &len), .form = form, .long_ids = long_ids
	};

	setenv("TZ", "UTC", 1);
	for (size_t i = from; i < to; i++)
		queue_print(&p, &samples[i]);
	queue_print_end(&p);
	fclose(p.out);
	CHECK_STR(str_of(text, len), want);
	free(text);
}

TEST(short_queue_ids)
{
	check_form(QUEUE_FOR_PEOPLE, false, 0, 3, short_form);
}

TEST(long_queue_ids)
{
	check_form(QUEUE_FOR_PEOPLE, true, 1, 2, long_form);
}

TEST(json)
{
	check_form(QUEUE_JSON, false, 1, 3, json_form);
}

TEST(nothing)
{
	check_form(QUEUE_FOR_PEOPLE, false, 0, 0, "Mail queue is empty\n");
	check_form(QUEUE_JSON, false, 0, 0, "");
}

TEST_MAIN()
