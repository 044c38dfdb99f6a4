/* tls_dane_test.c -- certificates and the TLSA records that are or are not theirs. */
#include "net_impl.h"
#include "test.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>

static X509 *authority, *leaf; /* for mx.dane.example */
static char chain_file[200];

static X509 *
certificate(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *by)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	X509_EXTENSION *basic;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name);
	basic = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
		issuer ? "CA:FALSE" : "critical,CA:TRUE");
	CHECK(X509_add_ext(x, basic, -1) == 1);
	X509_EXTENSION_free(basic);
	CHECK(X509_sign(x, by, EVP_sha256()) > 0);
	return x;
}

static void
make_chain(void)
{
	EVP_PKEY *root_key, *key;
	FILE *f;

	if (leaf)
		return;
	root_key = EVP_EC_gen("P-256");
	key = EVP_EC_gen("P-256");
	authority = certificate(root_key, "Authority", NULL, root_key);
	leaf = certificate(key, "mx.dane.example", authority, root_key);
	snprintf(chain_file, sizeof(chain_file), "%s/dane.pem", test_dir());
	f = fopen(chain_file, "w");
	CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	CHECK(PEM_write_X509(f, leaf) == 1);
	CHECK(PEM_write_X509(f, authority) == 1);
	fclose(f);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(key);
}

/* What a record of that selector and matching type holds. */
static struct str
data_of(X509 *x, unsigned selector, unsigned matching, struct arena *arena)
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	int len = selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der)
			   : i2d_X509(x, &der);
	unsigned size;
	struct str data;

	CHECK(len > 0);
	if (matching == 0) {
		data = arena_str(arena, str_of(der, (size_t)len));
	} else {
		CHECK(EVP_Digest(der, (size_t)len, digest, &size,
			      matching == 1 ? EVP_sha256() : EVP_sha512(), NULL) == 1);
		data = arena_str(arena, str_of(digest, size));
	}
	OPENSSL_free(der);
	return data;
}

static struct tls_context *
client_context(const char *digests)
{
	struct tls_config conf = { .dane_digests = str_c(digests) };
	struct why why = { "", "" };
	struct tls_context *ctx = tls_client_context(&conf, &why);

	CHECK_STR(str_c(why.text), "");
	return ctx;
}

static struct tls_context *
server_context(void)
{
	struct str files[] = { str_c(chain_file) };
	struct tls_config conf = { .chain_files = { files, 1 } };
	struct why why = { "", "" };
	struct tls_context *ctx = tls_server_context(&conf, &why);

	CHECK_STR(str_c(why.text), "");
	return ctx;
}

#define BOTH       "sha512 sha256"
#define NO_MATCH   "num=65:no matching DANE TLSA records"
#define OTHER_NAME "num=62:hostname mismatch"

