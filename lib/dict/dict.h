/* dict.h -- lookup tables: type:name, one file and one row in dict_types[] for each type.
 *
 * Local tables are read in this process and opened again when they changed; tables behind
 * a server (SQL, LDAP, tcp: ...) are asked through another process, which switches. An
 * error is not "not found": the caller defers.
 *
 * Opening BLOCKS, and so do look-ups in unix: where users come from a directory service.
 * pcre: and regexp: look-ups need a large stack: up to some 30 KB in PCRE2, and as much
 * as the key is long in regexec(), which is libc's and keeps its states there. Patterns
 * are the administrator's, keys are anybody's: bound their length. */
#ifndef DICT_H
#define DICT_H

#include "base.h"
#include "conf.h"
#include "net.h"

enum dict_result { DICT_FOUND, DICT_NOTFOUND, DICT_ERROR };
enum dict_flags {
	DICT_FOLD = 1,      /* fold keys to lower case (fixed-key tables) */
	DICT_NO_REGSUB = 2, /* no $1 in results */
	DICT_NO_PROXY =
		4, /* nothing is allowed by proxy_read_maps (local's alias_maps) */
	DICT_PARENT_DOT = 8, /* parent domains with a leading dot */
	DICT_BYTES = 16, /* patterns see bytes, not UTF-8 text: header and body checks */
	DICT_PASSWORDS = 32, /* daemons ask proxymap, whatever the type: parameters with
				.passwords in parameters.def */
};
struct dict;
/* spec: "hash:/etc/aliases". Opens now (before the jail). A table that cannot be opened
 * gives a dict whose look-ups fail with DICT_ERROR and its own reason, as in Postfix;
 * NULL only for an unknown type or syntax. *why tells in both cases (why->code empty: all
 * well). */
struct dict *dict_open(
	struct str spec, unsigned flags, const struct conf *c, struct why *why);
void dict_close(struct dict *d);
struct str dict_spec(const struct dict *d);
/* The value is in arena. *why is filled in with DICT_ERROR. */
SWITCHES enum dict_result dict_lookup(struct dict *d, struct str key, struct arena *arena,
	struct str *value, struct why *why);
/* Is the type keyed by patterns (pcre, regexp, cidr, tcp): asked with the whole key only?
 */
bool dict_is_pattern(const struct dict *d);
/* True when a file below was replaced or changed since it was opened, and nobody is in a
 * look-up. dict_reopen opens it again; false when it cannot, but a fresh process may (the
 * worker then retires). */
bool dict_changed(const struct dict *d);
bool dict_reopen(struct dict *d);
/* The same for the tables of all maps and match lists that this process has open, at most
 * once a second: a changed one is used from the next request on. */
bool dict_renew(void);
/* Whatever is open of this table, without proxy: in front, counts as changed. */
void dict_must_reopen(struct str spec);
/* Who owns the file below, as it was opened: as whom its commands run (local). 0 for
 * tables that are no file of ours: the administrator's. */
uid_t dict_owner(const struct dict *d);
/* Walks a table's entries (postmap -s): fn returns false to stop. -1: type cannot. */
int dict_each(struct dict *d, bool (*fn)(struct str key, struct str value, void *arg),
	void *arg);

struct dict_type {
	const char *name;
	bool pattern;
	bool builds; /* postmap can make it */
};
const struct dict_type *dict_type_list(size_t *n); /* sorted; postconf -m */
/* Calls fn with each file or directory that the tables in `spec` read: Landlock rules. */
void dict_paths(struct str spec, void (*fn)(const char *path, void *arg), void *arg);

/* Is it in proxy_read_maps? The spec without proxy: in front. */
bool dict_is_approved(struct str spec, const struct conf *c);
/* May the table be written to? Named with proxy:, it has to be in proxy_write_maps. */
bool dict_may_write(struct str spec, const struct conf *c);

/* How daemons ask tables behind a server, which only proxymap may connect to. NULL in
 * proxymap itself and in commands: they ask the server. Other tables are local, also with
 * proxy: in front. proxied: it was named with proxy:, and has to be in proxy_read_maps; a
 * local one, too, or its look-ups fail. */
extern SWITCHES enum dict_result (*dict_proxy_ask)(struct str table, bool proxied,
	struct str key, struct arena *arena, struct str *value, struct why *why);
