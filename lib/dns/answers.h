/* answers.h -- the questions of ipc/messages.h answered: by the resolver, the system's
 * own files, and the search list, as the flags of the question say. dns does that for the
 * suite, a command for itself. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "ipc.h"
#include "resolver.h"

struct answers {
	struct resolver *resolver;
	struct hosts_file *hosts;
};
/* Handles a call of dns_TYPE; the answer is given now or later, in the loop. `from` stays
 * until then. */
void answers_give(const struct answers *from, struct ipc_request *rq);

#endif
