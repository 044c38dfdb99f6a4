/* match.c -- match lists: mydestination, mynetworks, relay_domains ... (contract 1.3). */
#include "dict_impl.h"
#include "explain.h"
#include "log.h"
#include "source.h"
#include <errno.h>
#include <netinet/in.h>

enum item_kind {
	ITEM_NAME,  /* a string, host or domain name, or ".domain" */
	ITEM_BLOCK, /* a network */
	ITEM_TABLE,
	ITEM_BAD, /* a mistake: what comes to it fails */
};

struct match_item {
	enum item_kind kind;
	bool negated;
	struct str text;
	struct net_block block;
	bool is_block; /* else it is wrong: but that only matters to who has an address */
	struct dict *dict;
	struct why why;
	bool warned;
};

struct match_list {
	struct match_list *next; /* of all that are open */
	struct arena *arena;
	const char *parameter;
	const struct conf *conf;
	bool parent_matches;
	VEC(struct match_item) items;
};

static struct match_list *all;

/* /file within /file within ...: a file that names itself ends here. */
enum { FILES_DEEP = 10 };

/* ---- reading ---- */

static void
item_fails(struct match_list *l, struct match_item *item)
{
	item->kind = ITEM_BAD;
	item->warned = true;
	log_warn("%s: %s", l->parameter, item->why.text);
}

static bool
consists_of(struct str s, const char *bytes)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.data[i] || !strchr(bytes, s.data[i]))
			return false;
	return true;
}

/* Is it meant as an address or network? 192.0.2.0/24, [2001:db8::]/32, and IPv6 without
 * its brackets where that can be no table. */
static bool
looks_like_address(struct str s)
{
	if (s.data[0] == '[')
		return true;
	if (str_chr(s, ':') >= 0)
		return consists_of(s, "0123456789abcdefABCDEF:./");
	return str_chr(s, '.') > 0 && consists_of(s, "0123456789./");
}

/* "type:name" */
static bool
names_table(struct str s)
{
	ssize_t colon = str_chr(s, ':');

	return colon > 0 && s.data[0] != '[' &&
	       (dict_ops_find(str_sub(s, 0, (size_t)colon)) || !looks_like_address(s));
}

static void
add_table(struct match_list *l, struct match_item *item)
{
	item->kind = ITEM_TABLE;
	item->dict = dict_open(item->text, DICT_FOLD, l->conf, &item->why);
	if (item->why.code[0] && item->dict)
		log_warn("%s: %s", l->parameter, item->why.text);
	else if (!item->dict)
		item_fails(l, item);
}

static void add_items(struct match_list *l, struct str value, bool negated, int depth);

static void
add_file(struct match_list *l, struct match_item *item, int depth)
{
	struct source s CLEANUP(source_close) = { 0 };
	const char *path = arena_cstr(l->arena, item->text);
	bool negated = item->negated;
	struct str line;
	FILE *file;

	errno = EINVAL;
	file = path && depth < FILES_DEEP ? fopen(path, "re") : NULL;
	if (!file) {
		why_set(&item->why, "4.3.5", "open file " STR_FMT ": %s",
			STR_ARG(item->text),
			depth < FILES_DEEP ? strerror(errno) : "files nest too deeply");
		item_fails(l, item);
		return;
	}
	source_open(&s, file, path);
	l->items.n--; /* what is in the file takes the item's place */
	while (source_line(&s, &line))
		add_items(l, line, negated, depth + 1);
}

static void
add_item(struct match_list *l, struct str text, bool negated, int depth)
{
	struct match_item *item;

	while (text.len && text.data[0] == '!') {
		negated = !negated;
		text = str_from(text, 1);
	}
	item = vec_push(&l->items);
	item->negated = negated;
	item->text = arena_str(l->arena, text);
	if (text.len == 0) {
		why_set(&item->why, "4.3.5", "no pattern after '!'");
		item_fails(l, item);
	} else if (text.data[0] == '/') {
		add_file(l, item, depth);
	} else if (names_table(text)) {
		add_table(l, item);
	} else if (looks_like_address(text)) {
		item->kind = ITEM_BLOCK;
		item->is_block = net_block_parse(text, &item->block, &item->why) == 0;
	}
}

static void
add_items(struct match_list *l, struct str value, bool negated, int depth)
{
	struct strs items = conf_list(value, l->arena);

	for (size_t i = 0; i < items.n; i++)
		add_item(l, items.items[i], negated, depth);
}

struct match_list *
match_list_open(const char *parameter, struct str value, bool parent_matches,
	const struct conf *c)
{
	struct arena *arena = arena_new();
	struct match_list *l = arena_alloc(arena, sizeof *l);

	l->arena = arena;
	l->parameter = arena_str(arena, str_c(parameter)).data;
	l->conf = c;
	l->parent_matches = parent_matches;
	add_items(l, value, false, 0);
	l->next = all;
	all = l;
	return l;
}

bool
match_parents(const struct conf *c, const char *parameter)
{
	struct str names = c->p.parent_domain_matches_subdomains, name;

	while (str_token(&names, ", \t\r\n", &name))
		if (str_is(name, parameter))
			return true;
	return false;
}

void
match_list_close(struct match_list *l)
{
	struct match_list **at = &all;

	if (!l)
		return;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	for (size_t i = 0; i < l->items.n; i++)
		dict_close(l->items.items[i].dict);
	vec_free(&l->items);
	arena_free(l->arena);
}

bool
match_lists_renew_all(void)
{
	bool well = true;

	for (const struct match_list *l = all; l; l = l->next)
		for (size_t i = 0; i < l->items.n; i++)
			well &= dict_renew_one(l->items.items[i].dict);
	return well;
}

/* ---- asking ---- */

