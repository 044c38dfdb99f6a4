/* esmtp.h -- the parameters of MAIL, RCPT and BDAT: SIZE (RFC 1870), BODY (RFC 6152),
 * SMTPUTF8 (RFC 6531), AUTH (RFC 4954), RET, ENVID, NOTIFY and ORCPT (RFC 3461),
 * REQUIRETLS (RFC 8689), a chunk's (RFC 3030); and Postfix's XVERP.
 *
 * Everything is bounded by the RFC's own limits. Strings point into the arena. */
#ifndef ESMTP_H
#define ESMTP_H

#include "base.h"

/* Extensions whose parameters this client may use: all of them, also behind HELO, but for
 * those that smtpd_discard_ehlo_keywords took out of the answer to its EHLO. */
enum {
	ESMTP_SIZE = 1,
	ESMTP_8BITMIME = 2,
	ESMTP_DSN = 4,
	ESMTP_SMTPUTF8 = 8,
	ESMTP_ALL = 15,
	ESMTP_XVERP = 16,      /* for some clients only */
	ESMTP_REQUIRETLS = 32, /* under TLS only, for who was offered it */
};

struct mail_parameters {
	octets_t size;    /* 0: not given */
	uint8_t ret;      /* RET_NONE, RET_FULL, RET_HDRS */
	struct str envid; /* decoded, or none */
	bool eight_bit;   /* BODY=8BITMIME */
	bool smtputf8;
	bool requiretls;
	bool xverp;
	struct str verp; /* XVERP=; none: as the configuration has it */
	struct str auth; /* AUTH=, as it came and printable; none: <>, or not given */
};
struct rcpt_parameters {
	uint8_t notify;   /* bits of NOTIFY_*; 0: not given */
	struct str orcpt; /* "type;address", the address decoded, or none */
};

/* Both read blank-separated parameters to the end of `text`. PERMFAIL: *why is the
 * enhanced code and text of the reply, *code its number (501 or 555). */
enum verdict mail_parameters_parse(struct str text, unsigned extensions,
	struct arena *arena, struct mail_parameters *out, int *code, struct why *why)
	MUST_CHECK;
enum verdict rcpt_parameters_parse(struct str text, unsigned extensions,
	struct arena *arena, struct rcpt_parameters *out, int *code, struct why *why)
	MUST_CHECK;
/* Two characters that VERP may put into the sender's address: of verp_delimiter_filter.
 */
bool verp_delimiters_are_valid(struct str delimiters, struct str filter) MUST_CHECK;
/* bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] (RFC 3030 section 2), behind its verb.
 * False: nobody knows how much follows. */
bool bdat_parse(struct str text, octets_t *count, bool *last) MUST_CHECK;

#endif
