/* cdb_fuzz.c -- damaged cdb files: any answer is good that ends and reads nothing
 * outside. */
#include "dict.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
take(struct str key, struct str value, void *arg)
{
	*(size_t *)arg += key.len + value.len;
	return true;
}

/* A good table: what the input damages. */
static void
make_base(struct buf *base, const char *path)
{
	struct str spec = str_of(path, strlen(path) - 4);
	struct arena *a = arena_new();
	struct why why = { 0 };
	struct dict_builder *b =
		dict_build(arena_printf(a, "cdb:" STR_FMT, STR_ARG(spec)), 0600, &why);
	char key[32];

	ensure(b);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "key%d@example.org", i);
		ensure(dict_build_add(b, str_c(key), STR("value"), false, &why) == 0);
	}
	ensure(dict_build_add(b, STR("a"), STR("1"), false, &why) == 0);
	ensure(dict_build_finish(b, &why) == 0);
	ensure(read_file(path, 1 << 20, base) == 0);
	arena_free(a);
}

/* The input is three bytes for each byte that is wrong: where, and what it is instead.
 * The first two cut the file. */
static void
damage(struct buf *file, const uint8_t *data, size_t size)
{
	if (size >= 2 && get_u16(data) < file->len)
		file->len -= get_u16(data);
	for (size_t i = 2; i + 3 <= size && file->len; i += 3)
		file->data[get_u16(data + i) % file->len] = (char)data[i + 2];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[] = "cdb-fuzz-XXXXXX.cdb"; /* where the fuzzer works */
	static struct buf base = BUF_INIT;
	struct buf file = BUF_INIT;
	struct arena *a = arena_new();
	struct why why = { 0 };
	struct str value;
	struct dict *d;
	size_t seen = 0;
	int fd;

	if (base.len == 0) {
		ensure(mkstemps(path, 4) >= 0);
		make_base(&base, path);
	}
	buf_add(&file, buf_str(&base));
	damage(&file, data, size);
	fd = open(path, O_WRONLY | O_TRUNC);
	ensure(fd >= 0 && write_all(fd, buf_str(&file)) == 0);
	close(fd);
	d = dict_open(
		arena_printf(a, "cdb:%.*s", (int)strlen(path) - 4, path), 0, NULL, &why);
	ensure(d);
	dict_lookup(d, STR("a"), a, &value, &why);
	dict_lookup(d, STR("key7@example.org"), a, &value, &why);
	dict_lookup(d, STR("nobody"), a, &value, &why);
	dict_each(d, take, &seen);
	dict_close(d);
	arena_free(a);
	buf_free(&file);
	return 0;
}
