/* postauth_check.c -- postauth check: what a domain publishes, and what is wrong with it.
 */
#include "command.h"
#include "log.h"
#include "postauth.h"
#include "published.h"
#include <getopt.h>
#include <stdio.h>

#define SELECTORS_MOST 32

static const struct command_help help = {
	"postauth check [--selector name] [--dns host:port] [--time-limit seconds] "
	"[-c config_dir] domain",
	"tells what a domain publishes for mail, and what is wrong with it: MX, SPF, "
	"DKIM,\n"
	"DMARC, MTA-STS, TLSRPT, TLSA; exit status 1 if there is an error among it\n"
	"  --selector     a key of DKIM to look at, beside those of dkim_sign_maps\n"
	"  --dns          the server that is asked\n"
	"  --time-limit   for all look-ups together, in seconds; 60\n"
	"  -c dir         the directory of main.cf, for dns_servers, keys, "
	"certificates\n",
};

struct check {
	struct published_question question;
	struct published_key keys[SELECTORS_MOST + DKIM_SIGNERS_MOST];
	struct postauth_asking asking;
	struct arena *arena;
	bool failed;
};

static void
tell(void *arg, enum published_level level, const char *subject, struct str text)
{
	struct check *c = arg;

	printf("%s: %s: " STR_FMT "\n", published_level_name(level), subject,
		STR_ARG(text));
	c->failed |= level == PUBLISHED_ERROR;
}

static void
run(void *arg)
{
	struct check *c = arg;

	c->question.until = deadline_in(c->asking.patience);
	published_check(&c->question, c->arena);
}

/* The keys and certificates of this host; files that this user may not read are not
 * compared. */
static void
add_site(struct check *c)
{
	static struct site s;

	postauth_site_read(&s, c->asking.directory, c->question.domain);
	for (size_t i = 0; i < s.n_keys; i++)
		c->keys[c->question.n_keys++] =
			(struct published_key){ .selector = s.keys[i].signer.selector,
				.domain = s.keys[i].signer.domain,
				.record = s.keys[i].record };
	c->question.host = s.host;
	c->question.tls_keys = buf_str(&s.tls_keys);
}

static void
add_selector(struct check *c, const char *name)
{
	if (!dkim_name_is_domain(str_c(name)))
		log_fatal("%s is no selector", name);
	if (c->question.n_keys == SELECTORS_MOST)
		log_fatal("more than %d selectors", SELECTORS_MOST);
	c->keys[c->question.n_keys++] = (struct published_key){ .selector = str_c(name) };
}

enum { SELECTOR = 256 };
static const struct option long_options[] = {
	{ "selector", required_argument, NULL, SELECTOR },
	POSTAUTH_ASKING_OPTIONS,
	{ 0 },
};

int
postauth_check(int argc, char **argv)
{
	static const struct auth_dns dns = { .ask = postauth_ask };
	static struct check c = { .asking = { .patience = 60000 } };
	int opt;

	command_help(argc, argv, &help);
	while ((opt = getopt_long(argc, argv, "c:", long_options, NULL)) > 0)
		if (opt == SELECTOR)
			add_selector(&c, optarg);
		else if (!postauth_take_asking(opt, optarg, &c.asking))
			command_usage(&help);
	if (optind + 1 != argc)
		command_usage(&help);
	c.arena = arena_new();
	c.question.domain = postauth_domain(argv[optind], c.arena);
	for (size_t i = 0; i < c.question.n_keys; i++)
		c.keys[i].domain = c.question.domain;
	if (postauth_site_exists(c.asking.directory))
		add_site(&c);
	c.question.keys = c.keys;
	c.question.dns = &dns;
	c.question.tell = tell;
	c.question.arg = &c;
	postauth_dns_open(c.asking.server, c.asking.directory);
	postauth_run(run, &c);
	return fflush(stdout) == 0 && !c.failed ? 0 : 1;
}
