/* db.c -- hash: and btree:, Berkeley DB 5.3 files as Postfix, Dovecot and others write
 * them. The only file that knows Berkeley DB.
 *
 * Files are opened read-only and outside any environment, so no region files, logs or
 * locks appear beside them. A DB_CONFIG in the working directory is not read: 5.3 as
 * distributions ship it has the fix for CVE-2017-10140, and newer ones have another
 * licence. Nothing is mapped (DB_NOMMAP): a foreign tool that truncates the file to write
 * it again must give us an error, not SIGBUS.
 *
 * Postfix ends keys and values with a NUL, other tools do not; a look-up tries both until
 * the file has shown which it is. */
#include "config.h"
#if HAVE_DB
#include "dict_impl.h"
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* Cache per table: for a reader a few pages do, for a builder as many as Postfix's
 * berkeley_db_create_buffer_size, without which hash: gets slow as it grows. */
enum { READ_CACHE = 128 * 1024, WRITE_CACHE = 16 * 1024 * 1024 };

struct db_table {
	DB *db;
	bool with_nul, without_nul; /* which forms a key may have */
	char said[200];             /* the library's own words for the last error */
};

static void
hear(const DB_ENV *env, const char *prefix UNUSED, const char *text)
{
	struct db_table *t = env->app_private;

	if (t)
		snprintf(t->said, sizeof t->said, ": %s", text);
}

static void
table_free(struct db_table *t)
{
	if (t->db)
		t->db->close(t->db, 0);
	mem_free(t);
}

static void
db_table_close(void *state)
{
	table_free(state);
}

static struct db_table *
table_new(uint32_t cache)
{
	struct db_table *t = mem_alloc(sizeof *t);

	if (db_create(&t->db, NULL, 0) != 0) {
		t->db = NULL;
		table_free(t);
		errno = ENOMEM;
		return NULL;
	}
	t->db->get_env(t->db)->app_private = t;
	t->db->set_errcall(t->db, hear);
	t->db->set_cachesize(t->db, 0, cache, 1);
	t->with_nul = t->without_nul = true;
	return t;
}

static void
table_fails(struct db_table *t, const char *what, const char *name, int error,
	struct why *why)
{
	dict_fails(why, "%s %s: %s%s", what, name, db_strerror(error), t->said);
	t->said[0] = '\0';
}

static DBT
dbt_of(const void *data, size_t len)
{
	DBT dbt;

	memset(&dbt, 0, sizeof dbt);
	dbt.data = (void *)(uintptr_t)data;
	dbt.size = (uint32_t)len;
	return dbt;
}

/* A key or value as the file holds it, without the NUL that Postfix puts behind it. */
static struct str
text_of(const DBT *dbt)
{
	struct str s = str_of(dbt->data, dbt->size);

	if (s.len && s.data[s.len - 1] == '\0')
		s.len--;
	return s;
}

/* ---- reading ---- */

/* Waits while a tool that writes in place (Postfix's own postmap) has the file locked.
 * Only the first time: later we are in a jail that knows no flock, and the file was seen
 * to have come to rest. */
static void
wait_for_writer(const char *path)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		flock(fd, LOCK_SH);
}

static void *
table_open(struct dict *d, struct stamp *stamp, DBTYPE type, struct why *why)
{
	struct str path = arena_printf(d->arena, "%s.db", d->name);
	struct db_table *t = table_new(READ_CACHE);
	int fd, error;

	if (!t)
		return dict_fails_errno(why, "open database", path.data);
	if (!d->state)
		wait_for_writer(path.data);
	error = t->db->open(t->db, NULL, path.data, NULL, type, DB_RDONLY | DB_NOMMAP, 0);
	if (error == 0)
		error = t->db->fd(t->db, &fd);
	if (error == 0) {
		stamp_take(stamp, fd);
		return t;
	}
	table_fails(t, "open database", path.data, error, why);
	table_free(t);
	return NULL;
}

static void *
hash_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	return table_open(d, stamp, DB_HASH, why);
}

static void *
btree_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	return table_open(d, stamp, DB_BTREE, why);
}

