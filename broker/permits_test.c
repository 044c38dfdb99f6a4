/* permits_test.c -- who may reach whom. */
#include "broker.h"
#include "test.h"

static const struct {
	const char *from, *to;
	bool allowed;
} cases[] = {
	{ "smtpd", "cleanup", true },
	{ "smtpd", "spool", false }, /* the queue is not for who talks to strangers */
	{ "smtpd", "qmgr", false },
	{ "smtpd", "broker", false },
	{ "smtpd", "anvil", true },
	{ "smtp", "anvil", false },
	{ "smtpd", "greylistd", true },
	{ "postscreen", "greylistd", false },
	{ "cleanup", "spool", true },
	{ "qmgr", "spool", true },
	{ "qmgr", "virtual", true },
	{ "smtp", "qmgr", true },
	{ "smtp", "spool", false },
	{ "smtp", "cleanup", false },
	{ "smtp", "bounce", true }, /* to the postmaster only */
	{ "smtpd", "bounce", true },
	{ "smtpd", "sasl", true },
	{ "smtp", "sasl", false },
	{ "sasl", "cleanup", false },
	{ "virtual", "cleanup", false },
	{ "local", "cleanup", true }, /* forwarding */
	{ "postscreen", "smtpd", true },
	{ "postscreen", "tlsmgr", true },
	{ "spool", "qmgr", false },
	{ "dns", "cleanup", false },
	{ "stranger", "cleanup", false },
	{ "", "cleanup", false },
	{ "smtpd", "", false },
};

TEST(the_table_is_the_whole_truth)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		test_row(i);
		CHECK_INT(permits(cases[i].from, str_c(cases[i].to)), cases[i].allowed);
	}
}

TEST_MAIN()
