/* suspect.h -- whose session a worker was in when it crashed. Master and each worker that
 * serves clients share a page: the worker notes there for which network the coroutine
 * that runs works, before it looks at a byte of it; master reads that when the worker has
 * died, and writes which networks are refused.
 *
 * A network is the /24 of an IPv4 address, the /64 of an IPv6 address. */
#ifndef SUSPECT_H
#define SUSPECT_H

#include "base.h"
#include "net.h"

#define SUSPECTS_REFUSED 32

struct suspect_page {
	volatile uint64_t running;                   /* a network; 0: nobody's session */
	volatile uint64_t refused[SUSPECTS_REFUSED]; /* 0: unused */
};

/* A page that both sides can map and neither can change in size, and our mapping of it.
 * NULL and errno. */
struct suspect_page *suspect_page_new(int *fd) MUST_CHECK;
/* The other side's mapping of it; NULL and errno. */
struct suspect_page *suspect_page_map(int fd) MUST_CHECK;
void suspect_page_free(struct suspect_page *page);

/* Never 0. */
uint64_t suspect_network(const struct net_addr *a);
/* "192.0.2.0/24", "2001:db8::/64" */
#define SUSPECT_TEXT (NET_ADDR_TEXT + 4)
const char *suspect_text(uint64_t network, char *out);

#endif
