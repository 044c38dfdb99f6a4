/* postern_explain.c -- postern explain: follows a mail through the programs of master.cf
 * as it would go, but that it does not exist. See postern_explain.h. */
#include "postern.h"
#include "event.h"
#include "postern_explain.h"
#include "log.h"
#include "net.h"
#include "submit.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/* Aliases of users forward to others, who forward ... */
enum { MAILS_MOST = 100, PASSES_MOST = 10 };

/* Exit statuses; 1 is for what cannot be explained. */
enum { GOES = 0, REFUSED = 2, FOR_NOW = 3 };

static struct {
	struct explain x;
	struct str sender, recipient, client, helo, login, service;
	bool local;           /* as sendmail gives it, not a client */
	VEC(struct str) open; /* envelopes that cleanup would get */
	struct str cleanup;   /* the service for the first of them */
	int status;
} explain;

/* ---- the arguments ---- */

NORETURN static void
usage(void)
{
	fprintf(stderr, "usage: postern explain [--client address] [--helo name] "
			"[--login name] [--service name | --local] [--ask] [--forward] "
			"[--json] [-v] sender recipient\n");
	exit(1);
}

static struct str
address_argument(const char *text)
{
	struct str s = str_c(text);

	if (str_starts(s, STR("<")) && str_ends(s, STR(">")))
		s = str_sub(s, 1, s.len - 2);
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			log_fatal("an address has no control characters");
	return s;
}

/* What a client says that has no name: RFC 5321 section 4.1.3. */
static struct str
literal(struct arena *a, struct str client)
{
	return arena_printf(a, "[%s" STR_FMT "]",
		str_chr(client, ':') >= 0 ? "IPv6:" : "", STR_ARG(client));
}

static void
read_option(int letter)
{
	switch (letter) {
	case 'c':
		explain.client = str_c(optarg);
		break;
	case 'h':
		explain.helo = address_argument(optarg);
		break;
	case 'u':
		explain.login = address_argument(optarg);
		break;
	case 's':
		explain.service = str_c(optarg);
		break;
	case 'l':
		explain.local = true;
		break;
	case 'a':
		explain.x.may_ask |= EXPLAIN_POLICY | EXPLAIN_VERIFY;
		break;
	case 'f':
		explain.x.may_ask |= EXPLAIN_AS_USER;
		break;
	case 'j':
		explain.x.json = true;
		break;
	case 'v':
		explain.x.verbose = true;
		break;
	default:
		usage();
	}
}

