/* base_test.c -- views, numbers, buffers, arenas, maps, encodings, files. */
#include "config.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(views_compare)
{
	struct str s = STR("Postmaster");

	CHECK(str_eq(STR_NONE, STR("")));
	CHECK(!str_eq(s, STR("postmaster")));
	CHECK(str_case_eq(s, STR("postMASTER")));
	CHECK(str_is(s, "Postmaster") && str_case_is(s, "postmaster"));
	CHECK(!str_case_eq(STR("@"), STR("`"))); /* 0x40 and 0x60 are no letters */
	CHECK(str_starts(s, STR("Post")) && !str_starts(s, STR("post")));
	CHECK(str_case_starts(s, STR("POST")) && !str_starts(STR("P"), s));
	CHECK(str_ends(s, STR("master")) && !str_ends(STR("r"), s));
	CHECK(str_case_ends(s, STR("MASTER")));
	CHECK(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
	CHECK(str_cmp(STR("ab"), STR("ab")) == 0 && str_cmp(STR_NONE, STR("")) == 0);
	CHECK(!str_c(NULL).data && str_c("x").len == 1);
}

TEST(views_are_searched)
{
	struct str s = STR("a\0b.c.d");

	CHECK_INT(str_chr(s, '.'), 3);
	CHECK_INT(str_rchr(s, '.'), 5);
	CHECK_INT(str_chr(s, 'x'), -1);
	CHECK_INT(str_chr(STR_NONE, 'x'), -1);
	CHECK_INT(str_find(s, STR(".d")), 5);
	CHECK_INT(str_find(s, STR("\0b")), 1);
	CHECK_INT(str_find(s, STR("dd")), -1);
	CHECK_INT(str_find(STR_NONE, STR("")), 0);
}

TEST(views_are_cut)
{
	CHECK_STR(str_sub(STR("abc"), 1, 9), "bc");
	CHECK_STR(str_sub(STR("abc"), 9, 9), "");
	CHECK_STR(str_from(STR("abc"), 2), "c");
	CHECK(!str_sub(STR_NONE, 1, 1).data);
	CHECK_STR(str_trim(STR(" \ta b\r\n")), "a b");
	CHECK_STR(str_trim(STR(" \r\n")), "");
}

TEST(lists_are_taken_apart)
{
	static const struct {
		const char *text, *want;
	} tokens[] = {
		{ "a, b,,c", "a|b|c|" },
		{ "", "" },
		{ " , ", "" },
		{ "a", "a|" },
	}, splits[] = {
		{ "a,b,,c", "a|b||c|" },
		{ "", "" },
		{ "a,", "a|" }, /* c ends an item: lines of a file */
		{ ",", "|" },
	};

	for (size_t i = 0; i < COUNT(tokens); i++) {
		struct str rest = str_c(tokens[i].text), item;
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		while (str_token(&rest, ", ", &item))
			buf_printf(&got, STR_FMT "|", STR_ARG(item));
		CHECK_STR(buf_str(&got), tokens[i].want);
	}
	for (size_t i = 0; i < COUNT(splits); i++) {
		struct str rest = str_c(splits[i].text), item;
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		while (str_split(&rest, ',', &item))
			buf_printf(&got, STR_FMT "|", STR_ARG(item));
		CHECK_STR(buf_str(&got), splits[i].want);
	}
}

TEST(numbers_are_read_whole)
{
	static const struct {
		const char *text;
		int want;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -1, 7 },
		{ "99999999999999999999", -1, 7 },
		{ "", -1, 7 },
		{ "1x", -1, 7 },
		{ "+1", -1, 7 },
		{ "-1", -1, 7 },
		{ " 1", -1, 7 },
		{ "007", 0, 7 },
	};
	long n = 7;

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 7;

		test_row(i);
		CHECK_INT(str_to_u64(str_c(rows[i].text), &value), rows[i].want);
		CHECK(value == rows[i].value);
	}
	CHECK(str_to_long(STR("-9223372036854775808"), &n) == 0 && n == LONG_MIN);
	CHECK(str_to_long(STR("9223372036854775807"), &n) == 0 && n == LONG_MAX);
	CHECK(str_to_long(STR("9223372036854775808"), &n) < 0 && n == LONG_MAX);
	CHECK(str_to_long(STR("-"), &n) < 0 && str_to_long(STR("--1"), &n) < 0);
	CHECK(str_to_long(STR_NONE, &n) < 0);
}

