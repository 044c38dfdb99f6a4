/* command.h -- one foreign command, run in this process' name: in a runner (runner.h),
 * which has become the user already. */
#ifndef COMMAND_H
#define COMMAND_H

#include "base.h"
#include "messages.h"

struct command_work {
	const struct command_request *ask;
	int rest_fd; /* ask->rest bytes of content, or -1 */
	struct arena *arena;
	enum verdict verdict;
	struct why why; /* ACCEPT: text is the first line of the output */
};
/* arg: struct command_work. Feeds the command, reads what it says, waits for its end or
 * its time limit. One at a time in a process. BLOCKS */
void command_run(void *arg);
/* Ends the command that is running, with its process group. */
void command_kill(void);

/* What the end of a command means: its wait status and what it said, which begins with
 * what counts (RFC 3463 code and text) or is only quoted. name: for the text. */
enum verdict command_verdict(
	int status, struct str output, struct str name, struct why *why);
/* The strings as execve(2) takes them, in arena. NULL: one holds a NUL. */
char **command_strings(struct strs list, struct arena *arena);
/* The words of a command that needs no shell; n 0: it does. */
struct strs command_words(struct str command, struct arena *arena);

#endif
