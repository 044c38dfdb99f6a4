/* message.h -- a message in cleanup's hands, and the steps it passes. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base.h"
#include "charset.h"
#include "checks.h"
#include "dict.h"
#include "downgrade.h"
#include "esmtp.h"
#include "ipc.h"
#include "messages.h"
#include "milter.h"
#include "parts.h"
#include "route.h"

/* A content that outgrows this is streamed to spool, which gives it a file of its own. */
#define CONTENT_KEPT ((size_t)512 * 1024)
/* All messages in hand together; when they need more, streaming begins earlier. */
#define CONTENT_KEPT_TOGETHER ((size_t)128 * 1024 * 1024)

/* non_empty_end_of_header_action */
enum end_of_header_action { EOH_FIX_QUIETLY, EOH_ADD_HEADER, EOH_REJECT };

/* What input.c keeps between two pieces of content. */
struct input {
	struct buf first; /* the beginning, while it cannot be judged */
	bool begun;       /* behind that */
	struct buf replaced, stripped, converted;
	struct downgrade downgrade; /* force_mime_input_conversion */
};

/* What strict.c looks for, and what it met. */
struct strict {
	unsigned watched, met;
	struct str type;   /* the last Content-Type field */
	bool unterminated; /* the first line of the body was to be a field */
};

struct dkim_signer;

