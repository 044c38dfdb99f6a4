/* published_test.c -- what is found in zones that stand here as rows. */
#include "published.h"
#include "test.h"
#include "tls_digest.h"
#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>

/* A zone: "name type data", each ended by a LF; data of TLSA in hexadecimal digits. A
 * name that starts with '!' cannot be looked up. */

static uint16_t
type_of(struct str word)
{
	return str_is(word, "MX")      ? ns_t_mx
	       : str_is(word, "A")     ? ns_t_a
	       : str_is(word, "CNAME") ? ns_t_cname
	       : str_is(word, "TLSA")  ? ns_t_tlsa
				       : ns_t_txt;
}

static void
add_record(struct dns_reply *said, uint16_t type, struct str data, struct arena *arena)
{
	struct dns_rr *rr = &said->records[said->n_records++];
	char *bytes;

	*rr = (struct dns_rr){ .type = type, .data = data };
	if (type != ns_t_tlsa)
		return;
	bytes = arena_alloc(arena, data.len / 2 + 1);
	for (size_t i = 0; i + 1 < data.len; i += 2) {
		const char pair[] = { data.data[i], data.data[i + 1], '\0' };

		bytes[i / 2] = (char)strtol(pair, NULL, 16);
	}
	rr->data = str_of(bytes, data.len / 2);
}

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	struct str zone = *(struct str *)arg, data, owner = STR(""), kind = STR("");

	(void)until;
	*said = (struct dns_reply){ .status = DNS_NXDOMAIN,
		.records = arena_alloc(arena, 16 * sizeof(*said->records)) };
	while (str_split(&zone, '\n', &data) && said->n_records < 16) {
		(void)str_split(&data, ' ', &owner);
		if (str_starts(owner, STR("!")) && str_eq(str_from(owner, 1), name)) {
			said->status = DNS_TEMPFAIL;
			return DNS_TEMPFAIL;
		}
		(void)str_split(&data, ' ', &kind);
		if (!str_case_eq(owner, name))
			continue;
		said->status = DNS_NODATA;
		if (type_of(kind) == type || type_of(kind) == ns_t_cname)
			add_record(said, type_of(kind), data, arena);
	}
	if (said->n_records > 0)
		said->status = DNS_OK;
	return (enum dns_status)said->status;
}

static void
tell(void *arg, enum published_level level, const char *subject, struct str text)
{
	buf_printf(arg, "%s: %s: " STR_FMT "\n", published_level_name(level), subject,
		STR_ARG(text));
}

static struct str
look_at(const char *text, const struct published_key *keys, size_t n, struct str tls_keys,
	struct arena *arena)
{
	struct buf told CLEANUP(buf_free) = BUF_INIT;
	struct str zone = str_c(text);
	struct auth_dns dns = { .ask = ask, .arg = &zone };
	struct published_question q = { .domain = STR("d.test"),
		.keys = keys,
		.n_keys = n,
		.host = STR("mx.d.test"),
		.tls_keys = tls_keys,
		.dns = &dns,
		.until = DEADLINE_NEVER,
		.tell = tell,
		.arg = &told };

	published_check(&q, arena);
	return arena_str(arena, buf_str(&told));
}

#define MX "d.test MX mx.d.test\nmx.d.test A 192.0.2.1\n"

