/* pickup.h -- the two ways in which messages come. */
#ifndef PICKUP_H
#define PICKUP_H

#include "ipc.h"

#define SUBMIT_PATIENCE ((msec_t)300 * 1000)

/* The hop of a message that this user brought. */
void add_received(uid_t uid, const char *queue_id, struct buf *out);

/* requeue.c: what postsuper -r wants to pass through cleanup once more; from qmgr. */
void requeue_run(struct ipc_request *rq);

#endif
