/* turn.h -- whose turn it is in mailauth-suspect (lib/auth/alone.h). */
#ifndef TURN_H
#define TURN_H

#include "ipc.h"

/* This process takes one request at a time, from who has the turn. */
void turn_start(void);
/* Answers a request for the turn, when it has come. */
void turn_on_request(struct ipc_request *rq);
/* May this one be served? Always, where nobody has to wait for a turn. */
bool turn_begin(const struct ipc_request *rq);
void turn_end(void);

#endif
