/* mem.c -- memory that cannot fail, and what happens to our own mistakes.
 *
 * Everything a peer can make us keep has a bound of its own, so an allocation that fails
 * is our bug or a dying machine: the process says so and ends, and master starts another.
 */
#include "base.h"
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEPT = 4 << 20 }; /* free memory that a process does not give back */

void (*ensure_hook)(const char *text);

/* The hook is taken out before it is called: it may fail an ensure() of its own. */
static void
last_words(const char *text)
{
	void (*hook)(const char *) = ensure_hook;

	ensure_hook = NULL;
	if (hook) {
		hook(text);
	} else {
		ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

		(void)ignored;
	}
}

void
ensure_failed(const char *what, const char *file, int line)
{
	char text[400];

	snprintf(text, sizeof(text), "%s:%d: ensure(%s) failed\n", file, line, what);
	last_words(text);
	abort();
}

void
mem_exhausted(size_t size)
{
	char text[100];

	snprintf(text, sizeof(text), "out of memory: %zu more bytes are not to be had\n",
		size);
	last_words(text);
	_exit(1);
}

void
mem_keep_pages(void)
{
#ifdef M_TRIM_THRESHOLD
	(void)mallopt(M_TRIM_THRESHOLD, KEPT);
	(void)mallopt(M_MMAP_THRESHOLD, KEPT);
#endif
}

void *
mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		mem_exhausted(size);
	return p;
}

void *
mem_resize(void *p, size_t size)
{
	void *grown = realloc(p, size ? size : 1);

	if (!grown)
		mem_exhausted(size);
	return grown;
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_free_at(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	free(p);
}

void
mem_wipe(void *p, size_t size)
{
	if (size > 0)
		explicit_bzero(p, size);
}

void
vec_grow(void **items, size_t *room, size_t n, size_t size)
{
	size_t want = *room ? *room : 8;

	if (n <= *room)
		return;
	while (want < n)
		want *= 2;
	ensure(want <= SIZE_MAX / 2 / size);
	*items = mem_resize(*items, want * size);
	*room = want;
}
