/* table_build.c -- makes tables from source files, and adds entries from standard input.
 */
#include "table_tool.h"
#include "log.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest file that -F takes in (a certificate chain is a few KB). */
enum { FILE_MOST = 16 * 1024 * 1024 };

/* ---- -F ---- */

/* The content of the files that the value names, a line end between them, in base64.
 * False: one of them cannot be read, which was said. */
static bool
take_files(const struct source *s, struct str *value, struct arena *a)
{
	struct buf plain CLEANUP(buf_wipe) = BUF_INIT, text CLEANUP(buf_wipe) = BUF_INIT;
	struct strs files = conf_list(*value, a);

	for (size_t i = 0; i < files.n; i++) {
		if (i > 0)
			buf_addc(&plain, '\n');
		if (read_file(arena_cstr(a, files.items[i]), FILE_MOST, &plain) < 0) {
			log_warn("%s, line %d: open " STR_FMT ": %s: skipping this entry",
				s->name, s->line, STR_ARG(files.items[i]),
				strerror(errno));
			return false;
		}
	}
	base64_encode(buf_str(&plain), &text);
	*value = arena_str(a, buf_str(&text));
	return true;
}

/* ---- entries ---- */

static void
add_line(const struct request *rq, const struct source *s, struct dict_builder *b,
	struct str line, struct arena *a)
{
	struct why why = { 0 };
	struct str key, value;
	enum source_entry got = rq->tool->entry(line, a, &key, &value, &why);
	int result;

	if (why.code[0])
		log_warn("%s, line %d: %s", s->name, s->line, why.text);
	if (got != SOURCE_ENTRY)
		return;
	if (!rq->keep_case)
		key = arena_lower(a, key);
	if (rq->files && !take_files(s, &value, a))
		return;
	result = dict_build_add(b, key, value, rq->replace && !rq->no_warning, &why);
	if (result < 0) {
		dict_build_abort(b);
		log_fatal("%s, line %d: %s", s->name, s->line, why.text);
	}
	if (result == 1 && !rq->no_warning)
		log_warn("%s, line %d: duplicate entry: \"" STR_FMT "\"", s->name,
			s->line, STR_ARG(key));
}

static void
add_lines(const struct request *rq, struct source *s, struct dict_builder *b)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct why why = { 0 };
	struct str line;

	if (rq->nul || rq->no_nul)
		dict_build_nul(b, rq->nul);
	while (source_line(s, &line)) {
		add_line(rq, s, b, line, a);
		arena_reset(a);
	}
	if (ferror(s->file)) {
		dict_build_abort(b);
		log_fatal("read %s: %s", s->name, strerror(errno));
	}
	if (dict_build_finish(b, &why) < 0)
		log_fatal("%s", why.text);
}

/* ---- rights ---- */

/* Root makes a table as the owner of its source: who may write the source may decide what
 * the table says, but not where root writes. */
static void
become_owner(const struct request *rq, const struct stat *st)
{
	if (geteuid() != 0 || rq->keep_root || st->st_uid == 0)
		return;
	if (setgroups(0, NULL) < 0 || setegid(st->st_gid) < 0 || seteuid(st->st_uid) < 0)
		log_fatal("become user %ld, group %ld: %s", (long)st->st_uid,
			(long)st->st_gid, strerror(errno));
}

static void
become_root_again(void)
{
	if (getuid() != 0 || geteuid() == 0)
		return;
	if (seteuid(0) < 0 || setegid(getgid()) < 0)
		log_fatal("become root again: %s", strerror(errno));
}

void
table_build(const struct request *rq, struct str spec)
{
	struct source s CLEANUP(source_close) = { 0 };
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	const char *path = arena_cstr(a, str_from(spec, (size_t)str_chr(spec, ':') + 1));
	struct dict_builder *b;
	struct why why = { 0 };
	struct stat st;
	FILE *file;

	if (!path || !*path)
		log_fatal("open dictionary: expecting \"type:name\" form instead of "
			  "\"" STR_FMT "\"",
			STR_ARG(spec));
	file = fopen(path, "re");
	if (!file || fstat(fileno(file), &st) < 0)
		log_fatal("open %s: %s", path, strerror(errno));
	source_open(&s, file, path);
	if (rq->verbose)
		log_info("making " STR_FMT, STR_ARG(spec));
	become_owner(rq, &st);
	b = dict_build(spec, rq->default_mode ? 0644 : st.st_mode & 0777, &why);
	if (!b)
		log_fatal("%s", why.text);
	add_lines(rq, &s, b);
	become_root_again();
}

/* A table that is not there yet is made; then the mode is the default one. */
void
table_update(const struct request *rq, struct str spec)
{
	struct source s CLEANUP(source_close) = { 0 };
	struct why why = { 0 };
	struct dict_builder *b = dict_build_change(spec, &why);

	if (!b && errno == ENOENT)
		b = dict_build(spec, 0644, &why);
	if (!b)
		log_fatal("%s", why.text);
	source_open(&s, stdin, "stdin");
	add_lines(rq, &s, b);
}
