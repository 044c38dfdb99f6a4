/* check_loops.c -- aliases that lead back to themselves.
 *
 * A graph of names: an edge for each address that an entry leads to. Only tables whose
 * entries can be listed take part. */
#include "check.h"
#include "aliases.h"
#include "dict.h"

enum {
	NODES_MOST = 2000000, /* of a table that is larger, the beginning */
	TARGETS_MOST = 1000,
	LOOPS_MOST = 20, /* told of for each parameter */
};

struct node {
	struct str name;
	struct strs targets;
	size_t next; /* the target to look at */
	enum { UNSEEN, OPEN, DONE } state;
};
struct graph {
	struct check *k;
	const char *parameter;
	bool local;              /* aliases(5): local parts; else whole addresses */
	struct match_list *here; /* local: mydestination */
	struct arena *a;
	struct map *by_name; /* -> index + 1 */
	VEC(struct node) nodes;
	VEC(size_t) path; /* of nodes that are OPEN */
	size_t told;
};

/* ---- reading ---- */

/* The key that an address would be looked up with; none: it is somebody else's. */
static struct str
key_of(struct graph *g, struct str address)
{
	ssize_t at = str_rchr(address, '@');
	struct why why;

	if (!g->local || at < 0)
		return arena_lower(g->a, address);
	if (match_string(g->here, str_from(address, (size_t)at + 1), &why) != DICT_FOUND)
		return STR("");
	return arena_lower(g->a, str_sub(address, 0, (size_t)at));
}

static bool
add_node(struct str key, struct str value, void *arg)
{
	struct graph *g = arg;
	struct alias_targets targets;
	struct node *node;
	struct why why;

	if (alias_targets(value, TARGETS_MOST, g->a, &targets, &why) < 0)
		return true;
	key = arena_lower(g->a, key);
	if (map_get(g->by_name, key)) /* an earlier table has it: that is what counts */
		return true;
	node = vec_push(&g->nodes);
	node->name = key;
	node->targets.items = arena_alloc(g->a, (targets.n + 1) * sizeof(struct str));
	for (size_t i = 0; i < targets.n; i++)
		if (targets.items[i].kind == ALIAS_ADDRESS)
			node->targets.items[node->targets.n++] =
				key_of(g, targets.items[i].text);
	map_set(g->by_name, key, (void *)(uintptr_t)g->nodes.n);
	return g->nodes.n < NODES_MOST;
}

static void
read_tables(struct graph *g)
{
	struct strs tables = conf_list(conf_value(g->k->conf, g->parameter), g->a);

	for (size_t i = 0; i < tables.n; i++) {
		struct why why;
		struct dict *d = dict_open(tables.items[i], DICT_FOLD, g->k->conf, &why);

		if (d)
			dict_each(d, add_node, g);
		dict_close(d);
	}
}

/* ---- walking: depth first, without recursion ---- */

/* From `index`, which lies on the path, to its end, and back. */
static void
tell_loop(struct graph *g, size_t index)
{
	struct buf way CLEANUP(buf_free) = BUF_INIT;
	size_t from = g->path.n;

	if (g->told++ >= LOOPS_MOST)
		return;
	while (g->path.items[--from] != index)
		continue;
	for (size_t i = from; i < g->path.n; i++)
		buf_printf(&way, STR_FMT " -> ",
			STR_ARG(g->nodes.items[g->path.items[i]].name));
	buf_add(&way, g->nodes.items[index].name);
	check_parameter(g->k, true, g->parameter, "let one of them lead elsewhere",
		"%s: a loop: %s", g->parameter, buf_cstr(&way));
}

static void
enter(struct graph *g, size_t index)
{
	g->nodes.items[index].state = OPEN;
	*vec_push(&g->path) = index;
}

/* An entry that leads to itself is meant so: the mail goes there. */
static void
walk(struct graph *g, size_t start)
{
	enter(g, start);
	while (g->path.n > 0) {
		size_t here = g->path.items[g->path.n - 1], there;
		struct node *node = &g->nodes.items[here];

		if (node->next == node->targets.n) {
			node->state = DONE;
			g->path.n--;
			continue;
		}
		there = (size_t)(uintptr_t)map_get(
			g->by_name, node->targets.items[node->next++]);
		if (there == 0 || --there == here)
			continue;
		if (g->nodes.items[there].state == OPEN)
			tell_loop(g, there);
		else if (g->nodes.items[there].state == UNSEEN)
			enter(g, there);
	}
}

static void
check_graph(struct check *k, const char *parameter, bool local)
{
	struct graph g = { .k = k, .parameter = parameter, .local = local };

	g.a = arena_new();
	g.by_name = map_new();
	g.here = match_list_open("mydestination", k->conf->p.mydestination,
		match_parents(k->conf, "mydestination"), k->conf);
	read_tables(&g);
	for (size_t i = 0; i < g.nodes.n; i++)
		if (g.nodes.items[i].state == UNSEEN)
			walk(&g, i);
	match_list_close(g.here);
	vec_free(&g.nodes);
	vec_free(&g.path);
	map_free(g.by_name);
	arena_free(g.a);
}

void
check_loops(struct check *k)
{
	check_quietly(true);
	check_graph(k, "alias_maps", true);
	check_graph(k, "virtual_alias_maps", false);
	check_quietly(false);
}
