/* cache_journal.c -- see cache_journal.h. An append to the page cache takes a few
 * microseconds; a table that is changed in place would be damaged by the same kill. */
#include "cache_journal.h"
#include "log.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0600
#define HEAD 8
#define MOST \
	((size_t)64 * 1024 * 1024) /* of a file: a minute of some 10,000 changes/s \
				    */

/* ---- records ---- */

static void
record_put(struct buf *out, struct str key, struct str value)
{
	char head[HEAD];

	put_u16(head + 4, (uint16_t)key.len);
	put_u16(head + 6, (uint16_t)value.len);
	buf_add(out, str_of(head, HEAD));
	buf_add(out, key);
	buf_add(out, value);
	put_u32(out->data, crc32c(0, out->data + 4, out->len - 4));
}

/* The length of the record in front, 0: there is none that is whole. */
static size_t
record_get(struct str bytes, struct str *key, struct str *value)
{
	size_t keylen, len;

	if (bytes.len < HEAD)
		return 0;
	keylen = get_u16(bytes.data + 4);
	len = HEAD + keylen + get_u16(bytes.data + 6);
	if (bytes.len < len || get_u32(bytes.data) != crc32c(0, bytes.data + 4, len - 4))
		return 0;
	*key = str_sub(bytes, HEAD, keylen);
	*value = str_sub(bytes, HEAD + keylen, len - HEAD - keylen);
	return len;
}

size_t
cache_journal_each(
	struct str bytes, bool (*take)(struct str key, struct str value), size_t *bad)
{
	struct str key, value;
	size_t at = 0, len;

	for (; (len = record_get(str_from(bytes, at), &key, &value)) > 0; at += len)
		*bad += !take(key, value);
	return at;
}

/* ---- files ---- */

static octets_t
read_one(const char *path, bool (*take)(struct str key, struct str value), size_t *bad)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	size_t good;

	if (read_file(path, MOST, &bytes) < 0) {
		if (errno != ENOENT)
			log_warn("%s: %m: what it holds is lost", path);
		return 0;
	}
	good = cache_journal_each(buf_str(&bytes), take, bad);
	if (good < bytes.len)
		log_warn("%s: %zu bytes at its end cannot be used", path,
			bytes.len - good);
	return good;
}

static char *
name_of(struct str path, const char *suffix)
{
	struct buf name = BUF_INIT;

	buf_add(&name, path);
	buf_addz(&name, suffix);
	buf_addc(&name, 0);
	return name.data;
}

void
cache_journal_open(struct cache_journal *j, struct str path,
	bool (*take)(struct str key, struct str value), size_t *bad)
{
	*j = (struct cache_journal){ .fd = -1 };
	if (str_chr(path, 0) >= 0)
		return;
	j->path = name_of(path, ".journal");
	j->old = name_of(path, ".journal.old");
	(void)read_one(j->old, take, bad);
	j->size = read_one(j->path, take, bad);
}

void
cache_journal_close(struct cache_journal *j)
{
	fd_close(&j->fd);
	mem_free(j->path);
	mem_free(j->old);
	j->path = j->old = NULL;
}

/* What a power cut left behind the last good record is cut off. */
static bool
is_ready(struct cache_journal *j)
{
	if (j->fd >= 0)
		return true;
	j->fd = open(
		j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
	return j->fd >= 0 && ftruncate(j->fd, (off_t)j->size) == 0;
}

static void
give_up(struct cache_journal *j)
{
	log_warn("%s: %m: a process that is killed forgets what comes now", j->path);
	if (j->fd >= 0 && ftruncate(j->fd, (off_t)j->size) < 0)
		log_warn("%s: %m", j->path);
	j->is_full = true;
}

void
cache_journal_add(struct cache_journal *j, struct str key, struct str value)
{
	struct buf record CLEANUP(buf_free) = BUF_INIT;

	if (!j->path || j->is_full || key.len > UINT16_MAX || value.len > UINT16_MAX)
		return;
	record_put(&record, key, value);
	errno = EFBIG;
	if (j->size + record.len > MOST || !is_ready(j) ||
		write_all(j->fd, buf_str(&record)) < 0) {
		give_up(j);
		return;
	}
	j->size += record.len;
}

/* An old one that is still there is of a table that could not be written: then this one
 * goes on. */
void
cache_journal_turn(struct cache_journal *j)
{
	if (!j->path || access(j->old, F_OK) == 0)
		return;
	if (rename(j->path, j->old) < 0 && errno != ENOENT) {
		log_warn("rename %s: %m", j->path);
		return;
	}
	fd_close(&j->fd);
	j->size = 0;
	j->is_full = false;
}

void
cache_journal_settle(struct cache_journal *j)
{
	if (j->path && unlink(j->old) < 0 && errno != ENOENT)
		log_warn("unlink %s: %m", j->old);
}
