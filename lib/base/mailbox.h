/* mailbox.h -- an address in internal form, as the queue and the tables have it: the
 * parts of it, and the quotes that it needs on the way out (RFC 5321 section 4.1.2). */
#ifndef MAILBOX_H
#define MAILBOX_H

#include "base.h"

/* Splits at the @ that separates the domain: the last one outside quotes. domain is
 * STR_NONE (data NULL) when there is none. */
void address_split(struct str address, struct str *local, struct str *domain);
/* The RFC 5321 form of an internal address: quotes the local part where it must be, and
 * back. What needs no quotes is returned as it is; and so is "a@b" without a domain,
 * where the quotes are all that tells it from another address. */
struct str address_quote(struct str address, struct arena *arena);
struct str address_unquote(struct str address, struct arena *arena);
/* Appends what address_quote() gives. */
void address_put(struct buf *out, struct str address);
/* The same for a local part alone, whether it needs quotes or not. */
struct str address_quote_local(struct str local, struct arena *arena);
struct str address_unquote_local(struct str local, struct arena *arena);
/* RFC 5321 section 4.1.2: words of atext with single dots between them, which needs no
 * quotes. */
bool address_is_dot_string(struct str local);
/* "user+ext" -> user and "ext", by recipient_delimiter; false when there is no extension
 * (also for names that must not be split: mailer-daemon, double-bounce, owner-x,
 * x-request when owner_request_special). */
bool address_split_extension(struct str local, struct str delimiters,
	bool owner_request_special, struct str double_bounce, struct str *user,
	struct str *extension);

#endif
