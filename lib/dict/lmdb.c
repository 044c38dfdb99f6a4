/* lmdb.c -- lmdb:, LMDB files in Postfix's form: one file without a lock file beside it,
 * one unnamed table, a NUL behind keys and values. The only file that knows LMDB.
 *
 * Each look-up has a read transaction of its own, so that what another process committed
 * is seen at once (contract 1.4) and no page is held for longer than one look-up. */
#include "config.h"
#if HAVE_LMDB
#include "dict_impl.h"
#include <errno.h>
#include <lmdb.h>

/* The address space a new file starts with (Postfix's lmdb_map_size); doubled as needed.
 */
enum { FIRST_SIZE = 16 * 1024 * 1024 };

struct lmdb_table {
	MDB_env *env;
	MDB_txn *txn; /* reading: reset between look-ups */
	MDB_dbi dbi;
	bool with_nul, without_nul;
	size_t size; /* building: the address space */
};

static void
lmdb_close(void *state)
{
	struct lmdb_table *t = state;

	if (t->txn)
		mdb_txn_abort(t->txn);
	if (t->env)
		mdb_env_close(t->env);
	mem_free(t);
}

static MDB_val
val_of(const void *data, size_t len)
{
	return (MDB_val){ .mv_data = (void *)(uintptr_t)data, .mv_size = len };
}

static struct str
text_of(const MDB_val *v)
{
	struct str s = str_of(v->mv_data, v->mv_size);

	if (s.len && s.data[s.len - 1] == '\0')
		s.len--;
	return s;
}

/* ---- reading ---- */

static int
open_for_reading(struct lmdb_table *t, const char *path)
{
	int error = mdb_env_create(&t->env);

	if (error == 0)
		error = mdb_env_open(
			t->env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0600);
	if (error == 0)
		error = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &t->txn);
	if (error == 0)
		error = mdb_dbi_open(t->txn, NULL, 0, &t->dbi);
	if (error == 0)
		mdb_txn_reset(t->txn);
	return error;
}

static void *
lmdb_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	struct str path = arena_printf(d->arena, "%s.lmdb", d->name);
	struct lmdb_table *t = mem_alloc(sizeof *t);
	mdb_filehandle_t fd;
	int error = open_for_reading(t, path.data);

	if (error == 0)
		error = mdb_env_get_fd(t->env, &fd);
	if (error == 0) {
		stamp_take(stamp, fd);
		t->with_nul = t->without_nul = true;
		return t;
	}
	lmdb_close(t);
	return dict_fails(why, "open database %s: %s", path.data, mdb_strerror(error));
}

/* A transaction on what is newest. Another process may have made the file longer than our
 * map: then the map is laid anew. */
static int
transaction_renew(struct lmdb_table *t)
{
	int error = mdb_txn_renew(t->txn);

	if (error != MDB_MAP_RESIZED)
		return error;
	error = mdb_env_set_mapsize(t->env, 0);
	return error ? error : mdb_txn_renew(t->txn);
}

static int
table_get(struct lmdb_table *t, struct str key, MDB_val *value)
{
	MDB_val k;
	int error = MDB_NOTFOUND;

	/* LMDB knows neither empty keys nor long ones: both are just not there. */
	if (t->with_nul && key.len + 1 <= (size_t)mdb_env_get_maxkeysize(t->env)) {
		k = val_of(key.data, key.len + 1);
		error = mdb_get(t->txn, t->dbi, &k, value);
		if (error == 0)
			t->without_nul = false;
	}
	if (error == MDB_NOTFOUND && t->without_nul && key.len > 0 &&
		key.len <= (size_t)mdb_env_get_maxkeysize(t->env)) {
		k = val_of(key.data, key.len);
		error = mdb_get(t->txn, t->dbi, &k, value);
		if (error == 0)
			t->with_nul = false;
	}
	return error;
}

static enum dict_result
lmdb_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct lmdb_table *t = d->state;
	MDB_val found;
	int error = transaction_renew(t);

	if (error == 0) {
		error = table_get(t, arena_str(arena, key), &found);
		if (error == 0)
			*value = arena_str(arena, text_of(&found));
		mdb_txn_reset(t->txn);
	}
	if (error == 0)
		return DICT_FOUND;
	if (error == MDB_NOTFOUND)
		return DICT_NOTFOUND;
	dict_fails(why, "error reading %s.lmdb: %s", d->name, mdb_strerror(error));
	return DICT_ERROR;
}