TEST(ascii_classes)
{
	CHECK(ascii_lower('Z') == 'z' && ascii_lower('[') == '[' &&
		ascii_lower('\xc4') == '\xc4');
	CHECK(ascii_is_space('\v') && !ascii_is_space('\0') && !ascii_is_blank('\n'));
	CHECK(ascii_is_alnum('z') && ascii_is_alnum('0') && !ascii_is_alnum('_'));
	CHECK(ascii_is_print('~') && !ascii_is_print('\x7f') && !ascii_is_print('\xe9'));
}

TEST(hashes_fold_case_only_when_asked)
{
	char upper[256], lower[256];

	CHECK(str_hash(STR("abc")) == str_hash(STR("abc")));
	CHECK(str_hash(STR("abc")) != str_hash(STR("abC")));
	CHECK(str_hash(STR("")) == str_hash(STR_NONE));
	CHECK(str_hash(STR("a")) != str_hash(STR("a\0")));
	for (int i = 0; i < 256; i++) {
		upper[i] = (char)i;
		lower[i] = ascii_lower((char)i);
	}
	/* Every byte, at every place of a word and of the rest behind the last word. */
	for (size_t from = 0; from < 16; from++) {
		struct str u = str_of(upper + from, 256 - from);
		struct str l = str_of(lower + from, 256 - from);

		test_row(from);
		CHECK(str_case_hash(u) == str_case_hash(l));
		CHECK(str_case_hash(l) == str_hash(l));
	}
	CHECK(str_case_hash(STR("@")) != str_case_hash(STR("`")));
}

TEST(buffers_grow)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;

	CHECK_STR(str_c(buf_cstr(&b)), "");
	for (int i = 0; i < 1000; i++)
		buf_addc(&b, 'x');
	CHECK_INT(b.len, 1000);
	buf_drop(&b, 998);
	buf_addz(&b, "yz");
	buf_add(&b, STR_NONE);
	buf_printf(&b, "%d-%s", 42, "!");
	CHECK_STR(buf_str(&b), "xxyz42-!");
	buf_printf(&b, "%300d", 1); /* longer than the first try */
	CHECK_INT(b.len, 308);
	CHECK(b.data[307] == '1');
	buf_drop(&b, 308);
	CHECK_INT(b.len, 0);
	buf_wipe(&b);
	CHECK(!b.data && b.room == 0);
}

TEST(strings_become_json)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "\"\"" },
		{ "plain text", "\"plain text\"" },
		{ "say \"a\\b\"", "\"say \\\"a\\\\b\\\"\"" },
		{ "\r\n\t\x01\x7f.", "\"\\r\\n\\t\\u0001\\u007F.\"" },
		{ "gr\xC3\xBC\xC3\x9F", "\"gr\xC3\xBC\xC3\x9F\"" },
		/* Cut off, overlong, a surrogate, a byte that starts nothing. */
		{ "a\xC3", "\"a\xEF\xBF\xBD\"" },
		{ "\xC0\xAFz", "\"\xEF\xBF\xBD\xEF\xBF\xBDz\"" },
		{ "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
		{ "\xFF!", "\"\xEF\xBF\xBD!\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		json_put(&got, str_c(rows[i].in));
		CHECK_STR(buf_str(&got), rows[i].out);
	}
}

