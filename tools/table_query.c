/* table_query.c -- -q, -d and -s: asks tables, deletes from them, lists them. */
#include "table_tool.h"
#include "json.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct dict *
table_open(const struct request *rq, struct str spec)
{
	struct why why = { 0 };
	unsigned flags = (rq->keep_case ? 0 : DICT_FOLD) |
			 (rq->body || rq->header || rq->mime ? DICT_BYTES : 0);
	struct dict *d = dict_open(spec, flags, rq->conf, &why);

	if (!d || why.code[0])
		log_fatal("%s", why.text);
	return d;
}

/* ---- output ---- */

static void
put_entry(const struct request *rq, struct str key, struct str value, bool show_key)
{
	if (rq->json) {
		putchar('{');
		json_string(stdout, key);
		printf(": ");
		json_string(stdout, value);
		printf("}\n");
		return;
	}
	if (show_key) {
		fwrite(key.data, 1, key.len, stdout);
		fputs(rq->tool->separator, stdout);
	}
	fwrite(value.data, 1, value.len, stdout);
	putchar('\n');
}

/* -F: the value is base64. */
static struct str
decoded(const struct request *rq, struct str spec, struct str key, struct str value,
	struct arena *a)
{
	struct buf plain CLEANUP(buf_free) = BUF_INIT;

	if (!rq->files)
		return value;
	if (base64_decode(value, &plain) < 0) {
		log_warn("table " STR_FMT ": key " STR_FMT
			 ": malformed BASE64 value: " STR_FMT,
			STR_ARG(spec), STR_ARG(key), STR_ARG(value));
		log_fatal("table " STR_FMT ": query error", STR_ARG(spec));
	}
	return arena_str(a, buf_str(&plain));
}

/* ---- -q ---- */

bool
table_ask(const struct request *rq, struct dict *d, struct str key, bool show_key)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str spec = dict_spec(d), value;
	struct why why = { 0 };

	switch (dict_lookup(d, key, a, &value, &why)) {
	case DICT_ERROR:
		fflush(stdout);
		log_fatal("table " STR_FMT ": query error: %s", STR_ARG(spec), why.text);
	case DICT_NOTFOUND:
		return false;
	case DICT_FOUND:
		break;
	}
	if (value.len == 0) {
		log_warn("table " STR_FMT ": key " STR_FMT
			 ": empty string result is not allowed",
			STR_ARG(spec), STR_ARG(key));
		log_warn("table " STR_FMT " should return NO RESULT in case of NOT FOUND",
			STR_ARG(spec));
	}
	put_entry(rq, key, decoded(rq, spec, key, value, a), show_key);
	return true;
}

/* The first table that has the key. They are opened when it is their turn, so that one
 * that is missing only matters when it is asked. */
static bool
ask_in_turn(const struct request *rq, struct strs tables, struct dict **open,
	struct str key, bool show_key)
{
	for (size_t i = 0; i < tables.n; i++) {
		if (!open[i])
			open[i] = table_open(rq, tables.items[i]);
		if (table_ask(rq, open[i], key, show_key))
			return true;
	}
	return false;
}

/* The next line of standard input without its end. */
static bool
next_key(char **line, size_t *room, struct str *key)
{
	ssize_t n = getline(line, room, stdin);

	if (n < 0) {
		if (ferror(stdin))
			log_fatal("read standard input: %s", strerror(errno));
		return false;
	}
	*key = str_of(*line, (size_t)n - ((*line)[n - 1] == '\n'));
	return true;
}

int
table_query(const struct request *rq, struct strs tables)
{
	struct dict **open = mem_alloc(tables.n * sizeof *open);
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	struct str key;

	if (strcmp(rq->query, "-") != 0) {
		found = ask_in_turn(rq, tables, open, str_c(rq->query), false);
	} else {
		while (next_key(&line, &room, &key))
			found |= ask_in_turn(rq, tables, open, key, true);
	}
	free(line);
	for (size_t i = 0; i < tables.n; i++)
		dict_close(open[i]);
	mem_free(open);
	return found ? 0 : 1;
}

/* ---- -d ---- */

static bool
delete_key(const struct request *rq, struct dict_builder *b, struct str key)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct why why = { 0 };
	int result;

	if (!rq->keep_case)
		key = arena_lower(a, key);
	result = dict_build_remove(b, key, &why);
	if (result < 0)
		log_fatal("%s", why.text);
	return result == 0;
}

/* From each table that has it. All keys go in one step; a table without any of them is
 * left alone. */
int
table_delete(const struct request *rq, struct strs tables)
{
	struct strs keys = { 0 };
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	VEC(struct str) list = { 0 };
	struct str key = str_c(rq->remove);
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	if (strcmp(rq->remove, "-") != 0)
		*vec_push(&list) = key;
	else
		while (next_key(&line, &room, &key))
			*vec_push(&list) = arena_str(a, key);
	free(line);
	keys = (struct strs){ list.items, list.n };
	for (size_t i = 0; i < tables.n; i++) {
		struct why why = { 0 };
		struct dict_builder *b = dict_build_change(tables.items[i], &why);
		bool here = false;

		if (!b)
			log_fatal("%s", why.text);
		for (size_t k = 0; k < keys.n; k++)
			here |= delete_key(rq, b, keys.items[k]);
		if (!here)
			dict_build_abort(b);
		else if (dict_build_finish(b, &why) < 0)
			log_fatal("%s", why.text);
		found |= here;
	}
	vec_free(&list);
	return found ? 0 : 1;
}

/* ---- -s ---- */

struct listing {
	const struct request *rq;
	struct str spec;
};

static bool
list_entry(struct str key, struct str value, void *arg)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	const struct listing *l = arg;

	put_entry(l->rq, key, decoded(l->rq, l->spec, key, value, a), true);
	return true;
}

void
table_list(const struct request *rq, struct strs tables)
{
	for (size_t i = 0; i < tables.n; i++) {
		struct dict *d = table_open(rq, tables.items[i]);
		struct listing l = { rq, tables.items[i] };

		if (dict_each(d, list_entry, &l) < 0)
			log_fatal("table " STR_FMT
				  ": sequence operation is not supported",
				STR_ARG(tables.items[i]));
		dict_close(d);
	}
}
