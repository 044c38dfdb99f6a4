/* keys.h -- the private keys of servers. They are read from files and from tables of
 * names (tls_server_sni_maps), looked at again when somebody asks for the certificates,
 * once a second at most, and used here, in helper threads. */
#ifndef KEYS_H
#define KEYS_H

#include "messages.h"

/* Before the jail. */
void keys_start(void);

/* Handlers, each in a coroutine of its own. */
void keys_identity(struct ipc_request *rq);
void keys_sni(struct ipc_request *rq);
void keys_use(struct ipc_request *rq);

#endif