TEST(arenas_end_all_at_once)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str s, other;

	CHECK_INT(arena_used(a), 0);
	s = arena_str(a, STR("in\0ner"));
	CHECK(str_eq(s, STR("in\0ner")) && s.data[s.len] == '\0');
	CHECK_STR(arena_lower(a, STR("MiXed")), "mixed");
	CHECK_STR(arena_printf(a, "%s=%d", "n", 5), "n=5");
	CHECK_INT(arena_printf(a, "%1000d", 1).len, 1000);
	CHECK_STR(str_c(arena_cstr(a, STR("c"))), "c");
	CHECK(!arena_cstr(a, STR("a\0b")));
	for (size_t size = 1; size < 200000; size = size * 3 + 1) {
		unsigned char *p = arena_alloc(a, size);
		bool zero = true;

		test_row(size);
		for (size_t i = 0; i < size; i++)
			zero = zero && p[i] == 0;
		CHECK(zero);
		CHECK((uintptr_t)p % 16 == 0);
		memset(p, 0xee, size);
	}
	CHECK(str_eq(s, STR("in\0ner")));
	CHECK(arena_used(a) > 130000);
	arena_reset(a);
	CHECK_INT(arena_used(a), 0);
	other = arena_str(a, STR("again"));
	CHECK_STR(other, "again");
}

TEST(a_big_thing_leaves_the_current_chunk_in_use)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	char *first = arena_alloc(a, 16), *second;

	memset(arena_alloc(a, 100000), 1, 100000);
	second = arena_alloc(a, 16);
	CHECK(second > first && second - first <= 64);
}

TEST(vectors_grow)
{
	VEC(int) v = { NULL, 0, 0 };

	for (int i = 0; i < 1000; i++)
		*vec_push(&v) = i;
	CHECK_INT(v.n, 1000);
	CHECK_INT(v.items[999], 999);
	vec_free(&v);
	CHECK(!v.items && v.n == 0);
}

TEST(maps_hold_many)
{
	struct map *m = map_new();
	enum { MANY = 20000 };
	static int values[MANY];
	size_t at = 0, seen = 0;
	struct str key;
	void *value;
	char name[20];

	CHECK(!map_get(m, STR("none")));
	CHECK(!map_next(m, &at, &key, &value));
	for (int i = 0; i < MANY; i++) {
		values[i] = i;
		snprintf(name, sizeof(name), "key%d", i);
		ensure(!map_set(m, str_c(name), &values[i]));
	}
	CHECK_INT(map_count(m), MANY);
	CHECK(map_get(m, STR("key777")) == &values[777]);
	CHECK(map_set(m, STR("key777"), &values[0]) == &values[777]);
	CHECK(map_get(m, STR("key777")) == &values[0]);
	CHECK(!map_set(m, STR("absent"), NULL));
	for (at = 0; map_next(m, &at, &key, &value); seen++)
		if (*(int *)value % 2)
			map_set(m, key, NULL);
	CHECK_INT(seen, MANY);
	CHECK(!map_get(m, STR("key1")) && map_get(m, STR("key2")) == &values[2]);
	CHECK_INT(map_count(m), MANY / 2 + 1); /* key777 has an even value now */
	CHECK(!map_set(m, STR(""), &values[1]));
	CHECK(map_get(m, STR_NONE) == &values[1]);
	map_free(m);
}

/* What was removed must not fill the slots for good. */
TEST(maps_survive_much_coming_and_going)
{
	struct map *m = map_new();
	char name[20];

	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		map_set(m, str_c(name), m);
		if (i >= 4) {
			snprintf(name, sizeof(name), "%d", i - 4);
			ensure(map_set(m, str_c(name), NULL) == m);
		}
	}
	CHECK_INT(map_count(m), 4);
	map_free(m);
}

TEST(deadlines)
{
	CHECK(deadline_in(1000000) > time_monotonic());
	CHECK(deadline_in(INT64_MAX) == DEADLINE_NEVER);
	CHECK(deadline_passed(deadline_in(0)) && !deadline_passed(deadline_in(1000000)));
	CHECK(!deadline_passed(DEADLINE_NEVER));
	CHECK(deadline_least(5, DEADLINE_NEVER) == 5);
	CHECK(time_monotonic_us() / 1000 >= time_monotonic() - 1);
	CHECK(time_wall_us() > (int64_t)1600000000 * 1000000);
}

