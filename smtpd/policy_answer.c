/* policy_answer.c -- see policy_answer.h. */
#include "policy_answer.h"
#include "address.h"

#define LINES_MOST 100 /* attributes that we do not know are passed over */

static bool
is_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((unsigned char)s.data[i] < ' ' && s.data[i] != '\t') ||
			s.data[i] == 0x7f)
			return false;
	return address_utf8_is_valid(s);
}

enum policy_answer_state
policy_answer_take(
	struct policy_answer *a, struct str line, struct arena *arena, const char **what)
{
	ssize_t equals = str_chr(line, '=');

	*what = "no action in the answer";
	if (line.len == 0)
		return a->action.len ? ANSWER_DONE : ANSWER_BAD;
	*what = "too many lines in the answer";
	if (++a->lines > LINES_MOST)
		return ANSWER_BAD;
	*what = "a line of the answer is not name=value";
	if (equals <= 0)
		return ANSWER_BAD;
	if (!str_is(str_trim(str_sub(line, 0, (size_t)equals)), "action"))
		return ANSWER_MORE;
	*what = "malformed text in the action";
	line = str_trim(str_from(line, (size_t)equals + 1));
	if (a->action.data || !is_text(line))
		return ANSWER_BAD;
	a->action = arena_str(arena, line);
	return ANSWER_MORE;
}
