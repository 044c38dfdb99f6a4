/* explained.h -- struct service's explain. */
#ifndef EXPLAINED_H
#define EXPLAINED_H

#include "messages.h"

/* What becomes of mail from ask->envelope's sender to its one recipient, when the client
 * ask->client says ask->helo. */
SWITCHES void smtpd_explain(const struct explain_request *ask, struct explain_reply *say,
	struct arena *arena);

#endif
