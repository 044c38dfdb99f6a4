/* explained.h -- struct service's explain. */
#ifndef EXPLAINED_H
#define EXPLAINED_H

#include "messages.h"

/* Where ask->rcpt of the envelope goes. *say has the envelope with its final address. */
SWITCHES void qmgr_explain(const struct explain_request *ask, struct explain_reply *say,
	struct arena *arena);

#endif
