/* dkim_verify.c -- the door to libopendkim. See dkim_verify.h. */
#include "config.h"
#include "dkim_verify.h"
#include "fields.h"

#define TEXT_MOST   ((size_t)256)       /* of what a signature says of itself */
#define PIECE       ((size_t)16 * 1024) /* of a body, with its line ends */
#define HEADER_MOST ((size_t)1024 * 1024)

#ifdef HAVE_OPENDKIM
#include <opendkim/dkim.h>

struct dkim_verifier {
	DKIM *handle;
	const struct auth_dns *dns;
	struct dkim_rules rules;
	deadline_t until;
	struct fields fields;
	bool in_body;
	bool broken;         /* it takes no more; nothing is known of the signatures */
	size_t header;       /* octets of it */
	unsigned signatures; /* handed over */
	size_t reply;        /* octets of the DNS' last one */
	struct buf piece;
};

/* ---- the DNS: asked at once, in the coroutine of the message ---- */

/* One for the process: making it reads files, which a jail may be around. So the library
 * cannot be told whose question it asks: whoever calls it says so before, and again when
 * others may have run. */
static DKIM_LIB *lib;
static struct dkim_verifier *current;

/* A reply that the library has no room for says nothing. */
static int
query_start(void *service, int type, unsigned char *name, unsigned char *answer,
	size_t room, void **handle)
{
	struct dkim_verifier *v = current;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str question = str_c((const char *)name);
	struct dns_reply said;

	enum dns_status status;

	(void)service;
	*handle = v;
	status = v->dns->ask(
		v->dns->arg, question, (uint16_t)type, arena, v->until, &said);
	current = v;
	if (status == DNS_TEMPFAIL)
		return DKIM_DNS_ERROR;
	v->reply = dkim_key_packet(question, &said, answer, room);
	if (v->reply == 0) {
		said.n_records = 0;
		v->reply = dkim_key_packet(question, &said, answer, room);
	}
	return DKIM_DNS_SUCCESS;
}

static int
query_wait(void *service, void *handle, struct timeval *patience, size_t *bytes,
	int *error, int *dnssec)
{
	const struct dkim_verifier *v = handle;

	(void)service, (void)patience;
	if (bytes)
		*bytes = v->reply;
	if (error)
		*error = 0;
	if (dnssec)
		*dnssec = DKIM_DNSSEC_UNKNOWN;
	return DKIM_DNS_SUCCESS;
}

static int
query_cancel(void *service, void *handle)
{
	(void)service, (void)handle;
	return DKIM_DNS_SUCCESS;
}

static int
dns_init(void **service)
{
	(void)service; /* query_service has it */
	return 0;
}

static void
dns_close(void *service)
{
	(void)service;
}

/* ---- the message ---- */

static bool
library_is_there(void)
{
	unsigned flags = DKIM_LIBFLAGS_BADSIGHANDLES;

	if (lib)
		return true;
	lib = dkim_init(NULL, NULL);
	if (!lib)
		return false;
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags));
	dkim_dns_set_init(lib, dns_init);
	dkim_dns_set_close(lib, dns_close);
	dkim_dns_set_query_start(lib, query_start);
	dkim_dns_set_query_waitreply(lib, query_wait);
	dkim_dns_set_query_cancel(lib, query_cancel);
	return true;
}

struct dkim_verifier *
dkim_verify_new(const struct auth_dns *dns, const struct dkim_rules *rules,
	deadline_t until, struct why *why)
{
	struct dkim_verifier *v = mem_alloc(sizeof(*v));
	DKIM_STAT status = DKIM_STAT_NORESOURCE;

	*v = (struct dkim_verifier){ .dns = dns,
		.rules = *rules,
		.until = until,
		.fields = { .limit = HEADER_MOST } };
	if (library_is_there())
		v->handle =
			dkim_verify(lib, (const unsigned char *)"message", NULL, &status);
	if (v->handle)
		return v;
	why_set(why, "4.3.0", "libopendkim: %s", dkim_getresultstr(status));
	dkim_verify_free(v);
	return NULL;
}

void
dkim_verify_free(struct dkim_verifier *v)
{
	if (!v)
		return;
	if (v->handle)
		dkim_free(v->handle);
	fields_free(&v->fields);
	buf_free(&v->piece);
	mem_free(v);
}

/* Appends bytes whose lines end in CRLF, where they end in LF. */
static void
put_lines(struct str bytes, struct buf *out)
{
	ssize_t end;

	while ((end = str_chr(bytes, '\n')) >= 0) {
		buf_add(out, str_sub(bytes, 0, (size_t)end));
		buf_addz(out, "\r\n");
		bytes = str_from(bytes, (size_t)end + 1);
	}
	buf_add(out, bytes);
}

