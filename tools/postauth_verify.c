/* postauth_verify.c -- postauth verify: what the signatures of a message are worth, and,
 * if its client is known, what SPF says of that. */
#include "command.h"
#include "json.h"
#include "log.h"
#include "postauth.h"
#include "results.h"
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const struct command_help help = {
	"postauth verify [--client-address address] [--helo name] [--mail-from sender] "
	"[--service name] [--dns host:port] [--json] [--time-limit seconds] "
	"[-c config_dir] < message",
	"tells who has signed a message (DKIM, RFC 6376), whether its client may send\n"
	"for its sender (SPF, RFC 7208), and whether the chain of those who handed it "
	"on\n"
	"is unbroken (ARC, RFC 8617), as an Authentication-Results field (RFC 8601)\n"
	"  --client-address   whom the message came from; without one SPF is not asked\n"
	"  --helo             the name that it gave for itself\n"
	"  --mail-from        the sender of the envelope\n"
	"  --service          who is named in the field; this host\n"
	"  --dns              the server that is asked\n"
	"  --json             the same for programs\n"
	"  --time-limit       for all look-ups of each kind, in seconds; 20\n"
	"  -c dir             the directory of main.cf, for dns_servers\n",
};

#define SIGNATURES_MOST 100
#define HEADER_MOST     (1024 * 1024) /* octets of a field */
#define KEY_BITS_LEAST  1024          /* RFC 8301 section 3.2 */

struct check {
	struct str message;
	struct spf_question question;
	struct postauth_asking asking;
	struct arena *arena;
	struct spf_verdict spf;
	struct dkim_verdict *dkim;
	size_t n_dkim;
	struct dmarc_verdict dmarc;
	struct arc_verdict arc;
};

/* Lines end in LF, in files also in CRLF. */
static void
show_lines(struct dkim_verifier *v, struct authors *authors, struct arc *arc,
	struct str rest)
{
	struct str line;

	while (rest.len > 0) {
		bool is_whole = str_split(&rest, '\n', &line);

		if (is_whole && str_ends(line, STR("\r")))
			line = str_sub(line, 0, line.len - 1);
		dkim_verify_add(v, line);
		dkim_verify_add(v, STR("\n"));
		authors_add(authors, line);
		authors_add(authors, STR("\n"));
		arc_add(arc, line);
		arc_add(arc, STR("\n"));
	}
}

SWITCHES static void
check_author(struct check *c, struct author_domains authors, const struct auth_dns *dns)
{
	struct dmarc_identity *ids =
		arena_alloc(c->arena, (c->n_dkim + 1) * sizeof(*ids));
	struct dmarc_question q = { .authors = authors,
		.identities = ids,
		.dns = dns,
		.until = deadline_in(c->asking.patience) };

	q.n = results_identities(c->spf.result, c->spf.domain, c->dkim, c->n_dkim, ids);
	dmarc_check(&q, c->arena, &c->dmarc);
}

static void
run(void *arg)
{
	static const struct auth_dns dns = { .ask = postauth_ask };
	const struct dkim_rules rules = { .signatures = SIGNATURES_MOST,
		.key_bits = KEY_BITS_LEAST };
	struct check *c = arg;
	struct authors *authors = authors_new(HEADER_MOST);
	struct arc *arc = arc_new(&dns, rules.key_bits, deadline_in(c->asking.patience));
	struct author_domains domains;
	struct dkim_verifier *v;
	struct why why;

	v = dkim_verify_new(&dns, &rules, deadline_in(c->asking.patience), &why);
	if (!v)
		log_fatal("%s", why.text);
	show_lines(v, authors, arc, c->message);
	dkim_verify_end(v, c->arena, &c->dkim, &c->n_dkim);
	dkim_verify_free(v);
	c->question.dns = &dns;
	c->question.until = deadline_in(c->asking.patience);
	if (postauth_has_client(&c->question))
		spf_check(&c->question, c->arena, &c->spf);
	domains = authors_end(authors, c->arena);
	check_author(c, domains, &dns);
	arc_end(arc, authors_only(&domains), c->arena, &c->arc);
	arc_free(arc);
	authors_free(authors);
}

