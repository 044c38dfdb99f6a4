/* command.h -- what commands begin with: --help, main.cf, the mail log; and a fork() that
 * has patience. */
#ifndef COMMAND_H
#define COMMAND_H

#include "conf.h"

/* What --help prints and a wrong command line is told. */
struct command_help {
	const char *usage; /* "postkick [-v] class service request" */
	const char *text;  /* lines about options, each ended */
};
/* Is the first argument --help? Then its text is printed, and this does not return. */
void command_help(int argc, char **argv, const struct command_help *help);
NORETURN void command_usage(const struct command_help *help);

/* Reads main.cf of a directory (NULL: the default one), with its warnings. Fatal when it
 * cannot be used. It lasts as long as the process. */
struct conf *command_conf(const char *directory);
/* Warnings and what is fatal go to the mail log, too, as from "$syslog_name/name". */
void command_open_log(const struct conf *c, const char *name);
/* The socket class/service below the queue directory; -1, errno and a warning. */
int command_connect(const struct conf *c, struct str class, struct str service);
/* fork_attempts and fork_delay; -1 when all attempts failed, which it said. */
BLOCKS pid_t command_fork(const struct conf *c);

#endif