/* A record "usage selector matching"; with ! in front it is somebody else's. */
static const struct {
	const char *digests, *records[2], *base, *name;
	size_t usable;
	const char *distrust; /* "": trusted */
} rows[] = {
	{ BOTH, { "311" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "301" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "312" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "310" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "300" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "!311" }, "mx.dane.example", NULL, 1, NO_MATCH },
	{ BOTH, { "!300" }, "mx.dane.example", NULL, 1, NO_MATCH },
	{ BOTH, { "!311", "311" }, "mx.dane.example", NULL, 2, "" },
	/* RFC 7672 section 3.1.1: the name does not matter */
	{ BOTH, { "311" }, "other.example", NULL, 1, "" },
	/* section 3.1.2: here it does */
	{ BOTH, { "201" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "211" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "202" }, "MX.dane.example", NULL, 1, "" },
	{ BOTH, { "200" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "210" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "211" }, "other.example", NULL, 1, OTHER_NAME },
	{ BOTH, { "211" }, "other.example", "mx.dane.example", 1, "" },
	{ BOTH, { "211" }, "dane.example", NULL, 1, OTHER_NAME },
	{ BOTH, { "!211" }, "mx.dane.example", NULL, 1, NO_MATCH },
	{ BOTH, { "!211", "311" }, "mx.dane.example", NULL, 2, "" },
	/* digest agility, RFC 7671 section 9: the best digest alone counts */
	{ BOTH, { "!312", "311" }, "mx.dane.example", NULL, 2, NO_MATCH },
	{ "sha256 sha512", { "!312", "311" }, "mx.dane.example", NULL, 2, "" },
	{ "sha256=1, SHA512=2", { "!312", "311" }, "mx.dane.example", NULL, 2, "" },
	{ BOTH, { "!312", "310" }, "mx.dane.example", NULL, 2, "" }, /* no digest */
	{ BOTH, { "!302", "311" }, "mx.dane.example", NULL, 2, "" }, /* of another */
	{ "sha256", { "!312", "311" }, "mx.dane.example", NULL, 1, "" },
	/* not of SMTP, or of nobody */
	{ BOTH, { "011" }, "mx.dane.example", NULL, 0, NULL },
	{ BOTH, { "111", "311" }, "mx.dane.example", NULL, 1, "" },
	{ BOTH, { "411" }, "mx.dane.example", NULL, 0, NULL },
	{ BOTH, { "321" }, "mx.dane.example", NULL, 0, NULL },
	{ BOTH, { "319" }, "mx.dane.example", NULL, 0, NULL },
	{ "sha512", { "311" }, "mx.dane.example", NULL, 0, NULL },
	{ "", { "311" }, "mx.dane.example", NULL, 0, NULL },
};

static void
make_record(const char *text, struct arena *arena, struct tls_tlsa *out)
{
	bool others = *text == '!';
	char *bytes;

	text += others;
	out->usage = (uint8_t)(text[0] - '0');
	out->selector = (uint8_t)(text[1] - '0');
	out->matching = (uint8_t)(text[2] - '0');
	out->data = data_of((out->usage == 2) != others ? authority : leaf, out->selector,
		out->matching, arena);
	if (!others || out->matching == 0)
		return;
	bytes = arena_alloc(arena, out->data.len);
	memset(bytes, 'x', out->data.len);
	out->data = str_of(bytes, out->data.len);
}

static struct conn *server;
static struct tls_context *server_ctx;
static bool server_done;

static void
serve(void *arg)
{
	(void)arg;
	CHECK(conn_accept_tls(server, server_ctx, deadline_in(20 * 1000)) == CONN_OK);
	server_done = true;
}

static void
handshake(struct tls_context *ctx, const struct tls_dane *dane, const char *distrust)
{
	struct tls_config terms = { .dane = dane };
	const struct tls_info *info;
	struct conn *client;
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	client = conn_open(pair[0]);
	server = conn_open(pair[1]);
	server_done = false;
	co_spawn(serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls_by(client, ctx, &terms, dane->base, STR_NONE,
		      deadline_in(20 * 1000)) == CONN_OK);
	info = conn_tls_info(client);
	CHECK(info->trusted == (*distrust == '\0'));
	CHECK_STR(info->distrust, distrust);
	CHECK_STR(info->server_name, dane->base.data);
	while (!server_done)
		co_yield ();
	conn_close(client);
	conn_close(server);
}

static void
each_row(void *arg)
{
	(void)arg;
	make_chain();
	server_ctx = server_context();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct tls_context *ctx = client_context(rows[i].digests);
		struct str name = str_c(rows[i].name ? rows[i].name : "");
		struct tls_tlsa records[2];
		struct tls_dane dane = { .base = str_c(rows[i].base),
			.names = { &name, name.len > 0 },
			.records = records };

		test_row(i);
		for (; dane.n < 2 && rows[i].records[dane.n]; dane.n++)
			make_record(rows[i].records[dane.n], arena, &records[dane.n]);
		dane.n = tls_dane_usable(ctx, records, dane.n);
		CHECK_INT((long long)dane.n, (long long)rows[i].usable);
		if (dane.n > 0)
			handshake(ctx, &dane, rows[i].distrust);
		tls_context_free(ctx);
	}
	tls_context_free(server_ctx);
	event_stop();
}

