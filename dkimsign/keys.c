/* keys.c -- see keys.h.
 *
 * The directory is what bounds the names that cleanup may come with: it asks for a file
 * of it by name, and no name is ever opened after the start. Files are named in a table,
 * so a list of them as tlsmgr's reader has, made from main.cf, cannot be had here; and a
 * key that is for something else, TLS say, must not become one that signs what cleanup
 * wants. */
#include "keys.h"
#include "changes.h"
#include "log.h"
#include "service.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define KEYS_MOST 10000
#define FILE_MOST ((size_t)64 * 1024)

struct entry {
	struct sign_key *key; /* NULL: */
	struct why why;       /* why there is none */
};
static struct map *entries;

/* ---- before the jail ---- */

static void
read_key(const char *path, struct entry *entry)
{
	struct buf text CLEANUP(buf_wipe) = BUF_INIT;
	struct stat st;

	if (stat(path, &st) < 0 || read_file(path, FILE_MOST, &text) < 0) {
		why_errno(&entry->why, "4.3.5", path);
		return;
	}
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		log_warn("%s: others than its owner may use this key", path);
	entry->key = sign_key_read(buf_str(&text), &entry->why);
}

static bool
is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void
read_keys(const char *directory, DIR *dir)
{
	const struct dirent *d;

	while ((d = readdir(dir)) && map_count(entries) < KEYS_MOST) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;
		struct entry *entry;

		buf_printf(&path, "%s/%s", directory, d->d_name);
		if (d->d_name[0] == '.' || !is_file(buf_cstr(&path)))
			continue;
		entry = mem_alloc(sizeof(*entry));
		read_key(buf_cstr(&path), entry);
		map_set(entries, str_c(d->d_name), entry);
	}
}

void
keys_open(void)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	const char *directory;
	DIR *dir;

	buf_add(&path, service_conf()->p.dkim_sign_key_directory);
	directory = buf_cstr(&path);
	entries = map_new();
	dir = opendir(directory);
	if (!dir) {
		if (errno != ENOENT || service_conf()->p.dkim_sign_maps.len > 0 ||
			service_conf()->p.arc_sign_maps.len > 0)
			log_warn("dkim_sign_key_directory: %s: %m", directory);
		return;
	}
	changes_add("dkim_sign_key_directory", directory);
	read_keys(directory, dir);
	closedir(dir);
}

/* ---- in the jail ---- */

const struct sign_key *
keys_find(struct str name, struct why *why)
{
	const struct entry *entry = map_get(entries, name);

	if (entry && entry->key)
		return entry->key;
	if (entry)
		*why = entry->why;
	else
		why_set(why, "4.3.5", "there is no file " STR_FMT " among the keys",
			STR_ARG(name));
	return NULL;
}
