/* arc_test.c -- tags, fields, keys, and chains that are none. Whole chains of others:
 * tests/auth/arc_test.py. */
#include "results.h"
#include "tags.h"
#include "test.h"
#include "tls_sign.h"

TEST(lists_of_tags)
{
	static const struct {
		const char *list;
		int n; /* tags; -1: it is none */
	} rows[] = {
		{ "a=1", 1 },
		{ " a = 1 ;\n\tb_2=x y;", 2 },
		{ "a=;b=", 2 },
		{ "a=1;b=2=3; ", 2 },
		{ "a=1;a=2", -1 },
		{ "a=1;A=2", 2 },
		{ "a=1;;b=2", -1 },
		{ "a=1;;", -1 },
		{ ";a=1", -1 },
		{ "a", -1 },
		{ "=1", -1 },
		{ "1a=1", -1 },
		{ "_a=1", -1 },
		{ "a-b=1", -1 },
		{ "a b=1", -1 },
		{ "a=\x01", -1 },
		{ "a=\xc3\xbc", -1 },
		{ "", -1 },
		{ " ", -1 },
	};
	struct tags tags;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int got = tags_read(str_c(rows[i].list), &tags);

		CHECK_INT(got < 0 ? -1 : (int)tags.n, rows[i].n);
	}
	CHECK_INT(tags_read(STR("a=\0"), &tags), -1);
	CHECK_INT(tags_read(STR("a= x ;b="), &tags), 0);
	CHECK_STR(tags_raw(&tags, "a"), " x ");
	CHECK_STR(tags_get(&tags, "a"), "x");
	CHECK(tags_get(&tags, "b").data && !tags_get(&tags, "c").data);
}

TEST(too_many_tags)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;
	struct tags tags;

	for (int i = 0; i < TAGS_MOST; i++)
		buf_printf(&list, "t%d=;", i);
	CHECK_INT(tags_read(buf_str(&list), &tags), 0);
	buf_addz(&list, "more=");
	CHECK_INT(tags_read(buf_str(&list), &tags), -1);
}

