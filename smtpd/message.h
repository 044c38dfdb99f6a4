/* message.h -- what the commands of a mail transaction share: reading the arguments of
 * MAIL and RCPT, taking in content, handing it to cleanup. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base.h"

struct session;

/* ---- cmd_mail.c ---- */
bool take_keyword(struct session *s, struct str *rest, struct str keyword);
bool address_has_8bit(struct str s);
unsigned address_rules(const struct session *s); /* for address_parse */
/* Logs and answers a path that cannot be read. */
bool illegal_address(struct session *s, int code, const struct why *why, struct str path);

/* ---- message.c ---- */
/* Did the spool say lately that it has no room? Then MAIL is the place to say so. */
bool message_storage_is_short(void);
/* Starts handing over the message in hand to cleanup. */
void message_begin(struct session *s, bool chunked);
/* Takes content off the connection until the scanner sees its end, or (counted) until
 * `count` octets were read. False when the client was lost: the session ends. */
SWITCHES bool message_receive(struct session *s, bool counted, octets_t count);
/* The content is complete: asks cleanup, replies, ends the transaction. */
SWITCHES bool message_end(struct session *s);

#endif
