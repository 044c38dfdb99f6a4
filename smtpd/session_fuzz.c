/* Any bytes as a whole session: nothing crashes, nothing hangs, and what cleanup gets has
 * whole lines. The stage is that of the plays. */
#include "play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	static const char opening[] =
		"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user@here.test>\r\n";
	static const char login[] = "AUTH LOGIN\r\n";
	static const char *const answers[] = { "CONT\t@\tVXNlcm5hbWU6\n",
		"CONT\t@\tUGFzc3dvcmQ6\n", "OK\t@\tuser=joe\n", "FAIL\t@\n", NULL };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	if (!ready)
		play_conf("smtpd_forbid_unauth_pipelining = no\n"
			  "smtpd_recipient_limit = 3\nmessage_size_limit = 2000\n"
			  "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
			  "smtpd_sasl_path = private/auth\n");
	ready = true;
	play_auth = answers;
	if (size == 0)
		return 0;
	/* Half of the inputs start where content may follow, others in a login. */
	if (data[0] & 1)
		buf_addz(&bytes, opening);
	else if (data[0] & 2)
		buf_addz(&bytes, login);
	buf_add(&bytes, str_of(data + 1, size - 1));
	play_feed(buf_str(&bytes));
	ensure(play_mail.content.len == 0 ||
		play_mail.content.data[play_mail.content.len - 1] == '\n');
	return 0;
}
