/* unix.c -- unix:passwd.byname and unix:group.byname: the lines of passwd(5) and
 * group(5).
 *
 * The file is read into memory when the table is opened, like a texthash. getpwnam(3) is
 * asked only for names that are not in it, and only where nsswitch.conf has sources that
 * know more: it scans the file for each call, loads modules, and wants sockets that a
 * jail does not give. Then BLOCKS; and where the jail says no the look-up fails, so that
 * mail for users of a directory service waits instead of bouncing. */
#include "dict_impl.h"
#include "log.h"
#include "unix.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a name service may need for one entry at most: a group with many members. */
enum { ENTRY_LEAST = 1024, ENTRY_MOST = 4 * 1024 * 1024, NSSWITCH_MOST = 64 * 1024 };

struct unix_table {
	const char *name, *file, *database;
	size_t fields;
	int (*get)(const char *, struct buf *, struct arena *, struct str *);
};

struct unix_state {
	const struct unix_table *table;
	struct entries *entries;
	bool others; /* getpwnam() may know names that are not in entries */
};

/* ---- the file ---- */

static bool
is_entry(struct str line, size_t fields)
{
	struct str rest = line, field, number = STR_NONE;
	uint64_t id;
	size_t n = 0;

	while (str_split(&rest, ':', &field))
		if (++n == 3)
			number = field;
	return n >= fields - 1 && line.data[0] != ':' && str_to_u64(number, &id) == 0;
}

bool
unix_read(struct entries *e, FILE *file, size_t fields, bool *others)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	*others = false;
	while ((n = getline(&line, &room, file)) > 0) {
		struct str text = str_of(line, (size_t)n - (line[n - 1] == '\n'));

		if (text.len == 0 || text.data[0] == '#')
			continue;
		if (text.data[0] == '+' || text.data[0] == '-')
			*others = true;
		else if (is_entry(text, fields)) /* the first one counts */
			entries_add(e, str_sub(text, 0, (size_t)str_chr(text, ':')), text,
				false);
	}
	free(line);
	return !ferror(file);
}

/* ---- nsswitch.conf ---- */

/* The sources of one line, without the [ACTION=...] between them. */
static bool
sources_know_more(struct str sources, bool has_records)
{
	struct str word;
	bool in_action = false;

	while (str_token(&sources, " \t", &word)) {
		if (word.data[0] == '#')
			break;
		if (word.data[0] == '[')
			in_action = true;
		if (in_action) {
			in_action = !str_ends(word, STR("]"));
			continue;
		}
		if (str_is(word, "systemd")
				? has_records
				: !str_is(word, "files") && !str_is(word, "compat"))
			return true;
	}
	return false;
}

bool
unix_asks_others(struct str text, const char *database, bool has_records)
{
	struct str line, name;

	while (str_split(&text, '\n', &line)) {
		line = str_trim(line);
		if (str_split(&line, ':', &name) && str_is(str_trim(name), database))
			return sources_know_more(line, has_records);
	}
	return false; /* glibc's default is files */
}

static bool
has_systemd_records(void)
{
	static const char *const places[] = { "/run/systemd/userdb/io.systemd.Home",
		"/etc/userdb", "/run/userdb", "/run/host/userdb", "/usr/lib/userdb" };

	for (size_t i = 0; i < COUNT(places); i++)
		if (access(places[i], F_OK) == 0)
			return true;
	return false;
}

static bool
nsswitch_asks_others(const char *database)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (read_file("/etc/nsswitch.conf", NSSWITCH_MOST, &text) < 0)
		return errno != ENOENT;
	return unix_asks_others(buf_str(&text), database, has_systemd_records());
}

/* ---- the name service ---- */

/* 0 with *value, ENOENT, ERANGE (more room, please) or another errno. */
static int
passwd_get(const char *name, struct buf *room, struct arena *arena, struct str *value)
{
	struct passwd pw, *found = NULL;
	int error = getpwnam_r(name, &pw, room->data, room->room, &found);

	if (error || !found)
		return error ? error : ENOENT;
	*value = arena_printf(arena, "%s:%s:%ld:%ld:%s:%s:%s", pw.pw_name, pw.pw_passwd,
		(long)pw.pw_uid, (long)pw.pw_gid, pw.pw_gecos, pw.pw_dir, pw.pw_shell);
	return 0;
}

