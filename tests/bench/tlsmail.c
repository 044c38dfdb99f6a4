/* tlsmail.c -- SMTP under STARTTLS on both sides of what `./dev bench scale` measures:
 * clients that send one message for each connection, or many over it, and a server that
 * takes everything.
 *
 *	tlsmail load PORT RECIPIENT SESSIONS SECONDS [keep]
 *	tlsmail sink PORT CHAIN
 *
 * CHAIN is a PEM file with key and certificate. `load` prints what was accepted as a line
 * of JSON. Neither asks the other for its name, as mail does by default. */
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 56, LINE = 70 }; /* of a message of 4 KB */

static struct {
	struct tls_context *tls;
	struct net_addr server;
	const char *recipient;
	struct buf body;
	deadline_t end;
	bool keep;
	size_t sessions; /* under way */
	size_t accepted, failed;
} run;

static deadline_t
soon(void)
{
	return deadline_in(30 * 1000);
}

/* ---- clients ---- */

/* The code of a reply; 0: there is none. */
SWITCHES static unsigned
reply(struct conn *c)
{
	struct str line;

	do
		if (conn_read_line(c, &line, soon()) != CONN_LINE || line.len < 3)
			return 0;
	while (line.len > 3 && line.data[3] == '-');
	return (unsigned)strtoul(line.data, NULL, 10);
}

SWITCHES static bool
say(struct conn *c, const char *command, unsigned want)
{
	conn_printf(c, "%s\r\n", command);
	return reply(c) == want;
}

SWITCHES static bool
send_message(struct conn *c)
{
	if (!say(c, "MAIL FROM:<s@client.test>", 250))
		return false;
	conn_printf(c, "RCPT TO:<%s>\r\n", run.recipient);
	if (reply(c) != 250 || !say(c, "DATA", 354))
		return false;
	conn_write(c, buf_str(&run.body));
	return reply(c) == 250;
}

SWITCHES static bool
session(struct conn *c)
{
	if (reply(c) != 220 || !say(c, "EHLO client.test", 250) ||
		!say(c, "STARTTLS", 220) ||
		conn_connect_tls(c, run.tls, STR(""), STR(""), soon()) != CONN_OK ||
		!say(c, "EHLO client.test", 250))
		return false;
	do {
		if (!send_message(c))
			return false;
		run.accepted++;
	} while (run.keep && event_now() < run.end);
	return say(c, "QUIT", 221);
}

static void
client(void *arg)
{
	(void)arg;
	while (event_now() < run.end) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct conn *c = conn_open(fd);

		if (!c ||
			io_connect(&c->io, (struct sockaddr *)&run.server.sa,
				run.server.len, soon()) < 0 ||
			!session(c))
			run.failed++;
		conn_close(c);
	}
	if (--run.sessions == 0)
		event_stop();
}

static void
load(char **argv)
{
	struct tls_config conf = { .protocols = STR(">=TLSv1.2") };
	struct why why = { "", "" };
	int64_t begin;

	ensure(net_addr_parse(STR("127.0.0.1"), (unsigned)atoi(argv[0]), &run.server) ==
		0);
	run.tls = tls_client_context(&conf, &why);
	ensure(run.tls);
	run.recipient = argv[1];
	run.sessions = (size_t)atoi(argv[2]);
	run.end = deadline_in(1000 * (msec_t)atoi(argv[3]));
	run.keep = argv[4] != NULL;
	buf_addz(&run.body, "Subject: t\r\n\r\n");
	for (int i = 0; i < LINES * (LINE + 2); i++)
		buf_addc(&run.body, i % (LINE + 2) < LINE    ? 'X'
				    : i % (LINE + 2) == LINE ? '\r'
							     : '\n');
	buf_addz(&run.body, ".\r\n");
	begin = time_monotonic_us();
	for (size_t i = 0; i < run.sessions; i++)
		co_spawn(client, NULL, CO_STACK_LARGE);
	event_run();
	printf("{\"accepted\": %zu, \"failed\": %zu, \"seconds\": %.3f}\n", run.accepted,
		run.failed, (double)(time_monotonic_us() - begin) / 1e6);
}

/* ---- the server ---- */

SWITCHES static bool
take_data(struct conn *c)
{
	struct str line;

	do
		if (conn_read_line(c, &line, soon()) != CONN_LINE)
			return false;
	while (!str_is(line, "."));
	return true;
}

/* False: that was the last. */
SWITCHES static bool
obey(struct conn *c, struct str line)
{
	const char *say = "250 ok";
	bool quit = str_case_is(line, "QUIT");

	if (str_case_is(line, "STARTTLS")) {
		conn_printf(c, "220 go\r\n");
		return conn_flush(c, soon()) == CONN_OK &&
		       conn_accept_tls(c, run.tls, soon()) == CONN_OK;
	}
	if (line.len >= 4 && str_case_is(str_sub(line, 0, 4), "EHLO")) {
		say = c->tls ? "250-sink\r\n250 PIPELINING"
			     : "250-sink\r\n250-PIPELINING\r\n250 STARTTLS";
	} else if (str_case_is(line, "DATA")) {
		conn_printf(c, "354 go\r\n");
		if (conn_flush(c, soon()) != CONN_OK || !take_data(c))
			return false;
	} else if (quit) {
		say = "221 bye";
	}
	conn_printf(c, "%s\r\n", say);
	return conn_flush(c, soon()) == CONN_OK && !quit;
}

static void
serve(void *arg)
{
	struct conn *c = arg;
	struct str line;

	conn_printf(c, "220 sink ESMTP\r\n");
	while (conn_read_line(c, &line, soon()) == CONN_LINE && obey(c, line))
		;
	conn_close(c);
}

static void
accepted(int fd, void *arg)
{
	struct conn *c = conn_open(fd);

	(void)arg;
	if (c)
		co_spawn(serve, c, CO_STACK_LARGE);
}

static void
sink(char **argv)
{
	struct str chain = str_c(argv[1]);
	struct tls_config conf = { .chain_files = { &chain, 1 },
		.protocols = STR(">=TLSv1.2"),
		.session_lifetime = 3600 };
	struct why why = { "", "" };
	struct net_fds fds = { .n = 0 };
	struct arena *a = arena_new();

	run.tls = tls_server_context(&conf, &why);
	if (!run.tls || net_listen_inet(arena_printf(a, "127.0.0.1:%s", argv[0]), NULL,
				true, false, 1000, &fds, &why) < 0) {
		fprintf(stderr, "tlsmail: %s\n", why.text);
		exit(1);
	}
	io_listen(fds.fd[0], accepted, NULL);
	event_run();
}

int
main(int argc, char **argv)
{
	bool loads = argc >= 6 && strcmp(argv[1], "load") == 0;

	if (!loads && !(argc == 4 && strcmp(argv[1], "sink") == 0)) {
		fprintf(stderr,
			"usage: tlsmail load PORT RECIPIENT SESSIONS SECONDS [keep] | "
			"tlsmail sink PORT CHAIN\n");
		return 1;
	}
	event_init();
	if (loads)
		load(argv + 2);
	else
		sink(argv + 2);
	return 0;
}
