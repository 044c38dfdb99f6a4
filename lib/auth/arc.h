/* arc.h -- is the chain of those who handed a message on unbroken, and what did they see?
 * (RFC 8617). Parser, verifier and sealer are ours, on the canonical forms of DKIM. */
#ifndef ARC_H
#define ARC_H

#include "auth_dns.h"
#include "dkim_sign.h"

#define ARC_SETS_MOST 50 /* section 4.2.1 */

enum arc_result {
	ARC_NONE,
	ARC_PASS,
	ARC_FAIL,
	ARC_TEMPERROR, /* a key cannot be had now; nobody but us tells this from fail */
};
/* "none", "pass", "fail": the RFC has no others (section 4.4). */
const char *arc_result_name(enum arc_result result);

struct arc_verdict {
	enum arc_result result;
	struct str problem;     /* why it is no pass; printable ASCII, or none */
	struct arc_seal *seals; /* the first sealer's first (lib/ipc/messages_auth.h);
				   none where the sets are not even sets */
	size_t n;
};

struct arc;
/* The caller keeps *dns. key_bits: the shortest RSA key that counts. */
struct arc *arc_new(const struct auth_dns *dns, unsigned key_bits, deadline_t until)
	MUST_CHECK;
/* The message from its first byte on, as it comes; lines end in LF. */
void arc_add(struct arc *a, struct str bytes);
/* author: the domain that people see, in ASCII and lower case; none: nobody vouches.
 * Everything in *out is in arena. Nothing is added any more. */
SWITCHES void arc_end(
	struct arc *a, struct str author, struct arena *arena, struct arc_verdict *out);
void arc_free(struct arc *a); /* NULL: nothing */

/* ---- arc_field.c: one field, text with its name, lines ending in LF ---- */
enum arc_kind { ARC_RESULTS, ARC_SIGNATURE, ARC_SEAL, ARC_KINDS };
/* "ARC-Seal" ...; ARC_KINDS: it is none of them. */
enum arc_kind arc_kind_of(struct str name);
/* i=, from 1 on; 0: there is none that can be. */
unsigned arc_instance(enum arc_kind kind, struct str text);
/* What ARC-Message-Signature (section 4.1.2) or ARC-Seal (4.1.3) says. */
struct arc_signature {
	struct str text;
	struct str domain, selector;
	enum dkim_algorithm algorithm;
	struct str b;                 /* all behind "b=", a view into text */
	enum arc_result cv;           /* of a seal */
	enum dkim_canon header, body; /* of a message signature, as what follows */
	struct str fields, hash;      /* h=, bh= */
};
/* NULL: it is one; else what is wrong with it. now: seconds since 1970. */
const char *arc_signature_read(enum arc_kind kind, struct str text, int64_t now,
	struct arc_signature *out) MUST_CHECK;
/* Appends the field in that form, its b= emptied, without the last line end. */
void arc_signature_canon(
	const struct arc_signature *s, enum dkim_canon how, struct buf *out);

/* ---- arc_sets.c: the sets of a message ---- */
struct arc_sets {
	struct str fields[ARC_SETS_MOST + 1][ARC_KINDS]; /* from 1 on; data is NULL: not
							    seen */
	unsigned n;
	const char *problem; /* why they are no chain; or NULL */
};
/* One field of the header, if it is one of theirs. The caller keeps text. */
void arc_sets_take(struct arc_sets *s, struct str name, struct str text);
/* Nothing is missing, or *problem says so. */
void arc_sets_end(struct arc_sets *s);
/* Appends all of them in their order, as seals are made over them (section 5.1.1), and
 * says where each one's seal begins. */
void arc_sets_canon(
	const struct arc_sets *s, struct buf *out, size_t seal_at[ARC_SETS_MOST + 1]);

/* ---- arc_seal.c: a set of our own, in the order in which it is made: its results, its
 * message signature (dkim_sign.h), its seal ---- */
/* Appends an ARC-Authentication-Results field: results is the body of one. */
void arc_results_write(unsigned instance, struct str results, struct buf *out);
struct arc_seal_plan {
	struct str domain, selector;
	enum dkim_algorithm algorithm;
	enum arc_result cv; /* none, for the first one; or pass */
	int64_t at;         /* t=, seconds since 1970 */
};
/* Appends to *field the beginning of an ARC-Seal field, up to "b=", and fills in what is
 * to be signed. sets: those before, and the new one, all but its seal;
 * dkim_sign_end() appends the signature. -1: there is no SHA-256. */
int arc_seal_begin(const struct arc_seal_plan *plan, const struct arc_sets *sets,
	struct buf *field, unsigned char hash[DKIM_HASH]) MUST_CHECK;

/* ---- arc_key.c ---- */
/* GOOD: it is the signature of that hash by the key that the DNS has now. */
enum arc_check { ARC_GOOD, ARC_BAD, ARC_IN_DOUBT };
SWITCHES enum arc_check arc_check(const struct arc_signature *s,
	const unsigned char hash[DKIM_HASH], unsigned key_bits,
	const struct auth_dns *dns, deadline_t until, struct why *why);
/* The key of a record (RFC 6376 section 3.6.1). NULL: why->text says why. */
struct sign_key *arc_key_read(struct str record, enum dkim_algorithm algorithm,
	unsigned key_bits, struct why *why) MUST_CHECK;

#endif
