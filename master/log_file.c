/* log_file.c -- where the log goes: syslog, or the file of maillog_file, which we open
 * for all workers, since none of them could. */
#include "config.h"
#include "master.h"
#include "log.h"
#include "maillog.h"
#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

static int
open_stdout(struct why *why)
{
	if (master.foreground)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	why_set(why, "4.3.5", "maillog_file = /dev/stdout needs `postern start-fg`");
	return -1;
}

int
log_file_open(struct why *why)
{
	struct buf tag CLEANUP(buf_free) = BUF_INIT;
	const struct conf *c = master.conf;
	int facility = log_facility(c->p.syslog_facility), fd = -1;

	if (str_is(c->p.maillog_file, "/dev/stdout"))
		fd = open_stdout(why);
	else if (c->p.maillog_file.len > 0)
		fd = maillog_file_open(c, why);
	if (c->p.maillog_file.len > 0 && fd < 0)
		return -1;
	buf_add(&tag, c->p.syslog_name);
	buf_addz(&tag, "/master");
	log_open(buf_cstr(&tag), fd >= 0 ? LOG_TO_FD : LOG_TO_SYSLOG, fd,
		facility >= 0 ? facility : LOG_MAIL);
	fd_close(&master.log);
	master.log = fd;
	return 0;
}

void
log_file_again(void)
{
	struct why why;

	if (log_file_open(&why) < 0) {
		log_warn("%s", why.text);
		return;
	}
	for (size_t i = 0; i < master.lines.n; i++)
		for (size_t j = 0; j < master.lines.items[i]->workers.n; j++)
			worker_log(master.lines.items[i]->workers.items[j]);
}
