/* arc.c -- the chain: its sets, the newest message signature, and all seals (RFC 8617
 * section 5.2). See arc.h.
 *
 * The header is read as cleanup and DMARC read it (fields.h), so that nobody can show
 * them one From and us another. */
#include "arc.h"
#include "fields.h"
#include "results.h"
#include "tags.h"

#define HEADER_MOST ((size_t)1024 * 1024) /* octets: of a field, and of all of them */
#define FIELDS_MOST ((size_t)10000)
#define NAMES_MOST  1000 /* in h= */

struct arc_field {
	struct str text, name;
	bool used; /* h= has named it */
};

struct arc {
	const struct auth_dns *dns;
	unsigned key_bits;
	deadline_t until;
	struct fields reader;
	struct arena *arena;
	size_t header; /* octets */
	VEC(struct arc_field) fields;
	struct arc_sets sets; /* with a problem it fails before any key is asked for */
	struct arc_signature seals[ARC_SETS_MOST + 1]; /* from 1 on */
	bool in_body;
	struct arc_signature newest;
	struct dkim_body body;
	struct digest_run *run; /* NULL: nobody asks for the body's hash */
};

const char *
arc_result_name(enum arc_result result)
{
	static const char *const names[] = {
		[ARC_NONE] = "none",
		[ARC_PASS] = "pass",
		[ARC_FAIL] = "fail",
		[ARC_TEMPERROR] = "fail",
	};

	return names[result];
}

struct arc *
arc_new(const struct auth_dns *dns, unsigned key_bits, deadline_t until)
{
	struct arc *a = mem_alloc(sizeof(*a));

	a->dns = dns;
	a->key_bits = key_bits;
	a->until = until;
	a->reader.limit = HEADER_MOST;
	a->arena = arena_new();
	return a;
}

void
arc_free(struct arc *a)
{
	if (!a)
		return;
	if (a->run)
		(void)digest_end(a->run, NULL);
	fields_free(&a->reader);
	vec_free(&a->fields);
	arena_free(a->arena);
	mem_free(a);
}

/* ---- the header ---- */

static void
take_field(struct arc *a, const struct field *f)
{
	struct arc_field *kept;

	a->header += f->text.len;
	if (a->header > HEADER_MOST || a->fields.n == FIELDS_MOST) {
		a->sets.problem = "the header is too long";
		return;
	}
	kept = vec_push(&a->fields);
	kept->text = arena_str(a->arena, f->text);
	kept->name = str_sub(kept->text, 0, f->name.len);
	arc_sets_take(&a->sets, kept->name, kept->text);
}

/* Section 5.2, 2 and 3: what each sealer says of those before. */
static const char *
check_seals_say(struct arc *a)
{
	for (unsigned i = 1; i <= a->sets.n; i++) {
		struct arc_signature *seal = &a->seals[i];
		const char *problem = arc_signature_read(
			ARC_SEAL, a->sets.fields[i][ARC_SEAL], 0, seal);

		if (problem)
			return problem;
		if (seal->cv == ARC_FAIL)
			return "a sealer found the chain broken";
		if (seal->cv != (i == 1 ? ARC_NONE : ARC_PASS))
			return "cv= is not what it has to be in its place";
	}
	return NULL;
}

static void
hash_add(void *arg, struct str bytes)
{
	digest_add(arg, bytes);
}

/* From here on it is known whether the body counts, and in which form. */
static void
header_ends(struct arc *a)
{
	struct arc_sets *sets = &a->sets;

	a->in_body = true;
	arc_sets_end(sets);
	if (sets->n == 0 || sets->problem)
		return;
	sets->problem = check_seals_say(a);
	if (!sets->problem)
		sets->problem = arc_signature_read(ARC_SIGNATURE,
			sets->fields[sets->n][ARC_SIGNATURE], time_wall_us() / 1000000,
			&a->newest);
	if (sets->problem)
		return;
	a->run = digest_begin(DIGEST_SHA256);
	if (a->run)
		dkim_body_begin(&a->body, a->newest.body, hash_add, a->run);
}

static void
take_body(struct arc *a, struct str bytes)
{
	if (a->run)
		dkim_body_add(&a->body, bytes);
}

void
arc_add(struct arc *a, struct str bytes)
{
	enum fields_event event = FIELDS_FIELD;
	struct field f;

	while (!a->in_body && event != FIELDS_MORE) {
		event = fields_next(&a->reader, &bytes, &f);
		if (event == FIELDS_FIELD)
			take_field(a, &f);
		else if (event == FIELDS_END)
			header_ends(a);
		/* A line that is no field, and came in pieces, is the body's. */
		if (event == FIELDS_END && a->reader.unterminated)
			take_body(a, buf_str(&a->reader.line));
	}
	if (a->in_body)
		take_body(a, bytes);
}

/* ---- the newest message signature (section 5.2, 4) ---- */

