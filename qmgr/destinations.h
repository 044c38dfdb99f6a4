/* destinations.h -- postqueue --destinations: for root, the mail owner and their
 * programs.
 */
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include "ipc.h"

void destinations_list(struct ipc_request *rq);

#endif
