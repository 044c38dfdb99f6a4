/* local.h -- one recipient on its way through aliases and .forward files to mailboxes,
 * commands and other addresses. */
#ifndef LOCAL_H
#define LOCAL_H

#include "agent.h"
#include "dict.h"

/* Aliases name aliases, so deep and no deeper; :include: files likewise. */
#define EXPANSION_MOST 50

/* A user of this machine, or the rights that commands and files of an alias have. */
struct user {
	struct str name, home, shell;
	uid_t uid;
	gid_t gid;
};

/* Where an address, a command or a file name stands: allow_mail_to_commands asks. */
enum source { FROM_MESSAGE, FROM_ALIAS, FROM_FORWARD, FROM_INCLUDE };

/* What is known on the way; each step down has its own copy. */
struct context {
	enum source source;
	const struct user *as; /* whose rights commands and files have from here on */
	struct str address;    /* the one that is being delivered, and its parts */
	struct str local, user, extension, domain;
	struct str delivered; /* what Delivered-To: says */
	struct str sender;    /* envelope sender of what comes out here */
	bool owned;           /* an owner- alias made it so */
	bool apart;  /* of such a list: with reset_owner_alias not of one in it */
	bool listed; /* a member of an :include: list of an alias */
	struct str expanding; /* the alias or user just expanded: not again at once */
	struct str forwarder; /* the user whose .forward file it is, or none */
	struct str sent_by;   /* the same behind aliases, too */
	struct str unmatched; /* extension that goes on to what is in the list */
	int depth;
};

struct forwarded {
	struct str address, sender;
	struct str delivered; /* what Delivered-To: says of where it has been */
	bool owned;           /* the sender is a list's owner */
};

/* One recipient of a delivery, and everything it became. */
struct recipient {
	struct delivery *d;
	size_t index;     /* in d->envelope.rcpts */
	struct map *seen; /* what was done already: once each */
	VEC(struct forwarded)
	forward; /* submitted as new mail at the end */
	/* What an alias or .forward file made of it, the first on the way. A list with an
	 * owner is a new sender's affair: its members are told of to him (RFC 3461
	 * section 5.2.7.3).
	 */
	enum { NOT_EXPANDED, EXPANDED, EXPANDED_LIST } expansion;
	bool of_owner; /* what is done now is for a list that has one, and for nobody else
			*/
	struct str pass_to;   /* transport that takes it all, or none */
	unsigned deferrals;   /* so far */
	enum verdict verdict; /* the worst so far; TEMPFAIL beats PERMFAIL */
	struct why why;
};

/* ---- main.c ---- */
/* Writes down how one part of the delivery ended, in the log and in *r. */
void recipient_ended(struct recipient *r, struct str address, enum verdict verdict,
	const char *code, const char *fmt, ...) PRINTF(5, 6);
SWITCHES void recipient_follow(struct recipient *r);
/* Was this done for this message before? Notes it. */
bool been_here(struct recipient *r, const char *fmt, ...) PRINTF(2, 3);
/* A local name, wherever it came from: *c says from where, name is its local part. */
SWITCHES void name_deliver(
	struct recipient *r, const struct context *c, struct str name, struct str domain);
bool list_has(struct str list, const char *word);
/* c->address is an alias or has a .forward file, and *c is for what comes out; or it is a
 * user with a mailbox. */
void context_reached(const struct recipient *r, struct context *c);

/* ---- alias.c ---- */
/* ACCEPT when c->local was an alias and its targets were handled; PERMFAIL when it is
 * none; TEMPFAIL when a table failed (recorded). */
SWITCHES enum verdict alias_deliver(struct recipient *r, const struct context *c);

/* ---- items.c: what aliases, .forward files and lists are made of ---- */
enum item_kind { ITEM_ADDRESS, ITEM_COMMAND, ITEM_FILE, ITEM_INCLUDE };
struct item {
	enum item_kind kind;
	struct str text; /* an address, or what follows | and :include: */
	bool ends_line;  /* of a file */
};
struct items {
	VEC(struct item) list;
};
/* Adds the items of a value or of one line (aliases(5)). */
void items_parse(struct str text, struct arena *a, struct items *out);
/* The same for a file: lines that begin with # are comments, a line that begins with a
 * blank goes on with the one before. */
void items_parse_file(struct str text, struct arena *a, struct items *out);
void items_free(struct items *l);

/* ---- target.c ---- */
SWITCHES void items_deliver(
	struct recipient *r, const struct context *c, const struct items *l);
void forward_to(struct recipient *r, const struct context *c, struct str address);

/* ---- forward_file.c ---- */
/* Did the user's .forward file say where his mail goes? TEMPFAIL: it could not be asked
 * (recorded); PERMFAIL: there is none. */
SWITCHES enum verdict forward_file_deliver(
	struct recipient *r, const struct context *c, const struct user *u);

/* ---- user.c ---- */
/* ACCEPT, PERMFAIL 5.1.1, TEMPFAIL. name empty: by uid. */
SWITCHES enum verdict user_find(struct recipient *r, struct str name, uid_t uid,
	struct user *out, struct why *why);
SWITCHES void user_deliver(struct recipient *r, const struct context *c);

/* ---- mailbox.c: the ends ---- */
SWITCHES void command_deliver(struct recipient *r, const struct context *c,
	const struct user *as, struct str command);
SWITCHES void file_deliver(struct recipient *r, const struct context *c,
	const struct user *as, struct str path);
SWITCHES void mailbox_deliver(
	struct recipient *r, const struct context *c, const struct user *u);

/* ---- expand.c ---- */
/* Replaces $user, $home ... in a parameter; characters that are not in filter (none: all
 * are) become _. -1: the parameter is wrong; it was logged. */
int local_expand(const char *parameter, struct str text, const struct context *c,
	const struct user *u, struct str filter, struct arena *a, struct str *out)
	MUST_CHECK;
/* The same for one value. */
struct str censored(struct str value, struct str filter, struct arena *a);

/* ---- forward.c: submits what goes elsewhere ---- */
SWITCHES void forward_send(struct recipient *r);
/* Takes those that have one sender and one mark, and are not taken yet, into some, which
 * has room for all of r->forward. 0: none is left. */
size_t forward_group(struct recipient *r, struct forwarded *some) MUST_CHECK;
/* The envelope of new mail to n addresses that have one sender; "" is its queue id. */
void forward_envelope(struct recipient *r, const char *queue_id,
	const struct forwarded *to, size_t n, struct envelope *e);

/* ---- explain.c: struct service's explain ---- */
SWITCHES void local_explain(const struct explain_request *ask, struct explain_reply *say,
	struct arena *arena);

/* Opened at start. */
struct local_tables {
	struct maps *alias, *mailbox_transport, *mailbox_command, *fallback_transport;
	struct maps *quota;
};
extern struct local_tables tables;
extern struct route *local_route;
extern struct user default_user; /* default_privs */
extern struct user list_reader;  /* mail_owner: reads lists that root's aliases name */

#endif
