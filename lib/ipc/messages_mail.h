/* messages_mail.h -- a message on its way in: its envelope, and what cleanup is told and
 * answers. */
#ifndef MESSAGES_MAIL_H
#define MESSAGES_MAIL_H

#include "ipc.h"

/* ---- the envelope: also what the spool stores with a message ---- */

/* NOTIFY= of RFC 3461 as bits; 0: not given. */
enum {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
	/* Not a recipient: an alias that became some of the others, which its sender
	 * wants to hear ("expanded", RFC 3461 section 5.2.7.2). Nothing is delivered to
	 * it. */
	NOTIFY_EXPANDED = 16,
};
enum { RET_NONE = 0, RET_FULL = 1, RET_HDRS = 2 };
/* envelope.flags */
enum {
	ENVELOPE_8BIT = 1,         /* BODY=8BITMIME */
	ENVELOPE_SMTPUTF8 = 2,     /* RFC 6531 */
	ENVELOPE_LOCAL = 4,        /* came through sendmail/pickup */
	ENVELOPE_BOUNCE = 8,       /* made by bounce */
	ENVELOPE_FORWARDED = 16,   /* made by local */
	ENVELOPE_HOLD = 32,        /* goes on hold */
	ENVELOPE_NO_MAPPING = 64,  /* receive_override_options and the like */
	ENVELOPE_REQUIRETLS = 128, /* RFC 8689 */
	ENVELOPE_REWRITE = 256,    /* header rewriting for local clients applies */
	ENVELOPE_VERIFY = 512,     /* sendmail -bv: nothing is delivered; the sender hears
				      what would have been */
	ENVELOPE_REPORT = 1024, /* sendmail -v: he hears what came of the first attempt */
	ENVELOPE_NO_CHECKS = 2048, /* receive_override_options = no_header_body_checks */
	ENVELOPE_DISCARD = 4096,   /* taken, and forgotten: an access table said so */
	ENVELOPE_PROBE = 8192,     /* nothing is delivered; verify hears what would be */
	ENVELOPE_MILTERS = 16384,  /* non_smtpd_milters see it; our own notices are also
				      looked at by header and body checks */
	ENVELOPE_STRANGER = 65536, /* nothing that it says of itself is believed */
	ENVELOPE_SIGN = 32768,     /* of a client whose mail dkim_sign_maps sign */
	ENVELOPE_TLS_OPTIONAL = 131072, /* TLS-Required: No (RFC 8689 section 3) */
};
#define rcpt_FIELDS(FIELD, LIST) \
	FIELD(STR, address)  /* as rewritten; no <> */ \
	FIELD(STR, original) /* X-Original-To: as given by the client; none = address */ \
	FIELD(STR, orcpt)    /* "rfc822;user@example": ORCPT decoded, or none */ \
	FIELD(U8, notify) \
	FIELD(BOOL, forwarded) /* it goes out as from ATTRIBUTE_SRS, if there is one */
IPC_STRUCT(rcpt)
/* As it was before any of our tables changed it. */
static inline struct str
rcpt_original(const struct rcpt *r)
{
	return r->original.data ? r->original : r->address;
}

/* envelope.attributes that cleanup adds: an address the message was delivered to before.
 */
#define ATTRIBUTE_DELIVERED "delivered_to="
/* Two delimiters: each recipient gets a sender of his own (VERP). */
#define ATTRIBUTE_VERP "verp_delimiters="
/* The sender that recipients hear of to whom it is forwarded (SRS). */
#define ATTRIBUTE_SRS "srs_sender="
/* The transport:nexthop that all of it goes through, before any routing. */
#define ATTRIBUTE_FILTER "content_filter="
/* For cleanup: all of it goes to this address instead; a copy goes to that one. */
#define ATTRIBUTE_REDIRECT "redirect="
#define ATTRIBUTE_BCC      "bcc="

