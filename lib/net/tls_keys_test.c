/* tls_keys_test.c -- handshakes whose private key somebody else uses. */
#include "tls_keys.h"
#include "tls_stage.h"
#include "test.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>

static struct tls_chains *keys; /* what the other process would have */
static int asked, at_once, most_at_once;
static bool refuses;

struct job {
	const struct tls_key_use *use;
	struct buf *out;
	int result;
};

static void
work(void *arg)
{
	struct job *job = arg;

	for (size_t i = 0; i < tls_chains_count(keys); i++)
		if (str_eq(tls_chains_key(keys, i), job->use->key))
			job->result = tls_chains_use(keys, i, job->use, job->out);
}

/* In a thread, so that the handshake has to wait. */
static int
ask(const struct tls_key_use *use, struct buf *out)
{
	struct job job = { use, out, -1 };

	asked++;
	at_once++;
	most_at_once = MAX(most_at_once, at_once);
	if (!refuses)
		event_offload(work, &job);
	at_once--;
	return job.result;
}

static struct str
pem_of(EVP_PKEY *key, struct arena *arena)
{
	BIO *out = BIO_new(BIO_s_mem());
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	struct str text;
	char *bytes;
	long len;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"a.example", -1, -1, 0);
	X509_set_issuer_name(x, name);
	CHECK(X509_sign(x, key, digest) > 0);
	CHECK(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
	CHECK(PEM_write_bio_X509(out, x) == 1);
	len = BIO_get_mem_data(out, &bytes);
	text = arena_str(arena, str_of(bytes, (size_t)len));
	BIO_free(out);
	X509_free(x);
	EVP_PKEY_free(key);
	return text;
}

static struct tls_context *
server_context(struct tls_config conf, struct arena *arena)
{
	struct tls_chain shown[4];
	struct why why = { "", "" };
	struct tls_context *ctx;

	for (size_t i = 0; i < tls_chains_count(keys); i++)
		shown[i] = tls_chains_show(keys, i, arena);
	conf.chains = shown;
	conf.n_chains = tls_chains_count(keys);
	ctx = tls_server_context(&conf, &why);
	CHECK_STR(str_c(why.text), "");
	CHECK(ctx != NULL);
	return ctx;
}

struct side {
	struct conn *conn;
	struct tls_context *ctx;
	enum conn_result result;
	bool done;
};

static void
serve(void *arg)
{
	struct side *s = arg;

	s->result = conn_accept_tls(s->conn, s->ctx, stage_soon());
	s->done = true;
}

static void
open_pair(struct side *server, struct side *client)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	client->conn = conn_open(pair[0]);
	server->conn = conn_open(pair[1]);
	co_spawn(serve, server, CO_STACK_LARGE);
}

static void
close_pair(struct side *server, struct side *client)
{
	while (!server->done)
		co_yield ();
	conn_close(client->conn);
	conn_close(server->conn);
}

