/* arena.c -- memory that belongs to a time (a session, a command), freed all at once.
 *
 * Small things are cut from chunks; a thing too big for that gets a chunk of its own,
 * linked behind the current one, so that the rest of the current one is not lost. The
 * first chunk is made at the first use: an idle session's arena costs a few words. Under
 * AddressSanitizer what was not handed out is poisoned, so that running past one thing
 * into the next, or using it after a reset, is seen. */
#include "config.h"
#include "base.h"
#include <stdio.h>
#include <stdlib.h>
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
	CHUNK_FIRST = 4096 - 16, /* with malloc's own words: one page */
	CHUNK_MOST = 65536 - 16,
	ALIGN = 16,
#ifdef SANITIZED
	REDZONE = 16,
#else
	REDZONE = 0,
#endif
};

struct chunk {
	struct chunk *next;
	size_t size; /* of all of it */
	_Alignas(ALIGN) char data[];
};

struct arena {
	struct chunk *chunks; /* the first one is being cut */
	size_t at;            /* how much of its data is handed out */
	size_t used;
};

struct arena *
arena_new(void)
{
	return mem_alloc(sizeof(struct arena));
}

static size_t
chunk_room(const struct chunk *c)
{
	return c->size - sizeof(*c);
}

static struct chunk *
chunk_new(size_t size)
{
	struct chunk *c = mem_resize(NULL, size);

	c->size = size;
	ASAN_POISON_MEMORY_REGION(c->data, chunk_room(c));
	return c;
}

static void
chunk_free(struct chunk *c)
{
	ASAN_UNPOISON_MEMORY_REGION(c->data, chunk_room(c));
	mem_free(c);
}

void
arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->chunks) {
		struct chunk *next = a->chunks->next;

		chunk_free(a->chunks);
		a->chunks = next;
	}
	mem_free(a);
}

void
arena_free_at(struct arena **a)
{
	arena_free(*a);
	*a = NULL;
}

/* The chunk that stays is the oldest of ordinary size: whoever once needed much does not
 * keep it while idle. */
void
arena_reset(struct arena *a)
{
	struct chunk *kept = NULL;

	while (a->chunks) {
		struct chunk *c = a->chunks;

		a->chunks = c->next;
		if (c->size == CHUNK_FIRST && !kept)
			kept = c;
		else
			chunk_free(c);
	}
	if (kept) {
		kept->next = NULL;
		ASAN_POISON_MEMORY_REGION(kept->data, chunk_room(kept));
	}
	a->chunks = kept;
	a->at = 0;
	a->used = 0;
}

/* A chunk of its own for something big. The current chunk, if any, stays current. */
static void *
alloc_big(struct arena *a, size_t size)
{
	struct chunk *c = chunk_new(sizeof(*c) + size);

	if (a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = NULL;
		a->chunks = c;
		a->at = size;
	}
	return c->data;
}

static void *
alloc_small(struct arena *a, size_t size)
{
	void *p;

	if (!a->chunks || a->at > chunk_room(a->chunks) ||
		chunk_room(a->chunks) - a->at < size) {
		size_t last = a->chunks ? a->chunks->size : 0;
		size_t want =
			last < CHUNK_FIRST ? CHUNK_FIRST : MIN(last * 2, CHUNK_MOST);
		struct chunk *c = chunk_new(want);

		c->next = a->chunks;
		a->chunks = c;
		a->at = 0;
	}
	p = a->chunks->data + a->at;
	a->at += size;
	return p;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	size_t whole;
	void *p;

	ensure(size <= SIZE_MAX / 2);
	whole = (size + REDZONE + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (whole > CHUNK_FIRST / 4)
		p = alloc_big(a, whole);
	else
		p = alloc_small(a, whole);
	a->used += whole;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return memset(p, 0, size);
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return str_of(copy, s.len);
}

struct str
arena_lower(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		copy[i] = ascii_lower(s.data[i]);
	return str_of(copy, s.len);
}

char *
arena_cstr(struct arena *a, struct str s)
{
	char *copy;

	if (str_chr(s, '\0') >= 0)
		return NULL;
	copy = arena_alloc(a, s.len + 1);
	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return copy;
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	char most_are_short[256];
	size_t room = sizeof(most_are_short);
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(most_are_short, room, fmt, ap);
	va_end(ap);
	ensure(len >= 0);
	if ((size_t)len < room)
		return arena_str(a, str_of(most_are_short, (size_t)len));
	text = arena_alloc(a, (size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return str_of(text, (size_t)len);
}
