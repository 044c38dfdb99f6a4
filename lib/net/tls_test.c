/* tls_test.c -- handshakes between two connections of ours, with certificates made here,
 * and with OpenSSL's own programs at the other end. */
#include "net_impl.h"
#include "test.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static deadline_t
soon(void)
{
	return deadline_in(20 * 1000);
}

static void
in_loop(void (*fn)(void *))
{
	event_init();
	co_spawn(fn, NULL, CO_STACK_LARGE);
	event_run();
	event_after_fork();
}

/* ---- keys and certificates ---- */

static char rsa_file[200], ec_file[200], bad_file[200], cert_only[200], key_only[200];

static void
name_file(char *out, const char *name)
{
	snprintf(out, sizeof(rsa_file), "%s/%s", test_dir(), name);
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

static void
make_certificates(void)
{
	EVP_PKEY *rsa, *ec;
	X509 *x;
	FILE *f;

	if (rsa_file[0])
		return;
	name_file(rsa_file, "rsa.pem");
	name_file(ec_file, "ec.pem");
	name_file(bad_file, "bad.pem");
	name_file(cert_only, "cert.pem");
	name_file(key_only, "key.pem");
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	x = self_signed(rsa, "rsa.example");
	write_file(rsa_file, rsa, x);
	write_file(cert_only, NULL, x);
	write_file(key_only, rsa, NULL);
	X509_free(x);
	x = self_signed(ec, "ec.example");
	write_file(ec_file, ec, x);
	X509_free(x);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	f = fopen(bad_file, "w");
	fprintf(f, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	fclose(f);
}

static struct tls_context *
context(bool server, struct tls_config conf, const char *file)
{
	struct str files[1] = { str_c(file) };
	struct why why = { "", "" };
	struct tls_context *ctx;

	make_certificates();
	if (file)
		conf.chain_files = (struct strs){ files, 1 };
	ctx = server ? tls_server_context(&conf, &why) : tls_client_context(&conf, &why);
	CHECK_STR(str_c(why.text), "");
	CHECK(ctx != NULL);
	return ctx;
}

/* ---- configuration ---- */

static const struct {
	const char *text;
	const char
		*allowed; /* a letter each for SSLv3, TLSv1 ... TLSv1.3; NULL: refused */
} protocols[] = {
	{ "", "yyyyy" },
	{ ">=TLSv1", "nyyyy" },
	{ ">=TLSv1.2", "nnnyy" },
	{ ">=tlsv1.2, <=TLSv1.2", "nnnyn" },
	{ "!SSLv2, !SSLv3", "nyyyy" },
	{ "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1", "nnnyy" },
	{ "TLSv1.2 TLSv1.3", "nnnyy" },
	{ "TLSv1.2, !TLSv1.2", NULL },
	{ ">=0304", "nnnny" },
	{ ">=0x0303", "nnnyy" },
	{ "<=TLSv1.2:>=TLSv1", "nyyyn" },
	{ ">=0", "yyyyy" },
	{ "SSLv2", NULL },
	{ "TLSv1.4", NULL },
	{ "!!TLSv1", NULL },
	{ ">TLSv1", NULL },
};

TEST(protocols_are_parsed)
{
	for (size_t i = 0; i < COUNT(protocols); i++) {
		struct tls_protocols p;
		struct why why;
		int got = tls_protocols_parse(str_c(protocols[i].text), &p, &why);

		test_row(i);
		CHECK((got == 0) == (protocols[i].allowed != NULL));
		for (int k = 0; got == 0 && k < TLS_PROTOCOLS; k++)
			CHECK(p.allowed[k] == (protocols[i].allowed[k] == 'y'));
	}
}

TEST(loglevels_are_numbers_and_words)
{
	static const struct {
		const char *text;
		int level;
	} rows[] = { { "0", 0 }, { "none", 0 }, { "1", 1 }, { "Routine", 1 }, { "2", 2 },
		{ "debug", 2 }, { "3", 3 }, { "ssl-expert", 3 }, { "4", 4 },
		{ "ssl-developer", 4 }, { "5", -1 }, { "-1", -1 }, { "", -1 },
		{ "1 2", -1 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(tls_loglevel(str_c(rows[i].text)), rows[i].level);
}

TEST(cipher_lists_are_made)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;
	struct tls_config conf = { .ciphers = STR("medium"),
		.cipherlist = STR("HIGH"),
		.exclude_ciphers = STR("aNULL, RC4 MD5") };
	struct why why;

	CHECK(tls_cipher_list(&conf, &list, &why) == 0);
	CHECK_STR(buf_str(&list), "HIGH:!aNULL:!RC4:!MD5");
	conf.ciphers = STR("strongest");
	CHECK(tls_cipher_list(&conf, &list, &why) < 0);
	CHECK(strstr(why.text, "strongest") != NULL);
}

static const struct {
	const char *files[2]; /* NULL-terminated, the names of the variables above */
	const char *why;      /* "": accepted */
} chains[] = {
	{ { rsa_file, NULL }, "" },
	{ { rsa_file, ec_file }, "" },
	{ { key_only, cert_only }, "" },
	{ { cert_only, NULL }, "begins with a certificate" },
	{ { key_only, NULL }, "without its certificate" },
	{ { key_only, ec_file }, "without its certificate" },
	{ { bad_file, NULL }, "cannot read a private key" },
	{ { "/nonexistent", NULL }, "cannot open /nonexistent: No such file" },
	{ { "/dev/null", NULL }, "cannot read keys" },
	{ { NULL, NULL }, "no server certificate: set smtpd_tls_chain_files" },
};

TEST(chain_files_are_read)
{
	make_certificates();
	for (size_t i = 0; i < COUNT(chains); i++) {
		struct str files[2] = { str_c(chains[i].files[0]),
			str_c(chains[i].files[1]) };
		struct tls_config conf = { .chain_files = { files,
						   (size_t) !!chains[i].files[0] +
							   !!chains[i].files[1] } };
		struct why why = { "", "" };
		struct tls_context *ctx;

		test_row(i);
		ctx = tls_server_context(&conf, &why);
		CHECK((ctx != NULL) == (chains[i].why[0] == 0));
		CHECK(strstr(why.text, chains[i].why) != NULL);
		tls_context_free(ctx);
	}
}

TEST(older_parameters_are_read)
{
	struct tls_config conf = { .cert_file = str_c(cert_only) };
	struct why why = { "", "" };
	struct tls_context *ctx;

	make_certificates();
	conf = (struct tls_config){ .cert_file = str_c(cert_only),
		.key_file = str_c(key_only),
		.eccert_file = str_c(ec_file) };
	ctx = tls_server_context(&conf, &why);
	CHECK(ctx != NULL);
	tls_context_free(ctx);
	conf.key_file = str_c(ec_file); /* not its key */
	CHECK(tls_server_context(&conf, &why) == NULL);
	CHECK(strstr(why.text, cert_only) != NULL);
	conf = (struct tls_config){ .cert_file = STR("none"), .protocols = STR("TLSv9") };
	CHECK(tls_client_context(&conf, &why) == NULL);
	conf.protocols = STR_NONE;
	ctx = tls_client_context(&conf, &why);
	CHECK(ctx != NULL);
	tls_context_free(ctx);
	conf.cipherlist = STR("NO-SUCH-CIPHER");
	CHECK(tls_client_context(&conf, &why) == NULL);
	CHECK(strstr(why.text, "NO-SUCH-CIPHER") != NULL);
	conf.cipherlist = STR_NONE;
	conf.ca_file = STR("/nonexistent");
	CHECK(tls_client_context(&conf, &why) == NULL);
}

/* ---- handshakes ---- */

static struct conn *client, *server;
static struct tls_context *client_ctx, *server_ctx;
static enum conn_result server_result;
static bool server_done;
static bool early_secret; /* somebody sent plain text behind STARTTLS */

static void
open_pair(void)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	client = conn_open(pair[0]);
	server = conn_open(pair[1]);
	server_done = false;
}

/* A server that echoes lines until one says QUIT. */
static void
serve(void *arg)
{
	struct str line;

	(void)arg;
	server_result = conn_accept_tls(server, server_ctx, soon());
	while (server_result == CONN_OK &&
		conn_read_line(server, &line, soon()) == CONN_LINE) {
		if (str_is(line, "EVIL"))
			early_secret = true;
		if (str_is(line, "QUIT"))
			break;
		conn_write(server, line);
		conn_write(server, STR("\r\n"));
	}
	server_done = true;
}

static void
close_pair(void)
{
	while (!server_done)
		co_yield ();
	conn_close(client);
	conn_close(server);
	tls_context_free(client_ctx);
	tls_context_free(server_ctx);
}

static void
check_text(const struct conn *c, const char *want)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	conn_tls_text(c, &text);
	CHECK_STR(buf_str(&text), want);
}

static void
talk(void)
{
	struct str line;

	conn_write(client, STR("hello\r\nworld\r\n"));
	CHECK(conn_read_line(client, &line, soon()) == CONN_LINE);
	CHECK_STR(line, "hello");
	CHECK(conn_read_line(client, &line, soon()) == CONN_LINE);
	CHECK_STR(line, "world");
	conn_write(client, STR("QUIT\r\n"));
	CHECK(conn_flush(client, soon()) == CONN_OK);
	while (!server_done)
		co_yield ();
}

static const struct {
	const char *file;
	const char *protocols;
	const char *text;
} handshakes[] = {
	{ rsa_file, ">=TLSv1.3",
		"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange "
		"X25519 "
		"server-signature RSA-PSS (2048 bits) server-digest SHA256" },
	{ ec_file, ">=TLSv1.3",
		"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange "
		"X25519 "
		"server-signature ECDSA (prime256v1) server-digest SHA256" },
	{ rsa_file, "TLSv1.2",
		"TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)" },
	{ rsa_file, "TLSv1", "TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)" },
};

static void
handshake_rows(void *arg)
{
	(void)arg;
	make_certificates();
	for (size_t i = 0; i < COUNT(handshakes); i++) {
		struct tls_config limits = { .protocols = str_c(handshakes[i].protocols),
			.exclude_ciphers = STR("aNULL") };

		test_row(i);
		client_ctx = context(false, limits, NULL);
		server_ctx = context(true, limits, handshakes[i].file);
		open_pair();
		co_spawn(serve, NULL, CO_STACK_LARGE);
		CHECK(conn_tls_info(client) == NULL);
		CHECK(conn_connect_tls(client, client_ctx, STR("mx.example"), STR_NONE,
			      soon()) == CONN_OK);
		talk();
		CHECK(server_result == CONN_OK);
		check_text(client, handshakes[i].text);
		check_text(server, handshakes[i].text);
		CHECK_STR(conn_tls_info(client)->server_name, "mx.example");
		CHECK_STR(conn_tls_info(server)->server_name, ""); /* had no effect */
		CHECK(!conn_tls_info(server)->peer_certificate);
		CHECK(conn_tls_info(client)->peer_certificate);
		CHECK(!conn_tls_info(client)->trusted);
		CHECK(!conn_tls_info(client)->reused);
		CHECK_INT((long long)conn_tls_info(client)->fingerprint.len, 32 * 3 - 1);
		close_pair();
	}
	event_stop();
}

TEST(both_ends_agree)
{
	in_loop(handshake_rows);
}

/* The authority is the certificate itself; the client shows one as well. */
static void
trust(void *arg)
{
	struct tls_config client_conf = { .protocols = STR(">=TLSv1.2") };
	struct tls_config server_conf = { .ask_certificate = true };

	(void)arg;
	make_certificates();
	client_conf.ca_file = str_c(cert_only);
	server_conf.ca_file = str_c(cert_only);
	client_ctx = context(false, client_conf, ec_file);
	server_ctx = context(true, server_conf, rsa_file);
	open_pair();
	co_spawn(serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(client, client_ctx, STR(""), STR_NONE, soon()) == CONN_OK);
	talk();
	CHECK(conn_tls_info(client)->trusted);
	CHECK_STR(conn_tls_info(client)->peer_cn, "rsa.example");
	CHECK_STR(conn_tls_info(client)->issuer_cn, "rsa.example");
	CHECK(conn_tls_info(server)->peer_certificate);
	CHECK(!conn_tls_info(server)->trusted); /* that one we do not know */
	CHECK_STR(conn_tls_info(server)->peer_cn, "ec.example");
	CHECK_STR(conn_tls_info(server)->server_name, "");
	close_pair();
	event_stop();
}

TEST(certificates_are_verified_but_not_insisted_on)
{
	in_loop(trust);
}

/* Large writes in both directions, smaller than nothing that TLS likes. */
static void
bulk(void *arg)
{
	struct buf big CLEANUP(buf_free) = BUF_INIT;
	struct str line;

	(void)arg;
	client_ctx = context(false, (struct tls_config){ .protocols = STR("") }, NULL);
	server_ctx = context(true, (struct tls_config){ .protocols = STR("") }, rsa_file);
	open_pair();
	server->line_limit = client->line_limit = 2000000;
	co_spawn(serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, soon()) ==
		CONN_OK);
	for (size_t i = 0; i < 1000000; i++)
		buf_addc(&big, (char)('a' + i % 26));
	conn_write(client, buf_str(&big));
	conn_write(client, STR("\r\n"));
	CHECK(conn_read_line(client, &line, soon()) == CONN_LINE);
	CHECK(str_eq(line, buf_str(&big)));
	CHECK_INT((long long)client->sent, 1000002);
	talk();
	close_pair();
	event_stop();
}