static void
read_arguments(void)
{
	static const struct option options[] = {
		{ "client", required_argument, NULL, 'c' },
		{ "helo", required_argument, NULL, 'h' },
		{ "login", required_argument, NULL, 'u' },
		{ "service", required_argument, NULL, 's' },
		{ "local", no_argument, NULL, 'l' },
		{ "ask", no_argument, NULL, 'a' },
		{ "forward", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct net_addr client;
	int letter;

	explain.x.verbose = postern.verbose;
	explain.client = STR("127.0.0.1");
	optind = 0;
	while ((letter = getopt_long(postern.argc, postern.argv, "v", options, NULL)) > 0)
		read_option(letter);
	if (postern.argc - optind != 2)
		usage();
	explain.sender = address_argument(postern.argv[optind]);
	explain.recipient = address_argument(postern.argv[optind + 1]);
	if (net_addr_parse(explain.client, 0, &client) < 0)
		log_fatal("--client " STR_FMT ": no address", STR_ARG(explain.client));
	if (!explain.helo.data)
		explain.helo = literal(explain.x.arena, explain.client);
}

/* ---- the lines of master.cf ---- */

static const struct service_line *
find_unix(struct str name)
{
	const struct master_conf *m = explain.x.services;

	for (size_t i = 0; i < m->services.n; i++) {
		const struct service_line *s = &m->services.items[i];

		if (str_eq(s->name, name) &&
			(s->type == SERVICE_UNIX || s->type == SERVICE_FIFO))
			return s;
	}
	return NULL;
}

static const struct service_line *
must_find_unix(struct str name)
{
	const struct service_line *s = find_unix(name);

	if (!s)
		log_fatal("master.cf has no service " STR_FMT, STR_ARG(name));
	return s;
}

/* Without a name the first one: distributions begin with the one for everybody. */
static const struct service_line *
find_smtpd(void)
{
	const struct master_conf *m = explain.x.services;

	for (size_t i = 0; i < m->services.n; i++) {
		const struct service_line *s = &m->services.items[i];

		if (str_is(s->command, "smtpd") &&
			(!explain.service.data || service_line_is(s, explain.service)))
			return s;
	}
	if (explain.service.data)
		log_fatal("master.cf has no smtpd of the name " STR_FMT,
			STR_ARG(explain.service));
	log_fatal("master.cf has no smtpd");
}

/* What the program of a line knows. */
static struct conf *
conf_of(const struct service_line *line)
{
	return conf_must_load(explain.x.directory, line->name, &line->overrides);
}

/* Whom it hands mail to. */
static struct str
cleanup_of(const struct conf *c)
{
	return arena_str(explain.x.arena, c->p.cleanup_service_name);
}

/* ---- outcomes ---- */

static void
outcome(struct str recipient, const char *word, struct str code, struct str text,
	int status)
{
	explain_print_outcome(&explain.x, recipient, word, code, text);
	if (status == REFUSED || explain.status == GOES)
		explain.status = status;
}

static void
fails(struct str recipient, const struct explain_reply *said)
{
	if (said->verdict == TEMPFAIL)
		outcome(recipient, "fails for now", said->code, said->text, FOR_NOW);
	else
		outcome(recipient, "fails", said->code, said->text, REFUSED);
}

/* ---- on its way ---- */

static void
add_mail(struct str envelope)
{
	if (explain.open.n < MAILS_MOST)
		*vec_push(&explain.open) = envelope;
	else
		log_warn("there is more mail to follow than %d", MAILS_MOST);
}

static void
ask(const struct service_line *line, struct explain_request *request,
	struct explain_reply *said, struct str about)
{
	*said = (struct explain_reply){ 0 };
	explain_print_program(&explain.x, line, about);
	explain_ask(&explain.x, line, request, said);
	explain_print_steps(&explain.x, line, said);
}

static struct str
encoded(const struct envelope *e)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	envelope_put(&bytes, e);
	return arena_str(explain.x.arena, buf_str(&bytes));
}

/* A client brings it. False: it does not get in. */
static bool
pass_smtpd(const struct envelope *e)
{
	const struct service_line *line = find_smtpd();
	struct conf *c = conf_of(line);
	struct explain_request request = {
		.envelope = encoded(e),
		.client = explain.client,
		.helo = explain.helo,
		.login = explain.login,
	};
	struct explain_reply said;

	explain.cleanup = cleanup_of(c);
	conf_free(c);
	ask(line, &request, &said, STR_NONE);
	if (said.verdict != ACCEPT)
		outcome(explain.recipient,
			said.verdict == TEMPFAIL ? "refused for now" : "refused",
			said.code, said.text,
			said.verdict == TEMPFAIL ? FOR_NOW : REFUSED);
	else if (said.ends)
		outcome(explain.recipient, "discarded", STR_NONE, STR_NONE, GOES);
	else
		add_mail(said.envelope);
	return said.verdict == ACCEPT;
}

/* sendmail has brought it: pickup looks at nothing. */
static void
pass_pickup(struct envelope *e)
{
	const struct service_line *line = must_find_unix(STR("pickup"));
	struct conf *c = conf_of(line);

	e->flags |= ENVELOPE_LOCAL | ENVELOPE_REWRITE | ENVELOPE_MILTERS;
	submission_overrides(c, explain.x.arena, e);
	explain.cleanup = cleanup_of(c);
	conf_free(c);
	add_mail(encoded(e));
}

/* The transport that qmgr, or another transport, has found. */
static void
pass_transport(struct str envelope, uint32_t n, struct str recipient,
	struct str transport, struct str nexthop)
{
	for (int pass = 0; pass < PASSES_MOST; pass++) {
		const struct service_line *line = find_unix(transport);
		struct explain_request request = {
			.envelope = envelope, .rcpt = n, .nexthop = nexthop
		};
		struct explain_reply said;

		if (!line) {
			outcome(recipient, "fails for now", STR("4.3.0"),
				STR("mail transport unavailable"), FOR_NOW);
			return;
		}
		ask(line, &request, &said, recipient);
		for (size_t i = 0; i < said.forwarded.n; i++)
			add_mail(said.forwarded.items[i]);
		if (said.verdict != ACCEPT) {
			fails(recipient, &said);
			return;
		}
		if (said.transport.len == 0) {
			outcome(recipient, said.text.len > 0 ? "accepted" : "forwarded",
				said.code, said.text, GOES);
			return;
		}
		transport = said.transport;
		nexthop = said.nexthop;
	}
	outcome(recipient, "fails for now", STR("4.3.5"),
		STR("transports pass it in a circle"), FOR_NOW);
}

static void
pass_qmgr(const struct service_line *qmgr, struct str envelope, uint32_t n,
	struct str recipient)
{
	struct explain_request request = { .envelope = envelope, .rcpt = n };
	struct explain_reply said;

	ask(qmgr, &request, &said, recipient);
	if (said.verdict != ACCEPT)
		fails(recipient, &said);
	else
		pass_transport(said.envelope, n, recipient, said.transport, said.nexthop);
}

/* What cleanup makes of one envelope, and where each recipient goes. */
static void
pass_cleanup(struct str envelope, struct str service)
{
	const struct service_line *line = must_find_unix(service);
	const struct service_line *qmgr =
		must_find_unix(explain.x.conf->p.queue_service_name);
	struct explain_request request = { .envelope = envelope };
	struct explain_reply said;
	struct envelope e;

	ask(line, &request, &said, STR_NONE);
	if (said.verdict != ACCEPT) {
		fails(STR_NONE, &said);
		return;
	}
	if (said.ends || envelope_get(said.envelope, &e, explain.x.arena) < 0)
		return;
	for (uint32_t i = 0; i < e.n_rcpts; i++)
		if (!(e.rcpts[i].notify & NOTIFY_EXPANDED))
			pass_qmgr(qmgr, said.envelope, i, e.rcpts[i].address);
}

static void
follow(void *arg)
{
	struct rcpt to = { .address = explain.recipient };
	struct envelope e = { .sender = explain.sender, .rcpts = &to, .n_rcpts = 1 };
	struct str service;

	(void)arg;
	if (explain_can_connect(&explain.x))
		explain.x.may_ask |= EXPLAIN_DNS;
	if (explain.local)
		pass_pickup(&e);
	else
		(void)pass_smtpd(&e);
	service = explain.cleanup;
	for (size_t i = 0; i < explain.open.n; i++) {
		pass_cleanup(explain.open.items[i], service);
		service = explain.x.conf->p.cleanup_service_name;
	}
	explain_ask_end();
	event_stop();
}

int
postern_explain(void)
{
	explain.x.arena = arena_new();
	explain.x.directory = postern.directory;
	explain.x.conf = postern.conf;
	read_arguments();
	explain.x.services =
		master_conf_load(postern.directory, postern.conf, &postern.issues);
	if (!explain.x.services)
		conf_issues_die(&postern.issues);
	event_init();
	co_spawn(follow, NULL, CO_STACK_LARGE);
	event_run();
	return explain.status;
}
