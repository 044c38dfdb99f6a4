/* conf.h -- main.cf and master.cf: the table of parameters, the typed values, the
 * services.
 *
 * parameters.def is the one table: every name that Postfix 3.12 knows and ours, with
 * type, default, bounds and whether we honour it. struct params has one typed field for
 * each of them, filled in by conf_load with -o overrides applied. */
#ifndef CONF_H
#define CONF_H

#include "base.h"

/* Types: BOOL bool, INT int, LONG int64_t, TIME msec_t, STRING struct str (expanded), RAW
 * struct str (not expanded). An expression in a BOOL, INT or TIME is evaluated first
 * (Postfix's nbool, nint, ntime). REMOVED: known, has no field. */
struct params {
#define PARAM_BOOL(name)   bool name;
#define PARAM_INT(name)    int name;
#define PARAM_LONG(name)   int64_t name;
#define PARAM_TIME(name)   msec_t name;
#define PARAM_STRING(name) struct str name;
#define PARAM_RAW(name)    struct str name;
#define PARAM_REMOVED(name)
#define PARAM(name, type, ...) PARAM_##type(name)
/* 2bounce_notice_recipient is no C name: its field is x_2bounce_notice_recipient. */
#define PARAM_AS(field, name, type, ...) PARAM_##type(field)
#include "parameters.def"
};

struct conf {
	struct params p;
	struct str directory; /* config_directory */
	struct str service;   /* $service_name this was loaded for, or none */
	struct arena *arena;  /* owns every string here */
	struct conf_values *values;
};

/* A mistake or a warning in a file: file and line are set when known. */
struct conf_issue {
	bool fatal;
	struct str file;
	int line;
	struct str parameter;
	struct str text;   /* as Postfix words it, complete: "fatal: bad numerical ..."
			      without label */
	struct str remedy; /* what to do, for postern check; may be empty */
};
struct conf_issues {
	VEC(struct conf_issue) list;
	struct arena *arena;
};
/* An issue can be found anywhere: file, parameter and remedy may be STR_NONE, line 0. */
void conf_issue(struct conf_issues *is, bool fatal, struct str file, int line,
	struct str parameter, const char *remedy, const char *fmt, ...) PRINTF(7, 8);
bool conf_issues_fatal(const struct conf_issues *is);
void conf_issues_init(struct conf_issues *is);
void conf_issues_free(struct conf_issues *is);
/* In words: "FILE, line N: TEXT; REMEDY", behind what out holds. */
void conf_issue_show(const struct conf_issue *issue, struct buf *out);
/* All of them into the log as errors and warnings, or the mistakes only. */
void conf_issues_log(const struct conf_issues *is);
void conf_issues_log_fatal(const struct conf_issues *is);
/* The same, and the program ends: one of them at least is fatal. */
NORETURN void conf_issues_die(const struct conf_issues *is);

/* Reads DIR/main.cf. overrides: "name=value" as of -o, later ones win; service gives
 * $service_name. Returns NULL when something in `issues` is fatal. BLOCKS. */
struct conf *conf_load(const char *directory, struct str service,
	const struct strs *overrides, struct conf_issues *issues) MUST_CHECK;
/* For programs that cannot do without: mistakes are logged, all of them, and end it. */
struct conf *conf_must_load(
	const char *directory, struct str service, const struct strs *overrides);
void conf_free(struct conf *c);
/* -c, MAIL_CONFIG, or the built-in default. */
const char *conf_directory(const char *option);
/* The parameters that begin with `to` take the values of those that begin with `from` and
 * go on in the same way: one program, two names. */
void conf_adopt(struct conf *c, const char *from, const char *to);
/* Any parameter by name, expanded (user-defined ones too). STR_NONE when unknown. */
struct str conf_value(const struct conf *c, const char *name);
/* <transport>_suffix with its default_ fall-back (contract 2.1, parameters.tsv patterns):
 * conf_transport_int(c, "smtp", "destination_concurrency_limit"). */
int64_t conf_transport_int(
	const struct conf *c, struct str transport, const char *suffix);
msec_t conf_transport_time(
	const struct conf *c, struct str transport, const char *suffix);
struct str conf_transport_str(
	const struct conf *c, struct str transport, const char *suffix);
/* Expands $name and ${...} in text with the values of c (contract 1.2). -1 and *why. */
int conf_expand(const struct conf *c, struct str text, struct arena *a, struct str *out,
	struct why *why) MUST_CHECK;
/* The same with somebody else's names (mailbox_command, luser_relay, forward_path ...).
 */
int conf_expand_with(struct str text, struct str (*get)(struct str name, void *arg),
	void *arg, struct arena *a, struct str *out, struct why *why) MUST_CHECK;
/* Items of a list parameter: separated by commas and blanks, { } kept together (braces
 * and edge blanks dropped; see conf_item_is_braced callers) (contract 1.3). */
struct strs conf_list(struct str value, struct arena *a);
/* A name of known_tcp_ports as its number; other names and numbers as they are. The view
 * is good as long as c or service is. */
struct str conf_tcp_port(const struct conf *c, struct str service);
/* Seconds etc.: "10s", default unit when none is given ('s', 'd' ...). -1 on junk. */
int conf_time(struct str text, char unit, msec_t *out) MUST_CHECK;
/* The same, or seconds with up to three decimals ("0.25s"): rate delays. */
int conf_time_fine(struct str text, char unit, msec_t *out) MUST_CHECK;

/* ---- the settings as written, for postconf and checks ---- */

/* As conf_load, but values are neither checked nor put into p. Without a directory: the
 * defaults only. */
struct conf *conf_open(const char *directory, struct str service,
	const struct strs *overrides, struct conf_issues *issues) MUST_CHECK;