TEST(records_and_certificates)
{
	event_init();
	co_spawn(each_row, NULL, CO_STACK_LARGE);
	event_run();
	event_after_fork();
}

static const struct {
	const char *text;
	bool good;
} digests[] = {
	{ "sha512 sha256", true },
	{ "sha512=2,sha256=1", true },
	{ "sha384=3 sha256", true },
	{ "", false },
	{ "sha384", false },
	{ "sha256=2", false },
	{ "sha384=1", false },
	{ "sha384=0", false },
	{ "sha384=255", false },
	{ "sha384=x", false },
	{ "nonsense=9", false },
};

TEST(digests_of_dane)
{
	for (size_t i = 0; i < COUNT(digests); i++) {
		struct tls_context *ctx = client_context(digests[i].text);

		test_row(i);
		CHECK(tls_context_has_dane(ctx) == digests[i].good);
		tls_context_free(ctx);
	}
}

/* Data that is no digest, no key and no certificate. */
TEST(records_that_are_broken)
{
	static const struct tls_tlsa broken[] = {
		{ 3, 1, 1, STR_INIT("") },
		{ 3, 1, 1, STR_INIT("short") },
		{ 3, 1, 0, STR_INIT("no key") },
		{ 2, 0, 0, STR_INIT("no certificate") },
		{ 2, 0, 0, STR_INIT("") },
	};
	struct tls_context *ctx = client_context(BOTH);

	for (size_t i = 0; i < COUNT(broken); i++) {
		struct tls_tlsa record = broken[i];

		test_row(i);
		CHECK_INT((long long)tls_dane_usable(ctx, &record, 1), 0);
	}
	tls_context_free(ctx);
}

/* Trust anchors are what "2 0 0" and "2 1 0" would hold. */
TEST(files_of_trust_anchors)
{
	static const struct {
		const char *blocks; /* c: certificate, k: its key, p: a private key */
		int want;
		size_t n;
	} files[] = {
		{ "c", 0, 1 },
		{ "k", 0, 1 },
		{ "ckc", 0, 3 },
		{ "cp", -1, 0 },
		{ "", -1, 0 },
	};
	char path[600];

	make_chain();
	snprintf(path, sizeof(path), "%s/anchors.pem", test_dir());
	for (size_t i = 0; i < COUNT(files); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		EVP_PKEY *key = X509_get0_pubkey(authority), *own = EVP_EC_gen("P-256");
		struct tls_dane anchors = { .n = 0 };
		struct why why = { "", "" };
		FILE *f = fopen(path, "w");

		for (const char *at = files[i].blocks; *at; at++)
			CHECK((*at == 'c'          ? PEM_write_X509(f, authority)
				      : *at == 'k' ? PEM_write_PUBKEY(f, key)
						   : PEM_write_PrivateKey(f, own, NULL,
							     NULL, 0, NULL, NULL)) == 1);
		fclose(f);
		EVP_PKEY_free(own);
		test_row(i);
		CHECK_INT(tls_anchors_read(str_c(path), arena, &anchors, &why),
			files[i].want);
		CHECK_INT(anchors.n, files[i].n);
		if (files[i].n == 0)
			CHECK(strstr(why.text, "no trust anchors in"));
		for (size_t k = 0; k < anchors.n; k++) {
			bool is_key = files[i].blocks[k] == 'k';

			CHECK_INT(anchors.records[k].selector, is_key);
			CHECK(str_eq(anchors.records[k].data,
				data_of(authority, is_key, 0, arena)));
		}
	}
}

TEST(files_that_cannot_be_read)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct tls_dane anchors = { .n = 0 };
	struct why why;

	CHECK_INT(tls_anchors_read(STR("/nowhere/x"), arena, &anchors, &why), -1);
	CHECK(strstr(why.text, "cannot read /nowhere/x"));
	CHECK_INT(tls_anchors_read(STR("/etc\0/x"), arena, &anchors, &why), -1);
}
