/* texthash.c -- texthash:/file, a postmap source read into memory, and inline:{k=v, ...}.
 */
#include "dict_impl.h"
#include "entries.h"
#include "log.h"
#include "source.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void
memory_close(void *state)
{
	entries_free(state);
}

static enum dict_result
memory_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why UNUSED)
{
	struct str found;

	if (!entries_find(d->state, key, &found))
		return DICT_NOTFOUND;
	*value = arena_str(arena, found);
	return DICT_FOUND;
}

static int
memory_each(struct dict *d, bool (*fn)(struct str, struct str, void *), void *arg)
{
	entries_each(d->state, fn, arg);
	return 0;
}

/* ---- texthash ---- */

static void
add_line(struct dict *d, struct source *s, struct entries *e, struct str line,
	struct arena *scratch)
{
	struct str key, value;
	struct why why;
	enum source_entry got = source_map_entry(line, &key, &value, &why);

	if (why.code[0])
		log_warn("%s, line %d: %s", s->name, s->line, why.text);
	if (got != SOURCE_ENTRY)
		return;
	if (d->flags & DICT_FOLD)
		key = arena_lower(scratch, key);
	if (!entries_add(e, key, value, false))
		log_warn("%s, line %d: duplicate entry: \"" STR_FMT "\"", s->name,
			s->line, STR_ARG(key));
}

static void *
texthash_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct source s CLEANUP(source_close) = { 0 };
	FILE *file = fopen(d->name, "re");
	struct entries *e;
	struct str line;

	if (!file)
		return dict_fails_errno(why, "open database", d->name);
	source_open(&s, file, d->name);
	stamp_take(stamp, fileno(file));
	e = entries_new();
	while (source_line(&s, &line)) {
		add_line(d, &s, e, line, scratch);
		arena_reset(scratch);
	}
	if (!ferror(file))
		return e;
	entries_free(e);
	return dict_fails_errno(why, "read", d->name);
}

const struct dict_ops dict_texthash = {
	.type = { "texthash", false, false },
	.suffix = "",
	.open = texthash_open,
	.close = memory_close,
	.find = memory_find,
	.each = memory_each,
};

/* ---- inline ---- */

/* What stands in front of the =, without quotes: in them blanks and = are the key's.
 * False: there is no =, or a quote too few. */
static bool
take_key(struct str *item, struct buf *key)
{
	bool quoted = false;

	for (size_t i = 0; i < item->len; i++) {
		char c = item->data[i];

		if (c == '"') {
			quoted = !quoted;
		} else if (c == '=' && !quoted) {
			*item = str_from(*item, i + 1);
			return true;
		} else {
			if (c == '\\' && quoted && i + 1 < item->len)
				c = item->data[++i];
			else if (ascii_is_space(c) && !quoted && key->len > 0 &&
				 str_trim(str_from(*item, i)).data[0] != '=')
				return false;
			if (quoted || !ascii_is_space(c))
				buf_addc(key, c);
		}
	}
	return false;
}

/* "key = value", perhaps in braces of its own. */
static bool
inline_entry(struct str item, struct buf *key, struct str *value)
{
	if (item.data[0] == '{' && !braces_strip(item, &item))
		return false;
	buf_clear(key);
	if (!take_key(&item, key))
		return false;
	*value = str_trim(item);
	return true;
}

static struct entries *
inline_entries(struct dict *d, struct str items, struct why *why)
{
	struct entries *e = entries_new();
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct str item, key, value;

	*why = (struct why){ 0 };
	while (braces_item(&items, &item, why)) {
		if (!inline_entry(item, &name, &value)) {
			dict_fails(why,
				"missing '=' after attribute name: \"inline:%s\"; need "
				"\"inline:{name=value...}\"",
				d->name);
			break;
		}
		key = buf_str(&name);
		if (d->flags & DICT_FOLD)
			key = arena_lower(d->arena, key);
		entries_add(e, key, value, true);
	}
	if (!why->code[0])
		return e;
	entries_free(e);
	return NULL;
}

static void *
inline_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct str items;

	if (!braces_strip(str_c(d->name), &items) || items.len == 0)
		return dict_fails(why,
			"bad syntax: \"inline:%s\"; need \"inline:{name=value...}\"",
			d->name);
	return inline_entries(d, items, why);
}

const struct dict_ops dict_inline = {
	.type = { "inline", false, false },
	.open = inline_open,
	.close = memory_close,
	.find = memory_find,
	.each = memory_each,
};
