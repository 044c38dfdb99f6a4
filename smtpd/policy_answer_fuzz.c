/* policy_answer_fuzz.c -- what a policy server may answer, line by line. */
#include "policy_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct policy_answer answer = { .lines = 0 };
	enum policy_answer_state state = ANSWER_MORE;
	struct str rest = str_of(data, size), line;
	const char *what;

	while (state == ANSWER_MORE && str_split(&rest, '\n', &line))
		state = policy_answer_take(&answer, line, arena, &what);
	ensure(state != ANSWER_DONE || answer.action.len > 0);
	/* It becomes part of replies and header fields. */
	ensure(state != ANSWER_DONE ||
		(str_chr(answer.action, '\r') < 0 && str_chr(answer.action, 0) < 0));
	return 0;
}
