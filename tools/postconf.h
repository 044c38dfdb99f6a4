/* postconf.h -- what the parts of postconf(1) share. */
#ifndef POSTCONF_H
#define POSTCONF_H

#include "conf.h"

struct postconf_options {
	const char *directory;
	bool defaults;         /* -d */
	bool set_only;         /* -n */
	bool no_names;         /* -h */
	bool names_only;       /* -H */
	bool expand;           /* -x */
	bool fold;             /* -f */
	bool quiet;            /* -q */
	unsigned classes;      /* -C: bits of enum name_class */
	struct strs overrides; /* -o */
	struct strs arguments;
};

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
enum { COLUMNS = 8, COLUMN_NAME = 0, COLUMN_TYPE = 1, COLUMN_COMMAND = 7 };
struct service_row {
	struct str column[COLUMNS];
	struct strs args;
	struct strs overrides;
};
struct service_rows {
	VEC(struct service_row) list;
	struct str path;
	bool missing; /* there is no such file */
};
/* Complains on stderr of a mistake and exits, as Postfix. */
void rows_read(struct service_rows *rows, const char *directory, struct arena *a);
void rows_print(const struct service_rows *rows, const struct postconf_options *o);

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
	size_t column;
	bool fresh;  /* nothing is in it but blanks */
	size_t most; /* fold behind this column; 0: do not */
};
enum { FOLD_MAIN_CF = 80, FOLD_MASTER_CF = 79 };
void line_add(struct line *l, struct str text);
void line_add_word(struct line *l, struct str word); /* blanks in it are kept */
void line_break(struct line *l);
void line_end(struct line *l);

/* "postconf: warning: ..." and "postconf: fatal: ..." (exit 1). */
void postconf_warn(const char *fmt, ...) PRINTF(1, 2);
NORETURN void postconf_fatal(const char *fmt, ...) PRINTF(1, 2);

#endif