static int
group_get(const char *name, struct buf *room, struct arena *arena, struct str *value)
{
	struct group gr, *found = NULL;
	int error = getgrnam_r(name, &gr, room->data, room->room, &found);
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	if (error || !found)
		return error ? error : ENOENT;
	buf_printf(&line, "%s:%s:%ld:", gr.gr_name, gr.gr_passwd, (long)gr.gr_gid);
	for (char **member = gr.gr_mem; *member; member++) {
		if (member != gr.gr_mem)
			buf_addc(&line, ',');
		buf_addz(&line, *member);
	}
	*value = arena_str(arena, buf_str(&line));
	return 0;
}

static const struct unix_table tables[] = {
	{ "passwd.byname", "/etc/passwd", "passwd", 7, passwd_get },
	{ "group.byname", "/etc/group", "group", 4, group_get },
};

static int
ask_others(const struct unix_table *table, const char *name, struct arena *arena,
	struct str *value)
{
	struct buf room CLEANUP(buf_wipe) = BUF_INIT;
	int error = ERANGE;

	for (size_t n = ENTRY_LEAST; error == ERANGE && n <= ENTRY_MOST; n *= 4) {
		buf_need(&room, n);
		error = table->get(name, &room, arena, value);
	}
	return error == ESRCH ? ENOENT : error;
}

/* ---- the table ---- */

static const struct unix_table *
table_named(struct str name)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		if (str_is(name, tables[i].name))
			return &tables[i];
	return NULL;
}

static void
unix_close(void *state)
{
	struct unix_state *s = state;

	entries_free(s->entries);
	mem_free(s);
}

/* Modules are loaded by the first call, which had better come before the jail. */
static void
warm_up(const struct unix_table *table)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str value;

	ask_others(table, "no-such-name", a, &value);
}

static void *
unix_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	const struct unix_table *table = table_named(str_c(d->name));
	struct unix_state *s;
	bool well, others;
	FILE *file;

	if (!table)
		return dict_fails(why, "unknown table: unix:%s", d->name);
	d->file = table->file;
	file = fopen(table->file, "re");
	if (!file)
		return dict_fails_errno(why, "open", table->file);
	stamp_take(stamp, fileno(file));
	s = mem_alloc(sizeof *s);
	s->table = table;
	s->entries = entries_new();
	well = unix_read(s->entries, file, table->fields, &others);
	fclose(file);
	if (!well) {
		unix_close(s);
		return dict_fails_errno(why, "read", table->file);
	}
	s->others = others || nsswitch_asks_others(table->database);
	if (s->others)
		warm_up(table);
	return s;
}

/* Names that no passwd file can hold are not asked about. */
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
	const struct unix_state *s = d->state;
	struct str found;
	int error;

	if (entries_find(s->entries, key, &found)) {
		*value = arena_str(arena, found);
		return DICT_FOUND;
	}
	if (!s->others || !is_possible_name(key))
		return DICT_NOTFOUND;
	error = ask_others(s->table, arena_cstr(arena, key), arena, value);
	if (error == 0)
		return DICT_FOUND;
	if (error == ENOENT)
		return DICT_NOTFOUND;
	dict_fails(why, "table " STR_FMT ": %s (the sources of %s in nsswitch.conf)",
		STR_ARG(d->spec), strerror(error), s->table->database);
	return DICT_ERROR;
}

static void
unix_paths(struct str name, void (*fn)(const char *, void *), void *arg)
{
	if (table_named(name))
		fn("/etc", arg);
}

const struct dict_ops dict_unix = {
	.type = { "unix", false, false },
	.open = unix_open,
	.close = unix_close,
	.find = unix_find,
	.paths = unix_paths,
};
