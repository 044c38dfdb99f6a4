/* tls_test.c -- handshakes between two connections of ours, good ones and others. */
#include "tls_stage.h"
#include "test.h"
#include <stdio.h>

static void
check_text(const struct conn *c, const char *want)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	conn_tls_text(c, &text);
	CHECK_STR(buf_str(&text), want);
}

static const struct {
	const char *file;
	const char *protocols;
	const char *text;
} handshakes[] = {
	{ stage.rsa_file, ">=TLSv1.3",
		"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange "
		"X25519 "
		"server-signature RSA-PSS (2048 bits) server-digest SHA256" },
	{ stage.ec_file, ">=TLSv1.3",
		"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange "
		"X25519 "
		"server-signature ECDSA (prime256v1) server-digest SHA256" },
	{ stage.rsa_file, "TLSv1.2",
		"TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)" },
	{ stage.rsa_file, "TLSv1",
		"TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)" },
};

static void
handshake_rows(void *arg)
{
	(void)arg;
	stage_certificates();
	for (size_t i = 0; i < COUNT(handshakes); i++) {
		struct tls_config limits = { .protocols = str_c(handshakes[i].protocols),
			.exclude_ciphers = STR("aNULL") };

		test_row(i);
		stage.client_ctx = stage_context(false, limits, NULL);
		stage.server_ctx = stage_context(true, limits, handshakes[i].file);
		stage_open();
		co_spawn(stage_serve, NULL, CO_STACK_LARGE);
		CHECK(conn_tls_info(stage.client) == NULL);
		CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR("mx.example"),
			      STR_NONE, stage_soon()) == CONN_OK);
		stage_talk();
		CHECK(stage.result == CONN_OK);
		check_text(stage.client, handshakes[i].text);
		check_text(stage.server, handshakes[i].text);
		CHECK_STR(conn_tls_info(stage.client)->server_name, "mx.example");
		CHECK_STR(
			conn_tls_info(stage.server)->server_name, ""); /* had no effect */
		CHECK(!conn_tls_info(stage.server)->peer_certificate);
		CHECK(conn_tls_info(stage.client)->peer_certificate);
		CHECK(!conn_tls_info(stage.client)->trusted);
		CHECK(!conn_tls_info(stage.client)->reused);
		CHECK_INT((long long)conn_tls_info(stage.client)->fingerprint.len,
			32 * 3 - 1);
		stage_close();
	}
	event_stop();
}

TEST(both_ends_agree)
{
	stage_run(handshake_rows);
}

/* The authority is the certificate itself; the client shows one as well. */
static void
trust(void *arg)
{
	struct tls_config client_conf = { .protocols = STR(">=TLSv1.2") };
	struct tls_config server_conf = { .ask_certificate = true };

	(void)arg;
	stage_certificates();
	client_conf.ca_file = str_c(stage.cert_only);
	server_conf.ca_file = str_c(stage.cert_only);
	stage.client_ctx = stage_context(false, client_conf, stage.ec_file);
	stage.server_ctx = stage_context(true, server_conf, stage.rsa_file);
	stage_open();
	co_spawn(stage_serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR(""), STR_NONE,
		      stage_soon()) == CONN_OK);
	stage_talk();
	CHECK(conn_tls_info(stage.client)->trusted);
	CHECK_STR(conn_tls_info(stage.client)->peer_cn, "rsa.example");
	CHECK_STR(conn_tls_info(stage.client)->issuer_cn, "rsa.example");
	CHECK(conn_tls_info(stage.server)->peer_certificate);
	CHECK(!conn_tls_info(stage.server)->trusted); /* that one we do not know */
	CHECK_STR(conn_tls_info(stage.server)->peer_cn, "ec.example");
	CHECK_STR(conn_tls_info(stage.server)->server_name, "");
	stage_close();
	event_stop();
}

TEST(certificates_are_verified_but_not_insisted_on)
{
	stage_run(trust);
}

/* Large writes in both directions, smaller than nothing that TLS likes. */
static void
bulk(void *arg)
{
	struct buf big CLEANUP(buf_free) = BUF_INIT;
	struct str line;

	(void)arg;
	stage.client_ctx =
		stage_context(false, (struct tls_config){ .protocols = STR("") }, NULL);
	stage.server_ctx = stage_context(
		true, (struct tls_config){ .protocols = STR("") }, stage.rsa_file);
	stage_open();
	stage.server->line_limit = stage.client->line_limit = 2000000;
	co_spawn(stage_serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      stage_soon()) == CONN_OK);
	for (size_t i = 0; i < 1000000; i++)
		buf_addc(&big, (char)('a' + i % 26));
	conn_write(stage.client, buf_str(&big));
	conn_write(stage.client, STR("\r\n"));
	CHECK(conn_read_line(stage.client, &line, stage_soon()) == CONN_LINE);
	CHECK(str_eq(line, buf_str(&big)));
	CHECK_INT((long long)stage.client->sent, 1000002);
	stage_talk();
	stage_close();
	event_stop();
}