TEST(large_lines_pass)
{
	in_loop(bulk);
}

/* "STARTTLS\r\nEVIL\r\n" in one packet: EVIL was never protected (RFC 3207 section 4.2).
 */
static void
injection(void *arg)
{
	struct str line;

	(void)arg;
	client_ctx = context(false, (struct tls_config){ .protocols = STR("") }, NULL);
	server_ctx = context(true, (struct tls_config){ .protocols = STR("") }, rsa_file);
	open_pair();
	early_secret = false;
	conn_write(client, STR("STARTTLS\r\nEVIL\r\nEV"));
	CHECK(conn_flush(client, soon()) == CONN_OK);
	CHECK(conn_read_line(server, &line, soon()) == CONN_LINE);
	CHECK_STR(line, "STARTTLS");
	co_spawn(serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, soon()) ==
		CONN_OK);
	talk();
	CHECK(!early_secret);
	close_pair();
	event_stop();
}

TEST(what_was_sent_in_clear_is_dropped)
{
	in_loop(injection);
}

/* ---- handshakes that fail ---- */

static void
failures(void *arg)
{
	(void)arg;
	/* No protocol in common. */
	client_ctx =
		context(false, (struct tls_config){ .protocols = STR("TLSv1.2") }, NULL);
	server_ctx = context(
		true, (struct tls_config){ .protocols = STR("TLSv1.3") }, rsa_file);
	open_pair();
	co_spawn(serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, soon()) ==
		CONN_ERROR);
	CHECK_STR(client->tls_error, "tlsv1 alert protocol version");
	CHECK_INT(client->error, EPROTO);
	while (!server_done)
		co_yield ();
	CHECK(server_result == CONN_ERROR);
	CHECK_STR(server->tls_error, "unsupported protocol");
	CHECK(conn_tls_info(server) == NULL);
	close_pair();

	/* Not TLS at all; nobody there; nobody speaks. */
	client_ctx = context(false, (struct tls_config){ .protocols = STR("") }, NULL);
	server_ctx = context(true, (struct tls_config){ .protocols = STR("") }, rsa_file);
	open_pair();
	conn_write(client, STR("EHLO there, this is plain text\r\n"));
	CHECK(conn_flush(client, soon()) == CONN_OK);
	CHECK(conn_accept_tls(server, server_ctx, soon()) == CONN_ERROR);
	CHECK(server->tls_error.len > 0);
	conn_close(server);
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, soon()) !=
		CONN_OK);
	conn_close(client);

	open_pair();
	conn_close(server);
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, soon()) ==
		CONN_CLOSED);
	CHECK(client->tls_error.len > 0);
	conn_close(client);

	open_pair();
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, event_now()) ==
		CONN_TIMEOUT);
	server_done = true;
	close_pair();
	event_stop();
}

