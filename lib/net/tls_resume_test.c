/* tls_resume_test.c -- sessions that are resumed: by tickets, with OpenSSL's own program
 * at the other end, and by what a client has kept. */
#include "tls_stage.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
	ctx = stage_context(true, conf, stage.rsa_file);
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
	stage.server = conn_open(accepted);
	accepted = -1;
	CHECK(conn_accept_tls(stage.server, ctx, stage_soon()) == CONN_OK);
	CHECK(conn_tls_info(stage.server)->reused == reused);
	CHECK(conn_read_line(stage.server, &line, stage_soon()) == CONN_LINE);
	CHECK_STR(line, "ping");
	conn_write(stage.server, STR("ping\r\n"));
	CHECK(conn_flush(stage.server, stage_soon()) == CONN_OK);
	conn_close(stage.server);
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
	stage.client_ctx = ticket_context((struct tls_config){ .session_lifetime = 3600 },
		&resumption->first_key, 1);
	serve_ping(stage.client_ctx, false);
	stage.server_ctx = ticket_context(resumption->conf, resumption->keys, 2);
	serve_ping(stage.server_ctx, resumption->reused);
	CHECK(co_wait_child(pid, &status, stage_soon()) == 0);
	CHECK_INT(status, 0);
	io_listener_close(listener);
	tls_context_free(stage.server_ctx);
	tls_context_free(stage.client_ctx);
	event_stop();
}

TEST(openssl_s_client_and_tickets)
{
	if (system("command -v openssl >/dev/null") != 0)
		return;
	stage_certificates();
	for (size_t i = 0; i < COUNT(resumptions); i++) {
		test_row(i);
		resumption = &resumptions[i];
		stage_run(against_s_client);
	}
}

/* With the session of one connection the next one needs no certificate. */
static void
resumed(void *arg)
{
	struct buf session CLEANUP(buf_free) = BUF_INIT;
	struct tls_config protocol = { .protocols = str_c(arg), .keep_sessions = true };
	const char *key[] = { "a" };

	stage.client_ctx = stage_context(false, protocol, NULL);
	stage.server_ctx =
		ticket_context((struct tls_config){ .session_lifetime = 3600 }, key, 1);
	for (int round = 0; round < 3; round++) {
		/* In the last one with something that is no session. */
		struct str with = round == 2 ? STR("nonsense") : buf_str(&session);

		stage_open();
		co_spawn(stage_serve, NULL, CO_STACK_LARGE);
		CHECK(conn_connect_tls(stage.client, stage.client_ctx, STR_NONE, with,
			      stage_soon()) == CONN_OK);
		stage_talk();
		CHECK(conn_tls_info(stage.client)->reused == (round == 1));
		CHECK(conn_tls_info(stage.server)->reused == (round == 1));
		CHECK(conn_tls_session(stage.client, &session) ==
			(round != 1)); /* still good */
		CHECK(!conn_tls_session(stage.client, &session));
		conn_close(stage.client);
		conn_close(stage.server);
	}
	tls_context_free(stage.client_ctx);
	tls_context_free(stage.server_ctx);
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
	stage_certificates();
	stage_run(resumed_1_2);
	stage_run(resumed_1_3);
}

TEST(a_cipher_of_tickets_that_is_none)
{
	struct tls_context *ctx;

	stage_certificates();
	ctx = stage_context(true,
		(struct tls_config){
			.session_lifetime = 3600, .ticket_cipher = STR("aes-256-gcm") },
		stage.rsa_file);
	CHECK(!tls_context_has_tickets(ctx));
	tls_context_free(ctx);
}