/* Calls fn with each table that a parameter's value names; those behind a server only. */
void dict_each_named(
	struct str text, void (*fn)(struct str spec, bool proxied, void *arg), void *arg);
void dict_each_remote(
	struct str text, void (*fn)(struct str spec, bool proxied, void *arg), void *arg);
/* Does a look-up in one of these tables switch? */
bool dict_may_switch(struct str text);
/* What the table itself names, beyond dict_paths(): the file of a database. */
void dict_more_paths(struct dict *d, void (*fn)(const char *path, void *arg), void *arg);

/* ---- building (postmap, postalias) ---- */
struct dict_builder;
struct dict_builder *dict_build(struct str spec, mode_t mode, struct why *why);
/* A NUL behind keys and values, or none: postmap -N and -n. Otherwise what Postfix does
 * for the type. Before the first entry. */
void dict_build_nul(struct dict_builder *b, bool nul);
/* 0 stored, 1 duplicate key (not stored), -1 *why. */
int dict_build_add(struct dict_builder *b, struct str key, struct str value, bool replace,
	struct why *why);
/* Can dict_build_change() change tables of that type? */
bool dict_build_changes(struct str spec);
/* Changes a table that is there: entries are added and removed, the rest stays. NULL with
 * errno ENOENT when there is none. */
struct dict_builder *dict_build_change(struct str spec, struct why *why);
/* 0 removed, 1 not there, -1 *why. Only after dict_build_change(). */
int dict_build_remove(struct dict_builder *b, struct str key, struct why *why);
int dict_build_finish(struct dict_builder *b, struct why *why); /* renames into place */
void dict_build_abort(struct dict_builder *b);

/* ---- maps: an ordered list of tables, as most parameters hold ---- */
struct maps;
/* Never NULL; tables that cannot be opened log a warning and fail their look-ups. */
struct maps *maps_open(
	const char *parameter, struct str value, unsigned flags, const struct conf *c);
void maps_close(struct maps *m);
bool maps_empty(const struct maps *m);
/* Walks the tables that can be walked. */
void maps_each(struct maps *m, bool (*fn)(struct str key, struct str value, void *arg),
	void *arg);
SWITCHES enum dict_result maps_find(struct maps *m, struct str key, struct arena *arena,
	struct str *value, struct why *why);
/* The same, and whose table it was found in (dict_owner). */
SWITCHES enum dict_result maps_find_owned(struct maps *m, struct str key,
	struct arena *arena, struct str *value, uid_t *owner, struct why *why);
/* Address look-up orders of contract 5.2. Steps are tried in this order. */
enum {
	FIND_FULL = 1,        /* user+ext@domain, then without the extension */
	FIND_USER = 2,        /* user+ext, user: only where `local_domain` says so */
	FIND_DOMAIN = 4,      /* @domain */
	FIND_BARE_DOMAIN = 8, /* domain, then its parents */
	FIND_USER_AT = 16,    /* user@ (access tables) */
};
/* extension is what was cut off the user for the key that was found (or none): a view of
 * the address, with its delimiter in front. */
SWITCHES enum dict_result maps_find_address(struct maps *m, struct str address,
	struct str delimiters, unsigned steps, bool local_domain, struct arena *arena,
	struct str *value, struct str *extension, struct why *why);
/* A host or domain name and its parents: key forms by parent_domain_matches_subdomains.
 */
SWITCHES enum dict_result maps_find_domain(struct maps *m, struct str domain,
	bool dot_parents, struct arena *arena, struct str *value, struct why *why);

/* ---- match lists: mydestination, mynetworks, relay_domains ... (contract 1.3) ---- */
struct match_list;
struct match_list *match_list_open(const char *parameter, struct str value,
	bool parent_matches, const struct conf *c);
/* Is the parameter one of parent_domain_matches_subdomains: parent_matches above? */
bool match_parents(const struct conf *c, const char *parameter);
void match_list_close(struct match_list *l);
/* DICT_FOUND: matches. match_domain: the name or, by the rules of the list, a parent;
 * match_string: the whole only (mydestination, virtual_*_domains, debug words);
 * match_client: name with parents, then the address. */
SWITCHES enum dict_result match_domain(
	struct match_list *l, struct str name, struct why *why);
SWITCHES enum dict_result match_client(struct match_list *l, struct str name,
	const struct net_addr *addr, struct why *why);
SWITCHES enum dict_result match_string(
	struct match_list *l, struct str s, struct why *why);

#endif