static struct str
field_of(const struct check *c, struct str service)
{
	struct buf text = BUF_INIT;
	struct str *items = arena_alloc(c->arena, (c->n_dkim + 4) * sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < MAX(c->n_dkim, (size_t)1); i++) {
		buf_clear(&text);
		results_dkim(c->n_dkim ? &c->dkim[i] : NULL, &text);
		items[n++] = arena_str(c->arena, buf_str(&text));
	}
	if (postauth_has_client(&c->question)) {
		buf_clear(&text);
		results_spf(&c->spf, &text);
		items[n++] = arena_str(c->arena, buf_str(&text));
	}
	buf_clear(&text);
	results_dmarc(&c->dmarc, &text);
	items[n++] = arena_str(c->arena, buf_str(&text));
	buf_clear(&text);
	results_arc(&c->arc, &text);
	items[n++] = arena_str(c->arena, buf_str(&text));
	buf_clear(&text);
	results_field(service, (struct strs){ items, n }, &text);
	return arena_str(c->arena, buf_str(&text));
}

static void
print_pair(const char *name, struct str value)
{
	printf("\"%s\":", name);
	json_string(stdout, value);
}

static void
print_dkim(const struct dkim_verdict *d)
{
	printf("{");
	print_pair("domain", d->domain);
	printf(",");
	print_pair("selector", d->selector);
	printf(",");
	print_pair("result", str_c(dkim_result_name((enum dkim_result)d->result)));
	printf(",");
	print_pair("algorithm", d->algorithm);
	printf(",");
	print_pair("problem", d->problem);
	printf(",\"key_bits\":%u,\"limited\":%s,\"test\":%s}", d->key_bits,
		d->is_limited ? "true" : "false", d->is_test ? "true" : "false");
}

static void
print_dmarc(const struct dmarc_verdict *v)
{
	printf("{");
	print_pair("result", str_c(dmarc_result_name(v->result)));
	printf(",");
	print_pair("policy", str_c(dmarc_policy_name(v->policy)));
	printf(",");
	print_pair("published", str_c(dmarc_policy_name(v->published)));
	printf(",");
	print_pair("domain", v->domain);
	printf("}");
}

static void
print_arc(const struct arc_verdict *v)
{
	print_pair("arc", str_c(arc_result_name(v->result)));
	printf(",");
	print_pair("arc_problem", v->problem);
	printf(",\"arc_seals\":[");
	for (size_t i = 0; i < v->n; i++) {
		printf("%s{", i ? "," : "");
		print_pair("domain", v->seals[i].domain);
		printf(",\"vouches\":%s}", v->seals[i].vouches ? "true" : "false");
	}
	printf("]");
}

static void
print_json(const struct check *c, struct str field)
{
	printf("{\"spf\":");
	if (postauth_has_client(&c->question))
		json_string(stdout, str_c(spf_result_name(c->spf.result)));
	else
		printf("null");
	printf(",\"dkim\":[");
	for (size_t i = 0; i < c->n_dkim; i++) {
		printf("%s", i ? "," : "");
		print_dkim(&c->dkim[i]);
	}
	printf("],\"dmarc\":");
	print_dmarc(&c->dmarc);
	printf(",");
	print_arc(&c->arc);
	printf(",");
	print_pair("authentication_results", str_trim(field));
	printf("}\n");
}

enum { SERVICE = 256, JSON };
static const struct option long_options[] = {
	POSTAUTH_CLIENT_OPTIONS,
	POSTAUTH_ASKING_OPTIONS,
	{ "service", required_argument, NULL, SERVICE },
	{ "json", no_argument, NULL, JSON },
	{ 0 },
};

struct options {
	const char *service;
	bool json;
};

static void
read_options(int argc, char **argv, struct check *c, struct options *o)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "c:", long_options, NULL)) > 0)
		if (opt == SERVICE)
			o->service = optarg;
		else if (opt == JSON)
			o->json = true;
		else if (!postauth_take_client(opt, optarg, &c->question) &&
			 !postauth_take_asking(opt, optarg, &c->asking))
			command_usage(&help);
	if (optind < argc || (postauth_has_client(&c->question) &&
				     !c->question.helo.len && !c->question.sender.len))
		command_usage(&help);
}

int
postauth_verify(int argc, char **argv)
{
	static struct check c = { .asking = { .patience = 20000 } };
	static struct buf message;
	struct options o = { .json = false };
	char host[256] = "localhost";
	struct str field;

	command_help(argc, argv, &help);
	read_options(argc, argv, &c, &o);
	if (!o.service && gethostname(host, sizeof(host) - 1) == 0)
		o.service = host;
	postauth_read_message(&message);
	c.message = buf_str(&message);
	c.arena = arena_new();
	postauth_dns_open(c.asking.server, c.asking.directory);
	postauth_run(run, &c);
	field = field_of(&c, str_c(o.service ? o.service : host));
	if (o.json)
		print_json(&c, field);
	else
		printf(STR_FMT, STR_ARG(field));
	return fflush(stdout) == 0 ? 0 : 1;
}
