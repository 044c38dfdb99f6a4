/* test.c -- runs the tests of a program and counts. */
#include "test.h"
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* No test waits for time; one that hangs is told so by name instead of stopping a build.
 * So long may a test take, or each of its rows. */
enum { PATIENCE_SECONDS = 300 };

static struct test *tests, **tests_end = &tests;
static const char *volatile running = "(none)";
static size_t passed, failed;
static ssize_t row = -1;
static char dir[4096];
static pid_t dir_owner;

void
test_register(struct test *t)
{
	*tests_end = t;
	tests_end = &t->next;
}

void
test_row(size_t n)
{
	row = (ssize_t)n;
	alarm(PATIENCE_SECONDS);
}

static void
failure(const char *what, const char *file, int line)
{
	failed++;
	printf("%s:%d: %s", file, line, running);
	if (row >= 0)
		printf(", row %zd", row);
	printf(": %s", what);
}

void
test_check(bool ok, const char *what, const char *file, int line)
{
	if (ok) {
		passed++;
		return;
	}
	failure(what, file, line);
	printf(" is false\n");
}

static void
show(struct str s)
{
	if (!s.data) {
		printf("(none)");
		return;
	}
	putchar('"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (ascii_is_print(c))
			putchar(c);
		else
			printf("\\x%02x", (unsigned char)c);
	}
	putchar('"');
}

void
test_check_str(
	struct str got, struct str want, const char *what, const char *file, int line)
{
	if (str_eq(got, want)) {
		passed++;
		return;
	}
	failure(what, file, line);
	printf(" is ");
	show(got);
	printf(", not ");
	show(want);
	putchar('\n');
}

void
test_check_int(
	long long got, long long want, const char *what, const char *file, int line)
{
	if (got == want) {
		passed++;
		return;
	}
	failure(what, file, line);
	printf(" is %lld, not %lld\n", got, want);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	remove(path);
	return 0;
}

/* A child that exits by exit() leaves its parent's directory alone. */
static void
dir_remove(void)
{
	if (dir_owner == getpid())
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
test_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (dir_owner == getpid())
		return dir;
	snprintf(dir, sizeof(dir), "%s/postern-test.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir)) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		exit(1);
	}
	if (dir_owner == 0)
		atexit(dir_remove);
	dir_owner = getpid();
	return dir;
}

static void
out_of_patience(int signo)
{
	static const char hangs[] = ": hangs\n";
	const char *said = running;

	if (write(STDOUT_FILENO, said, strlen(said)) < 0 ||
		write(STDOUT_FILENO, hangs, sizeof(hangs) - 1) < 0)
		_exit(1);
	signal(signo, SIG_DFL);
	abort();
}

static bool
selected(const struct test *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(t->name, argv[i]))
			return true;
	return argc < 2;
}

int
test_main(int argc, char **argv)
{
	size_t ran = 0;

	signal(SIGALRM, out_of_patience);
	/* What a failing test wrote must be seen although it crashes afterwards. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *t = tests; t; t = t->next) {
		if (!selected(t, argc, argv))
			continue;
		running = t->name;
		row = -1;
		alarm(PATIENCE_SECONDS);
		t->run();
		ran++;
	}
	if (ran == 0) {
		printf("no test has such a name\n");
		return 1;
	}
	printf("%zu passed, %zu failed\n", passed, failed);
	return failed > 0;
}