/* A field that is none for the library cannot be signed either: it is not shown to it. */
static void
take_field(struct dkim_verifier *v, const struct field *f)
{
	struct str text = f->text;
	DKIM_STAT status;

	if (field_is(f, "DKIM-Signature") && v->signatures >= v->rules.signatures)
		return;
	v->signatures += field_is(f, "DKIM-Signature");
	v->header += text.len;
	if (v->header > HEADER_MOST) {
		v->broken = true;
		return;
	}
	if (str_ends(text, STR("\n")))
		text = str_sub(text, 0, text.len - 1);
	buf_clear(&v->piece);
	put_lines(text, &v->piece);
	current = v;
	status = dkim_header(v->handle, (unsigned char *)v->piece.data, v->piece.len);
	v->broken = status != DKIM_STAT_OK && status != DKIM_STAT_SYNTAX;
}

/* NOSIG: then there is nothing to be said of a body. */
static void
header_ends(struct dkim_verifier *v)
{
	DKIM_STAT status;

	current = v;
	status = dkim_eoh(v->handle);
	v->in_body = true;
	v->broken = status == DKIM_STAT_NORESOURCE || status == DKIM_STAT_INTERNAL;
}

static void
take_body(struct dkim_verifier *v, struct str bytes)
{
	while (bytes.len > 0 && v->signatures > 0 && !v->broken) {
		struct str part = str_sub(bytes, 0, PIECE);
		DKIM_STAT status;

		bytes = str_from(bytes, part.len);
		buf_clear(&v->piece);
		put_lines(part, &v->piece);
		current = v;
		status = dkim_body(
			v->handle, (unsigned char *)v->piece.data, v->piece.len);
		v->broken =
			status == DKIM_STAT_NORESOURCE || status == DKIM_STAT_INTERNAL;
	}
}

void
dkim_verify_add(struct dkim_verifier *v, struct str bytes)
{
	struct field f;
	enum fields_event event = FIELDS_FIELD;

	while (!v->in_body && !v->broken && event != FIELDS_MORE) {
		event = fields_next(&v->fields, &bytes, &f);
		if (event == FIELDS_FIELD)
			take_field(v, &f);
		else if (event == FIELDS_END)
			header_ends(v);
		/* A line that is no field, and came in pieces, is the body's. */
		if (event == FIELDS_END && v->fields.unterminated)
			take_body(v, buf_str(&v->fields.line));
	}
	if (v->in_body)
		take_body(v, bytes);
}

/* ---- what came of it ---- */

static struct str
algorithm_of(DKIM_SIGINFO *sig, dkim_alg_t *alg)
{
	*alg = DKIM_SIGN_UNKNOWN;
	if (dkim_sig_getsignalg(sig, alg) != DKIM_STAT_OK)
		return STR_NONE;
	switch (*alg) {
	case DKIM_SIGN_RSASHA1:
		return STR("rsa-sha1");
	case DKIM_SIGN_RSASHA256:
		return STR("rsa-sha256");
	case DKIM_SIGN_ED25519SHA256:
		return STR("ed25519-sha256");
	default:
		return STR_NONE;
	}
}

/* What is wrong with the signature itself, or its key. */
static enum dkim_result
result_of_error(DKIM_SIGERROR error)
{
	switch (error) {
	case DKIM_SIGERROR_KEYFAIL:
		return DKIM_TEMPERROR;
	case DKIM_SIGERROR_BADSIG:
	case DKIM_SIGERROR_EXPIRED:
	case DKIM_SIGERROR_FUTURE:
		return DKIM_FAIL;
	case DKIM_SIGERROR_KEYTOOSMALL:
		return DKIM_POLICY;
	case DKIM_SIGERROR_UNKNOWN:
		return DKIM_NEUTRAL;
	default:
		return DKIM_PERMERROR;
	}
}

