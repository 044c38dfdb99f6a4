/* postauth_sign.c -- postauth sign: a message with a DKIM signature in front of it. */
#include "command.h"
#include "dkim_sign.h"
#include "log.h"
#include "postauth.h"
#include "tls_sign.h"
#include <getopt.h>
#include <stdio.h>

static const struct command_help help = {
	"postauth sign --key file --domain name --selector name "
	"[--canonicalization form/form] [--fields names] [--oversign names] "
	"[--expires time] < message",
	"signs a message (DKIM, RFC 6376)\n"
	"  --key                the private key, RSA or Ed25519\n"
	"  --domain             who signs\n"
	"  --selector           the name of the key below the domain\n"
	"  --canonicalization   of header/body: simple or relaxed; relaxed/relaxed\n"
	"  --fields             what is signed of the header\n"
	"  --oversign           and which of them nobody may add\n"
	"  --expires            how long the signature is good; for ever\n",
};

static void
make_field(struct dkim_plan *plan, const struct sign_key *key, struct str message,
	struct buf *field)
{
	struct dkim_content *content =
		dkim_content_new(plan->body == DKIM_SIMPLE, plan->body == DKIM_RELAXED);
	struct buf signature CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[DKIM_HASH];
	struct why why;

	plan->algorithm =
		sign_key_kind(key) == SIGN_RSA ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
	plan->at = time_wall_us() / 1000000;
	if (!content)
		log_fatal("OpenSSL has no SHA-256");
	dkim_content_add(content, message);
	if (dkim_content_end(content) < 0)
		log_fatal("OpenSSL does not hash");
	if (dkim_sign_begin(plan, content, field, hash, &why) < 0)
		log_fatal("%s", why.text);
	if (sign_key_use(key, str_of(hash, sizeof(hash)), &signature) < 0)
		log_fatal("OpenSSL does not sign");
	dkim_sign_end(buf_str(&signature), field);
	dkim_content_free(content);
}

/* Lines of the field end as those of the message. */
static void
print(struct str field, struct str message)
{
	ssize_t end = str_chr(message, '\n');
	const char *line_end = end > 0 && message.data[end - 1] == '\r' ? "\r\n" : "\n";
	struct str line;

	while (str_split(&field, '\n', &line))
		printf(STR_FMT "%s", STR_ARG(line), line_end);
	fwrite(message.data, 1, message.len, stdout);
}

enum { KEY = 256, DOMAIN_NAME, SELECTOR, FORMS, FIELDS, OVERSIGN, EXPIRES };
static const struct option long_options[] = {
	{ "key", required_argument, NULL, KEY },
	{ "domain", required_argument, NULL, DOMAIN_NAME },
	{ "selector", required_argument, NULL, SELECTOR },
	{ "canonicalization", required_argument, NULL, FORMS },
	{ "fields", required_argument, NULL, FIELDS },
	{ "oversign", required_argument, NULL, OVERSIGN },
	{ "expires", required_argument, NULL, EXPIRES },
	{ 0 },
};

struct options {
	struct dkim_plan plan;
	const char *key, *fields, *oversigned;
	msec_t expires;
};

static void
read_options(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) > 0) {
		switch (opt) {
		case KEY:
			o->key = optarg;
			break;
		case DOMAIN_NAME:
			o->plan.domain = str_c(optarg);
			break;
		case SELECTOR:
			o->plan.selector = str_c(optarg);
			break;
		case FORMS:
			if (dkim_canon_read(
				    str_c(optarg), &o->plan.header, &o->plan.body) < 0)
				log_fatal("%s is no canonical form", optarg);
			break;
		case FIELDS:
			o->fields = optarg;
			break;
		case OVERSIGN:
			o->oversigned = optarg;
			break;
		case EXPIRES:
			if (conf_time(str_c(optarg), 's', &o->expires) < 0)
				log_fatal("%s is no time", optarg);
			break;
		default:
			command_usage(&help);
		}
	}
	if (optind < argc || !o->key || !o->plan.domain.len || !o->plan.selector.len)
		command_usage(&help);
}

int
postauth_sign(int argc, char **argv)
{
	struct options o = { .plan = { .header = DKIM_RELAXED, .body = DKIM_RELAXED },
		.fields = conf_param(STR("dkim_sign_fields"))->preset,
		.oversigned = conf_param(STR("dkim_sign_oversigned_fields"))->preset };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf message CLEANUP(buf_free) = BUF_INIT,
			   field CLEANUP(buf_free) = BUF_INIT;
	struct sign_key *key;
	struct why why;

	command_help(argc, argv, &help);
	read_options(argc, argv, &o);
	o.plan.fields = conf_list(str_c(o.fields), arena);
	o.plan.oversigned = conf_list(str_c(o.oversigned), arena);
	o.plan.valid_for = o.expires / 1000;
	key = postauth_read_key(o.key, &why);
	if (!key)
		log_fatal("%s", why.text);
	postauth_read_message(&message);
	make_field(&o.plan, key, buf_str(&message), &field);
	sign_key_free(key);
	print(buf_str(&field), buf_str(&message));
	return fflush(stdout) == 0 ? 0 : 1;
}
