/* postauth_spf.c -- postauth spf: what SPF says of a client. */
#include "command.h"
#include "json.h"
#include "log.h"
#include "postauth.h"
#include "spf.h"
#include <getopt.h>
#include <stdio.h>

static const struct command_help help = {
	"postauth spf --client-address address [--helo name] [--mail-from sender] "
	"[--dns host:port] [--json] [--time-limit seconds] [-c config_dir]",
	"tells whether that client may send for that sender (RFC 7208)\n"
	"  --client-address   its IPv4 or IPv6 address\n"
	"  --helo             the name that it gave for itself\n"
	"  --mail-from        the sender; without one, or <>, the name is checked\n"
	"  --dns              the server that is asked\n"
	"  --json             the same for programs\n"
	"  --time-limit       for all look-ups together, in seconds; 20\n"
	"  -c dir             the directory of main.cf, for dns_servers\n",
};

struct check {
	struct spf_question question;
	struct postauth_asking asking;
	struct spf_verdict verdict;
	struct arena *arena;
};

static void
run(void *arg)
{
	struct check *c = arg;

	c->question.until = deadline_in(c->asking.patience);
	spf_check(&c->question, c->arena, &c->verdict);
}

static const char *
identity(const struct spf_verdict *v)
{
	return v->is_of_helo ? "helo" : "mailfrom";
}

static void
print_text(const struct spf_verdict *v)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	spf_verdict_show(v, &text);
	printf(STR_FMT "\n", STR_ARG(buf_str(&text)));
	if (v->explanation.len)
		printf("explanation: " STR_FMT "\n", STR_ARG(v->explanation));
}

static void
print_json(const struct spf_verdict *v)
{
	const struct {
		const char *name;
		struct str value;
	} fields[] = {
		{ "domain", v->domain },
		{ "mechanism", v->mechanism },
		{ "problem", v->problem },
		{ "explanation", v->explanation },
	};

	printf("{\"result\":\"%s\",\"identity\":\"%s\"", spf_result_name(v->result),
		identity(v));
	for (size_t i = 0; i < COUNT(fields); i++)
		if (fields[i].value.len) {
			printf(",\"%s\":", fields[i].name);
			json_string(stdout, fields[i].value);
		}
	printf("}\n");
}

enum { JSON = 256 };
static const struct option long_options[] = {
	POSTAUTH_CLIENT_OPTIONS,
	POSTAUTH_ASKING_OPTIONS,
	{ "json", no_argument, NULL, JSON },
	{ 0 },
};

int
postauth_spf(int argc, char **argv)
{
	static const struct auth_dns dns = { .ask = postauth_ask };
	static struct check c = { .asking = { .patience = 20000 } }; /* section 4.6.4 */
	bool json = false;
	int opt;

	command_help(argc, argv, &help);
	while ((opt = getopt_long(argc, argv, "c:", long_options, NULL)) > 0)
		if (opt == JSON)
			json = true;
		else if (!postauth_take_client(opt, optarg, &c.question) &&
			 !postauth_take_asking(opt, optarg, &c.asking))
			command_usage(&help);
	if (!postauth_has_client(&c.question) || optind < argc ||
		(!c.question.helo.len && !c.question.sender.len))
		command_usage(&help);
	postauth_dns_open(c.asking.server, c.asking.directory);
	c.question.dns = &dns;
	c.arena = arena_new();
	postauth_run(run, &c);
	if (json)
		print_json(&c.verdict);
	else
		print_text(&c.verdict);
	return fflush(stdout) == 0 ? 0 : 1;
}
