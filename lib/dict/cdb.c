/* cdb.c -- cdb:, D. J. Bernstein's constant database, reader and writer of our own
 * (https://cr.yp.to/cdb/cdb.txt, a public-domain format).
 *
 *	header	256 pairs (position of a hash table, number of its slots), 2048 bytes
 *	records	key length, data length, key, data
 *	tables	slots (hash, position of the record); position 0 is an empty slot
 *
 * All numbers are 32 bits, little-endian. A key with hash h is in table h % 256, in the
 * slots from (h / 256) % slots on, up to the first empty one. Positions come from the
 *file and are not believed: each read is checked against its size, and none goes on for
 *longer than the table has slots. Keys and values have no NUL behind them when Postfix
 *writes them; both forms are tried. */
#include "dict_impl.h"
#include "entries.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	TABLES = 256,
	HEADER_SIZE = TABLES * 8,
	KEY_MOST = 64 * 1024,          /* a longer key is not there */
	VALUE_MOST = 16 * 1024 * 1024, /* a longer value is damage */
};

static uint32_t
get_le(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

static void
put_le(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof v);
}

static uint32_t
cdb_hash(struct str key)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < key.len; i++)
		h = (h + (h << 5)) ^ (unsigned char)key.data[i];
	return h;
}

/* ---- reading ---- */

struct cdb {
	int fd;
	uint64_t size;
	bool with_nul, without_nul;
	unsigned char header[HEADER_SIZE];
};

static void
cdb_close(void *state)
{
	struct cdb *c = state;

	fd_close(&c->fd);
	mem_free(c);
}

/* All of it, or -1 with errno: EILSEQ when the file says that there are more bytes than
 * it has. */
static int
read_at(const struct cdb *c, uint64_t at, void *out, size_t len)
{
	size_t have = 0;

	if (at > c->size || len > c->size - at) {
		errno = EILSEQ;
		return -1;
	}
	while (have < len) {
		ssize_t n =
			pread(c->fd, (char *)out + have, len - have, (off_t)(at + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EILSEQ;
		if (n <= 0)
			return -1;
		have += (size_t)n;
	}
	return 0;
}

static const char *
cdb_error(void)
{
	return errno == EILSEQ ? "the file is damaged: run postmap again"
			       : strerror(errno);
}

static void *
cdb_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	struct str path = arena_printf(d->arena, "%s.cdb", d->name);
	struct cdb *c = mem_alloc(sizeof *c);

	c->with_nul = c->without_nul = true;
	c->fd = open(path.data, O_RDONLY | O_CLOEXEC);
	if (c->fd >= 0) {
		stamp_take(stamp, c->fd);
		c->size = (uint64_t)stamp->seen.st_size;
	}
	if (c->fd >= 0 && read_at(c, 0, c->header, HEADER_SIZE) == 0)
		return c;
	dict_fails(why, "open database %s: %s", path.data, cdb_error());
	cdb_close(c);
	return NULL;
}

/* The record at `at`: 1 it has the key, and its value is in the arena; 0 another key;
 * -1 errno. */
static int
record_read(const struct cdb *c, uint32_t at, struct str key, struct arena *arena,
	struct str *value)
{
	unsigned char head[8];
	uint32_t key_len, value_len;
	char *bytes;

	if (read_at(c, at, head, sizeof head) < 0)
		return -1;
	key_len = get_le(head);
	value_len = get_le(head + 4);
	if (key_len != key.len)
		return 0;
	if (value_len > VALUE_MOST ||
		(uint64_t)at + sizeof head + key_len + value_len > c->size) {
		errno = EILSEQ;
		return -1;
	}
	bytes = arena_alloc(arena, (size_t)key_len + value_len + 1);
	if (read_at(c, (uint64_t)at + sizeof head, bytes, (size_t)key_len + value_len) <
		0)
		return -1;
	if (!str_eq(str_of(bytes, key_len), key))
		return 0;
	*value = str_of(bytes + key_len, value_len);
	return 1;
}

/* 1 found, 0 not there, -1 errno. */
static int
cdb_get(const struct cdb *c, struct str key, struct arena *arena, struct str *value)
{
	uint32_t hash = cdb_hash(key);
	const unsigned char *table = c->header + hash % TABLES * 8;
	uint32_t position = get_le(table), slots = get_le(table + 4), at;

	if (slots > c->size / 8) {
		errno = EILSEQ;
		return -1;
	}
	at = slots ? (hash >> 8) % slots : 0;
	for (uint32_t tried = 0; tried < slots; tried++) {
		unsigned char slot[8];
		int got;

		if (read_at(c, (uint64_t)position + (uint64_t)at * 8, slot, sizeof slot) <
			0)
			return -1;
		if (get_le(slot + 4) == 0)
			return 0;
		if (get_le(slot) == hash) {
			got = record_read(c, get_le(slot + 4), key, arena, value);
			if (got != 0)
				return got;
		}
		at = at + 1 == slots ? 0 : at + 1;
	}
	return 0;
}

static enum dict_result
cdb_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct cdb *c = d->state;
	int got = 0;

	if (key.len >= KEY_MOST)
		return DICT_NOTFOUND;
	key = arena_str(arena, key); /* a NUL behind it */
	if (c->without_nul) {
		got = cdb_get(c, key, arena, value);
		if (got > 0)
			c->with_nul = false;
	}
	if (got == 0 && c->with_nul) {
		got = cdb_get(c, str_of(key.data, key.len + 1), arena, value);
		if (got > 0)
			c->without_nul = false;
	}
	if (got < 0) {
		dict_fails(why, "error reading %s.cdb: %s", d->name, cdb_error());
		return DICT_ERROR;
	}
	if (got > 0 && value->len && value->data[value->len - 1] == '\0')
		value->len--;
	return got ? DICT_FOUND : DICT_NOTFOUND;
}