/* 0, DB_NOTFOUND or another error of the library's. */
static int
table_get(struct db_table *t, struct str key, DBT *value)
{
	DBT k;
	int error = DB_NOTFOUND;

	if (t->with_nul) {
		/* callers' keys have a NUL behind them: arena_str() sees to that */
		k = dbt_of(key.data, key.len + 1);
		error = t->db->get(t->db, NULL, &k, value, 0);
		if (error == 0)
			t->without_nul = false;
	}
	if (error == DB_NOTFOUND && t->without_nul) {
		k = dbt_of(key.data, key.len);
		error = t->db->get(t->db, NULL, &k, value, 0);
		if (error == 0)
			t->with_nul = false;
	}
	return error;
}

static enum dict_result
table_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct db_table *t = d->state;
	DBT found = dbt_of(NULL, 0);
	int error = table_get(t, arena_str(arena, key), &found);

	if (error == 0) {
		*value = arena_str(arena, text_of(&found));
		return DICT_FOUND;
	}
	if (error == DB_NOTFOUND)
		return DICT_NOTFOUND;
	table_fails(t, "error reading", d->name, error, why);
	return DICT_ERROR;
}

static int
table_each(struct dict *d, bool (*fn)(struct str, struct str, void *), void *arg)
{
	struct db_table *t = d->state;
	DBT key = dbt_of(NULL, 0), value = dbt_of(NULL, 0);
	DBC *cursor;
	int error = t->db->cursor(t->db, NULL, &cursor, 0);

	if (error != 0)
		return -1;
	while ((error = cursor->get(cursor, &key, &value, DB_NEXT)) == 0)
		if (!fn(text_of(&key), text_of(&value), arg))
			break;
	cursor->close(cursor);
	return error == 0 || error == DB_NOTFOUND ? 0 : -1;
}

/* ---- writing ---- */

static void *
table_start(const char *path, bool fresh, DBTYPE type, struct why *why)
{
	struct db_table *t = table_new(WRITE_CACHE);
	int error;

	if (!t)
		return dict_fails_errno(why, "create database", path);
	/* An empty file is as good as none, but has the mode and owner it shall have. */
	error = t->db->open(t->db, NULL, path, NULL, type, fresh ? DB_CREATE : 0, 0600);
	if (error == 0)
		return t;
	table_fails(t, fresh ? "create database" : "open database", path, error, why);
	table_free(t);
	return NULL;
}

static void *
hash_start(const char *path, bool fresh, struct why *why)
{
	return table_start(path, fresh, DB_HASH, why);
}

static void *
btree_start(const char *path, bool fresh, struct why *why)
{
	return table_start(path, fresh, DB_BTREE, why);
}

static int
table_add(void *state, struct str key, struct str value, bool replace, struct why *why)
{
	struct db_table *t = state;
	DBT k = dbt_of(key.data, key.len), v = dbt_of(value.data, value.len);
	int error = t->db->put(t->db, NULL, &k, &v, replace ? 0 : DB_NOOVERWRITE);

	if (error == 0)
		return 0;
	if (error == DB_KEYEXIST)
		return 1;
	table_fails(t, "error writing", "database", error, why);
	return -1;
}

static int
table_remove(void *state, struct str key, struct why *why)
{
	struct db_table *t = state;
	DBT k = dbt_of(key.data, key.len);
	int error = t->db->del(t->db, NULL, &k, 0);

	if (error == 0)
		return 0;
	if (error == DB_NOTFOUND)
		return 1;
	table_fails(t, "error deleting from", "database", error, why);
	return -1;
}

static int
table_finish(void *state, struct why *why)
{
	struct db_table *t = state;
	int error = t->db->close(t->db, 0);

	t->db = NULL;
	if (error != 0)
		dict_fails(why, "close database: %s", db_strerror(error));
	table_free(t);
	return error ? -1 : 0;
}

/* The bytes that were not written yet are of no use to anybody. */
static void
table_abort(void *state)
{
	struct db_table *t = state;

	t->db->close(t->db, DB_NOSYNC);
	t->db = NULL;
	table_free(t);
}

static const struct build_ops hash_build = { true, hash_start, table_add, table_remove,
	table_finish, table_abort };
static const struct build_ops btree_build = { true, btree_start, table_add, table_remove,
	table_finish, table_abort };

const struct dict_ops dict_hash = {
	.type = { "hash", false, true },
	.suffix = ".db",
	.open = hash_open,
	.close = db_table_close,
	.find = table_find,
	.each = table_each,
	.build = &hash_build,
};

const struct dict_ops dict_btree = {
	.type = { "btree", false, true },
	.suffix = ".db",
	.open = btree_open,
	.close = db_table_close,
	.find = table_find,
	.each = table_each,
	.build = &btree_build,
};
#endif
