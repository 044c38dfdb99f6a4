/* all_messages.h -- for tests: every struct that messages.h declares, in one list, with a
 * function that fills it with made-up values. */
#ifndef ALL_MESSAGES_H
#define ALL_MESSAGES_H

#include "base.h"

struct message_kind {
	const char *name;
	size_t size;
	void (*put)(struct buf *b, const void *v);
	int (*get)(struct str bytes, void *v, struct arena *arena);
	void (*show)(struct buf *b, const void *v);
	void (*fill)(void *v, struct arena *arena);
	struct message_kind *next;
};
static struct message_kind *message_kinds;

/* A small generator, the same in each run: xorshift. */
static uint64_t filler = 88172645463325252;
static uint64_t
made_up(void)
{
	filler ^= filler << 13;
	filler ^= filler >> 7;
	filler ^= filler << 17;
	return filler;
}

static struct str
made_up_str(struct arena *arena)
{
	uint64_t which = made_up() % 8;
	char bytes[300];

	if (which == 0)
		return STR_NONE;
	if (which == 1)
		return STR("");
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)made_up(); /* NULs too */
	return arena_str(arena, str_of(bytes, made_up() % sizeof(bytes)));
}

static struct strs
made_up_strs(struct arena *arena)
{
	struct strs v = { NULL, made_up() % 4 };

	v.items = arena_alloc(arena, (v.n + 1) * sizeof(*v.items));
	for (size_t i = 0; i < v.n; i++)
		v.items[i] = made_up_str(arena);
	return v;
}

#define FILL_U8(f)   v->f = (uint8_t)made_up();
#define FILL_U16(f)  v->f = (uint16_t)made_up();
#define FILL_U32(f)  v->f = (uint32_t)made_up();
#define FILL_U64(f)  v->f = made_up();
#define FILL_BOOL(f) v->f = made_up() & 1;
#define FILL_STR(f)  v->f = made_up_str(arena);
#define FILL_STRS(f) v->f = made_up_strs(arena);
#define FILL(t, f)   FILL_##t(f)
#define FILL_LIST(t, f) \
	v->n_##f = made_up() % 4; \
	v->f = arena_alloc(arena, (v->n_##f + 1) * sizeof(*v->f)); \
	for (size_t i = 0; i < v->n_##f; i++) \
		any_##t##_fill(&v->f[i], arena);

#define IPC_STRUCT_ALSO(name, fields) \
	static void any_##name##_put(struct buf *b, const void *v) \
	{ \
		name##_put(b, v); \
	} \
	static int any_##name##_get(struct str bytes, void *v, struct arena *arena) \
	{ \
		return name##_get(bytes, v, arena); \
	} \
	static void any_##name##_show(struct buf *b, const void *v) \
	{ \
		name##_show(b, v); \
	} \
	static void any_##name##_fill(void *v_, struct arena *arena) \
	{ \
		struct name *v = v_; \
		(void)arena; \
		fields(FILL, FILL_LIST) \
	} \
	__attribute__((constructor)) static void any_##name##_register(void) \
	{ \
		static struct message_kind kind = { #name, sizeof(struct name), \
			any_##name##_put, any_##name##_get, any_##name##_show, \
			any_##name##_fill, NULL }; \
		kind.next = message_kinds; \
		message_kinds = &kind; \
	}
#include "messages.h"

#endif
