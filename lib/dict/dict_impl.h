/* dict_impl.h -- what a table type is made of. Inside lib/dict only.
 *
 * A type is one file with one `const struct dict_ops` and one row in dict.c. Foreign
 * libraries' types stay in that file: state is a bare pointer here. */
#ifndef DICT_IMPL_H
#define DICT_IMPL_H

#include "dict.h"
#include <sys/stat.h>

/* Which file was opened: its identity and how it looked then. */
struct stamp {
	bool known; /* there is a file */
	struct stat seen;
	struct stat writing; /* being written in place: how it looked at the last check */
	deadline_t next;     /* the file is not asked about again before this */
	bool changed;        /* what it said last */
};

struct dict {
	const struct dict_ops *ops;
	struct str spec;  /* "hash:/etc/aliases" */
	const char *name; /* "/etc/aliases" */
	const char *file; /* watched for changes; NULL: the table is no file */
	unsigned flags;
	bool proxied;            /* dict_proxy: named with proxy: */
	const struct conf *conf; /* may be NULL (tests, commands) */
	void *state;             /* the type's own; NULL: could not be opened */
	struct why broken;       /* then this is why */
	uint64_t opened;         /* dict_told_calls at that time */
	unsigned users;          /* look-ups under way: it stays as it is */
	struct stamp *stamp;
	struct arena *arena;
};

/* What a builder does below; state is the type's own. finish and abort free it. Keys and
 * values come with the NUL behind them when they shall have one. */
struct build_ops {
	bool nul; /* they have one by default, as Postfix writes this type */
	/* path: the file to write. fresh: it exists and is empty; otherwise it holds a
	 * table of this type that is to be changed. */
	void *(*start)(const char *path, bool fresh, struct why *why);
	int (*add)(void *state, struct str key, struct str value, bool replace,
		struct why *why);
	/* 0 removed, 1 not there. NULL: the type cannot change a table. */
	int (*remove)(void *state, struct str key, struct why *why);
	int (*finish)(void *state, struct why *why);
	void (*abort)(void *state);
};

struct dict_ops {
	struct dict_type type;
	bool remote; /* behind a server: daemons ask it through proxymap */
	bool module; /* of a client library, which is loaded when it is used */
	/* Behind the name of the file that is read; NULL: the table is no file. */
	const char *suffix;
	/* The library sees changes within the file itself: only a replaced one is opened
	 * again. */
	bool sees_changes;
	/* Returns state, or NULL and *why. *seen is the file as it was opened. */
	void *(*open)(struct dict *d, struct stamp *stamp, struct why *why);
	void (*close)(void *state);
	SWITCHES enum dict_result (*find)(struct dict *d, struct str key,
		struct arena *arena, struct str *value, struct why *why);
	int (*each)(
		struct dict *d, bool (*fn)(struct str, struct str, void *), void *arg);
	/* Tables that consist of tables. */
	bool (*inner_changed)(const void *state);
	/* Does any of them have fixed keys? Then keys are folded for all. */
	bool (*inner_fixed)(const void *state);
	/* Landlock paths, where they are not the file of `suffix`. */
	void (*paths)(struct str name, void (*fn)(const char *, void *), void *arg);
	/* dict_more_paths() */
	void (*more_paths)(struct dict *d, void (*fn)(const char *, void *), void *arg);
	const struct build_ops *build;
};

extern const struct dict_ops dict_btree, dict_cdb, dict_cidr, dict_debug, dict_environ,
	dict_fail, dict_hash, dict_inline, dict_internal, dict_ldap, dict_lmdb,
	dict_memcache, dict_mysql, dict_pcre, dict_pgsql, dict_pipemap, dict_proxy,
	dict_randmap, dict_redis, dict_regexp, dict_socketmap, dict_sqlite, dict_static,
	dict_tcp, dict_texthash, dict_unionmap, dict_unix;

/* The row of a type; NULL: there is none, or it is not built in. */
const struct dict_ops *dict_ops_find(struct str type);
/* Splits "type:name" and finds the row. NULL and *why, worded as Postfix does. */
const struct dict_ops *dict_ops_of(struct str spec, struct str *name, struct why *why);

/* Is it asked by fixed keys, which DICT_FOLD folds? */
bool dict_has_fixed_keys(const struct dict *d);
/* The configuration error every type reports: 4.3.5. */
void *dict_fails(struct why *why, const char *fmt, ...) PRINTF(2, 3);
/* "open PATH: No such file or directory" */
void *dict_fails_errno(struct why *why, const char *what, const char *path);
/* The tables that changed; d may be NULL. False when one could not be opened again. */
bool dict_renew_one(struct dict *d);
bool maps_renew_all(void);
bool match_lists_renew_all(void);
/* told.c */
extern uint64_t dict_told_calls;         /* of dict_must_reopen(), so far */
bool dict_is_told(const struct dict *d); /* one of them since it was opened */
struct str dict_without_proxy(struct str spec);
/* Tells `postern explain` of a look-up for a parameter. value counts when it was found,
 * why when there was an error; table STR_NONE: in a list of names. */
void dict_explain(const char *parameter, struct str table, struct str key,
	enum dict_result got, const struct str *value, const struct why *why);
/* Remembers what fd is. */
void stamp_take(struct stamp *s, int fd);

/* Is the text between braces that belong together: "{a, {b}}"? Gives what is inside. */
bool braces_strip(struct str text, struct str *inside);
/* The next item of a list with commas and blanks, braces kept together and on:
 * "{a = b}". False at the end; *why is set when braces are not closed. */
bool braces_item(struct str *rest, struct str *item, struct why *why);

#endif
