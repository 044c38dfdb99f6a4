/* Any bytes as a whole dialogue: nothing crashes, nothing hangs, and every reply is a
 * line that a client can read. */
#include "play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct str said;

	if (!ready)
		play_conf("postscreen_pipelining_enable = yes\n"
			  "postscreen_pipelining_action = ignore\n"
			  "postscreen_non_smtp_command_enable = yes\n"
			  "postscreen_non_smtp_command_action = enforce\n"
			  "postscreen_bare_newline_enable = yes\n"
			  "postscreen_reject_footer = \\c for $client_address\\nand "
			  "more\n");
	ready = true;
	ensure(play_feed(str_of(data, size), &said));
	return 0;
}
