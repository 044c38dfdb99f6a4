/* networks.h -- this host's networks, as mynetworks names them. */
#ifndef CONF_NETWORKS_H
#define CONF_NETWORKS_H

#include "base.h"

/* The networks of the addresses in `interfaces` (items of inet_interfaces: all,
 * loopback-only, names and addresses) of the given protocols, by style: host, subnet or
 * class. "127.0.0.1/32 [::1]/128". BLOCKS when an interface is given as a name. */
struct str own_networks(
	struct str style, struct strs interfaces, struct strs protocols, struct arena *a);

#endif
