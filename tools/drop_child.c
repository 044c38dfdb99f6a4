/* drop_child.c -- postdrop at the other end of a pipe. */
#include "command.h"
#include "log.h"
#include "sendmail.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

void
drop_child_start(struct drop_child *c, const struct sendmail *s)
{
	char path[4096];
	int pair[2];

	snprintf(path, sizeof(path), "%.*s/postdrop",
		STR_ARG(s->conf->p.command_directory));
	if (pipe(pair) < 0)
		log_fatal("pipe: %s", strerror(errno));
	c->pid = command_fork(s->conf);
	if (c->pid < 0)
		log_fatal("cannot run postdrop");
	if (c->pid == 0) {
		dup2(pair[0], 0);
		close(pair[0]);
		close(pair[1]);
		execl(path, "postdrop", "-r", "-c", s->directory, (char *)NULL);
		log_fatal("execute %s: %s", path, strerror(errno));
	}
	close(pair[0]);
	c->fd = pair[1];
}

void
drop_child_envelope(struct drop_child *c, const struct drop *d)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	drop_put(&bytes, d);
	/* A postdrop that died says why in its exit status. */
	(void)!drop_write_envelope(c->fd, buf_str(&bytes));
}

int
drop_child_end(struct drop_child *c)
{
	int status = 0;

	(void)!drop_write_end(c->fd);
	close(c->fd);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

void
drop_child_abort(struct drop_child *c)
{
	close(c->fd); /* without the end mark: postdrop drops it */
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
