/* postern_upgrade.c -- upgrade-configuration: a master.cf that comes from an older
 * Postfix gets the lines that it lacks; nothing else is touched. */
#include "postern.h"
#include "log.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (16 * 1024 * 1024)

/* Services that a master.cf of an older Postfix does not have, and that mail would miss.
 */
static const struct {
	const char *name, *line;
} wanted[] = {
	{ "trace", "trace unix - - n - 0 bounce" },
	{ "verify", "verify unix - - n - 1 verify" },
	{ "flush", "flush unix n - n 1000? 0 flush" },
	{ "proxymap", "proxymap unix - - n - - proxymap" },
	{ "proxywrite", "proxywrite unix - - n - 1 proxymap" },
	{ "tlsmgr", "tlsmgr unix - - n 1000? 1 tlsmgr" },
	{ "relay", "relay unix - - n - - smtp" },
	{ "anvil", "anvil unix - - n - 1 anvil" },
	{ "scache", "scache unix - - n - 1 scache" },
	{ "discard", "discard unix - - n - - discard" },
	{ "retry", "retry unix - - n - - error" },
	{ "postlog", "postlog unix-dgram n - n - 1 postlogd" },
};

/* Of any type but inet: tlsmgr once was a fifo. */
static bool
has_service(const struct master_conf *m, const char *name)
{
	for (size_t i = 0; i < m->services.n; i++)
		if (m->services.items[i].type != SERVICE_INET &&
			str_is(m->services.items[i].name, name))
			return true;
	return false;
}

/* The lines that are missing, behind what text has; their number. */
static size_t
add_missing(const struct master_conf *m, const char *path, struct buf *text)
{
	size_t added = 0;

	if (text->len > 0 && text->data[text->len - 1] != '\n')
		buf_addc(text, '\n');
	for (size_t i = 0; i < COUNT(wanted); i++) {
		if (has_service(m, wanted[i].name))
			continue;
		log_info("editing %s, adding missing entry for %s service", path,
			wanted[i].name);
		buf_printf(text, "%s\n", wanted[i].line);
		added++;
	}
	return added;
}

/* Whole or not at all, with the owner and mode that it has. */
static int
replace_file(const char *path, struct str text)
{
	struct arena *arena = postern.conf->arena;
	const char *fresh = arena_cstr(arena, arena_printf(arena, "%s.tmp", path));
	int fd CLEANUP(fd_close) = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return -1;
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	if (write_all(fd, text) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0 &&
		fchmod(fd, st.st_mode & 07777) == 0 && fsync(fd) == 0 &&
		rename(fresh, path) == 0)
		return 0;
	unlink(fresh);
	return -1;
}

int
postern_upgrade_configuration(void)
{
	struct arena *arena = postern.conf->arena;
	const char *path =
		arena_cstr(arena, arena_printf(arena, "%s/master.cf", postern.directory));
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct conf_issues issues;
	struct master_conf *services;

	conf_issues_init(&issues);
	services = master_conf_load(postern.directory, postern.conf, &issues);
	if (!services)
		conf_issues_die(&issues);
	conf_issues_free(&issues);
	if (read_file(path, FILE_MOST, &text) < 0 ||
		(add_missing(services, path, &text) > 0 &&
			replace_file(path, buf_str(&text)) < 0))
		log_fatal("%s: %m", path);
	master_conf_free(services);
	return 0;
}