TEST(reasons_agree_with_their_class)
{
	struct why why;

	CHECK(why_set(&why, "5.1.1", "no such %s\r\nat all", "user") == PERMFAIL);
	CHECK_STR(str_c(why.text), "no such user  at all");
	CHECK_STR(str_c(why.code), "5.1.1");
	CHECK(why_set(&why, "4.3.0", "x") == TEMPFAIL);
	CHECK(why_set(&why, "2.0.0", "x") == ACCEPT);
	CHECK(why_set(&why, "9.9.9", "x") == TEMPFAIL);
	CHECK(why_set(&why, "5.0.0", "%600d", 1) == PERMFAIL);
	CHECK_INT(strlen(why.text), sizeof(why.text) - 1);
	errno = ENOENT;
	CHECK(why_errno(&why, "4.3.5", "main.cf") == TEMPFAIL);
	CHECK_STR(str_c(why.text), "main.cf: No such file or directory");
	CHECK_INT(errno, ENOENT);
}

/* RFC 3720 appendix B.4 has the first three. */
TEST(crc32c_is_the_castagnoli_crc)
{
	unsigned char zeros[32] = { 0 }, ones[32], rising[32], long_one[1000];

	memset(ones, 255, sizeof(ones));
	for (size_t i = 0; i < sizeof(rising); i++)
		rising[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(long_one); i++)
		long_one[i] = (unsigned char)(i * i >> 3);
	CHECK(crc32c(0, zeros, 32) == 0x8a9136aa &&
		crc32c_portable(0, zeros, 32) == 0x8a9136aa);
	CHECK(crc32c(0, ones, 32) == 0x62a8ab43 &&
		crc32c_portable(0, ones, 32) == 0x62a8ab43);
	CHECK(crc32c(0, rising, 32) == 0x46dd794e);
	CHECK(crc32c_portable(0, rising, 32) == 0x46dd794e);
	CHECK(crc32c(0, "123456789", 9) == 0xe3069283 && crc32c(0, NULL, 0) == 0);
	for (size_t len = 0; len < sizeof(long_one) - 3; len += 7) {
		uint32_t whole = crc32c(0, long_one + 3, len);

		test_row(len);
		CHECK(crc32c_portable(0, long_one + 3, len) == whole);
		CHECK(crc32c(crc32c(0, long_one + 3, len / 3), long_one + 3 + len / 3,
			      len - len / 3) == whole);
	}
}

TEST(base64_goes_there_and_back)
{
	static const struct {
		struct str plain;
		const char *coded;
	} rows[] = {
		/* RFC 4648 section 10 */
		{ STR_INIT(""), "" },
		{ STR_INIT("f"), "Zg==" },
		{ STR_INIT("fo"), "Zm8=" },
		{ STR_INIT("foo"), "Zm9v" },
		{ STR_INIT("foob"), "Zm9vYg==" },
		{ STR_INIT("fooba"), "Zm9vYmE=" },
		{ STR_INIT("foobar"), "Zm9vYmFy" },
		{ STR_INIT("\0\377\276"), "AP++" },
		{ STR_INIT("\377\377\377"), "////" },
	};
	static const char *const junk[] = { "Z", "Zg", "Zg=", "Zg=a",
		"Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zh==", "Zm9=", "Zm-v",
		"Zm9v====" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct buf back CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		base64_encode(rows[i].plain, &got);
		CHECK_STR(buf_str(&got), rows[i].coded);
		CHECK_INT(base64_decode(buf_str(&got), &back), 0);
		CHECK(str_eq(buf_str(&back), rows[i].plain));
	}
	for (size_t i = 0; i < COUNT(junk); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		buf_addz(&got, "kept");
		CHECK_INT(base64_decode(str_c(junk[i]), &got), -1);
		CHECK_STR(buf_str(&got), "kept");
	}
}

