/* rules_fuzz.c -- rule files of pcre, regexp and cidr, and keys for them. The first byte
 * chooses the type; the text up to the first NUL is the file, what follows the key. */
#include "dict.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ignore(enum log_level level UNUSED, struct str line UNUSED, void *arg UNUSED)
{
}

/* One file for the process, in the folder that the fuzzer works in. */
static const char *
file_with(struct str text)
{
	static char path[] = "rules-fuzz-XXXXXX";
	static int fd = -1;

	if (fd < 0)
		fd = mkstemp(path);
	ensure(fd >= 0);
	ensure(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	ensure(write_all(fd, text) == 0);
	return path;
}

/* Patterns that are expensive rather than wrong are the administrator's own affair, and
 * would only slow the search down: regcomp() of glibc doubles its memory for each of the
 * operators in "a++++". */
enum { FILE_MOST = 400, KEY_MOST = 100, REPEATS_MOST = 8 };

static bool
is_expensive(struct str text)
{
	size_t repeats = 0;

	for (size_t i = 0; i < text.len; i++)
		repeats += strchr("*+?{", text.data[i]) != NULL;
	return repeats > REPEATS_MOST;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "cidr", "regexp", "pcre" };
	struct arena *a;
	struct str text, key;
	struct why why = { 0 };
	struct dict *d;
	ssize_t end;

	if (size < 1)
		return 0;
	log_capture(ignore, NULL);
	text = str_of(data + 1, size - 1);
	end = str_chr(text, '\0');
	key = end < 0 ? STR("192.0.2.1") : str_from(text, (size_t)end + 1);
	text = str_sub(text, 0, end < 0 ? text.len : (size_t)end);
	if (text.len > FILE_MOST || key.len > KEY_MOST || is_expensive(text))
		return 0;
	a = arena_new();
	d = dict_open(
		arena_printf(a, "%s:%s", types[data[0] % COUNT(types)], file_with(text)),
		0, NULL, &why);
	if (d) {
		struct str value;

		if (dict_lookup(d, key, a, &value, &why) == DICT_FOUND)
			ensure(value.len < 1000000);
	}
	dict_close(d);
	arena_free(a);
	return 0;
}