TEST(large_lines_pass)
{
	stage_run(bulk);
}

/* "STARTTLS\r\nEVIL\r\n" in one packet: EVIL was never protected (RFC 3207 section 4.2).
 */
static void
injection(void *arg)
{
	struct str line;

	(void)arg;
	stage.client_ctx =
		stage_context(false, (struct tls_config){ .protocols = STR("") }, NULL);
	stage.server_ctx = stage_context(
		true, (struct tls_config){ .protocols = STR("") }, stage.rsa_file);
	stage_open();
	stage.early_secret = false;
	conn_write(stage.client, STR("STARTTLS\r\nEVIL\r\nEV"));
	CHECK(conn_flush(stage.client, stage_soon()) == CONN_OK);
	CHECK(conn_read_line(stage.server, &line, stage_soon()) == CONN_LINE);
	CHECK_STR(line, "STARTTLS");
	co_spawn(stage_serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      stage_soon()) == CONN_OK);
	stage_talk();
	CHECK(!stage.early_secret);
	stage_close();
	event_stop();
}

TEST(what_was_sent_in_clear_is_dropped)
{
	stage_run(injection);
}

static void
chain_shown(void *arg)
{
	struct buf chain CLEANUP(buf_free) = BUF_INIT;
	const struct tls_info *t;
	char want[200];

	(void)arg;
	stage.client_ctx = stage_context(false, (struct tls_config){ 0 }, NULL);
	stage.server_ctx = stage_context(true, (struct tls_config){ 0 }, stage.rsa_file);
	stage_open();
	conn_tls_chain(stage.client, &chain);
	CHECK_INT(chain.len, 0); /* in clear */
	co_spawn(stage_serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      stage_soon()) == CONN_OK);
	stage_talk();
	t = conn_tls_info(stage.client);
	CHECK(!t->trusted);
	CHECK_STR(t->distrust, "self-signed certificate");
	CHECK(!str_eq(t->fingerprint, t->key_fingerprint));
	conn_tls_chain(stage.client, &chain);
	snprintf(want, sizeof(want),
		" 0 subject: /CN=" STR_FMT "\n    issuer: /CN=" STR_FMT
		"\n   cert digest=",
		STR_ARG(t->peer_cn), STR_ARG(t->issuer_cn));
	CHECK(str_starts(buf_str(&chain), str_c(want)));
	CHECK(str_find(buf_str(&chain), t->fingerprint) > 0);
	CHECK(str_find(buf_str(&chain), t->key_fingerprint) > 0);
	CHECK(str_ends(buf_str(&chain), STR("-----END CERTIFICATE-----\n")));
	conn_close(stage.client);
	conn_close(stage.server);
	tls_context_free(stage.client_ctx);
	tls_context_free(stage.server_ctx);
	event_stop();
}

TEST(the_certificates_of_a_server)
{
	stage_certificates();
	stage_run(chain_shown);
}

/* ---- handshakes that fail ---- */

static void
failures(void *arg)
{
	(void)arg;
	/* No protocol in common. */
	stage.client_ctx = stage_context(
		false, (struct tls_config){ .protocols = STR("TLSv1.2") }, NULL);
	stage.server_ctx = stage_context(
		true, (struct tls_config){ .protocols = STR("TLSv1.3") }, stage.rsa_file);
	stage_open();
	co_spawn(stage_serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      stage_soon()) == CONN_ERROR);
	CHECK_STR(stage.client->tls_error, "tlsv1 alert protocol version");
	CHECK_INT(stage.client->error, EPROTO);
	while (!stage.done)
		co_yield ();
	CHECK(stage.result == CONN_ERROR);
	CHECK_STR(stage.server->tls_error, "unsupported protocol");
	CHECK(conn_tls_info(stage.server) == NULL);
	stage_close();

	/* Not TLS at all; nobody there; nobody speaks. */
	stage.client_ctx =
		stage_context(false, (struct tls_config){ .protocols = STR("") }, NULL);
	stage.server_ctx = stage_context(
		true, (struct tls_config){ .protocols = STR("") }, stage.rsa_file);
	stage_open();
	conn_write(stage.client, STR("EHLO there, this is plain text\r\n"));
	CHECK(conn_flush(stage.client, stage_soon()) == CONN_OK);
	CHECK(conn_accept_tls(stage.server, stage.server_ctx, stage_soon()) ==
		CONN_ERROR);
	CHECK(stage.server->tls_error.len > 0);
	conn_close(stage.server);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      stage_soon()) != CONN_OK);
	conn_close(stage.client);

	stage_open();
	conn_close(stage.server);
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      stage_soon()) == CONN_CLOSED);
	CHECK(stage.client->tls_error.len > 0);
	conn_close(stage.client);

	stage_open();
	CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, STR_NONE,
		      event_now()) == CONN_TIMEOUT);
	stage.done = true;
	stage_close();
	event_stop();
}

TEST(handshakes_fail_with_a_reason)
{
	stage_run(failures);
}

TEST_MAIN()
