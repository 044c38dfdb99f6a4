/* alone.c -- see alone.h. */
#include "alone.h"
#include "messages.h"
#include <errno.h>

bool
alone_is_called_for(int error)
{
	return error == ECONNRESET || error == EPIPE;
}

int
alone_turn(struct ipc_peer *suspects, deadline_t until)
{
	const struct auth_turn_request ask = { .unused = 0 };
	struct auth_turn_reply said;
	int result;

	do {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();

		result = auth_turn_call(suspects, &ask, &said, arena, until);
	} while (result < 0 && alone_is_called_for(errno) && !deadline_passed(until));
	return result;
}
