/* messages_auth.h -- authenticated mail: signatures, whether they hold, rewritten
 * senders. */
#ifndef MESSAGES_AUTH_H
#define MESSAGES_AUTH_H

#include "ipc.h"

/* ---- cleanup -> dkimsign: a DKIM signature. The key says which of the hashes it is for,
 * each of a header that names that algorithm. ---- */
#define dkim_sign_REQUEST(FIELD, LIST) \
	FIELD(STR, key) /* the name of its file */ \
	FIELD(STR, rsa_hash) \
	FIELD(STR, ed25519_hash)
#define dkim_sign_REPLY(FIELD, LIST) \
	FIELD(STR, signature) /* none: it could not be made */ \
	FIELD(BOOL, is_ed25519) \
	FIELD(STR, error)
IPC_RPC(dkim_sign, 66)

/* ---- cleanup -> dkimsign: the sender of forwarded mail, and whom mail to such a sender
 * is for (lib/auth/srs.h) ---- */
#define srs_REQUEST(FIELD, LIST) FIELD(STR, address) FIELD(BOOL, reverse)
#define srs_REPLY(FIELD, LIST) \
	FIELD(STR, address) /* none: */ \
	FIELD(STR, error) \
	FIELD(BOOL, refused) /* it is the address' fault */
IPC_RPC(srs, 68)

/* ---- cleanup -> mailauth: who has signed this message? Its content follows, lines
 * ending in LF, as it came from its client. ---- */
/* One signature of DKIM (lib/auth/dkim_verify.h). */
#define dkim_verdict_FIELDS(FIELD, LIST) \
	FIELD(U8, result)     /* enum dkim_result */ \
	FIELD(STR, domain)    /* d= */ \
	FIELD(STR, selector)  /* s= */ \
	FIELD(STR, identity)  /* i=, or none */ \
	FIELD(STR, algorithm) /* "rsa-sha256" ..., or none */ \
	FIELD(STR, part)      /* the beginning of b= (RFC 6008), or none */ \
	FIELD(STR, problem)   /* why it is no pass; printable ASCII, or none */ \
	FIELD(U32, key_bits)  /* 0: there was no key */ \
	FIELD(BOOL, \
		is_limited)  /* l= is given: what stands behind it anybody may write */ \
	FIELD(BOOL, is_test) /* the key says t=y */
IPC_STRUCT(dkim_verdict)
/* One seal of a chain (lib/auth/arc.h). */
#define arc_seal_FIELDS(FIELD, LIST) \
	FIELD(STR, domain)   /* in lower case */ \
	FIELD(BOOL, vouches) /* its set says that DMARC passed, for this author */
IPC_STRUCT(arc_seal)
/* spf_domain: whom SPF was asked about, or none. */
#define mail_auth_REQUEST(FIELD, LIST) \
	FIELD(STR, queue_id) \
	FIELD(BOOL, wants_dmarc) \
	FIELD(U8, spf_result) /* enum spf_result */ \
	FIELD(STR, spf_domain) \
	FIELD(BOOL, wants_arc)
#define mail_auth_REPLY(FIELD, LIST) \
	LIST(dkim_verdict, dkim) /* one for each signature */ \
	FIELD(STR, error)        /* none: that is the answer; else there is none */ \
	FIELD(U8, dmarc_result)  /* as struct dmarc_verdict (lib/auth/dmarc.h) */ \
	FIELD(U8, dmarc_policy) \
	FIELD(U8, dmarc_published) \
	FIELD(STR, dmarc_domain) \
	FIELD(U8, arc_result) /* as struct arc_verdict (lib/auth/arc.h) */ \
	FIELD(STR, arc_problem) \
	LIST(arc_seal, seals) \
	FIELD(STR, dmarc_record) \
	FIELD(BOOL, dmarc_dkim) \
	FIELD(BOOL, dmarc_spf) \
	FIELD(BOOL, is_alone_denied) /* lib/auth/alone.h */
IPC_RPC(mail_auth, 67)
/* ---- smtpd -> mailauth: what does libspf2 say of this client? (lib/auth/spf.h) ---- */
#define spf2_REQUEST(FIELD, LIST) \
	FIELD(STR, client) /* its address */ \
	FIELD(STR, helo) \
	FIELD(STR, sender) \
	FIELD(STR, receiver) \
	FIELD(U32, patience) /* ms */
#define spf2_REPLY(FIELD, LIST) \
	FIELD(U8, result)   /* enum spf_result */ \
	FIELD(STR, problem) /* printable ASCII, at most 500 octets, or none */ \
	FIELD(BOOL, is_alone_denied)
IPC_RPC(spf2, 72)
/* ---- smtpd, cleanup -> mailauth-suspect: answered when it is the caller's turn
 * (lib/auth/alone.h) ---- */
#define auth_turn_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define auth_turn_REPLY(FIELD, LIST)   FIELD(U32, unused)
IPC_RPC(auth_turn, 73)
/* A message as cleanup writes it down for the report to its author's domain (RFC 9990;
 * lib/auth/dmarc_store.h). Of each signature there are domain, selector and result. */
#define dmarc_seen_FIELDS(FIELD, LIST) \
	FIELD(U64, at)         /* seconds since 1970 */ \
	FIELD(STR, record)     /* the domain whose record counted */ \
	FIELD(STR, client)     /* its address */ \
	FIELD(STR, author)     /* the domain in From */ \
	FIELD(STR, sender)     /* the domain in MAIL FROM, or none */ \
	FIELD(U8, disposition) /* enum dmarc_policy: what was done */ \
	FIELD(U8, reason)      /* enum dmarc_departure: why it is not the policy */ \
	FIELD(BOOL, dkim)      /* hold for the author */ \
	FIELD(BOOL, spf) \
	FIELD(U8, spf_result)  /* enum spf_result */ \
	FIELD(STR, spf_domain) /* or none: nobody asked */ \
	LIST(dkim_verdict, signatures)
IPC_STRUCT(dmarc_seen)

#endif
