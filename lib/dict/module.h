/* module.h -- what a module is: a shared object for one client library of a database,
 * which is loaded where a table of its type is used, so that nobody else needs the
 * library. It knows its library and nothing of ours but this file; the library's types
 * stay in it.
 *
 * Everything but start() BLOCKS and is called in helper threads, a link in one at a time.
 * A module neither logs nor ends the process; it keeps to time limits of its own. */
#ifndef TABLE_MODULE_H
#define TABLE_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_MODULE_VERSION 1

struct table_setting {
	const char *name,
		*preset; /* of the table's file; preset NULL: it must be there */
};

/* Takes one value of the answer; false: no more are wanted. */
typedef bool table_value(void *arg, const char *text, size_t len);

struct table_module {
	unsigned version;
	const struct table_setting *settings; /* a NULL name at the end */
	void (*start)(void); /* once, before the first thread; may be NULL */
	/* values: of the settings, in their order. NULL and a text in error. */
	void *(*connect)(
		const char *const *values, const char *host, char *error, size_t room);
	void (*close)(void *link);
	/* Writes the text so that it cannot become part of the question; out has room for
	 * three times its length. The length, or (size_t)-1: not in this encoding. */
	size_t (*quote)(void *link, char *out, const char *text, size_t len);
	/* 0; -1, a text in error, and *lost when the link is of no more use. base: LDAP's
	 * place to begin at, "" elsewhere. */
	int (*ask)(void *link, const char *base, const char *question, table_value *value,
		void *arg, char *error, size_t room, bool *lost);
};
/* The one symbol of a module. */
#define TABLE_MODULE_SYMBOL "postern_table_module"
extern const struct table_module postern_table_module;

#endif
