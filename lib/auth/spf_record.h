/* spf_record.h -- an SPF record taken apart (RFC 7208 section 12), and macro strings.
 *
 * Nothing here allocates, blocks or switches: terms are taken off the record one after
 * the other, and their parts are views of it. */
#ifndef SPF_RECORD_H
#define SPF_RECORD_H

#include "net.h"
#include "spf.h"

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	/* modifiers */
	SPF_REDIRECT,
	SPF_EXP,
	SPF_OTHER, /* unknown ones, which mean nothing (section 6) */
};
struct spf_term {
	enum spf_kind kind;
	enum spf_result qualifier; /* of mechanisms: the result when it matches */
	struct str text;           /* the whole, as published */
	struct str domain_spec;    /* empty: there is none */
	struct net_block block;    /* ip4, ip6 */
	unsigned bits4, bits6;     /* a, mx: of the prefixes to compare */
};

/* Section 4.5: does a TXT record's text begin with the version? *rest: what follows. */
bool spf_is_record(struct str text, struct str *rest);
/* Takes the next term off what spf_is_record() left. 1; 0 when there is none; -1 with
 * why->text when it breaks the grammar, printable. */
int spf_term_next(struct str *rest, struct spf_term *out, struct why *why) MUST_CHECK;

/* One piece of a macro-string. */
struct spf_macro {
	char letter;      /* in lower case; 0: `literal` is meant */
	bool url_escaped; /* the letter was a capital */
	bool reversed;
	unsigned parts;        /* how many of the right-hand ones are kept; 0: all */
	struct str delimiters; /* empty: a dot */
	struct str literal;    /* static, or a view; may be a blank */
};
/* As spf_term_next(). A blank is a literal, since explanations have them; the letters c,
 * r and t are taken when is_explanation only (section 7.2). */
int spf_macro_next(struct str *rest, bool is_explanation, struct spf_macro *out)
	MUST_CHECK;

#endif