static void
judge(const struct dkim_verifier *v, DKIM_SIGINFO *sig, struct dkim_verdict *out)
{
	unsigned flags = dkim_sig_getflags(sig);
	DKIM_SIGERROR error = dkim_sig_geterror(sig);
	int body = dkim_sig_getbh(sig);
	dkim_alg_t alg;

	out->algorithm = algorithm_of(sig, &alg);
	(void)dkim_sig_getkeysize(sig, &out->key_bits);
	out->is_test = flags & DKIM_SIGFLAG_TESTKEY;
	if (error != DKIM_SIGERROR_OK) {
		out->result = result_of_error(error);
		out->problem = str_c(dkim_sig_geterrorstr(error));
	} else if (!(flags & DKIM_SIGFLAG_PROCESSED)) {
		out->result = DKIM_NEUTRAL;
		out->problem = STR("not looked at");
	} else if (body == DKIM_SIGBH_MISMATCH) {
		out->result = DKIM_FAIL;
		out->problem = STR("body has been changed");
	} else if (!(flags & DKIM_SIGFLAG_PASSED) || body != DKIM_SIGBH_MATCH) {
		out->result = DKIM_FAIL;
		out->problem = STR("signature mismatch");
	} else {
		out->result = DKIM_PASS;
	}
	if (out->result != DKIM_PASS)
		return;
	/* RFC 8301 section 3.1 */
	if (alg == DKIM_SIGN_RSASHA1) {
		out->result = DKIM_POLICY;
		out->problem = STR("rsa-sha1 is not good enough");
	} else if (alg == DKIM_SIGN_RSASHA256 && out->key_bits < v->rules.key_bits) {
		out->result = DKIM_POLICY;
		out->problem = STR("the key is too short");
	}
}

/* Only what prints: it goes into headers and logs. */
static struct str
printable(const unsigned char *text, struct arena *arena)
{
	struct str s = text ? str_sub(str_c((const char *)text), 0, TEXT_MOST) : STR_NONE;
	char *out = arena_alloc(arena, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		if (ascii_is_print(s.data[i]) && s.data[i] != ' ')
			out[n++] = s.data[i];
	return str_of(out, n);
}

static void
describe(struct dkim_verifier *v, DKIM_SIGINFO *sig, struct arena *arena,
	struct dkim_verdict *out)
{
	unsigned char identity[TEXT_MOST + 1] = "";
	char part[32] = "";
	size_t len = sizeof(part) - 1;
	ssize_t body = 0, canonical = 0, signed_ = 0;

	out->domain = printable(dkim_sig_getdomain(sig), arena);
	out->selector = printable(dkim_sig_getselector(sig), arena);
	if (dkim_sig_getidentity(v->handle, sig, identity, sizeof(identity) - 1) ==
		DKIM_STAT_OK)
		out->identity = printable(identity, arena);
	if (dkim_get_sigsubstring(v->handle, sig, part, &len) == DKIM_STAT_OK)
		out->part = printable((unsigned char *)part, arena);
	out->is_limited = dkim_sig_getcanonlen(v->handle, sig, &body, &canonical,
				  &signed_) == DKIM_STAT_OK &&
			  signed_ >= 0;
}

void
dkim_verify_end(struct dkim_verifier *v, struct arena *arena, struct dkim_verdict **out,
	size_t *n)
{
	DKIM_SIGINFO **sigs = NULL;
	DKIM_STAT status = DKIM_STAT_OK;
	struct field f;
	int found = 0;

	*out = NULL;
	*n = 0;
	if (!v->in_body && !v->broken) {
		if (fields_finish(&v->fields, &f) == FIELDS_FIELD)
			take_field(v, &f);
		if (!v->broken)
			header_ends(v);
	}
	if (v->signatures == 0)
		return;
	if (!v->broken) {
		current = v;
		status = dkim_eom(v->handle, NULL);
		(void)dkim_getsiglist(v->handle, &sigs, &found);
	}
	if (v->broken || status == DKIM_STAT_NORESOURCE || status == DKIM_STAT_INTERNAL) {
		*out = arena_alloc(arena, sizeof(**out));
		**out = (struct dkim_verdict){ .result = DKIM_TEMPERROR,
			.problem = STR("the message could not be read") };
		*n = 1;
		return;
	}
	*out = arena_alloc(arena, ((size_t)found + 1) * sizeof(**out));
	for (int i = 0; i < found; i++) {
		struct dkim_verdict *verdict = &(*out)[(*n)++];

		*verdict = (struct dkim_verdict){ .domain = STR_NONE };
		judge(v, sigs[i], verdict);
		describe(v, sigs[i], arena, verdict);
		verdict->problem = arena_str(arena, verdict->problem);
	}
}

#else

struct dkim_verifier *
dkim_verify_new(const struct auth_dns *dns, const struct dkim_rules *rules,
	deadline_t until, struct why *why)
{
	(void)dns, (void)rules, (void)until;
	why_set(why, "4.3.5", "this build has no libopendkim");
	return NULL;
}

void
dkim_verify_add(struct dkim_verifier *v, struct str bytes)
{
	(void)v, (void)bytes;
}

void
dkim_verify_end(struct dkim_verifier *v, struct arena *arena, struct dkim_verdict **out,
	size_t *n)
{
	(void)v, (void)arena;
	*out = NULL;
	*n = 0;
}

void
dkim_verify_free(struct dkim_verifier *v)
{
	(void)v;
}
#endif