static struct str
without_nul(struct str s)
{
	return str_sub(s, 0, s.len - (s.len && s.data[s.len - 1] == '\0'));
}

/* Where the records end: at the first hash table. */
static uint64_t
records_end(const struct cdb *c)
{
	uint64_t end = c->size;

	for (size_t i = 0; i < TABLES; i++)
		end = MIN(end, get_le(c->header + i * 8));
	return end;
}

static int
cdb_each(struct dict *d, bool (*fn)(struct str, struct str, void *), void *arg)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct cdb *c = d->state;
	uint64_t end = records_end(c), at = HEADER_SIZE;

	while (at < end) {
		unsigned char head[8];
		uint32_t key_len, value_len;
		char *bytes;

		if (read_at(c, at, head, sizeof head) < 0)
			return -1;
		key_len = get_le(head);
		value_len = get_le(head + 4);
		if (key_len > KEY_MOST || value_len > VALUE_MOST)
			return -1;
		bytes = arena_alloc(a, (size_t)key_len + value_len + 1);
		at += sizeof head;
		if (read_at(c, at, bytes, (size_t)key_len + value_len) < 0)
			return -1;
		at += (uint64_t)key_len + value_len;
		if (!fn(without_nul(str_of(bytes, key_len)),
			    without_nul(str_of(bytes + key_len, value_len)), arg))
			return 0;
		arena_reset(a);
	}
	return 0;
}

/* ---- writing ---- */

struct slot {
	uint32_t hash, position; /* 0: empty */
};

/* A cdb is written in one go at the end: until then the entries wait in memory. */
struct cdb_writer {
	FILE *file;
	struct entries *entries;
	uint64_t position;
	VEC(struct slot) tables[TABLES];
	unsigned char header[HEADER_SIZE];
};

