/* dmarc_report.h -- aggregate reports: what others saw of mail in a domain's name
 * (RFC 9990; reports of RFC 7489 are read as well). They come from anybody: all that is
 * in one is bounded, and none of it is true because it is there. */
#ifndef DMARC_REPORT_H
#define DMARC_REPORT_H

#include "base.h"

enum {
	REPORT_PACKED_MOST = 16 << 20,   /* octets of a file or mail that is read */
	REPORT_UNPACKED_MOST = 64 << 20, /* and of the XML in it */
	REPORT_ITEMS_MOST = 100000,      /* rows and details together */
	REPORT_TEXT_MOST = 1000,         /* octets of one element's text; cut */
};

/* A signature, a sender that SPF was asked for, or a reason to depart from the policy. */
struct dmarc_report_detail {
	struct str domain;   /* of a reason: its type */
	struct str selector; /* of a signature; of a sender: its scope */
	struct str result;   /* of a reason: its comment */
	struct dmarc_report_detail *next;
};
/* Messages of the same kind from the same client. */
struct dmarc_report_row {
	struct str source; /* the client's address, as they wrote it */
	uint64_t count;
	struct str disposition; /* what was done: none, quarantine, reject, pass */
	struct str dkim, spf;   /* pass or fail, for the author */
	struct str header_from, envelope_from, envelope_to;
	struct dmarc_report_detail *signatures, *senders, *reasons;
};
struct dmarc_report {
	struct str organization, email, extra_contact, id, generator; /* who reports */
	struct str error;                                        /* what troubled him */
	uint64_t begin, end;                                     /* seconds since 1970 */
	struct str domain, p, sp, np, adkim, aspf, testing, pct; /* as published */
	VEC(struct dmarc_report_row) rows;
};
void dmarc_report_free(struct dmarc_report *r); /* the strings are the arena's */

/* ---- dmarc_report_mail.c ---- */
/* A report as it was found: XML, gzip, zip, or a mail that has one of them in it. Its
 * strings are in arena; it has to be freed whatever comes of it. -1 and why->text. */
int dmarc_report_read(struct str bytes, struct arena *arena, struct dmarc_report *out,
	struct why *why) MUST_CHECK;

/* ---- dmarc_report_xml.c: the one file that knows expat ---- */
int dmarc_report_parse(struct str xml, struct arena *arena, struct dmarc_report *out,
	struct why *why) MUST_CHECK;

/* ---- dmarc_report_write.c ---- */
/* Appends it as XML. What XML cannot have becomes "?". */
void dmarc_report_write(const struct dmarc_report *r, struct buf *out);

/* ---- dmarc_report_collect.c: what was seen, as reports ---- */
struct dmarc_collected {
	struct dmarc_report report; /* domain, begin, end and rows */
	struct buf seen;            /* what it was made of, as it was in the store */
};
struct dmarc_collection {
	VEC(struct dmarc_collected) domains;
	size_t damaged; /* octets at the end that could not be read */
};
/* Strings are in arena. Messages of the same kind become one row. */
void dmarc_collect(struct str store, struct arena *arena, struct dmarc_collection *out);
void dmarc_collection_free(struct dmarc_collection *c);

/* ---- dmarc_report_unpack.c: the one that knows zlib ---- */
/* Appends it as gzip has it. */
void report_pack(struct str bytes, struct buf *out);
bool report_is_packed(struct str bytes);
/* Appends what gzip, or the first member of a zip, has in it: at most `most` octets. -1
 * and why->text. */
int report_unpack(struct str packed, size_t most, struct buf *out, struct why *why)
	MUST_CHECK;

#endif
