/* control.h -- what others ask of the queue: commands that change it, listings, wake-ups.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "ipc.h"
#include "net.h"

/* queue_change and queue_list: for root, the mail owner and their programs. */
SWITCHES void control_change(struct ipc_request *rq);
SWITCHES void control_list(struct ipc_request *rq);
void control_space(struct ipc_request *rq);
/* Is it one of these who asks? */
bool control_caller_may(const struct ipc_request *rq);
/* Plain connections to public/qmgr, as everybody who may reach the socket may make them:
 *	W	look whether something is due
 *	F	try everything that is deferred now (postqueue -f)
 *	I<id>\n	the same for one message (postqueue -i) */
SWITCHES void control_plain(struct conn *conn);

#endif