static const struct {
	const char *type, *protocols, *ciphers;
	const char *want;
} rows[] = {
	{ "RSA", ">=TLSv1.3", NULL,
		"server-signature RSA-PSS (2048 bits) server-digest" },
	{ "EC", ">=TLSv1.3", NULL, "server-signature ECDSA (prime256v1) server-digest" },
	{ "ED25519", ">=TLSv1.3", NULL, "server-signature ED25519" },
	{ "RSA", "TLSv1.2", NULL, "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384" },
	{ "RSA", "TLSv1.2", "AES128-SHA", "TLSv1.2 with cipher AES128-SHA" },
	{ "RSA", "TLSv1.2", "DHE-RSA-AES128-SHA", "TLSv1.2 with cipher DHE-RSA-AES128" },
	{ "RSA", "TLSv1", NULL, "TLSv1 with cipher ECDHE-RSA-AES256-SHA" },
	{ "EC", "TLSv1.2", NULL, "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ "EC", "TLSv1", NULL, "TLSv1 with cipher ECDHE-ECDSA-AES256-SHA" },
	{ "ED25519", "TLSv1.2", NULL, "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM" },
};

static void
read_keys(const char *type, struct arena *arena)
{
	struct why why = { "", "" };
	EVP_PKEY *key = strcmp(type, "RSA") == 0  ? EVP_RSA_gen(2048)
			: strcmp(type, "EC") == 0 ? EVP_EC_gen("P-256")
						  : EVP_PKEY_Q_keygen(NULL, NULL, type);

	tls_chains_free(keys);
	keys = tls_chains_new();
	CHECK(tls_chains_add(keys, pem_of(key, arena), STR("x"), &why) == 0);
	CHECK(tls_chains_end(keys, STR("x"), &why) == 0);
	CHECK_STR(str_c(why.text), "");
	CHECK_INT((long long)tls_chains_count(keys), 1);
}

static void
each_row(void *arg)
{
	struct why why;

	(void)arg;
	tls_key_ask = ask;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf text CLEANUP(buf_free) = BUF_INIT;
		struct side server = { .done = false }, client = { .done = false };
		struct tls_config conf = { .protocols = str_c(rows[i].protocols),
			.exclude_ciphers = STR("aNULL") };

		test_row(i);
		if (rows[i].ciphers)
			conf.cipherlist = str_c(rows[i].ciphers);
		read_keys(rows[i].type, arena);
		server.ctx = server_context(conf, arena);
		client.ctx = tls_client_context(&conf, &why);
		for (int failing = 0; failing < 2; failing++) {
			enum conn_result got;

			refuses = failing;
			asked = 0;
			open_pair(&server, &client);
			got = conn_connect_tls(client.conn, client.ctx, STR_NONE,
				STR_NONE, stage_soon());
			CHECK((got == CONN_OK) == !failing);
			while (!server.done)
				co_yield ();
			CHECK((server.result == CONN_OK) == !failing);
			CHECK_INT(asked, 1);
			if (!failing)
				conn_tls_text(server.conn, &text);
			close_pair(&server, &client);
			server.done = false;
		}
		CHECK(strstr(buf_cstr(&text), rows[i].want) != NULL);
		tls_context_free(server.ctx);
		tls_context_free(client.ctx);
	}
	tls_chains_free(keys);
	keys = NULL;
	event_stop();
}

TEST(each_kind_of_key_is_used_elsewhere)
{
	stage_run(each_row);
}

/* ---- many at a time: what one leaves in OpenSSL's error queue is no other's ---- */

static size_t running;

static void
one_of_many(void *arg)
{
	struct tls_context *const *ctx = arg;
	struct side server = { .ctx = ctx[0] }, client = { .ctx = ctx[1] };

	open_pair(&server, &client);
	if (running++ % 4 == 3) { /* no TLS at all */
		conn_write(client.conn, STR("EHLO x\r\nMAIL FROM:<>\r\n"));
		(void)conn_flush(client.conn, stage_soon());
		while (!server.done)
			co_yield ();
		CHECK(server.result == CONN_ERROR);
	} else {
		CHECK(conn_connect_tls(client.conn, client.ctx, STR_NONE, STR_NONE,
			      stage_soon()) == CONN_OK);
		while (!server.done)
			co_yield ();
		CHECK(server.result == CONN_OK);
	}
	close_pair(&server, &client);
}

static void
many(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct tls_config conf = { .protocols = STR(">=TLSv1.2") };
	struct tls_context *ctx[2];
	struct co_scope scope;
	struct why why;

	(void)arg;
	tls_key_ask = ask;
	refuses = false;
	most_at_once = 0;
	read_keys("RSA", arena);
	ctx[0] = server_context(conf, arena);
	ctx[1] = tls_client_context(&conf, &why);
	co_scope_init(&scope);
	for (int i = 0; i < 100; i++)
		co_scope_spawn(&scope, one_of_many, ctx, CO_STACK_LARGE);
	co_scope_end(&scope, false);
	CHECK_INT(at_once, 0);
	CHECK(most_at_once > 1);
	tls_context_free(ctx[0]);
	tls_context_free(ctx[1]);
	tls_chains_free(keys);
	keys = NULL;
	event_stop();
}

TEST(handshakes_wait_side_by_side)
{
	stage_run(many);
}
