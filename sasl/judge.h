/* judge.h -- the child that asks Cyrus SASL about one login. */
#ifndef JUDGE_H
#define JUDGE_H

#include "base.h"
#include "cyrus.h"

/* Forks; the child speaks over the socket that is returned, lines of Dovecot's protocol:
 * MECH lines and its end when `line` is empty, else what AUTH and CONT are answered.
 * Beside these it says "LOG" TAB text, which is for the log. -1 and errno. */
int judge_begin(const struct cyrus_config *config, struct str line, pid_t *pid)
	MUST_CHECK;

#endif