TEST(handshakes_fail_with_a_reason)
{
	in_loop(failures);
}

/* ---- the other implementation ---- */

static struct io_listener *listener;
static int accepted = -1;
static void
on_accept(int fd, void *arg)
{
	(void)arg;
	accepted = fd;
}

static unsigned
listen_port(int fd)
{
	struct net_addr a = { .len = sizeof(a.sa) };

	CHECK(getsockname(fd, (struct sockaddr *)&a.sa, &a.len) == 0);
	return net_addr_port(&a);
}

/* openssl s_client connects twice, the second time with the ticket of the first. */
static const struct resumption {
	const char *first_key, *keys[2]; /* of the first server, and of the second */
	const char *protocol;            /* of the client */
	struct tls_config conf;          /* of the second; the first asks for nothing */
	bool reused;
} resumptions[] = {
	{ "a", { "a" }, "-tls1_2", { .session_lifetime = 3600 }, true },
	{ "a", { "a" }, "-tls1_3", { .session_lifetime = 3600 }, true },
	{ "a", { "b", "a" }, "-tls1_2", { .session_lifetime = 3600 }, true },
	{ "a", { "b", "a" }, "-tls1_3", { .session_lifetime = 3600 }, true },
	{ "a", { "b" }, "-tls1_2", { .session_lifetime = 3600 }, false },
	{ "a", { "b" }, "-tls1_3", { .session_lifetime = 3600 }, false },
	/* Keys of their own. */
	{ NULL, { NULL }, "-tls1_2", { .session_lifetime = 3600 }, false },
	/* Where something is asked of certificates, or somebody else serves. */
	{ "a", { "a" }, "-tls1_2", { .session_lifetime = 3600, .ask_certificate = true },
		false },
	{ "a", { "a" }, "-tls1_3", { .session_lifetime = 3600, .ask_certificate = true },
		false },
	{ "a", { "a" }, "-tls1_2",
		{ .session_lifetime = 3600, .session_scope = STR_INIT("other") }, false },
	{ "a", { NULL }, "-tls1_2", { .session_lifetime = 0 }, false },
	{ "a", { NULL }, "-tls1_3", { .session_lifetime = 0 }, false },
};
static const struct resumption *resumption;

