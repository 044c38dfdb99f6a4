/* policy_answer.h -- what a policy server answers: lines "name=value", the one named
 * action counts, an empty line at the end (SMTPD_POLICY_README). */
#ifndef POLICY_ANSWER_H
#define POLICY_ANSWER_H

#include "base.h"

struct policy_answer {
	struct str action; /* data NULL: not seen yet; in the caller's arena */
	unsigned lines;
};
enum policy_answer_state { ANSWER_MORE, ANSWER_DONE, ANSWER_BAD };
/* Takes one line, without its line end. BAD: this is no answer; *what says why. */
enum policy_answer_state policy_answer_take(struct policy_answer *a, struct str line,
	struct arena *arena, const char **what) MUST_CHECK;

#endif
