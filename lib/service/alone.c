/* alone.c -- lib/service for a process that has no master: a command that runs a daemon's
 * code in itself (posttls-finger), and the stages of unit tests and fuzz targets. There
 * is no jail, no broker, and nobody who would want it to end. Each of these is weak: what
 * has to be otherwise the program defines itself. */
#include "service.h"
#include <errno.h>

#define WEAK __attribute__((weak))

/* ---- walls, which are not there ---- */

WEAK void
service_allow_read(const char *directory)
{
	(void)directory;
}

WEAK void
service_allow_read_links(const char *directory)
{
	(void)directory;
}

WEAK void
service_allow_write_of(struct str path)
{
	(void)path;
}

/* ---- master ---- */

WEAK bool
service_on_trial(void)
{
	return false;
}

WEAK bool
service_under_stress(void)
{
	return false;
}

WEAK bool
service_draining(void)
{
	return false;
}

WEAK bool
service_stopping(void)
{
	return false;
}

WEAK void
service_leave(void)
{
}

WEAK void
service_renew_tables(void)
{
}

WEAK void
service_retire(const char *why)
{
	(void)why;
}

/* ---- sessions ---- */

WEAK uint32_t
service_limit(void)
{
	return 0;
}

WEAK void
service_full(bool full)
{
	(void)full;
}

WEAK void
service_busy(int change)
{
	(void)change;
}

WEAK uint32_t
service_next_session(void)
{
	return 0;
}

WEAK bool
service_client(const struct net_addr *client)
{
	(void)client;
	return true;
}

/* ---- broker ---- */

WEAK int
service_connect_peer(const char *name, deadline_t patience)
{
	(void)name, (void)patience;
	errno = ECONNREFUSED;
	return -1;
}

WEAK int
service_connect(const char *endpoint, deadline_t patience)
{
	(void)endpoint, (void)patience;
	errno = ECONNREFUSED;
	return -1;
}

WEAK struct ipc_peer *
service_peer(const char *name)
{
	(void)name;
	return NULL;
}
