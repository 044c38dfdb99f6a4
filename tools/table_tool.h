/* table_tool.h -- what postmap and postalias have in common: everything but the form of
 * their source files and the message modes of postmap. */
#ifndef TABLE_TOOL_H
#define TABLE_TOOL_H

#include "command.h"
#include "conf.h"
#include "dict.h"
#include "source.h"

struct table_tool {
	const char *name;
	const char *options; /* for getopt() */
	struct command_help help;
	const char *separator; /* between key and value, where both are printed */
	enum source_entry (*entry)(struct str line, struct arena *arena, struct str *key,
		struct str *value, struct why *why);
};

/* What the command line asks for. */
struct request {
	const struct table_tool *tool;
	const struct conf *conf;
	const char *directory;      /* -c */
	const char *query, *remove; /* -q, -d */
	bool list;                  /* -s */
	bool incremental;           /* -i */
	bool keep_case;             /* -f */
	bool keep_root;             /* -o */
	bool default_mode;          /* -p */
	bool replace, no_warning;   /* -r, -w */
	bool nul, no_nul;           /* -N, -n */
	bool no_utf8;               /* -u */
	bool files;                 /* -F: values name files */
	bool json;                  /* -j */
	bool body, header, mime;    /* -b, -h, -m */
	int verbose;
};

/* Does all of it. Returns the exit status. */
int table_tool_main(const struct table_tool *tool, int argc, char **argv);

/* ---- table_query.c ---- */
/* -q and -d: 0 found, 1 not. */
int table_query(const struct request *rq, struct strs tables);
int table_delete(const struct request *rq, struct strs tables);
void table_list(const struct request *rq, struct strs tables);
/* Opened or fatal. */
struct dict *table_open(const struct request *rq, struct str spec);
/* One key in one table; prints it when found. */
bool table_ask(const struct request *rq, struct dict *d, struct str key, bool show_key);

/* ---- table_build.c ---- */
void table_build(const struct request *rq, struct str spec);
void table_update(const struct request *rq, struct str spec);

/* ---- table_message.c: -b, -h, -m ---- */
int table_message(const struct request *rq, struct strs tables);

/* "type:name"; with default_database_type when there is no type. */
struct str table_spec(const struct request *rq, const char *argument, struct arena *a);

#endif