#define envelope_FIELDS(FIELD, LIST) \
	FIELD(STR, queue_id) \
	FIELD(U64, arrival_us) /* when the message began to arrive, since 1970 */ \
	FIELD(STR, sender)     /* empty: <> */ \
	FIELD(STR, envid)      /* ENVID decoded, or none */ \
	FIELD(U8, ret) \
	FIELD(U32, flags) \
	FIELD(STR, client_name) \
	FIELD(STR, client_address) \
	FIELD(STR, client_port) \
	FIELD(STR, helo) \
	FIELD(STR, protocol) /* SMTP, ESMTP; none for local mail */ \
	FIELD(STR, sasl_method) \
	FIELD(STR, sasl_username) \
	FIELD(STR, sasl_sender) \
	FIELD(STRS, attributes) /* further ones, "name=value" */ \
	LIST(rcpt, rcpts)
IPC_STRUCT(envelope)
/* The first attribute "name=value" of that "name="; STR_NONE: there is none. */
static inline struct str
envelope_attribute(const struct envelope *e, struct str name)
{
	for (size_t i = 0; i < e->attributes.n; i++)
		if (str_starts(e->attributes.items[i], name))
			return str_from(e->attributes.items[i], name.len);
	return STR_NONE;
}

/* A milter's connection, which goes along, from the envelope to the content: what was
 * agreed on with it (lib/milter). */
#define milter_lent_FIELDS(FIELD, LIST) \
	FIELD(STR, endpoint) \
	FIELD(STR, default_action) \
	FIELD(U8, state) \
	FIELD(U8, wish) /* its answer to everything, once it is done */ \
	FIELD(STR, text) \
	FIELD(U32, version) \
	FIELD(U32, protocol) \
	FIELD(U64, content_timeout) /* msec */ \
	FIELD(STRS, header_macros)  /* those that it wants; none: the usual ones */ \
	FIELD(STRS, end_macros) \
	FIELD(BOOL, connected) /* there is a descriptor for it */
IPC_STRUCT(milter_lent)

/* ---- smtpd, pickup, bounce, local -> cleanup: one message; content follows as a stream,
 * lines ending in LF, dots unstuffed. cleanup's own Received: etc. are added there. ----
 */
/* What comes of a message that its author's DMARC policy wants refused, whatever
 * dmarc_mode is: reject_dmarc_fail, and the same behind warn_if_reject. */
enum on_dmarc_fail { ON_DMARC_FAIL_NOTHING, ON_DMARC_FAIL_WARN, ON_DMARC_FAIL_REFUSE };
#define submit_REQUEST(FIELD, LIST) \
	FIELD(STR, envelope)  /* encoded; queue_id may be empty: cleanup makes one */ \
	FIELD(STR, received)  /* the Received: header to put first, or none */ \
	FIELD(STR, origin)    /* "name[addr]" or "local", for log lines */ \
	FIELD(STRS, prepend)  /* header lines to put in front */ \
	FIELD(U8, crashes)    /* cleanup processes that died under this one already */ \
	FIELD(STR, full_name) /* of the sender, for a From: that is missing */ \
	LIST(milter_lent, milters) /* descriptors of those connected: in this order */ \
	FIELD(STRS, macro_names)   /* what macros are worth, for them */ \
	FIELD(STRS, macro_values) \
	FIELD(STRS, results)  /* for Authentication-Results: what smtpd knows already */ \
	FIELD(U8, spf_result) /* enum spf_result; for DMARC */ \
	FIELD(STR, spf_domain) \
	FIELD(U8, on_dmarc_fail)
#define submit_REPLY(FIELD, LIST) \
	FIELD(U8, verdict) /* enum verdict; ACCEPT: it survives a power cut */ \
	FIELD(STR, code) \
	FIELD(STR, text) \
	FIELD(STR, queue_id) \
	FIELD(U16, smtp_code) /* of the reply to the client, or 0 */ \
	FIELD(BOOL, verbatim) /* text is the site's own words */ \
	FIELD(STR, milters)   /* an octet for each: not 0: its connection is spoilt */ \
	FIELD(STR, reply)     /* a milter's own: whole lines, or none */
IPC_RPC(submit, 1)

#endif
