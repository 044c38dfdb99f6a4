/* report.h -- the text of a notice: multipart/report by RFC 6522 and RFC 3464. */
#ifndef REPORT_H
#define REPORT_H

#include "base.h"
#include "conf.h"
#include "messages.h"
#include "words.h"

struct report {
	const struct conf *conf;
	const struct notice_request *notice;
	const struct envelope *envelope; /* of the message it is about */
	struct words words;
	struct str to;   /* who gets it */
	bool postmaster; /* it goes to him: no kind words */
	bool copy;       /* of what a sender was told: header only */
	uint64_t now_us;
};
/* Everything before the returned message, headers first. */
void report_head(const struct report *r, struct buf *out);
/* Does the third part hold the header only (RET=HDRS, bounce_size_limit)? */
bool report_headers_only(const struct report *r);
/* Does it hold nothing of the message, which had REQUIRETLS (RFC 8689 section 5)? */
bool report_is_redacted(const struct report *r);
/* A whole message, headers first. */
void report_transcript(const struct conf *c, const struct transcript_request *n,
	uint64_t now_us, struct buf *out);
void report_tail(const struct report *r, struct buf *out);
/* "failure" in the words of the log: "non-delivery", "delay", "delivery status". */
const char *report_kind(const struct notice_request *n);
enum template_kind report_template(const struct notice_request *n);
/* RFC 5322 section 3.3, in the machine's zone. */
void report_date(uint64_t us, struct buf *out);

#endif
