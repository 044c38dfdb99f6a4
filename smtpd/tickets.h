/* tickets.h -- the keys of TLS session tickets, which tlsmgr makes for all processes: a
 * client may come to any of them next. */
#ifndef TICKETS_H
#define TICKETS_H

#include "site.h"

/* Before a handshake: asks for the keys when it is time for others. Without an answer
 * those at hand go on, at first one of this process alone. */
SWITCHES void tickets_refresh(struct site *site);
void tickets_forget(void); /* site->tls is another one, which has none yet */

#endif
