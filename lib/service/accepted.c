/* accepted.c -- both files as master accepted them: a worker goes by that, however they
 * have changed since. So a mistake in them, or one half of a change, waits for the next
 * reload, where it is told and refused, and does not bring down whatever happens to be
 * started in the meantime. */
#include "config.h"
#include "service_impl.h"
#include "log.h"

int
accepted_take(int *fd)
{
	static struct str mapped;
	struct str fresh;

	if (*fd < 0)
		return -1;
	if (memfd_map(*fd, &fresh) < 0) {
		log_warn("the configuration that master accepted: %m");
		fd_close(fd);
		return -1;
	}
	fd_close(fd);
	if (conf_accepted_use(fresh) < 0) {
		memfd_unmap(fresh);
		return -1;
	}
	memfd_unmap(mapped);
	mapped = fresh;
	return 0;
}
