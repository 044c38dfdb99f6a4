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
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	if (!ready)
		play_conf("smtpd_forbid_unauth_pipelining = no\n"
			  "smtpd_recipient_limit = 3\nmessage_size_limit = 2000\n");
	ready = true;
	if (size == 0)
		return 0;
	/* Half of the inputs start where content may follow. */
	if (data[0] & 1)
		buf_addz(&bytes, opening);
	buf_add(&bytes, str_of(data + 1, size - 1));
	play_feed(buf_str(&bytes));
	ensure(play_mail.content.len == 0 ||
		play_mail.content.data[play_mail.content.len - 1] == '\n');
	return 0;
}
