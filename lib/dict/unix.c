/* unix.c -- unix:passwd.byname and unix:group.byname: the lines of passwd(5) and
 * group(5). BLOCKS: the name service may be anything that nsswitch.conf says. */
#include "dict_impl.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>

/* What a name service may need for one entry at most: a group with many members. */
enum { ENTRY_LEAST = 1024, ENTRY_MOST = 4 * 1024 * 1024 };

static struct str
passwd_line(const struct passwd *pw, struct arena *arena)
{
	return arena_printf(arena, "%s:%s:%ld:%ld:%s:%s:%s", pw->pw_name, pw->pw_passwd,
		(long)pw->pw_uid, (long)pw->pw_gid, pw->pw_gecos, pw->pw_dir,
		pw->pw_shell);
}

static struct str
group_line(const struct group *gr, struct arena *arena)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&line, "%s:%s:%ld:", gr->gr_name, gr->gr_passwd, (long)gr->gr_gid);
	for (char **member = gr->gr_mem; *member; member++) {
		if (member != gr->gr_mem)
			buf_addc(&line, ',');
		buf_addz(&line, *member);
	}
	return arena_str(arena, buf_str(&line));
}

/* 0 with *value, ENOENT, ERANGE (more room, please) or another errno. */
static int
passwd_get(const char *name, struct buf *room, struct arena *arena, struct str *value)
{
	struct passwd pw, *found = NULL;
	int error = getpwnam_r(name, &pw, room->data, room->room, &found);

	if (error || !found)
		return error ? error : ENOENT;
	*value = passwd_line(found, arena);
	return 0;
}

static int
group_get(const char *name, struct buf *room, struct arena *arena, struct str *value)
{
	struct group gr, *found = NULL;
	int error = getgrnam_r(name, &gr, room->data, room->room, &found);

	if (error || !found)
		return error ? error : ENOENT;
	*value = group_line(found, arena);
	return 0;
}

static const struct unix_table {
	const char *name;
	int (*get)(const char *, struct buf *, struct arena *, struct str *);
} tables[] = {
	{ "passwd.byname", passwd_get },
	{ "group.byname", group_get },
};

static void *
unix_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		if (strcmp(d->name, tables[i].name) == 0)
			return (void *)(uintptr_t)&tables[i];
	return dict_fails(why, "unknown table: unix:%s", d->name);
}

static void
unix_close(void *state UNUSED)
{
}

/* Names that no passwd file can hold are not asked about: glibc reads "" and names with a
 * colon or a line end as something else. */
static bool
is_possible_name(struct str key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.data[i] == ':' || key.data[i] == '\n' || key.data[i] == '\0')
			return false;
	return key.len > 0;
}

static enum dict_result
unix_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	const struct unix_table *table = d->state;
	struct buf room CLEANUP(buf_wipe) = BUF_INIT;
	int error = ERANGE;
	char *name;

	if (!is_possible_name(key))
		return DICT_NOTFOUND;
	name = arena_cstr(arena, key);
	for (size_t n = ENTRY_LEAST; error == ERANGE && n <= ENTRY_MOST; n *= 4) {
		buf_need(&room, n);
		error = table->get(name, &room, arena, value);
	}
	switch (error) {
	case 0:
		return DICT_FOUND;
	case ENOENT: /* "not there", as one name service or another says it */
	case ESRCH:
		return DICT_NOTFOUND;
	default: /* also EPERM, which the jail says for a service that needs a socket */
		dict_fails(
			why, "table " STR_FMT ": %s", STR_ARG(d->spec), strerror(error));
		return DICT_ERROR;
	}
}

static void
unix_paths(struct str name UNUSED, void (*fn)(const char *, void *), void *arg)
{
	fn("/etc", arg);
}

const struct dict_ops dict_unix = {
	.type = { "unix", false, false },
	.open = unix_open,
	.close = unix_close,
	.find = unix_find,
	.paths = unix_paths,
};