static struct tls_context *
ticket_context(struct tls_config conf, const char *const *names, size_t n)
{
	char bytes[TLS_TICKET_KEYS][TLS_TICKET_KEY];
	struct str keys[TLS_TICKET_KEYS];
	size_t found = 0;
	struct tls_context *ctx;

	conf.protocols = STR("");
	conf.ticket_cipher = STR("aes-256-cbc");
	ctx = context(true, conf, rsa_file);
	for (size_t i = 0; i < n && names[i]; i++, found++) {
		memset(bytes[i], names[i][0], sizeof(bytes[i]));
		keys[i] = str_of(bytes[i], sizeof(bytes[i]));
	}
	CHECK(tls_context_has_tickets(ctx) == (conf.session_lifetime > 0));
	if (found > 0)
		tls_context_ticket_keys(ctx, keys, found);
	return ctx;
}

static void
serve_ping(struct tls_context *ctx, bool reused)
{
	struct str line;

	while (accepted < 0)
		co_yield ();
	server = conn_open(accepted);
	accepted = -1;
	CHECK(conn_accept_tls(server, ctx, soon()) == CONN_OK);
	CHECK(conn_tls_info(server)->reused == reused);
	CHECK(conn_read_line(server, &line, soon()) == CONN_LINE);
	CHECK_STR(line, "ping");
	conn_write(server, STR("ping\r\n"));
	CHECK(conn_flush(server, soon()) == CONN_OK);
	conn_close(server);
}