static void
cdb_abort(void *state)
{
	struct cdb_writer *w = state;

	if (w->file)
		fclose(w->file);
	entries_free(w->entries);
	for (size_t i = 0; i < TABLES; i++)
		vec_free(&w->tables[i]);
	mem_free(w);
}

static void *
cdb_start(const char *path, bool fresh UNUSED, struct why *why)
{
	struct cdb_writer *w = mem_alloc(sizeof *w);

	w->entries = entries_new();
	w->file = fopen(path, "r+e");
	if (w->file)
		return w;
	dict_fails_errno(why, "create database", path);
	cdb_abort(w);
	return NULL;
}

static int
cdb_add(void *state, struct str key, struct str value, bool replace, struct why *why)
{
	struct cdb_writer *w = state;

	if (key.len >= KEY_MOST || value.len > VALUE_MOST) {
		dict_fails(why, "key or value too long for a cdb table: \"%.*s...\"", 40,
			key.data);
		return -1;
	}
	return entries_add(w->entries, key, value, replace) || replace ? 0 : 1;
}

static void
write_numbers(struct cdb_writer *w, uint32_t a, uint32_t b)
{
	unsigned char pair[8];

	put_le(pair, a);
	put_le(pair + 4, b);
	fwrite(pair, 1, sizeof pair, w->file);
	w->position += sizeof pair;
}

static bool
write_record(struct str key, struct str value, void *arg)
{
	struct cdb_writer *w = arg;
	uint32_t hash = cdb_hash(key);
	struct slot *slot = vec_push(&w->tables[hash % TABLES]);

	*slot = (struct slot){ hash, (uint32_t)w->position };
	write_numbers(w, (uint32_t)key.len, (uint32_t)value.len);
	fwrite(key.data, 1, key.len, w->file);
	fwrite(value.data, 1, value.len, w->file);
	w->position += key.len + value.len;
	return w->position <= UINT32_MAX;
}

/* Twice as many slots as records, so that a search is short. */
static void
write_table(struct cdb_writer *w, size_t n)
{
	uint32_t count = (uint32_t)w->tables[n].n, slots = count * 2;
	struct slot *laid = mem_alloc(slots * sizeof *laid + 1);

	put_le(w->header + n * 8, (uint32_t)w->position);
	put_le(w->header + n * 8 + 4, slots);
	for (uint32_t i = 0; i < count; i++) {
		struct slot s = w->tables[n].items[i];
		uint32_t at = (s.hash >> 8) % slots;

		while (laid[at].position)
			at = at + 1 == slots ? 0 : at + 1;
		laid[at] = s;
	}
	for (uint32_t i = 0; i < slots; i++)
		write_numbers(w, laid[i].hash, laid[i].position);
	mem_free(laid);
}

static int
cdb_finish(void *state, struct why *why)
{
	struct cdb_writer *w = state;
	int error = 0;

	errno = 0;
	w->position = HEADER_SIZE;
	fwrite(w->header, 1, HEADER_SIZE, w->file);
	entries_each(w->entries, write_record, w);
	for (size_t i = 0; i < TABLES && w->position <= UINT32_MAX; i++)
		write_table(w, i);
	rewind(w->file);
	fwrite(w->header, 1, HEADER_SIZE, w->file);
	if (w->position > UINT32_MAX)
		error = EFBIG; /* a cdb ends at 4 GB */
	else if (fflush(w->file) != 0 || ferror(w->file))
		error = errno ? errno : EIO;
	cdb_abort(w);
	if (error)
		dict_fails(why, "write database: %s", strerror(error));
	return error ? -1 : 0;
}

static const struct build_ops cdb_build = { false, cdb_start, cdb_add, NULL, cdb_finish,
	cdb_abort };

const struct dict_ops dict_cdb = {
	.type = { "cdb", false, true },
	.suffix = ".cdb",
	.open = cdb_open,
	.close = cdb_close,
	.find = cdb_find,
	.each = cdb_each,
	.build = &cdb_build,
};