TEST(xtext_goes_there_and_back)
{
	static const struct {
		struct str plain;
		const char *coded;
	} rows[] = {
		{ STR_INIT("rfc822;a@b.example"), "rfc822;a@b.example" },
		{ STR_INIT("a+b=c d"), "a+2Bb+3Dc+20d" },
		{ STR_INIT("\0\377~!"), "+00+FF~!" },
	};
	static const char *const junk[] = { "+", "+4", "+4g", "a+ 1", "++41" };
	struct buf got CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf back CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		buf_clear(&got);
		xtext_encode(rows[i].plain, &got);
		CHECK_STR(buf_str(&got), rows[i].coded);
		CHECK_INT(xtext_decode(buf_str(&got), &back), 0);
		CHECK(str_eq(buf_str(&back), rows[i].plain));
	}
	buf_clear(&got);
	for (size_t i = 0; i < COUNT(junk); i++) {
		test_row(i);
		CHECK_INT(xtext_decode(str_c(junk[i]), &got), -1);
		CHECK_INT(got.len, 0);
	}
	CHECK_INT(xtext_decode(STR("+2b"), &got), 0);
	CHECK_STR(buf_str(&got), "+");
}

TEST(numbers_in_network_order)
{
	unsigned char p[8];

	put_u16(p, 0x0102);
	CHECK(p[0] == 1 && p[1] == 2 && get_u16(p) == 0x0102);
	put_u32(p, 0x01020304);
	CHECK(p[0] == 1 && p[3] == 4 && get_u32(p) == 0x01020304);
	put_u64(p, 0x0102030405060708);
	CHECK(p[0] == 1 && p[7] == 8 && get_u64(p) == 0x0102030405060708);
}

TEST(files_are_written_and_read_whole)
{
	char path[PATH_MAX];
	struct buf big CLEANUP(buf_free) = BUF_INIT;
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	int fd;

	for (int i = 0; i < 50000; i++)
		buf_printf(&big, "%d ", i);
	snprintf(path, sizeof(path), "%s/file", test_dir());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(write_all(fd, buf_str(&big)), 0);
	errno = 77;
	fd_close(&fd);
	CHECK_INT(fd, -1);
	CHECK_INT(errno, 77);
	buf_addz(&got, "kept");
	CHECK_INT(read_file(path, big.len - 1, &got), -1);
	CHECK_INT(errno, EFBIG);
	CHECK_STR(buf_str(&got), "kept");
	CHECK_INT(read_file(path, big.len, &got), 0);
	CHECK_INT(got.len, big.len + 4);
	CHECK(str_eq(str_from(buf_str(&got), 4), buf_str(&big)));
	CHECK_INT(read_file(path, SIZE_MAX, &got), 0);
	CHECK_INT(got.len, 2 * big.len + 4);
	CHECK(read_file("/nonexistent", 1, &got) < 0 && errno == ENOENT);
	CHECK(write_all(-1, STR("x")) < 0 && errno == EBADF);
}

TEST(sealed_memory_stays_as_it_is)
{
	struct str got = STR_NONE;
	int fd = memfd_sealed("test", STR("a\0b"));

	CHECK_INT(memfd_map(fd, &got), 0);
	CHECK(str_eq(got, STR("a\0b")));
	CHECK(write(fd, "x", 1) < 0 && errno == EPERM);
	CHECK(ftruncate(fd, 0) < 0 && errno == EPERM);
	fd_close(&fd);
	CHECK(str_eq(got, STR("a\0b")));
	memfd_unmap(got);
	fd = memfd_sealed("test", STR(""));
	CHECK(memfd_map(fd, &got) < 0 && errno == EINVAL);
	fd_close(&fd);
	CHECK(memfd_map(-1, &got) < 0 && errno == EBADF);
	memfd_unmap(STR_NONE);
}

