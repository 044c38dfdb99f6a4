/* test.h -- the smallest test runner that prints what failed and goes on.
 *
 *	TEST(addresses_are_parsed) { CHECK(x == 1); CHECK_STR(got, "want"); }
 *	TEST_MAIN()
 *
 * Each TEST registers itself. The program prints one line per failed check, last
 * "N passed, N failed", and exits 1 when something failed. An argument selects the tests
 * whose names contain it. */
#ifndef TEST_H
#define TEST_H

#include "base.h"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};
void test_register(struct test *t);
void test_check(bool ok, const char *what, const char *file, int line);
void test_check_str(
	struct str got, struct str want, const char *what, const char *file, int line);
void test_check_int(
	long long got, long long want, const char *what, const char *file, int line);
int test_main(int argc, char **argv);
/* A fresh directory below TMPDIR, removed with all in it when the program ends. */
const char *test_dir(void);
/* Says in which row of a table the next checks are; shown with failures. */
void test_row(size_t row);

#define TEST(id) \
	static void test_##id(void); \
	__attribute__((constructor)) static void test_register_##id(void) \
	{ \
		static struct test t = { #id, test_##id, NULL }; \
		test_register(&t); \
	} \
	static void test_##id(void)
#define CHECK(x)             test_check((x), #x, __FILE__, __LINE__)
#define CHECK_STR(got, want) test_check_str((got), str_c(want), #got, __FILE__, __LINE__)
#define CHECK_INT(got, want) test_check_int((got), (want), #got, __FILE__, __LINE__)
#define TEST_MAIN() \
	int main(int argc, char **argv) \
	{ \
		return test_main(argc, argv); \
	}

#endif