/* All of h=: of fields of one name the last one first, itself never (RFC 6376 section
 * 5.4.2). */
static const char *
add_signed_fields(struct arc *a, struct buf *out)
{
	struct str rest = a->newest.fields, name;
	unsigned n = 0;

	while (str_split(&rest, ':', &name)) {
		if (++n > NAMES_MOST)
			return "h= has too many names";
		name = str_trim(name);
		for (size_t i = a->fields.n; i > 0; i--) {
			struct arc_field *f = &a->fields.items[i - 1];

			if (f->used || !str_case_eq(f->name, name) ||
				f->text.data == a->newest.text.data)
				continue;
			f->used = true;
			dkim_canon_field(a->newest.header, f->text, out);
			break;
		}
	}
	return NULL;
}

static bool
body_is_as_signed(struct arc *a)
{
	struct buf said CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[DKIM_HASH];
	struct digest_run *run = a->run;

	if (!run)
		return false;
	dkim_body_end(&a->body);
	a->run = NULL;
	return digest_end(run, hash) == 0 && tags_base64(a->newest.hash, &said) == 0 &&
	       str_eq(buf_str(&said), str_of(hash, DKIM_HASH));
}

SWITCHES static enum arc_check
check_newest(struct arc *a, struct why *why)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[DKIM_HASH];
	const char *problem = "the body has been changed";

	if (body_is_as_signed(a)) {
		problem = add_signed_fields(a, &text);
		arc_signature_canon(&a->newest, a->newest.header, &text);
	}
	if (!problem && digest_of(DIGEST_SHA256, buf_str(&text), hash) < 0)
		problem = "OpenSSL has no SHA-256";
	if (!problem)
		return arc_check(&a->newest, hash, a->key_bits, a->dns, a->until, why);
	why_set(why, "5.7.0", "%s", problem);
	return ARC_BAD;
}

/* ---- the seals (section 5.1.1; 5.2, 6) ---- */

SWITCHES static enum arc_check
check_seal(struct arc *a, unsigned i, struct str before, struct why *why)
{
	struct buf last CLEANUP(buf_free) = BUF_INIT;
	struct digest_run *run = digest_begin(DIGEST_SHA256);
	unsigned char hash[DKIM_HASH];

	arc_signature_canon(&a->seals[i], DKIM_RELAXED, &last);
	if (run) {
		digest_add(run, before);
		digest_add(run, buf_str(&last));
	}
	if (run && digest_end(run, hash) == 0)
		return arc_check(&a->seals[i], hash, a->key_bits, a->dns, a->until, why);
	why_set(why, "5.7.0", "OpenSSL has no SHA-256");
	return ARC_BAD;
}

SWITCHES static enum arc_check
check_seals(struct arc *a, struct why *why, unsigned *at)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	size_t seal_at[ARC_SETS_MOST + 1];
	enum arc_check got = ARC_GOOD;

	arc_sets_canon(&a->sets, &text, seal_at);
	for (*at = a->sets.n; *at > 0; --*at) {
		got = check_seal(a, *at, str_sub(buf_str(&text), 0, seal_at[*at]), why);
		if (got != ARC_GOOD)
			break;
	}
	return got;
}

/* ---- what came of it ---- */

static void
describe(struct arc *a, struct str author, struct arena *arena, struct arc_verdict *out)
{
	out->seals = arena_alloc(arena, a->sets.n * sizeof(*out->seals));
	out->n = a->sets.n;
	for (unsigned i = 1; i <= a->sets.n; i++)
		out->seals[i - 1] = (struct arc_seal){
			.domain = arena_lower(arena, a->seals[i].domain),
			.vouches = author.len > 0 &&
				   results_pass_dmarc(
					   a->sets.fields[i][ARC_RESULTS], author),
		};
}

void
arc_end(struct arc *a, struct str author, struct arena *arena, struct arc_verdict *out)
{
	struct field f;
	struct why why;
	enum arc_check got;
	unsigned at = 0;

	*out = (struct arc_verdict){ .result = ARC_NONE };
	if (!a->in_body) {
		if (fields_finish(&a->reader, &f) == FIELDS_FIELD)
			take_field(a, &f);
		header_ends(a);
	}
	if (a->sets.n == 0)
		return;
	out->result = ARC_FAIL;
	if (a->sets.problem) {
		out->problem = str_c(a->sets.problem);
		return;
	}
	describe(a, author, arena, out);
	got = check_newest(a, &why);
	if (got == ARC_GOOD)
		got = check_seals(a, &why, &at);
	out->result = got == ARC_GOOD  ? ARC_PASS
		      : got == ARC_BAD ? ARC_FAIL
				       : ARC_TEMPERROR;
	if (got != ARC_GOOD)
		out->problem = at ? arena_printf(arena, "seal %u: %s", at, why.text)
				  : arena_printf(arena, "message signature %u: %s",
					    a->sets.n, why.text);
}