/* What is looked for: only the fields that are set take part. */
struct subject {
	struct str string; /* as a whole */
	struct str name;   /* with its parents */
	const struct net_addr *addr;
};

static enum dict_result
table_has(const struct match_list *l, struct match_item *item, struct str key,
	struct arena *scratch, struct why *why)
{
	enum dict_result got;
	struct str value;

	if (key.len == 0)
		return DICT_NOTFOUND;
	got = dict_lookup(item->dict, key, scratch, &value, why);
	if (explain_on)
		dict_explain(l->parameter, item->text, key, got, &value, why);
	return got;
}

/* a.b.c, then .b.c and .c; or b.c and c where the parameter's parent domains match. */
static enum dict_result
table_has_domain(const struct match_list *l, struct match_item *item, struct str name,
	struct arena *scratch, struct why *why)
{
	for (;;) {
		enum dict_result got = table_has(l, item, name, scratch, why);
		ssize_t dot = name.len ? str_chr(str_from(name, 1), '.') : -1;

		if (got != DICT_NOTFOUND || dot < 0 || dict_is_pattern(item->dict))
			return got;
		name = str_from(name, (size_t)dot + (l->parent_matches ? 2 : 1));
	}
}

static enum dict_result
table_matches(const struct match_list *l, struct match_item *item,
	const struct subject *s, struct why *why)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	char text[NET_ADDR_TEXT];
	enum dict_result got = table_has(l, item, s->string, scratch, why);

	if (got == DICT_NOTFOUND && s->name.len)
		got = table_has_domain(l, item, s->name, scratch, why);
	if (got == DICT_NOTFOUND && s->addr)
		got = table_has(
			l, item, str_c(net_addr_text(s->addr, text)), scratch, why);
	return got;
}

static bool
name_matches(const struct match_list *l, struct str pattern, struct str name)
{
	size_t more;

	if (str_case_eq(pattern, name))
		return true;
	if (pattern.len == 0 || name.len <= pattern.len || !str_case_ends(name, pattern))
		return false;
	more = name.len - pattern.len;
	return l->parent_matches ? name.data[more - 1] == '.' : pattern.data[0] == '.';
}

static bool
text_matches(const struct match_list *l, const struct match_item *item,
	const struct subject *s)
{
	if (s->string.len && str_case_eq(item->text, s->string))
		return true;
	return s->name.len && name_matches(l, item->text, s->name);
}

/* Whether it would have matched cannot be known: the caller defers. */
static enum dict_result
item_refused(const struct match_list *l, struct match_item *item, struct why *why)
{
	if (!item->warned)
		log_warn("%s: %s", l->parameter, item->why.text);
	item->warned = true;
	why_set(why, "4.3.5", "%s: %s", l->parameter, item->why.text);
	return DICT_ERROR;
}

static enum dict_result
item_matches(const struct match_list *l, struct match_item *item, const struct subject *s,
	struct why *why)
{
	switch (item->kind) {
	case ITEM_TABLE:
		return table_matches(l, item, s, why);
	case ITEM_BAD:
		return item_refused(l, item, why);
	case ITEM_BLOCK:
		if (s->addr && !item->is_block)
			return item_refused(l, item, why);
		if (s->addr && net_block_has(&item->block, s->addr))
			return DICT_FOUND;
		break;
	case ITEM_NAME:
		break;
	}
	return text_matches(l, item, s) ? DICT_FOUND : DICT_NOTFOUND;
}

/* The first item that matches decides. */
static enum dict_result
list_matches(struct match_list *l, const struct subject *s, const struct match_item **by,
	struct why *why)
{
	for (size_t i = 0; i < l->items.n; i++) {
		struct match_item *item = &l->items.items[i];
		enum dict_result got = item_matches(l, item, s, why);

		if (got == DICT_FOUND)
			*by = item;
		if (got == DICT_FOUND)
			return item->negated ? DICT_NOTFOUND : DICT_FOUND;
		if (got == DICT_ERROR)
			return DICT_ERROR;
	}
	return DICT_NOTFOUND;
}

/* For `postern explain`: with the item that decided. */
static void
list_explain(const struct match_list *l, const struct subject *s, enum dict_result got,
	const struct match_item *by, const struct why *why)
{
	char text[NET_ADDR_TEXT + 2] = "";
	struct buf key CLEANUP(buf_free) = BUF_INIT;
	struct buf item CLEANUP(buf_free) = BUF_INIT;

	if (l->items.n == 0)
		return;
	buf_add(&key, s->string);
	buf_add(&key, s->name);
	if (s->addr)
		buf_printf(&key, "[%s]", net_addr_text(s->addr, text));
	if (by)
		buf_printf(
			&item, "%s" STR_FMT, by->negated ? "!" : "", STR_ARG(by->text));
	dict_explain(l->parameter, STR_NONE, buf_str(&key), got,
		&(const struct str){ item.data, item.len }, why);
}

static enum dict_result
list_asked(struct match_list *l, const struct subject *s, struct why *why)
{
	const struct match_item *by = NULL;
	enum dict_result got = list_matches(l, s, &by, why);

	if (explain_on)
		list_explain(l, s, got, by, why);
	return got;
}

enum dict_result
match_domain(struct match_list *l, struct str name, struct why *why)
{
	return list_asked(l, &(struct subject){ .name = name }, why);
}

enum dict_result
match_client(struct match_list *l, struct str name, const struct net_addr *addr,
	struct why *why)
{
	struct subject s = { .name = name, .addr = addr };
	struct net_addr plain;

	if (addr) {
		plain = *addr;
		net_addr_unmap(&plain);
		s.addr = &plain;
	}
	return list_asked(l, &s, why);
}

enum dict_result
match_string(struct match_list *l, struct str s, struct why *why)
{
	return list_asked(l, &(struct subject){ .string = s }, why);
}
