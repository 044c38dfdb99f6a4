/* command_line.h -- the command of one line of master.cf, as pipe(8) and spawn(8) take
 * it: "name=value ... user=someone:group argv=/usr/bin/program word ...". */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "base.h"
#include "conf.h"

struct command_line {
	uid_t uid; /* never one whose rights reach into the mail system */
	gid_t gid;
	struct strs argv; /* views of args */
};
/* args: of the service. Attributes other than user= and argv= are given to attribute()
 * (NULL: there are none), which says whether it knows the name and the value is one.
 * log_fatal on a mistake. Asks the user database: from service.before_jail. BLOCKS */
void command_line_read(struct strs args, const struct conf *c,
	bool (*attribute)(struct str name, struct str value, void *arg), void *arg,
	struct command_line *out);

#endif