struct conf_setting {
	struct str name;
	struct str text;                /* continuation lines joined, not expanded */
	struct str file;                /* empty: -o */
	int line;                       /* of the name; 0: -o */
	const struct param_info *param; /* NULL: a user's own */
};
/* What main.cf and overrides set, each name once, in order of appearance. *at starts at
 * 0; NULL at the end. config_directory is always among them. */
const struct conf_setting *conf_next_setting(const struct conf *c, size_t *at);
/* NULL: neither main.cf nor -o sets it. */
const struct conf_setting *conf_setting(const struct conf *c, struct str name);
/* Not expanded: the setting, or the default. STR_NONE when nothing defines the name. */
struct str conf_text(const struct conf *c, struct str name);
/* Calls fn with each name that a value refers to with $. */
void conf_names(struct str text, void (*fn)(struct str name, void *arg), void *arg);

/* Warnings for the log of master and `postern check`: settings that have no effect yet
 * (known, not honoured) or no more (obsolete, tier 4); names that are deprecated or were
 * removed. Unknown names are the user's own and say nothing. */
void conf_warn_unhonoured(const struct conf *c, struct conf_issues *issues);
void conf_warn_deprecated(const struct conf *c, struct conf_issues *issues);

/* The table, for postconf and documentation. */
enum param_type { PT_BOOL, PT_INT, PT_LONG, PT_TIME, PT_STRING, PT_RAW, PT_REMOVED };
struct param_info {
	const char *name;
	enum param_type type;
	const char *preset; /* main.cf text; may name other parameters. NULL: removed */
	const char *least, *most; /* bounds, or "nonempty", or NULL */
	const char *words;        /* what a value is made of; NULL: anything */
	const char *used_by;      /* readers: "smtpd,cleanup"; NULL: none */
	unsigned char tier;
	bool honoured;     /* setting it has its effect today */
	const char *since; /* honoured since this release; NULL: the first */
	bool ours;         /* not one of Postfix's */
	bool passwords;    /* tables of passwords: only proxymap reads them */
	bool site;         /* without a setting computed on this host; preset is "" */
	bool legacy; /* only its successor's default reads it; not shown unless set */
	bool service_defined; /* belongs to a delivery service of the default master.cf */
	/* Deprecated or removed: specify this instead; "" leave it alone. NULL: neither.
	 */
	const char *successor;
};
const struct param_info *conf_params(size_t *n); /* sorted by name */
const struct param_info *conf_param(struct str name);
/* <transport>_ and these names exist for each delivery service (patterns.def); used_by
 * tells for which: "qmgr" all, "pipe,spawn" those programs. */
const struct param_info *conf_patterns(size_t *n);

/* ---- match lists (contract 1.3): patterns, type:table, /file, !item ---- */
/* In lib/dict: needs tables. */

/* ---- master.cf (contract 2) ---- */
enum service_type {
	SERVICE_INET,
	SERVICE_UNIX,
	SERVICE_UNIX_DGRAM,
	SERVICE_FIFO,
	SERVICE_PASS
};
enum { SERVICE_TYPES = SERVICE_PASS + 1 };
extern const char *const service_types[SERVICE_TYPES]; /* as master.cf names them */
struct service_line {
	struct str name;
	enum service_type type;
	bool private_, unprivileged, chroot;
	int wakeup;            /* seconds; 0 never */
	bool wakeup_when_used; /* "n?" */
	int maxproc;           /* -1: "-"; 0: no limit */
	struct str command;    /* the program */
	struct strs args;      /* after splitting; -o not yet taken out */
	struct strs overrides; /* "name=value" of each -o */
	int verbose;
	int line;
	bool built_in; /* not from the file */
};
struct master_conf {
	VEC(struct service_line) services;
	struct str text; /* the file */
	struct arena *arena;
};
/* Reads DIR/master.cf. NULL and issues when it is bad. */
struct master_conf *master_conf_load(const char *directory, const struct conf *c,
	struct conf_issues *issues) MUST_CHECK;
void master_conf_free(struct master_conf *m);
/* ---- what was accepted (accepted.c) ---- */
/* Both files as one text, behind what out holds. c was loaded without overrides. */
void conf_accepted_write(
	const struct conf *c, const struct master_conf *services, struct buf *out);
/* From now on this process goes by such a text instead of the files, however they have
 * changed. It stays the caller's, and has to stay until the next call. -1: it is of
 * another format, and nothing has changed. */
int conf_accepted_use(struct str text) MUST_CHECK;
/* The files are read again. */
void conf_accepted_drop(void);

/* Whether people mean this service by "name", "name/type" as in postconf -M, or the name
 * of its program. */
bool service_line_is(const struct service_line *s, struct str name);
/* What the program is started with, a NULL at the end. Postfix's order: -n, -t, -u, -c,
 * then the line's own arguments. */
char **service_line_argv(const struct service_line *s, struct arena *a);
/* As conf_warn_unhonoured, for the -o settings of the services. */
void master_conf_warn(
	const struct master_conf *m, const char *directory, struct conf_issues *issues);
/* Who does the work of a program of Postfix that is none of ours; NULL: it is one. */
const char *conf_folded(struct str program);
/* For a process that reads main.cf again in its jail: this host's interfaces, as they are
 * now, make the default of mynetworks then; names in inet_interfaces do not. */
void conf_enter_jail(void);
/* 3.6 -> level comparisons of compatibility_level. */
bool conf_level_at_least(const struct conf *c, const char *level);

/* Built-in places, from configure. */
extern const char conf_default_directory[], conf_mail_version[], conf_mail_name[];

#endif
