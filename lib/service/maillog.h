/* maillog.h -- the mail log for master and commands: maillog_file, postlogd, syslog. */
#ifndef MAILLOG_H
#define MAILLOG_H

#include "base.h"
#include "conf.h"

/* maillog_file, opened for appending, made when it is missing; -1 and *why, also when
 * maillog_file_prefixes forbids it. */
int maillog_file_open(const struct conf *c, struct why *why) MUST_CHECK;
/* log_open() for a command: the file where the caller may write it, otherwise, and for
 * set-gid commands always, postlogd,
 * or syslog when no file is set. `also` is LOG_TO_STDERR or 0; stderr has to do where
 * nothing else works. Gives the descriptor that it writes to, or -1. */
int maillog_open(const struct conf *c, const char *tag, unsigned also);

#endif
