/* spf_impl.h -- one evaluation of check_host(), shared by its files. */
#ifndef SPF_IMPL_H
#define SPF_IMPL_H

#include "spf.h"
#include "spf_record.h"

/* Section 4.6.4. */
#define SPF_TERMS_MOST 10
#define SPF_VOIDS_MOST 2
#define SPF_MX_MOST    10
#define SPF_PTR_MOST   10

#define SPF_NAME_MOST      253
#define SPF_TEXT_MOST      500 /* explanations and complaints */
#define SPF_MECHANISM_MOST 300 /* shown */
/* Of all macros together: records of 64 KB may hold thousands of them. */
#define SPF_EXPANDED_MOST ((size_t)256 * 1024)

/* One record in hand: the first one is the identity's, or what redirect made of it; each
 * further one was included by the term of the one before it. */
struct spf_frame {
	struct str domain;        /* %{d} */
	struct str rest;          /* terms that are still to come */
	struct spf_term term;     /* the one in hand */
	struct str redirect, exp; /* their domain-specs, or empty */
};

struct spf_evaluation {
	const struct spf_question *q;
	struct arena *arena;
	struct spf_verdict *out;
	struct net_addr client;
	bool v6;
	/* What macros stand for: s, l, o, h, c, i, t. */
	struct str sender, local, domain, helo, address, dotted, time;
	unsigned terms, voids;
	size_t expanded; /* octets that macros made */
	struct spf_frame frames[SPF_TERMS_MOST + 1];
	size_t depth;
	/* What the client's address is called, not yet confirmed; spf_ptr.c. */
	struct {
		struct str name;
		enum { PTR_UNKNOWN, PTR_VALID, PTR_INVALID } state;
	} ptr[SPF_PTR_MOST];
	size_t n_ptr;
	bool have_ptr;
};

/* ---- spf.c ---- */
/* What an engine begins with: who is asked about. NULL: no domain that could have a
 * record, and *out says so. */
struct spf_evaluation *spf_begin(
	const struct spf_question *q, struct arena *arena, struct spf_verdict *out);
/* A name as text for questions: what is no visible ASCII becomes \DDD (RFC 1035 section
 * 5.1). */
struct str spf_name_text(struct str name, struct arena *arena);
/* One question about a name as it is (not as text). */
SWITCHES enum dns_status spf_ask(
	struct spf_evaluation *e, struct str name, uint16_t type, struct dns_reply *said);
/* Is the client among the addresses in an answer? Prefix lengths as in a term. */
bool spf_addresses_match(const struct spf_evaluation *e, const struct dns_reply *said,
	unsigned bits4, unsigned bits6);
/* The type of the client's own addresses. */
uint16_t spf_address_type(const struct spf_evaluation *e);

/* ---- spf_macro.c ---- */
/* Fills in what macros stand for, from the identity on. */
void spf_macros_begin(struct spf_evaluation *e);
/* Can it be asked for: labels of 1 to 63 octets, ASCII, 253 octets without the last dot?
 */
bool spf_name_is_valid(struct str name);
/* The target-name of a term (section 4.8): its domain-spec expanded, or the domain of the
 * record. False: it is none that can be asked for, so there is nothing there. */
SWITCHES bool spf_target(struct spf_evaluation *e, const struct spf_frame *f,
	struct str domain_spec, struct str *out);
/* An explanation as people may see it. Empty: it breaks the grammar. */
SWITCHES struct str spf_explain(
	struct spf_evaluation *e, const struct spf_frame *f, struct str text);

/* ---- spf_ptr.c (section 5.5) ---- */
/* Is the client's address called something in or below that domain? */
SWITCHES bool spf_ptr_matches(struct spf_evaluation *e, struct str domain);
/* The best of its names, or "unknown". */
SWITCHES struct str spf_ptr_name(struct spf_evaluation *e, struct str domain);

#endif