struct message {
	struct ipc_request *rq;
	const struct conf *conf;
	struct arena *arena;
	struct submit_request ask;
	struct {
		struct str dkim, dmarc, policy, arc;
	} verdicts;               /* verify.c: in a word each */
	struct envelope envelope; /* as submitted, but its recipients are in `rcpts` */
	VEC(struct rcpt) rcpts;
	struct parts parts;
	struct input input;
	struct strict strict;
	struct buf content;          /* finished bytes that did not leave yet */
	struct buf raw;              /* the message as it came, to be verified */
	octets_t size;               /* of all finished bytes */
	bool mid_line;               /* the last of them is no line end */
	struct ipc_stream *to_spool; /* once the content outgrew what we keep */
	char queue_id[32];
	/* What the checks said. */
	struct checks checks;
	bool discarded; /* taken, and forgotten */
	bool verbatim;  /* why.text is the site's own */
	struct str redirect, filter;
	VEC(struct rcpt) late_copies;
	struct dkim_signer *sealer; /* NULL: it is not sealed (seal.c) */
	bool from_stranger;
	/* Who hears of it (milters.c). */
	struct milters milters;
	struct milter *milter_in_hand;
	struct str milter_sender, milter_rcpt; /* that they heard of last */
	struct str reply; /* of one of them: whole lines for an SMTP client, or none */
	/* What srs_sender() has seen to. */
	struct str srs_of;
	size_t srs_rcpts;
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

/* For the log: what was done about which text of the message, and what is said of it. */
void message_tell(
	const struct message *m, const char *action, struct str object, struct str text);
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
/* mapping_find(). False: the table has nothing, or it failed, and the message with it. */
SWITCHES bool mapping_targets(struct message *m, const struct mapping *map,
	struct str address, struct strs *out);
/* rewrite.c */
/* Is this message's header ours to complete and to change? local_header_rewrite_clients
 * say so, or remote_header_rewrite_domain is set. */
bool header_is_ours(const struct message *m);
SWITCHES enum field_fate header_rewrite(struct message *m, struct field *f);
SWITCHES void envelope_late(struct message *m);
/* checks.c */
void cleanup_open_checks(const struct conf *c); /* before the jail */
void message_checks_begin(struct message *m);
bool message_checks_header(void); /* are there tables for any header? */
bool message_checks_body(const struct message *m);
bool message_checks_parts(const struct message *m);
SWITCHES enum field_fate header_check(struct message *m, struct field *f);
bool message_check_milter_field(struct message *m, struct field *f);
/* milters.c */
void milters_open_lists(const struct conf *c, struct arena *a); /* before the jail */
SWITCHES void milters_hear_envelope(struct message *m);
SWITCHES void milters_inspect(struct message *m);
void message_held_by_milter(struct message *m, struct str reason);
/* Then the content has to stay here until they have seen all of it. */
bool message_has_milters(const struct message *m);
/* Goodbye, or the connections go back to smtpd. */
SWITCHES void milters_finish(struct message *m, struct submit_reply *say);
/* verify.c */
void verify_open(const struct conf *c);
/* Then the content has to stay here until the end, also as it came. */
bool message_is_verified(const struct message *m);
/* Is what came of ARC told in every stranger's message, and by nobody else? */
bool verify_tells_chains(void);
/* For milters: dkim_result, dmarc_result, dmarc_policy, arc_result; STR_NONE for others,
 * and where nobody has asked. */
struct str verify_macro(const struct message *m, struct str name);
enum field_fate verify_field(struct message *m, struct field *f);
SWITCHES void verify_message(struct message *m);
/* report.c */
struct mail_auth_reply;
void report_open(const struct conf *c, bool has_verdicts); /* before the jail */
/* done: enum dmarc_policy; why: enum dmarc_departure. */
void report_message(const struct message *m, const struct mail_auth_reply *said,
	uint8_t done, uint8_t why);
/* sign.c */
void sign_open(const struct conf *c, struct arena *a); /* before the jail */
/* Then the content has to stay here until the end. */
bool message_may_be_signed(const struct message *m);
SWITCHES void sign_message(struct message *m);
/* seal.c */
void seal_open(const struct conf *c); /* before the jail, behind verify_open() */
/* By somebody of ours, who may have written into it what we say (arc_sign_maps). */
bool message_is_handed_in(const struct message *m);
SWITCHES void seal_begin(struct message *m);
SWITCHES void seal_message(struct message *m);
/* srs.c */
void srs_open(const struct conf *c); /* before the jail */
SWITCHES void srs_recipients(struct message *m);
SWITCHES void srs_sender(struct message *m);
SWITCHES void srs_sender_late(struct message *m);
/* headers.c */
enum field_fate header_limits(struct message *m, struct field *f);
enum field_fate header_drop(struct message *m, struct field *f);
enum field_fate header_see(struct message *m, struct field *f);
enum field_fate header_delivered(struct message *m, struct field *f);
void header_add_missing(struct message *m);
enum field_fate header_see_encoding(struct message *m, struct field *f);
enum field_fate header_see_tls(struct message *m, struct field *f);
/* input.c */
void input_open(const struct conf *c);
void input_begin(struct message *m);
SWITCHES void input_own(
	struct message *m, struct str lines); /* ours, before the content */
SWITCHES void input_add(struct message *m, struct str chunk);
SWITCHES void input_end(struct message *m);
void input_free(struct message *m);
/* strict.c */
void strict_open(const struct conf *c);
void strict_begin(struct message *m); /* behind message_checks_begin() */
bool strict_wants_parts(const struct message *m);
void strict_field(struct message *m, const struct field *f);
void strict_header_end(struct message *m);
/* Does a field tell that the header ended in the middle of a line? */
bool strict_adds_header(const struct message *m);
void strict_text(struct message *m, struct str bytes);
void strict_judge(struct message *m); /* at the end of the content */
/* content.c */
SWITCHES void content_read(struct message *m); /* all of it, from the submitter */
void content_add(struct message *m, struct str bytes);
void content_replace(struct message *m, struct buf *fresh); /* takes it over */
void content_free(struct message *m);
void content_free_raw(struct message *m);
/* commit.c */
/* The envelope as it is stored, once: behind what out holds. */
void message_envelope(struct message *m, struct buf *out);
SWITCHES void commit(struct message *m);
/* in_flow_delay, while the queue manager is behind with new mail. */
SWITCHES void commit_pace(const struct message *m);
SWITCHES void commit_aside(
	struct message *m); /* into corrupt/: it crashed us too often */
/* Sends finished bytes ahead of the end; the first call opens the stream. -1 and errno.
 */
SWITCHES int commit_stream(struct message *m, struct str bytes);
SWITCHES void commit_stopped(struct message *m); /* that failed: spool has said why */

/* Tables, opened before the jail. */
struct cleanup_tables {
	struct mapping virtual_alias, sender_bcc, recipient_bcc;
	struct route *route;
	struct strs drop; /* message_drop_headers */
};
extern struct cleanup_tables tables;

#endif
