/* stack.c -- the stacks of coroutines: mapped, guarded, pooled, and in test builds
 * painted.
 *
 * Below each stack is a page that nothing may touch, so that one which grows too far ends
 * the process at once instead of writing into its neighbour. Only pages that were touched
 * cost memory. A painted stack shows how deep it was used: the census by which the sizes
 * below are chosen. AddressSanitizer's frames are several times larger. */
#include "config.h"
#include "event_impl.h"
#include <sys/mman.h>
#include <unistd.h>
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define __asan_unpoison_memory_region(p, n) ((void)0)
#define __lsan_register_root_region(p, n)   ((void)0)
#define __lsan_unregister_root_region(p, n) ((void)0)
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(low, high) 0U
#define VALGRIND_STACK_DEREGISTER(id)      ((void)(id))
#define RUNNING_ON_VALGRIND                0
#endif
#ifndef CO_CENSUS
#ifdef SANITIZED
#define CO_CENSUS 1
#else
#define CO_CENSUS 0
#endif
#endif

enum {
#ifdef SANITIZED
	ROOMIER = 4,
#else
	ROOMIER = 1,
#endif
	PAINT = 0xa5,
	NAMES_MOST = 64,
};
#define PAINT_WORD 0xa5a5a5a5a5a5a5a5U

static const struct {
	size_t size;
	size_t spare; /* so many unused ones are kept */
} kinds[] = {
	[CO_STACK_SMALL] = { ROOMIER * 32 * 1024, 512 },
	[CO_STACK_LARGE] = { ROOMIER * 256 * 1024, 64 },
};

static struct pool {
	struct co *first;
	size_t n;
	size_t deepest;
} pools[COUNT(kinds)];

/* The census by name, for the largest figure of each kind of coroutine. */
static struct {
	const char *name;
	size_t deepest;
} census[NAMES_MOST];

/* At the very top of a stack, above the struct co that is cleared at each use. */
struct stack_note {
	unsigned valgrind;
};

size_t
stack_size(enum co_stack kind)
{
	return kinds[kind].size;
}

static size_t
room_for_co(void)
{
	return (sizeof(struct co) + sizeof(struct stack_note) + 63) & ~(size_t)63;
}

char *
stack_low(const struct co *co)
{
	return (char *)(uintptr_t)co + room_for_co() - kinds[co->stack].size;
}

/* Memcheck takes what is below the stack pointer for unreadable: no census there. */
static bool
census_taken(void)
{
	return CO_CENSUS && !RUNNING_ON_VALGRIND;
}

static struct stack_note *
note_of(struct co *co)
{
	return (struct stack_note *)(co + 1);
}

static size_t
guard_size(void)
{
	static size_t page;

	if (page == 0)
		page = (size_t)sysconf(_SC_PAGESIZE);
	return page;
}

static struct co *
stack_map(enum co_stack kind)
{
	size_t size = kinds[kind].size, guard = guard_size();
	char *low = mmap(NULL, guard + size, PROT_READ | PROT_WRITE,
		/* cppcheck-suppress invalidFunctionArg ; -1 is what mmap(2) wants */
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	struct co *co;

	if (low == MAP_FAILED || mprotect(low, guard, PROT_NONE) < 0)
		mem_exhausted(guard + size);
	low += guard;
	co = (struct co *)(void *)(low + size - room_for_co());
	co->stack = kind;
	note_of(co)->valgrind = VALGRIND_STACK_REGISTER(low, low + size);
	__lsan_register_root_region(low, size);
	if (census_taken())
		memset(low, PAINT, (size_t)((char *)co - low));
	return co;
}

static void
stack_unmap(struct co *co)
{
	char *low = stack_low(co);
	size_t size = kinds[co->stack].size;

	VALGRIND_STACK_DEREGISTER(note_of(co)->valgrind);
	__lsan_unregister_root_region(low, size);
	munmap(low - guard_size(), guard_size() + size);
}

/* ---- census ---- */

/* The lowest word that is not paint any more. Reads frames' red zones, so it must not be
 * checked itself. */
__attribute__((no_sanitize("address"))) static char *
paint_end(const struct co *co)
{
	const volatile uint64_t *p = (void *)stack_low(co);
	const volatile uint64_t *top = (const void *)co;

	while (p < top && *p == PAINT_WORD)
		p++;
	return (char *)(uintptr_t)p;
}

static size_t
depth(const struct co *co)
{
	return (size_t)((const char *)co - paint_end(co));
}

static void
census_note(const struct co *co)
{
	size_t deep = depth(co), i;

	pools[co->stack].deepest = MAX(pools[co->stack].deepest, deep);
	if (!co->name)
		return;
	for (i = 0; i < NAMES_MOST - 1 && census[i].name; i++)
		if (strcmp(census[i].name, co->name) == 0)
			break;
	census[i].name = co->name;
	census[i].deepest = MAX(census[i].deepest, deep);
}

void
co_census(void (*each)(const char *name, size_t deepest, void *arg), void *arg)
{
	for (size_t i = 0; i < NAMES_MOST && census[i].name; i++)
		each(census[i].name, census[i].deepest, arg);
}

/* Those still running count, too. */
size_t
co_deepest(enum co_stack stack)
{
	if (!census_taken())
		return 0;
	for (struct co *co = co_each(NULL); co; co = co_each(co))
		if (co->stack == stack)
			census_note(co);
	return pools[stack].deepest;
}

/* ---- the pool ---- */

struct co *
stack_take(enum co_stack kind)
{
	struct pool *pool = &pools[kind];
	struct co *co = pool->first;

	if (co) {
		pool->first = co->next;
		pool->n--;
	} else {
		co = stack_map(kind);
	}
	memset(co, 0, sizeof(*co));
	co->stack = kind;
	return co;
}

/* Frames that were left without returning are still poisoned. */
void
stack_give(struct co *co)
{
	struct pool *pool = &pools[co->stack];

	__asan_unpoison_memory_region(
		stack_low(co), (size_t)((char *)co - stack_low(co)));
	if (census_taken()) {
		char *from = paint_end(co);

		census_note(co);
		memset(from, PAINT, (size_t)((char *)co - from));
	}
	if (pool->n >= kinds[co->stack].spare) {
		stack_unmap(co);
		return;
	}
	co->next = pool->first;
	pool->first = co;
	pool->n++;
}