TEST(descriptors_change_their_flags)
{
	int fds[2];

	CHECK_INT(pipe(fds), 0);
	CHECK_INT(fd_nonblock(fds[0]), 0);
	CHECK_INT(fd_nonblock(fds[0]), 0);
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CHECK_INT(fd_cloexec(fds[0], true), 0);
	CHECK(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	CHECK_INT(fd_cloexec(fds[0], false), 0);
	CHECK(!(fcntl(fds[0], F_GETFD) & FD_CLOEXEC));
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	CHECK_INT(fd_nonblock(-1), -1);
}

TEST(a_descriptor_is_handed_on)
{
	int fd = dup(STDERR_FILENO), taken = fd_take(&fd);

	CHECK_INT(fd, -1);
	fd_close(&fd);
	CHECK(fcntl(taken, F_GETFD) >= 0);
	fd_close(&taken);
}

TEST(a_failure_is_never_error_number_0)
{
	errno = 0;
	CHECK_INT(errno_of_failure(), EIO);
	errno = ENOSPC;
	CHECK_INT(errno_of_failure(), ENOSPC);
}

static void
hook(const char *text)
{
	_exit(strstr(text, "1 == 2") ? 9 : 8);
}

TEST(a_broken_promise_tells_the_hook)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ensure_hook = hook;
		ensure(1 == 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

TEST(impossible_sizes_end_the_process)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(STDERR_FILENO);
		mem_free(mem_alloc((size_t)PTRDIFF_MAX));
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 1);
}

TEST(enhanced_status_codes)
{
	static const struct {
		const char *code;
		bool valid;
	} rows[] = { { "5.1.1", true }, { "2.0.0", true }, { "4.999.123", true },
		{ "", false }, { "5", false }, { "5.1", false }, { "5.1.", false },
		{ "5..1", false }, { ".1.1", false }, { "3.1.1", false },
		{ "5.1.1.1", false }, { "5.1000.1", false }, { "5.1.1000", false },
		{ "5.1.x", false }, { "5.1.1 ", false }, { "55.1.1", false },
		{ "5.-1.1", false }, { "5.+1.1", false } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(why_code_is_valid(str_c(rows[i].code)), rows[i].valid);
	}
}

TEST(codes_are_taken_off_texts)
{
	static const struct {
		const char *text, *code, *rest;
	} rows[] = {
		{ "5.7.1 go away", "5.7.1", "go away" },
		{ "4.2.0", "4.2.0", "" },
		{ "2.0.0 fine", NULL, "2.0.0 fine" },
		{ "5.7 x", NULL, "5.7 x" },
		{ "5.1234.1 x", NULL, "5.1234.1 x" },
		{ "", NULL, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = str_c(rows[i].text);
		char code[12];
		bool took;

		test_row(i);
		took = why_code_take(&text, code);
		CHECK_INT(took, rows[i].code != NULL);
		if (took)
			CHECK_STR(str_c(code), rows[i].code);
		CHECK_STR(text, rows[i].rest);
	}
}

TEST(escapes_go_there_and_back)
{
	static const struct {
		struct str plain;
		const char *coded;
	} rows[] = {
		{ STR_INIT("EHLO x\r\n"), "EHLO x\\r\\n" },
		{ STR_INIT("\0\26\377\a\v"), "\\000\\026\\377\\a\\v" },
		{ STR_INIT("a\\b\"'"), "a\\\\b\"'" },
	};
	static const char *const others[][2] = { { "\\7\\40x", "\a x" },
		{ "\\q\\", "q\\" }, { "\\3777", "\3777" } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf there CLEANUP(buf_free) = BUF_INIT;
		struct buf back CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		c_escape(rows[i].plain, &there);
		CHECK_STR(buf_str(&there), rows[i].coded);
		c_unescape(buf_str(&there), &back);
		CHECK(str_eq(buf_str(&back), rows[i].plain));
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		c_unescape(str_c(others[i][0]), &got);
		CHECK_STR(buf_str(&got), others[i][1]);
	}
}

TEST_MAIN()
