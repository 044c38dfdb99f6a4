/* message.h -- what the commands of a mail transaction share: reading the arguments of
 * MAIL and RCPT, taking in content, handing it to cleanup. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base.h"

struct session;
struct address;

/* ---- cmd_mail.c ---- */
bool take_keyword(struct session *s, struct str *rest, struct str keyword);
/* address_parse() by the rules of strict_rfc821_envelopes, smtputf8_enable and
 * allow_min_user. */
enum verdict address_read(const struct session *s, struct str path, unsigned how,
	struct address *out, struct why *why) MUST_CHECK;
/* May it be used only after SMTPUTF8? strict_smtputf8 = no forgives local parts. */
bool address_needs_smtputf8(const struct session *s, const struct address *a);
/* Logs and answers a path that cannot be read. */
bool illegal_address(struct session *s, int code, const struct why *why, struct str path);

/* ---- message.c ---- */
/* Starts handing over the message in hand to cleanup. */
void message_begin(struct session *s, bool chunked);
/* Takes content off the connection until the scanner sees its end, or (counted) until
 * `count` octets were read. False when the client was lost: the session ends. */
SWITCHES bool message_receive(struct session *s, bool counted, octets_t count);
/* Is it one whose addresses are completed (local_header_rewrite_clients)? */
bool message_is_local(struct session *s);
/* dkim_mode, dmarc_mode, arc_mode: is it of somebody who has not logged in, and is not in
 * dkim_exempt_clients? */
SWITCHES bool message_is_strangers(struct session *s);
/* The envelope of it, as cleanup would get it now. Behind what out holds. */
SWITCHES void message_envelope(struct session *s, struct buf *out);
/* The content is complete: asks cleanup, replies, ends the transaction. */
SWITCHES bool message_end(struct session *s);

/* So many messages of this process wait for cleanup's word that no more should begin
 * (smtpd_commit_count_limit). */
bool message_too_many(const struct session *s);

#endif
