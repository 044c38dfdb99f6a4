/* serve.h -- one program that talks over a connection which is its descriptors 0, 1 and
 * 2: in a runner (runner.h), which has become the user already. */
#ifndef SERVE_H
#define SERVE_H

#include "base.h"
#include "messages.h"

/* Runs it, and waits for its end or its time limit, when its process group is killed.
 * One at a time in a process. */
SWITCHES void serve_run(const struct serve_request *ask, int fd, struct arena *arena,
	struct serve_reply *say);

#endif
