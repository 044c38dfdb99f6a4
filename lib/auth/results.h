/* results.h -- the Authentication-Results field (RFC 8601): what is said in it about a
 * message, and whose word one is that came with it. */
#ifndef RESULTS_H
#define RESULTS_H

#include "arc.h"
#include "dkim_verify.h"
#include "dmarc.h"
#include "spf.h"

/* "none", "pass" ... */
const char *dkim_result_name(enum dkim_result result);
/* Appends "spf=pass smtp.mailfrom=example.org". */
void results_spf(const struct spf_verdict *v, struct buf *out);
/* Appends "dkim=pass header.d=example.org header.s=sel header.b=abcdefgh", with a comment
 * where l= leaves the end of the body to anybody; about none of them: "dkim=none". */
void results_dkim(const struct dkim_verdict *v, struct buf *out);
/* Appends "dmarc=fail (p=reject dis=quarantine) header.from=example.org": what the
 * author's domain publishes, and what it wants done with this message. */
void results_dmarc(const struct dmarc_verdict *v, struct buf *out);
/* Appends "arc=pass (i=2 d=lists.example.org)": how long the chain is, and whose seal is
 * the last. */
void results_arc(const struct arc_verdict *v, struct buf *out);
/* What counts for DMARC: SPF's verdict (its domain empty: there is none), and the
 * signatures that may matter. Their number; out has room for n + 1. */
size_t results_identities(enum spf_result spf, struct str spf_domain,
	const struct dkim_verdict *dkim, size_t n, struct dmarc_identity *out);
/* Appends the field, folded with LF: `who` says each of `items`. */
void results_field(struct str who, struct strs items, struct buf *out);

/* The authserv-id of a field, which is the text behind its colon: comments and quotes are
 * taken off, so that it is found in whatever spelling. Appended; nothing when there is
 * none. */
void results_who(struct str body, struct buf *out);
/* The word behind "method=" of the first result of that method, in lower case and in
 * arena; none: nothing is said of it. */
struct str results_of(struct str body, const char *method, struct arena *arena);
/* Does the body say that DMARC passed, and, where it names an author (header.from), is it
 * that one? Of several results of DMARC the first one counts. */
bool results_pass_dmarc(struct str body, struct str author);

#endif
