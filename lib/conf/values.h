/* values.h -- what main.cf, -o and the defaults say, before types. */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include "conf.h"
#include "expand.h"

/* One name: of the table, or a user's own. */
struct entry {
	struct conf_setting said; /* what main.cf or -o says; text.data NULL: nothing */
	struct str preset;        /* what holds otherwise; STR_NONE: nothing */
	struct str value;         /* expanded, when done */
	bool done;
	bool broken;    /* cannot be expanded: empty for those who ask by name */
	bool from_file; /* value is the first line of the file that was named */
};

struct set_entry {
	struct entry *entry;
};

struct conf_values {
	struct arena *arena;
	struct entry *known; /* by number in the table */
	size_t n_known;
	struct map *own;             /* name -> struct entry *: user-defined */
	VEC(struct set_entry) order; /* what was set */
	struct expander expander;
	bool read_files; /* myorigin = /etc/mailname means the file's first line */
};

struct conf_values *values_new(struct arena *a) MUST_CHECK;
void values_free(struct conf_values *v);
/* Sets a name; both strings are copied. Gives what was set before, or STR_NONE. */
struct str values_set(struct conf_values *v, struct str name, struct str text,
	struct str file, int line);
/* NULL: nothing defines it. */
struct entry *values_find(const struct conf_values *v, struct str name);
/* The text that holds, unexpanded. */
struct str values_text(struct conf_values *v, struct entry *e);
/* Expands (once). -1 and *why. */
int values_eval(struct conf_values *v, struct entry *e, struct str *out, struct why *why)
	MUST_CHECK;

/* main.cf and -o into v; issues tell what is wrong. False when something is fatal. */
bool main_cf_read(
	struct conf_values *v, const char *directory, struct conf_issues *issues);
bool overrides_read(
	struct conf_values *v, const struct strs *o, struct conf_issues *issues);
/* Takes "name = value" apart. NULL, or what is missing in Postfix's words. */
const char *name_and_value(struct str line, struct str *name, struct str *value);

/* accepted.c: what stands in place of the files; false: nothing does. */
bool accepted_settings(struct conf_values *v);
bool accepted_services(struct str *text); /* master.cf */

/* site.c: the default of a parameter that depends on this host, as main.cf text. */
struct str site_preset(struct conf_values *v, const char *name);
/* First line of a file, without blanks around it. -1 and errno. */
int first_line(const char *path, struct arena *a, struct str *out) MUST_CHECK;

#endif