static const struct {
	const char *zone, *want; /* '!' in front: that is not said */
} judged[] = {
	/* MX */
	{ MX, "ok: MX: 0 mx.d.test" },
	{ "", "error: MX: there is neither" },
	{ "d.test A 192.0.2.1\n", "warning: MX: there is no record" },
	{ "d.test MX \n", "ok: MX: it takes no mail" },
	{ MX "d.test MX \n", "error: MX: \".\" says" },
	{ "d.test MX mx.d.test\n", "error: MX: mx.d.test has no address" },
	{ "d.test MX 192.0.2.1\n", "error: MX: 192.0.2.1 is an address" },
	{ MX "mx.d.test CNAME h.test\n", "error: MX: mx.d.test is an alias" },
	{ "!d.test\n", "error: MX: d.test cannot be looked up now" },
	{ MX "!mx.d.test\n", "error: MX: mx.d.test cannot be looked up now" },
	/* SPF */
	{ "d.test TXT v=spf1 mx -all\n", "ok: SPF: v=spf1 mx -all" },
	{ "d.test TXT v=spf10 mx -all\n", "error: SPF: there is no record" },
	{ "d.test TXT other\n", "error: SPF: there is no record" },
	{ "d.test TXT v=spf1 -all\nd.test TXT v=spf1 ?all\n",
		"error: SPF: d.test has 2 records v=spf1" },
	{ "d.test TXT v=spf1 +all\n", "error: SPF: +all lets anybody" },
	{ "d.test TXT v=spf1 ip4:0.0.0.0/0 -all\n", "error: SPF: ip4:0.0.0.0/0" },
	{ "d.test TXT v=spf1 mx\n", "warning: SPF: there is no all" },
	{ "d.test TXT v=spf1 mx redirect=e.test\ne.test TXT v=spf1 -all\n",
		"!warning: SPF" },
	{ "d.test TXT v=spf1 ptr -all\n", "warning: SPF: ptr" },
	{ "d.test TXT v=spf1 ipv4:1.2.3.4 -all\n", "error: SPF: permerror: " },
	{ "d.test TXT v=spf1 include:none.test -all\n", "error: SPF: permerror: " },
	/* DMARC */
	{ "_dmarc.d.test TXT v=DMARC1; p=reject; rua=mailto:a@d.test\n",
		"ok: DMARC: v=DMARC1; p=reject" },
	{ "_dmarc.d.test TXT v=DMARC1; p=reject; rua=mailto:a@d.test\n",
		"!warning: DMARC" },
	{ "_dmarc.d.test TXT v=DMARC1; p=none\n", "warning: DMARC: p=none" },
	{ "_dmarc.d.test TXT v=DMARC1; p=reject\n", "warning: DMARC: without rua=" },
	{ "_dmarc.d.test TXT v=DMARC1; p=reject; t=y\n", "warning: DMARC: t=y" },
	{ "_dmarc.d.test TXT v=DMARC1; p=all\n", "error: DMARC: \"v=DMARC1; p" },
	{ "_dmarc.d.test TXT v=DMARC1; p=none\n_dmarc.d.test TXT v=DMARC1; "
	  "p=none\n",
		"error: DMARC: _dmarc.d.test has 2 records" },
	{ "_dmarc.d.test TXT v=DMARC1; p=none; rua=mailto:a@e.test!10m\n",
		"warning: DMARC: no reports go to mailto:a@e.test!10m: there is "
		"no record d.test._report._dmarc.e.test" },
	{ "_dmarc.d.test TXT v=DMARC1; p=reject; "
	  "rua=mailto:a@e.test!10m,mailto:b@x.d.test\n"
	  "d.test._report._dmarc.e.test TXT v=DMARC1\n",
		"!warning: DMARC" },
	{ "_dmarc.d.test TXT v=DMARC1; p=none; rua=mailto:a@\n",
		"warning: DMARC: no reports go to mailto:a@" },
	{ "_dmarc.d.test TXT v=DMARC1; p=none; rua=https://d.test/\n",
		"warning: DMARC: rua=https://d.test/" },
	{ "_dmarc.test TXT v=DMARC1; p=quarantine\n",
		"ok: DMARC: it has no record; the one of a domain above says "
		"quarantine" },
	{ "", "error: DMARC: there is no record _dmarc.d.test" },
	/* MTA-STS */
	{ "", "absent: MTA-STS" },
	{ "_mta-sts.d.test TXT v=STSv1; id=2026a;\nmta-sts.d.test A 192.0.2.1\n",
		"ok: MTA-STS: v=STSv1; id=2026a;" },
	{ "_mta-sts.d.test TXT v=STSv1; id=2026a;\n",
		"error: MTA-STS: mta-sts.d.test has no address" },
	{ "_mta-sts.d.test TXT v=STSv1; id=2026-11;\n"
	  "mta-sts.d.test A 192.0.2.1\n",
		"error: MTA-STS: \"v=STSv1; id=2026-11;\" has no id=" },
	{ "_mta-sts.d.test TXT v=STSv1;\n", "error: MTA-STS: \"v=STSv1;\"" },
	/* TLSRPT */
	{ "", "absent: TLSRPT" },
	{ "_smtp._tls.d.test TXT v=TLSRPTv1; rua=mailto:a@d.test\n", "ok: TLSRPT" },
	{ "_smtp._tls.d.test TXT v=TLSRPTv1;rua=https://a/,mailto:a@d.test\n",
		"ok: TLSRPT" },
	{ "_smtp._tls.d.test TXT v=TLSRPTv1;\n", "error: TLSRPT: \"v=" },
	{ "_smtp._tls.d.test TXT v=TLSRPTv1; rua=a@d.test\n", "error: TLSRPT" },
	/* TLSA */
	{ MX, "absent: TLSA: _25._tcp.mx.d.test" },
	{ MX "_25._tcp.mx.d.test TLSA 030101aa\n", "error: TLSA: _25._tcp" },
	{ MX "_25._tcp.mx.d.test TLSA 040000aa\n", "error: TLSA: _25._tcp" },
	{ MX "_25._tcp.mx.d.test TLSA 030000aa\n",
		"ok: TLSA: _25._tcp.mx.d.test: 1 record" },
	{ MX "_25._tcp.mx.d.test TLSA 010000aa\n",
		"warning: TLSA: _25._tcp.mx.d.test: usage 1" },
	/* text of others */
	{ "d.test TXT v=spf1 \033[2J -all\n", "!\033" },
	{ "_dmarc.d.test TXT v=DMARC1; \033\n", "DMARC1; \\033" },
};

