/* postconf.h -- what the parts of postconf(1) share. */
#ifndef POSTCONF_H
#define POSTCONF_H

#include "conf.h"
#include <stdio.h>

/* What is printed or edited. */
enum postconf_mode {
	MODE_MAIN_CF,     /* -p, the default */
	MODE_SERVICES,    /* -M: lines of master.cf */
	MODE_FIELDS,      /* -F: their columns */
	MODE_OVERRIDES,   /* -P: their -o settings */
	MODE_LOCKS,       /* -l */
	MODE_TYPES,       /* -m */
	MODE_SERVER_SASL, /* -a */
	MODE_CLIENT_SASL, /* -A */
	MODE_TLS,         /* -T */
	MODE_TEMPLATES,   /* -t: of notices */
	MODE_NOTICES,     /* -b: their text, expanded */
};
enum postconf_edit {
	EDIT_NOTHING,
	EDIT_SET,     /* -e, or name=value as the first argument */
	EDIT_COMMENT, /* -# */
	EDIT_REMOVE,  /* -X */
};
struct postconf_options {
	enum postconf_mode mode;
	enum postconf_edit edit;
	const char *directory;
	const char *tls;       /* -T */
	bool defaults;         /* -d */
	bool set_only;         /* -n */
	bool no_names;         /* -h */
	bool names_only;       /* -H */
	bool expand;           /* -x */
	bool fold;             /* -f */
	bool quiet;            /* -q */
	bool json;             /* -j */
	unsigned classes;      /* -C: bits of enum name_class */
	struct strs overrides; /* -o */
	struct strs arguments;
};
/* postconf_options.c: the command line; complains on stderr and exits when it is none. */
void postconf_options(struct postconf_options *o, int argc, char **argv, struct arena *a);

enum name_class {
	NAME_BUILTIN = 1, /* of the table */
	NAME_SERVICE = 2, /* <transport>_something of a service of master.cf */
	NAME_USER = 4,    /* set, and named by another value or as a restriction class */
	NAME_ALL = 7,
};
struct name {
	struct str name;
	enum name_class class;
	struct str preset; /* of a NAME_SERVICE */
};
struct names {
	VEC(struct name) list; /* sorted */
	struct map *known;     /* name -> index + 1, as a pointer */
};

/* A line of master.cf as written: no defaults, nothing checked but its shape. */
enum {
	COLUMN_NAME,
	COLUMN_TYPE,
	COLUMN_PRIVATE,
	COLUMN_UNPRIVILEGED,
	COLUMN_CHROOT,
	COLUMN_WAKEUP,
	COLUMN_PROCESS_LIMIT,
	COLUMN_COMMAND,
	COLUMNS,
};
extern const char *const column_names[COLUMNS]; /* as -F has them */
struct service_row {
	struct str column[COLUMNS];
	struct strs args;
	struct strs overrides;
	bool edited;
};
struct service_rows {
	VEC(struct service_row) list;
	struct str path;
};
/* Complains on stderr of a mistake and exits, as Postfix; also when there is no file but
 * it is needed. */
void rows_read(
	struct service_rows *rows, const char *directory, bool needed, struct arena *a);
/* Makes a row of a line of text. NULL, or what is wrong with it. */
const char *row_parse(struct service_row *row, struct str text, struct arena *a);
/* -M, -F and -P. c: with -x, to expand values. */
void rows_print(const struct service_rows *rows, const struct postconf_options *o,
	const struct conf *c);
void row_print(FILE *to, const struct service_row *row, bool fold, struct arena *a);
/* "name/type/item" of a request, each part a name or "*". Absent parts are STR_NONE.
 * False when there are more. */
struct row_pattern {
	struct str name, type, item;
};
bool row_pattern_parse(struct str text, struct row_pattern *out);
bool row_matches(const struct service_row *row, const struct row_pattern *p);
bool pattern_matches(struct str pattern, struct str text);

/* postconf_templates.c: -t and -b. */
void print_templates(const struct postconf_options *o);

/* All names that exist under these settings, sorted. */
void names_find(struct names *n, const struct conf *c, const struct service_rows *rows,
	struct arena *a);
const struct name *names_get(const struct names *n, struct str name);
void names_free(struct names *n);
/* Values that nothing reads, names that nothing defines, names on their way out. */
void names_warn(const struct names *n, const struct conf *c,
	const struct service_rows *rows, struct arena *a);

/* Words behind what is already in the line, with one blank between them. */
struct line {
	FILE *to;
	size_t column;
	bool fresh;  /* nothing is in it but blanks */
	size_t most; /* fold behind this column; 0: do not */
};
enum { FOLD_MAIN_CF = 80, FOLD_MASTER_CF = 79 };
void line_add(struct line *l, struct str text);
void line_add_word(struct line *l, struct str word); /* blanks in it are kept */
void line_break(struct line *l);
void line_end(struct line *l);

/* ---- editing ---- */

/* A file that is replaced as a whole by rename. Two postconf at once: the second waits.
 */
struct edited_file {
	struct str path;
	struct buf old; /* what it held */
	FILE *out;      /* what it is going to hold */
	char *new;
	size_t new_size;
	int fd; /* of path.tmp, locked */
};
/* Complain on stderr and exit when it cannot be done; the file is as before then. */
void edited_open(struct edited_file *f, struct str path);
void edited_commit(struct edited_file *f);

/* The physical lines of main.cf and master.cf. */
enum line_kind { LINE_SILENT, LINE_BEGINS, LINE_CONTINUES };
/* False at the end. The line comes with its LF. *inside: a logical line is open; begin
 * with false. */
bool physical_line(
	struct str *rest, bool *inside, struct str *line, enum line_kind *kind);
/* Copies a line, making a comment of it or nothing, as *edit says. */
void edited_copy(struct edited_file *f, struct str line, enum postconf_edit edit);

/* postconf_edit.c, postconf_edit_services.c: the arguments of *o are carried out. */
void edit_main_cf(const struct postconf_options *o, struct arena *a);
void edit_master_cf(const struct postconf_options *o, struct arena *a);
/* name=value of -e, taken apart; complains and exits. */
void edit_request(struct str text, struct str *name, struct str *value);

/* postconf_support.c: what follows --support, NULL-terminated. The exit status. */
int print_support(char **arguments);
/* postconf_origin.c: --origin [-c dir] [name ...]; the exit status. */
int print_origin(char **arguments);

/* "postconf: warning: ..." and "postconf: fatal: ..." (exit 1). */
void postconf_warn(const char *fmt, ...) PRINTF(1, 2);
NORETURN void postconf_fatal(const char *fmt, ...) PRINTF(1, 2);

#endif