static void
against_s_client(void *arg)
{
	char command[700];
	struct net_fds fds = { .n = 0 };
	struct why why;
	int status = -1;
	pid_t pid;

	(void)arg;
	CHECK(net_listen_inet(STR("127.0.0.1:0"), NULL, true, false, 5, &fds, &why) == 0);
	snprintf(command, sizeof(command),
		"c=\"openssl s_client -quiet -ign_eof %s -connect 127.0.0.1:%u\" "
		"s=%s/ticket; rm -f $s; "
		"exec 2>/dev/null; echo ping | $c -sess_out $s | grep -q ping && "
		"echo ping | $c -sess_in $s | grep -q ping",
		resumption->protocol, listen_port(fds.fd[0]), test_dir());
	listener = io_listen(fds.fd[0], on_accept, NULL);
	pid = fork();
	if (pid == 0) {
		event_after_fork();
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	client_ctx = ticket_context((struct tls_config){ .session_lifetime = 3600 },
		&resumption->first_key, 1);
	serve_ping(client_ctx, false);
	server_ctx = ticket_context(resumption->conf, resumption->keys, 2);
	serve_ping(server_ctx, resumption->reused);
	CHECK(co_wait_child(pid, &status, soon()) == 0);
	CHECK_INT(status, 0);
	io_listener_close(listener);
	tls_context_free(server_ctx);
	tls_context_free(client_ctx);
	event_stop();
}

TEST(openssl_s_client_and_tickets)
{
	if (system("command -v openssl >/dev/null") != 0)
		return;
	make_certificates();
	for (size_t i = 0; i < COUNT(resumptions); i++) {
		test_row(i);
		resumption = &resumptions[i];
		in_loop(against_s_client);
	}
}

static void
chain_shown(void *arg)
{
	struct buf chain CLEANUP(buf_free) = BUF_INIT;
	const struct tls_info *t;
	char want[200];

	(void)arg;
	client_ctx = context(false, (struct tls_config){ 0 }, NULL);
	server_ctx = context(true, (struct tls_config){ 0 }, rsa_file);
	open_pair();
	conn_tls_chain(client, &chain);
	CHECK_INT(chain.len, 0); /* in clear */
	co_spawn(serve, NULL, CO_STACK_LARGE);
	CHECK(conn_connect_tls(client, client_ctx, STR_NONE, STR_NONE, soon()) ==
		CONN_OK);
	talk();
	t = conn_tls_info(client);
	CHECK(!t->trusted);
	CHECK_STR(t->distrust, "self-signed certificate");
	CHECK(!str_eq(t->fingerprint, t->key_fingerprint));
	conn_tls_chain(client, &chain);
	snprintf(want, sizeof(want),
		" 0 subject: /CN=" STR_FMT "\n    issuer: /CN=" STR_FMT
		"\n   cert digest=",
		STR_ARG(t->peer_cn), STR_ARG(t->issuer_cn));
	CHECK(str_starts(buf_str(&chain), str_c(want)));
	CHECK(str_find(buf_str(&chain), t->fingerprint) > 0);
	CHECK(str_find(buf_str(&chain), t->key_fingerprint) > 0);
	CHECK(str_ends(buf_str(&chain), STR("-----END CERTIFICATE-----\n")));
	conn_close(client);
	conn_close(server);
	tls_context_free(client_ctx);
	tls_context_free(server_ctx);
	event_stop();
}

TEST(the_certificates_of_a_server)
{
	make_certificates();
	in_loop(chain_shown);
}

/* With the session of one connection the next one needs no certificate. */
static void
resumed(void *arg)
{
	struct buf session CLEANUP(buf_free) = BUF_INIT;
	struct tls_config protocol = { .protocols = str_c(arg), .keep_sessions = true };
	const char *key[] = { "a" };

	client_ctx = context(false, protocol, NULL);
	server_ctx =
		ticket_context((struct tls_config){ .session_lifetime = 3600 }, key, 1);
	for (int round = 0; round < 3; round++) {
		/* In the last one with something that is no session. */
		struct str with = round == 2 ? STR("nonsense") : buf_str(&session);

		open_pair();
		co_spawn(serve, NULL, CO_STACK_LARGE);
		CHECK(conn_connect_tls(client, client_ctx, STR_NONE, with, soon()) ==
			CONN_OK);
		talk();
		CHECK(conn_tls_info(client)->reused == (round == 1));
		CHECK(conn_tls_info(server)->reused == (round == 1));
		CHECK(conn_tls_session(client, &session) ==
			(round != 1)); /* still good */
		CHECK(!conn_tls_session(client, &session));
		conn_close(client);
		conn_close(server);
	}
	tls_context_free(client_ctx);
	tls_context_free(server_ctx);
	event_stop();
}

static void
resumed_1_2(void *arg)
{
	(void)arg;
	resumed((void *)(uintptr_t) "TLSv1.2");
}

static void
resumed_1_3(void *arg)
{
	(void)arg;
	resumed((void *)(uintptr_t) "TLSv1.3");
}

TEST(clients_resume_sessions)
{
	make_certificates();
	in_loop(resumed_1_2);
	in_loop(resumed_1_3);
}

TEST(a_cipher_of_tickets_that_is_none)
{
	struct tls_context *ctx;

	make_certificates();
	ctx = context(true,
		(struct tls_config){
			.session_lifetime = 3600, .ticket_cipher = STR("aes-256-gcm") },
		rsa_file);
	CHECK(!tls_context_has_tickets(ctx));
	tls_context_free(ctx);
}

TEST_MAIN()