static int
lmdb_each(struct dict *d, bool (*fn)(struct str, struct str, void *), void *arg)
{
	struct lmdb_table *t = d->state;
	MDB_cursor *cursor;
	MDB_val key, value;
	int error = transaction_renew(t);

	if (error == 0)
		error = mdb_cursor_open(t->txn, t->dbi, &cursor);
	if (error != 0)
		return -1;
	while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		if (!fn(text_of(&key), text_of(&value), arg))
			break;
	mdb_cursor_close(cursor);
	mdb_txn_reset(t->txn);
	return error == 0 || error == MDB_NOTFOUND ? 0 : -1;
}

/* ---- writing ---- */

static void *
lmdb_start(const char *path, bool fresh UNUSED, struct why *why)
{
	struct lmdb_table *t = mem_alloc(sizeof *t);
	MDB_envinfo info;
	int error = mdb_env_create(&t->env);

	t->size = FIRST_SIZE;
	if (error == 0)
		error = mdb_env_set_mapsize(t->env, t->size);
	if (error == 0) /* the file is not in its place yet: synced once, at the end */
		error = mdb_env_open(
			t->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	if (error == 0)
		error = mdb_env_info(t->env, &info);
	if (error == 0)
		t->size = info.me_mapsize;
	if (error == 0)
		error = mdb_txn_begin(t->env, NULL, 0, &t->txn);
	if (error == 0)
		error = mdb_dbi_open(t->txn, NULL, 0, &t->dbi);
	if (error == 0)
		return t;
	lmdb_close(t);
	return dict_fails(why, "create database %s: %s", path, mdb_strerror(error));
}

/* A transaction that found no room is lost with all it did, so room is made before: when
 * less than a quarter is left, what there is is committed and the map doubled. */
static int
make_room(struct lmdb_table *t, size_t more)
{
	MDB_envinfo info;
	MDB_stat stat;
	size_t used;
	int error = mdb_env_info(t->env, &info);

	if (error == 0)
		error = mdb_stat(t->txn, t->dbi, &stat);
	if (error != 0)
		return error;
	/* At worst nothing of what was committed can be used again before the end. */
	used = (info.me_last_pgno + 1 + stat.ms_branch_pages + stat.ms_leaf_pages +
		       stat.ms_overflow_pages) *
	       stat.ms_psize;
	if (used + more + t->size / 4 < t->size)
		return 0;
	error = mdb_txn_commit(t->txn);
	t->txn = NULL;
	while (used + more + t->size / 4 >= t->size)
		t->size *= 2;
	if (error == 0)
		error = mdb_env_set_mapsize(t->env, t->size);
	if (error == 0)
		error = mdb_txn_begin(t->env, NULL, 0, &t->txn);
	return error;
}

static int
write_failed(const char *what, int error, struct why *why)
{
	dict_fails(why, "error %s database: %s", what, mdb_strerror(error));
	return -1;
}

static int
lmdb_add(void *state, struct str key, struct str value, bool replace, struct why *why)
{
	struct lmdb_table *t = state;
	MDB_val k = val_of(key.data, key.len), v = val_of(value.data, value.len);
	int error = make_room(t, 2 * (key.len + value.len));

	if (error == 0)
		error = mdb_put(t->txn, t->dbi, &k, &v, replace ? 0 : MDB_NOOVERWRITE);
	if (error == MDB_KEYEXIST)
		return 1;
	return error ? write_failed("writing", error, why) : 0;
}

static int
lmdb_remove(void *state, struct str key, struct why *why)
{
	struct lmdb_table *t = state;
	MDB_val k = val_of(key.data, key.len);
	int error;

	if (key.len == 0 || key.len > (size_t)mdb_env_get_maxkeysize(t->env))
		return 1;
	error = mdb_del(t->txn, t->dbi, &k, NULL);
	if (error == MDB_NOTFOUND)
		return 1;
	return error ? write_failed("deleting from", error, why) : 0;
}

static int
lmdb_finish(void *state, struct why *why)
{
	struct lmdb_table *t = state;
	int error = t->txn ? mdb_txn_commit(t->txn) : MDB_PANIC;

	t->txn = NULL;
	lmdb_close(t);
	return error ? write_failed("writing", error, why) : 0;
}

static const struct build_ops lmdb_build = { true, lmdb_start, lmdb_add, lmdb_remove,
	lmdb_finish, lmdb_close };

const struct dict_ops dict_lmdb = {
	.type = { "lmdb", false, true },
	.suffix = ".lmdb",
	.sees_changes = true,
	.open = lmdb_open,
	.close = lmdb_close,
	.find = lmdb_find,
	.each = lmdb_each,
	.build = &lmdb_build,
};
#endif
