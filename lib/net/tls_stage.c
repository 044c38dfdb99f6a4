/* tls_stage.c -- see tls_stage.h. */
#include "tls_stage.h"
#include "test.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>

struct tls_stage stage;

deadline_t
stage_soon(void)
{
	return deadline_in(20 * 1000);
}

void
stage_run(void (*fn)(void *))
{
	event_init();
	co_spawn(fn, NULL, CO_STACK_LARGE);
	event_run();
	event_after_fork();
}

/* ---- keys and certificates ---- */

static void
name_file(char *out, const char *name)
{
	snprintf(out, sizeof(stage.rsa_file), "%s/%s", test_dir(), name);
}

static X509 *
self_signed(EVP_PKEY *key, const char *cn)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, name);
	CHECK(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static void
write_file(const char *path, EVP_PKEY *key, X509 *x)
{
	FILE *f = fopen(path, "w");

	if (key)
		CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	if (x)
		CHECK(PEM_write_X509(f, x) == 1);
	fclose(f);
}

void
stage_certificates(void)
{
	EVP_PKEY *rsa, *ec;
	X509 *x;
	FILE *f;

	if (stage.rsa_file[0])
		return;
	name_file(stage.rsa_file, "rsa.pem");
	name_file(stage.ec_file, "ec.pem");
	name_file(stage.bad_file, "bad.pem");
	name_file(stage.cert_only, "cert.pem");
	name_file(stage.key_only, "key.pem");
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	x = self_signed(rsa, "rsa.example");
	write_file(stage.rsa_file, rsa, x);
	write_file(stage.cert_only, NULL, x);
	write_file(stage.key_only, rsa, NULL);
	X509_free(x);
	x = self_signed(ec, "ec.example");
	write_file(stage.ec_file, ec, x);
	X509_free(x);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	f = fopen(stage.bad_file, "w");
	fprintf(f, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	fclose(f);
}

struct tls_context *
stage_context(bool is_server, struct tls_config conf, const char *chain)
{
	struct str files[1] = { str_c(chain) };
	struct why why = { "", "" };
	struct tls_context *ctx;

	stage_certificates();
	if (chain)
		conf.chain_files = (struct strs){ files, 1 };
	ctx = is_server ? tls_server_context(&conf, &why)
			: tls_client_context(&conf, &why);
	CHECK_STR(str_c(why.text), "");
	CHECK(ctx != NULL);
	return ctx;
}

/* ---- two ends ---- */

void
stage_open(void)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	stage.client = conn_open(pair[0]);
	stage.server = conn_open(pair[1]);
	stage.done = false;
}

void
stage_serve(void *arg)
{
	struct str line;

	(void)arg;
	stage.result = conn_accept_tls(stage.server, stage.server_ctx, stage_soon());
	while (stage.result == CONN_OK &&
		conn_read_line(stage.server, &line, stage_soon()) == CONN_LINE) {
		if (str_is(line, "EVIL"))
			stage.early_secret = true;
		if (str_is(line, "QUIT"))
			break;
		conn_write(stage.server, line);
		conn_write(stage.server, STR("\r\n"));
	}
	stage.done = true;
}

void
stage_close(void)
{
	while (!stage.done)
		co_yield ();
	conn_close(stage.client);
	conn_close(stage.server);
	tls_context_free(stage.client_ctx);
	tls_context_free(stage.server_ctx);
}

void
stage_talk(void)
{
	struct str line;

	conn_write(stage.client, STR("hello\r\nworld\r\n"));
	CHECK(conn_read_line(stage.client, &line, stage_soon()) == CONN_LINE);
	CHECK_STR(line, "hello");
	CHECK(conn_read_line(stage.client, &line, stage_soon()) == CONN_LINE);
	CHECK_STR(line, "world");
	conn_write(stage.client, STR("QUIT\r\n"));
	CHECK(conn_flush(stage.client, stage_soon()) == CONN_OK);
	while (!stage.done)
		co_yield ();
}