TEST(what_is_published_is_judged)
{
	for (size_t i = 0; i < COUNT(judged); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		bool unwanted = judged[i].want[0] == '!';
		struct str want = str_c(judged[i].want + unwanted);
		struct str told = look_at(judged[i].zone, NULL, 0, STR_NONE, arena);
		bool said = str_find(told, want) >= 0;

		test_row(i);
		CHECK(said != unwanted);
		if (said == unwanted)
			printf(STR_FMT, STR_ARG(told));
	}
}

#define ED  "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define ED2 "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURs="

TEST(keys_of_dkim_are_judged)
{
	static const struct {
		const char *record, *ours, *want;
	} rows[] = {
		{ ED, "", "ok: DKIM: s._domainkey.d.test: 256 bits\n" },
		{ ED, ED, "ok: DKIM: s._domainkey.d.test: 256 bits, the key that" },
		{ ED2, ED, "error: DKIM: s._domainkey.d.test: it is another key" },
		{ NULL, ED, "error: DKIM: s._domainkey.d.test: there is no record" },
		{ ED "\ns._domainkey.d.test TXT " ED2, "", "there are several records" },
		{ "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7h cvPapiMlrwIaaPcHURo=", ED,
			"ok: DKIM" },
		{ "t=y; " ED, "", "warning: DKIM: s._domainkey.d.test: t=y" },
		{ "v=DKIM2; p=", "", "error: DKIM: s._domainkey.d.test: it is of" },
		{ "v=DKIM1; p=", "", "the key is revoked" },
		{ "v=DKIM1", "", "it has no p=" },
		{ "k=dsa; p=AAAA", "", "neither rsa nor ed25519" },
		{ "p=AAAA", "", "is no public key" },
		{ "p=!", "", "is no public key" },
		{ "h=sha1; p=AAAA", "", "h= excludes sha256" },
		/* 512 bits */
		{ "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMTfxfw7aRZRhWI9qUFi3BCrP4oj98RA"
		  "Prqp4VOhD+KHphqLGJ/8vG02473lurbnXjRbfHJNJcMP/ACwFRfBPOsCAwEAAQ==",
			"", "its RSA key has 512 bits" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct published_key key = { .selector = STR("s"),
			.domain = STR("d.test"),
			.record = str_c(rows[i].ours) };
		struct str zone = STR("\n"), told;
		bool said;

		if (rows[i].record)
			zone = arena_printf(
				arena, "s._domainkey.d.test TXT %s\n", rows[i].record);
		told = look_at(arena_cstr(arena, zone), &key, 1, STR_NONE, arena);
		said = str_find(told, str_c(rows[i].want)) >= 0;
		test_row(i);
		CHECK(said);
		if (!said)
			printf(STR_FMT, STR_ARG(told));
	}
}

TEST(records_of_our_certificates_are_known)
{
	static const struct {
		const char *records, *want;
	} rows[] = {
		{ "030101%1\n", "ok: TLSA: _25._tcp.mx.d.test: 1 record, good if the "
				"zone is signed; smtpd's certificate" },
		{ "030101%2\n", "error: TLSA: _25._tcp.mx.d.test: none is of a" },
		{ "030101%2\n_25._tcp.mx.d.test TLSA 030101%1\n",
			"ok: TLSA: _25._tcp.mx.d.test: 2 records" },
		/* of an authority, whose certificates are not known here */
		{ "030101%2\n_25._tcp.mx.d.test TLSA 020101%2\n", "ok: TLSA" },
	};
	unsigned char ours[DIGEST_MOST];
	char shown[2 * DIGEST_MOST + 1], other[2 * DIGEST_MOST + 1];

	CHECK_INT(digest_of(DIGEST_SHA256, STR("key"), ours), 0);
	for (size_t i = 0; i < DIGEST_MOST; i++) {
		snprintf(shown + 2 * i, 3, "%02x", ours[i]);
		snprintf(other + 2 * i, 3, "%02x", ours[i] ^ 1);
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf zone CLEANUP(buf_free) = BUF_INIT;
		struct str rest = str_c(rows[i].records), line, told;

		buf_addz(&zone, MX "_25._tcp.mx.d.test TLSA ");
		while (str_split(&rest, '%', &line)) {
			buf_add(&zone, line);
			if (rest.len == 0)
				continue;
			buf_addz(&zone, rest.data[0] == '1' ? shown : other);
			rest = str_from(rest, 1);
		}
		told = look_at(
			buf_cstr(&zone), NULL, 0, str_of(ours, sizeof(ours)), arena);
		test_row(i);
		CHECK(str_find(told, str_c(rows[i].want)) >= 0);
		if (str_find(told, str_c(rows[i].want)) < 0)
			printf(STR_FMT, STR_ARG(told));
	}
}

TEST_MAIN()