TEST(instances)
{
	static const struct {
		enum arc_kind kind;
		const char *text;
		unsigned i;
	} rows[] = {
		{ ARC_SEAL, "ARC-Seal: i=1; cv=none", 1 },
		{ ARC_SEAL, "ARC-Seal:a=x;\n\ti = 50 ;", 50 },
		{ ARC_SEAL, "ARC-Seal: i=51", 0 },
		{ ARC_SEAL, "ARC-Seal: i=0", 0 },
		{ ARC_SEAL, "ARC-Seal: i=01", 0 },
		{ ARC_SEAL, "ARC-Seal: i=", 0 },
		{ ARC_SEAL, "ARC-Seal: i=-1", 0 },
		{ ARC_SEAL, "ARC-Seal: I=1", 0 },
		{ ARC_SEAL, "ARC-Seal: i=1; i=1", 0 },
		{ ARC_SEAL, "ARC-Seal: a=x", 0 },
		{ ARC_SEAL, "ARC-Seal: i=18446744073709551617", 0 },
		{ ARC_RESULTS, "ARC-Authentication-Results: i=2; mx.example; none", 2 },
		{ ARC_RESULTS, "ARC-Authentication-Results:\n i = 2 ; mx.example", 2 },
		{ ARC_RESULTS, "ARC-Authentication-Results: i=2 mx.example", 0 },
		{ ARC_RESULTS, "ARC-Authentication-Results: mx.example; i=2", 0 },
		{ ARC_RESULTS, "ARC-Authentication-Results: ", 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(arc_instance(rows[i].kind, str_c(rows[i].text)), rows[i].i);
	CHECK_INT(arc_kind_of(STR("arc-SEAL")), ARC_SEAL);
	CHECK_INT(arc_kind_of(STR("ARC-Sealed")), ARC_KINDS);
}

#define SEAL    "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=x.example; s=s; b=AAAA"
#define MESSAGE "ARC-Message-Signature: i=1; a=rsa-sha256; d=x.example; s=s; b=AA=="

TEST(what_is_wrong_with_a_signature)
{
	static const struct {
		enum arc_kind kind;
		const char *text, *want; /* none: nothing is */
	} rows[] = {
		{ ARC_SEAL, SEAL, "" },
		{ ARC_SEAL, SEAL "; t=1; x=y; new=1", "" },
		{ ARC_SEAL, SEAL "; t=", "t= is no time" },
		{ ARC_SEAL, SEAL "; t=1x", "t= is no time" },
		{ ARC_SEAL, SEAL "; h=From", "it has h=" },
		{ ARC_SEAL, SEAL ";;", "it is no list of tags" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha1; cv=none; d=x; s=s; b=A",
			"a= is unknown, or not good enough" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha256; cv=None; d=x; s=s; b=A",
			"cv= is unknown" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha256; d=x; s=s; b=A", "cv= is unknown" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha256; cv=pass; d=; s=s; b=A",
			"d= is no domain" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha256; cv=pass; d=x y; s=s; b=A",
			"d= is no domain" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha256; cv=pass; d=x; b=A",
			"s= is no selector" },
		{ ARC_SEAL, "ARC-Seal: a=rsa-sha256; cv=pass; d=x; s=s; b= ",
			"b= is missing" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=to : from", "" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from; c=relaxed; v=1", "" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from; c=strange",
			"c= is unknown" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=to", "it does not sign From" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==", "it does not sign From" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from:arc-seal",
			"it signs ARC-Seal" },
		{ ARC_SIGNATURE, MESSAGE "; h=from", "bh= is missing" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from; x=1000", "" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from; x=999", "it has expired" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from; x=?", "x= is no time" },
		{ ARC_SIGNATURE, MESSAGE "; bh=AA==; h=from; l=0",
			"l= leaves the end of the body to anybody" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arc_signature s;
		const char *got =
			arc_signature_read(rows[i].kind, str_c(rows[i].text), 1000, &s);

		CHECK_STR(str_c(got), rows[i].want);
	}
}

TEST(what_is_hashed_of_the_signature_itself)
{
	static const char *const texts[][2] = {
		{ "ARC-Seal: a=rsa-sha256; cv=pass; d=x; s=s; b=A\n\tB; t=1\n",
			"arc-seal:a=rsa-sha256; cv=pass; d=x; s=s; b=; t=1" },
		{ "ARC-Seal: a=rsa-sha256; b=AB; cv=pass; d=x; s=s;\n",
			"arc-seal:a=rsa-sha256; b=; cv=pass; d=x; s=s;" },
		{ "ARC-Seal: a=rsa-sha256; cv=pass; d=x; s=s;\n\tb =\n AB\n",
			"arc-seal:a=rsa-sha256; cv=pass; d=x; s=s; b =" },
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct arc_signature s;

		CHECK(!arc_signature_read(ARC_SEAL, str_c(texts[i][0]), 0, &s));
		arc_signature_canon(&s, DKIM_RELAXED, &out);
		CHECK_STR(buf_str(&out), texts[i][1]);
	}
}

/* RFC 8463 appendix A.2 has the Ed25519 key. */
#define EDWARDS "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

TEST(records_of_keys)
{
	static const struct {
		const char *record, *want;
	} rows[] = {
		{ "v=DKIM1; k=ed25519; " EDWARDS, "" },
		{ "k=ed25519; n=a note; t=y:s; s=email:other; h=sha1:sha256; " EDWARDS,
			"" },
		{ "k=ed25519; s=*;\tp= 11qYAYKxCrfVS/7TyWQH Og7hcvPapiMlrwIaaPcHURo=;",
			"" },
		{ EDWARDS, "the key is of another kind" },
		{ "k=rsa; " EDWARDS, "the key is of another kind" },
		{ "k=ed25519; v=DKIM1; " EDWARDS,
			"the key's record is of another version" },
		{ "v=DKIM2; k=ed25519; " EDWARDS,
			"the key's record is of another version" },
		{ "k=ed25519; s=tlsrpt; " EDWARDS, "the key is for something else" },
		{ "k=ed25519; h=sha1; " EDWARDS, "the key is for something else" },
		{ "k=ed25519; p=", "the key has been revoked" },
		{ "k=ed25519", "the key's record has no key" },
		{ "k=ed25519; p=!", "the key's record has no key" },
		{ "k=ed25519; p=AAAA", "the public key cannot be read" },
		{ "v=spf1", "the key's record is of another version" },
		{ "v=spf1 -all;;", "the key's record cannot be understood" },
		{ "", "the key's record cannot be understood" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct why why = { "", "" };
		struct sign_key *key = arc_key_read(
			str_c(rows[i].record), DKIM_ED25519_SHA256, 1024, &why);

		CHECK_STR(str_c(key ? "" : why.text), rows[i].want);
		sign_key_free(key);
	}
}

TEST(short_keys_do_not_count)
{
	struct buf public CLEANUP(buf_free) = BUF_INIT,
			  record CLEANUP(buf_free) = BUF_INIT;
	struct why why = { "", "" };
	struct sign_key *key = sign_key_make(SIGN_RSA, 1024, &why);

	CHECK_INT(sign_key_public(key, &public), 0);
	sign_key_free(key);
	buf_addz(&record, "p=");
	base64_encode(buf_str(&public), &record);
	key = arc_key_read(buf_str(&record), DKIM_RSA_SHA256, 1024, &why);
	CHECK(key != NULL);
	sign_key_free(key);
	CHECK(!arc_key_read(buf_str(&record), DKIM_RSA_SHA256, 2048, &why));
	CHECK_STR(str_c(why.text), "the key is too short");
}

/* ---- chains of ours, sealed here and verified here ---- */

struct sealer {
	struct sign_key *key;
	struct buf record;
};

static enum dns_status
ask_record(void *arg, struct str name, uint16_t type, struct arena *arena,
	deadline_t until, struct dns_reply *said)
{
	const struct sealer *s = arg;

	(void)until;
	*said = (struct dns_reply){ .status = DNS_NXDOMAIN };
	if (!str_is(name, "s._domainkey.lists.example"))
		return DNS_NXDOMAIN;
	*said = (struct dns_reply){ .status = DNS_OK, .n_records = 1 };
	said->records = arena_alloc(arena, sizeof(*said->records));
	said->records[0] = (struct dns_rr){ .type = type, .data = buf_str(&s->record) };
	return DNS_OK;
}

static struct sealer
sealer_new(enum sign_kind kind)
{
	struct sealer s = { .record = BUF_INIT };
	struct buf public CLEANUP(buf_free) = BUF_INIT;
	struct why why;

	s.key = sign_key_make(kind, 1024, &why);
	ensure(s.key);
	CHECK_INT(sign_key_public(s.key, &public), 0);
	buf_printf(&s.record, "k=%s; p=", kind == SIGN_RSA ? "rsa" : "ed25519");
	base64_encode(buf_str(&public), &s.record);
	return s;
}

static void
finish_field(const struct sealer *s, const unsigned char *hash, struct buf *field)
{
	struct buf signature CLEANUP(buf_free) = BUF_INIT;

	CHECK_INT(sign_key_use(s->key, str_of(hash, DKIM_HASH), &signature), 0);
	dkim_sign_end(buf_str(&signature), field);
}

/* One more set in front. */
static void
seal(const struct sealer *s, enum dkim_canon how, struct buf *message)
{
	enum dkim_algorithm algorithm =
		sign_key_kind(s->key) == SIGN_RSA ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
	struct dkim_content *content = dkim_content_new(true, true);
	struct buf results = BUF_INIT, signature = BUF_INIT, field = BUF_INIT;
	struct dkim_plan plan = { .domain = STR("lists.example"),
		.selector = STR("s"),
		.algorithm = algorithm,
		.header = how,
		.body = how,
		.at = 1000 };
	struct arc_seal_plan seal_plan = { .domain = plan.domain,
		.selector = plan.selector,
		.algorithm = algorithm,
		.at = 1000 };
	struct arc_sets sets = { .n = 0 };
	unsigned char hash[DKIM_HASH];
	struct strs fields;
	struct why why;

	dkim_content_add(content, buf_str(message));
	CHECK_INT(dkim_content_end(content), 0);
	fields = dkim_content_fields(content);
	for (size_t i = 0; i < fields.n; i++)
		arc_sets_take(&sets,
			str_sub(fields.items[i], 0,
				(size_t)str_chr(fields.items[i], ':')),
			fields.items[i]);
	arc_sets_end(&sets);
	CHECK(!sets.problem);
	plan.instance = ++sets.n;
	seal_plan.cv = sets.n == 1 ? ARC_NONE : ARC_PASS;
	arc_results_write(sets.n,
		STR(" lists.example;\n\tdmarc=pass header.from=box.example\n"), &results);
	CHECK_INT(dkim_sign_begin(&plan, content, &signature, hash, &why), 0);
	finish_field(s, hash, &signature);
	sets.fields[sets.n][ARC_RESULTS] = buf_str(&results);
	sets.fields[sets.n][ARC_SIGNATURE] = buf_str(&signature);
	CHECK_INT(arc_seal_begin(&seal_plan, &sets, &field, hash), 0);
	finish_field(s, hash, &field);
	buf_add(&field, buf_str(&signature));
	buf_add(&field, buf_str(&results));
	buf_add(&field, buf_str(message));
	dkim_content_free(content);
	buf_free(&results);
	buf_free(&signature);
	buf_free(message);
	*message = field;
}

static void
check_sealed(const struct sealer *s, struct str message, const char *want)
{
	struct auth_dns dns = { .ask = ask_record, .arg = (void *)(uintptr_t)s };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct arc *a = arc_new(&dns, 1024, DEADLINE_NEVER);
	struct arc_verdict v;

	arc_add(a, message);
	arc_end(a, STR("box.example"), arena, &v);
	results_arc(&v, &out);
	CHECK_STR(buf_str(&out), want);
	for (size_t i = 0; i < v.n; i++)
		CHECK(v.seals[i].vouches);
	arc_free(a);
}

static void
check_sealer(enum sign_kind kind, enum dkim_canon how)
{
	struct sealer s = sealer_new(kind);
	struct buf message = BUF_INIT;

	buf_addz(
		&message, "DKIM-Signature: x\nFrom: a@box.example\nSubject:  x \n\nhi\n");
	seal(&s, how, &message);
	check_sealed(&s, buf_str(&message), "arc=pass (i=1 d=lists.example)");
	seal(&s, how, &message);
	check_sealed(&s, buf_str(&message), "arc=pass (i=2 d=lists.example)");
	buf_addz(&message, "more\n");
	check_sealed(&s, buf_str(&message),
		"arc=fail (i=2 d=lists.example) reason=\"message signature 2: the body "
		"has been changed\"");
	/* Only the newest message signature has to hold. */
	seal(&s, how, &message);
	check_sealed(&s, buf_str(&message), "arc=pass (i=3 d=lists.example)");
	for (int i = 4; i <= ARC_SETS_MOST; i++)
		seal(&s, how, &message);
	check_sealed(&s, buf_str(&message), "arc=pass (i=50 d=lists.example)");
	message.data[str_find(buf_str(&message), STR("t=1000"))] = 'u';
	check_sealed(&s, buf_str(&message),
		"arc=fail (i=50 d=lists.example) reason=\"seal 50: the signature does "
		"not match\"");
	buf_free(&message);
	buf_free(&s.record);
	sign_key_free(s.key);
}

TEST(what_is_sealed_passes)
{
	check_sealer(SIGN_RSA, DKIM_RELAXED);
	check_sealer(SIGN_ED25519, DKIM_SIMPLE);
}

/* ---- chains that are none ---- */

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	(void)name, (void)type, (void)arena, (void)until;
	*said = (struct dns_reply){ .status = *(enum dns_status *)arg };
	return *(enum dns_status *)arg;
}

static void
check_chain(const char *text, enum dns_status dns_says, const char *want)
{
	struct auth_dns dns = { .ask = ask, .arg = &dns_says };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct arc *a = arc_new(&dns, 1024, DEADLINE_NEVER);
	struct str rest = str_c(text);
	struct arc_verdict v;

	/* However it comes. */
	for (; rest.len > 0; rest = str_from(rest, 7))
		arc_add(a, str_sub(rest, 0, 7));
	arc_end(a, STR("box.example"), arena, &v);
	results_arc(&v, &out);
	CHECK_STR(buf_str(&out), want);
	arc_free(a);
}

#define AAR(i) "ARC-Authentication-Results: i=" i "; x.example; dmarc=pass\n"
/* bh= is of an empty body. */
#define AMS(i) \
	"ARC-Message-Signature: i=" i "; a=rsa-sha256; d=x.example; s=s; h=from;\n" \
	" c=relaxed/relaxed; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n"
#define AS(i, cv)  "ARC-Seal: i=" i "; a=rsa-sha256; d=X.example; s=s; cv=" cv "; b=AAAA\n"
#define SET(i, cv) AAR(i) AMS(i) AS(i, cv)
#define FROM       "From: a@box.example\n"

TEST(chains)
{
	static const struct {
		const char *text;
		enum dns_status dns;
		const char *want;
	} rows[] = {
		{ FROM "\nARC-Seal: i=1\n", DNS_OK, "arc=none" },
		{ "", DNS_OK, "arc=none" },
		{ SET("1", "none") FROM "\n", DNS_NXDOMAIN,
			"arc=fail (i=1 d=x.example) reason=\"message signature 1: "
			"there is no key\"" },
		{ SET("1", "none") FROM, DNS_TEMPFAIL,
			"arc=fail (i=1 d=x.example) reason=\"message signature 1: "
			"the key cannot be looked up now\"" },
		{ SET("1", "none") FROM "\nbody\n", DNS_OK,
			"arc=fail (i=1 d=x.example) reason=\"message signature 1: "
			"the body has been changed\"" },
		/* The header ends where cleanup and DMARC see its end. */
		{ "no field\n" SET("1", "none") FROM "\n", DNS_OK, "arc=none" },
		{ AAR("1") AMS("1") FROM, DNS_OK,
			"arc=fail reason=\"a set of the chain is not whole\"" },
		{ SET("2", "pass") FROM, DNS_OK,
			"arc=fail reason=\"a set of the chain is not whole\"" },
		{ SET("1", "none") AAR("1") FROM, DNS_OK,
			"arc=fail reason=\"a field of the chain is there twice\"" },
		{ SET("1", "none") SET("51", "pass") FROM, DNS_OK,
			"arc=fail reason=\"a field of the chain has no proper i=\"" },
		{ "ARC-Seal: i=?\n" FROM, DNS_OK,
			"arc=fail reason=\"a field of the chain has no proper i=\"" },
		{ SET("1", "pass") FROM, DNS_OK,
			"arc=fail reason=\"cv= is not what it has to be in its "
			"place\"" },
		{ SET("2", "none") SET("1", "none") FROM, DNS_OK,
			"arc=fail reason=\"cv= is not what it has to be in its "
			"place\"" },
		{ SET("2", "fail") SET("1", "none") FROM, DNS_OK,
			"arc=fail reason=\"a sealer found the chain broken\"" },
		{ SET("2", "pass") SET("1", "none") FROM, DNS_NODATA,
			"arc=fail (i=2 d=x.example) reason=\"message signature 2: "
			"there is no key\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check_chain(rows[i].text, rows[i].dns, rows[i].want);
}

TEST(too_much)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_addz(&text, AAR("1") AMS("1"));
	for (int i = 0; i < 10000; i++)
		buf_addz(&text, "a:\n");
	buf_addz(&text, AS("1", "none") FROM);
	check_chain(
		buf_cstr(&text), DNS_OK, "arc=fail reason=\"the header is too long\"");
}

TEST(who_vouches)
{
	static const struct {
		const char *body;
		bool vouches;
	} rows[] = {
		{ "i=1; mx.example; spf=pass; dmarc=pass", true },
		{ "i=1; mx.example; dmarc=pass (p=none) header.from=BOX.example", true },
		{ "i=1; mx.example;\n\tDMARC = (x) pass header.from = box.example;",
			true },
		{ "i=1; mx.example; dmarc=pass header.from=other.example", false },
		{ "i=1; mx.example; dmarc=pass header.from=\"box.example\"", true },
		{ "i=1; mx.example; dmarc=pass header.from=box.example.org", false },
		{ "i=1; mx.example; dmarc=fail", false },
		{ "i=1; mx.example; dmarc=passed", false },
		{ "i=1; mx.example; dmarc=fail; dmarc=pass", false },
		{ "i=1; mx.example; dkim=pass (; dmarc=pass)", false },
		{ "i=1; mx.example; dkim=fail reason=\"; dmarc=pass\"", false },
		{ "i=1; mx.example; dkim=fail reason=\"\\\"; dmarc=pass\"", false },
		{ "i=1; mx.example; dkim=pass dmarc=pass", false },
		{ "i=1; mx.example; \"dmarc=pass\"", false },
		{ "i=1; mx.example; none", false },
		{ "", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(results_pass_dmarc(str_c(rows[i].body), STR("box.example")),
			rows[i].vouches);
}

TEST_MAIN()
