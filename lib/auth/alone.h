/* alone.h -- the second try of what a mailauth may have died of. mailauth-suspect serves
 * one request at a time, and only who has the turn: so what it dies of is the one in its
 * hands, and those that wait have lost nothing. */
#ifndef ALONE_H
#define ALONE_H

#include "ipc.h"

/* Waits for the turn, over whatever the others bring down. 0: the next request over this
 * peer is the only one in there; when it says is_alone_denied, the turn was lost (the
 * process ended by itself): ask again. -1 and errno. */
SWITCHES int alone_turn(struct ipc_peer *suspects, deadline_t until);
/* An errno: the process died, of this request or of another one. */
bool alone_is_called_for(int error);

#endif
