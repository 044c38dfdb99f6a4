/* sessions.c -- see sessions.h. */
#include "sessions.h"

#define KEY_MOST 512

struct session {
	struct session *older, *newer;
	deadline_t until;
	struct str key, bytes; /* both behind this */
};

static struct {
	struct map *by_key;
	struct session *oldest, *newest;
} sessions;

static void
forget(struct session *s)
{
	*(s->older ? &s->older->newer : &sessions.oldest) = s->newer;
	*(s->newer ? &s->newer->older : &sessions.newest) = s->older;
	map_set(sessions.by_key, s->key, NULL);
	mem_wipe(s + 1, s->key.len + s->bytes.len);
	mem_free(s);
}

static struct str
copy(char *to, struct str from)
{
	memcpy(to, from.data, from.len);
	return str_of(to, from.len);
}

static void
add(struct str key, struct str bytes, deadline_t until)
{
	struct session *s = mem_alloc(sizeof(*s) + key.len + bytes.len);

	s->until = until;
	s->key = copy((char *)(s + 1), key);
	s->bytes = copy((char *)(s + 1) + key.len, bytes);
	s->older = sessions.newest;
	*(sessions.newest ? &sessions.newest->newer : &sessions.oldest) = s;
	sessions.newest = s;
	map_set(sessions.by_key, key, s);
}

void
sessions_keep(struct str key, struct str session, deadline_t until)
{
	struct session *s;

	if (!sessions.by_key)
		sessions.by_key = map_new();
	if (key.len == 0 || key.len > KEY_MOST || session.len > SESSION_MOST)
		return;
	s = map_get(sessions.by_key, key);
	if (s)
		forget(s);
	if (session.len == 0)
		return;
	if (map_count(sessions.by_key) >= SESSIONS_MOST)
		forget(sessions.oldest);
	add(key, session, until);
}

struct str
sessions_find(struct str key, deadline_t now)
{
	struct session *s = sessions.by_key ? map_get(sessions.by_key, key) : NULL;

	if (!s)
		return STR_NONE;
	if (now < s->until)
		return s->bytes;
	forget(s);
	return STR_NONE;
}
