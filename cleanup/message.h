/* message.h -- a message in cleanup's hands, and the steps it passes. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base.h"
#include "dict.h"
#include "ipc.h"
#include "messages.h"
#include "parts.h"
#include "route.h"

/* A content that outgrows this is streamed to spool, which gives it a file of its own. */
#define CONTENT_KEPT ((size_t)512 * 1024)
/* All messages in hand together; when they need more, streaming begins earlier. */
#define CONTENT_KEPT_TOGETHER ((size_t)128 * 1024 * 1024)

struct message {
	struct ipc_request *rq;
	const struct conf *conf;
	struct arena *arena;
	struct submit_request ask;
	struct envelope envelope; /* as submitted, but its recipients are in `rcpts` */
	VEC(struct rcpt) rcpts;
	struct parts parts;
	struct buf replaced;         /* a piece of content whose stray CRs are blanks */
	struct buf content;          /* finished bytes that did not leave yet */
	octets_t size;               /* of all finished bytes */
	bool mid_line;               /* the last of them is no line end */
	struct ipc_stream *to_spool; /* once the content outgrew what we keep */
	char queue_id[32];
	/* What the checks said. */
	bool checked;   /* they still look */
	bool discarded; /* taken, and forgotten */
	bool verbatim;  /* why.text is the site's own */
	struct str redirect, filter;
	VEC(struct str) late_copies;
	struct buf body_line; /* in pieces */
	octets_t body_seen;   /* of this part */
	/* What the header steps saw. */
	VEC(struct str) attributes; /* of the envelope */
	size_t delivered;           /* how many of them say where it was before */
	unsigned received;
	bool has_from, has_date, has_message_id, has_recipient;
	bool resent, has_resent_from, has_resent_date, has_resent_message_id;
	/* The first thing that went wrong; the rest of the content is then only skipped.
	 */
	enum verdict verdict;
	struct why why;
	uint16_t smtp_code;
};

/* More Delivered-To: fields than this are not counted: hopcount_limit stops such mail. */
#define DELIVERED_MOST 100

/* Where an address stands: *_classes choose among these. */
enum address_place {
	ENVELOPE_SENDER = 1,
	ENVELOPE_RECIPIENT = 2,
	HEADER_SENDER = 4,
	HEADER_RECIPIENT = 8,
};

/* What a step says about a header field; it may also put another text into it, which
 * lives as long as the message. */
enum field_fate { FIELD_KEEP, FIELD_DROP };

/* The steps between a message's arrival and its commit, in order. Each may be NULL. A
 * step that fails sets verdict and why (message_fail); the later ones are not run. */
struct step {
	const char *name;
	/* Before any content, when the envelope is known. */
	SWITCHES void (*envelope)(struct message *m);
	/* Each header field. */
	SWITCHES enum field_fate (*field)(struct message *m, struct field *f);
	/* Behind the last field: may append fields to m->content. */
	SWITCHES void (*fields_end)(struct message *m);
	/* When all content is there, before the commit. */
	SWITCHES void (*end)(struct message *m);
};
extern const struct step steps[];
extern const size_t n_steps;

void message_fail(struct message *m, enum verdict verdict, uint16_t smtp_code,
	const char *code, const char *fmt, ...) PRINTF(5, 6);

/* envelope.c */
SWITCHES void envelope_rewrite(struct message *m);
SWITCHES void envelope_virtual(struct message *m);
SWITCHES void envelope_bcc(struct message *m);
/* mapping.c */
void mapping_open(const struct conf *c, struct arena *a); /* before the jail */
/* What an address (internal form) becomes where it stands. When a table fails, so does
 * the message. */
SWITCHES struct str mapping_apply(
	struct message *m, enum address_place place, struct str address);
/* A table's value is an address list as in a header (RFC 5322 section 3.4). */
struct strs mapping_values(struct message *m, struct str value);
/* May the user part be asked for alone? Where the domain is one of ours. */
SWITCHES bool mapping_takes_bare_user(struct str address);
/* What a table's value means for the address it was found for: "@other" keeps the user,
 * an extension that was cut off for the look-up is put back where
 * propagate_unmatched_extensions names this kind of table. */
struct str mapping_target(struct message *m, const char *kind, struct str target,
	struct str of, struct str extension);
/* rewrite.c */
/* Is this message's header ours to complete and to change? local_header_rewrite_clients
 * say so, or remote_header_rewrite_domain is set. */
bool header_is_ours(const struct message *m);
SWITCHES enum field_fate header_rewrite(struct message *m, struct field *f);
SWITCHES void envelope_late(struct message *m);
/* checks.c */
void checks_open(const struct conf *c); /* before the jail */
bool checks_want_parts(const struct message *m);
bool checks_want_body(const struct message *m);
SWITCHES enum field_fate header_check(struct message *m, struct field *f);
SWITCHES enum field_fate checks_field(
	struct message *m, enum part_header where, struct field *f);
/* Passes what it lets through on to content_add(). */
SWITCHES void checks_body(struct message *m, struct str bytes);
SWITCHES void checks_body_end(struct message *m); /* of a part */
/* headers.c */
enum field_fate header_limits(struct message *m, struct field *f);
enum field_fate header_drop(struct message *m, struct field *f);
enum field_fate header_see(struct message *m, struct field *f);
enum field_fate header_delivered(struct message *m, struct field *f);
void header_add_missing(struct message *m);
/* content.c */
SWITCHES void content_read(struct message *m); /* all of it, from the submitter */
void content_add(struct message *m, struct str bytes);
/* commit.c */
SWITCHES void commit(struct message *m);
SWITCHES void commit_aside(
	struct message *m); /* into corrupt/: it crashed us too often */
/* Sends finished bytes ahead of the end; the first call opens the stream. -1 and errno.
 */
SWITCHES int commit_stream(struct message *m, struct str bytes);
SWITCHES void commit_stopped(struct message *m); /* that failed: spool has said why */

/* Tables, opened before the jail. */
struct cleanup_tables {
	struct maps *virtual_alias, *sender_bcc, *recipient_bcc;
	struct route *route;
	struct strs drop; /* message_drop_headers */
};
extern struct cleanup_tables tables;

#endif
