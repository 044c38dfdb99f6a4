/* postauth_keygen.c -- postauth keygen: a key for DKIM, and the record to publish. */
#include "command.h"
#include "dkim_sign.h"
#include "log.h"
#include "postauth.h"
#include "tls_sign.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BITS 2048 /* RFC 8301 section 3.2 */

static const struct command_help help = {
	"postauth keygen [--ed25519] [--bits number] [--selector name] [--key file] "
	"domain",
	"makes a private key for DKIM and prints the record to publish (RFC 6376)\n"
	"  --ed25519    an Ed25519 key (RFC 8463); otherwise RSA\n"
	"  --bits       of an RSA key; 2048\n"
	"  --selector   the name of the key; rsa or ed, and the date\n"
	"  --key        the file to make; selector.domain.pem\n",
};

struct keygen {
	enum sign_kind kind;
	unsigned bits;
	struct str domain, selector;
	const char *file;
};

/* A file that is there already may be the only copy of a key that is published. */
static void
write_key(const char *path, const struct sign_key *key)
{
	struct buf pem CLEANUP(buf_wipe) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	if (sign_key_write(key, &pem) < 0)
		log_fatal("OpenSSL does not write the key");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		log_fatal("%s: %m", path);
	if (write_all(fd, buf_str(&pem)) == 0 && fsync(fd) == 0)
		return;
	log_warn("%s: %m", path);
	unlink(path);
	log_fatal("the key was not written");
}

static void
print_record(const struct keygen *g, const struct sign_key *key)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&name, STR_FMT "._domainkey." STR_FMT, STR_ARG(g->selector),
		STR_ARG(g->domain));
	postauth_key_record(key, &text);
	postauth_print_txt(buf_str(&name), buf_str(&text));
}

/* Another day, another selector: so that a new key can be published beside the one in
 * use. */
static struct str
selector_of_today(enum sign_kind kind)
{
	static char name[32];
	time_t now = (time_t)(time_wall_us() / 1000000);
	struct tm day;

	gmtime_r(&now, &day);
	strftime(name, sizeof(name), kind == SIGN_RSA ? "rsa%Y%m%d" : "ed%Y%m%d", &day);
	return str_c(name);
}

static void
make(struct keygen *g)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct why why;
	struct sign_key *key;

	if (g->selector.len == 0)
		g->selector = selector_of_today(g->kind);
	if (!dkim_name_is_domain(g->domain))
		log_fatal(STR_FMT " is no domain", STR_ARG(g->domain));
	if (!dkim_name_is_domain(g->selector))
		log_fatal(STR_FMT " is no selector", STR_ARG(g->selector));
	key = sign_key_make(g->kind, g->bits, &why);
	if (!key)
		log_fatal("%s", why.text);
	buf_printf(&path, STR_FMT "." STR_FMT ".pem", STR_ARG(g->selector),
		STR_ARG(g->domain));
	write_key(g->file ? g->file : buf_cstr(&path), key);
	print_record(g, key);
	sign_key_free(key);
}

static unsigned
read_bits(const char *text)
{
	long bits;

	if (str_to_long(str_c(text), &bits) < 0 || bits < SIGN_RSA_LEAST ||
		bits > SIGN_RSA_MOST)
		log_fatal("--bits: from %d to %d", SIGN_RSA_LEAST, SIGN_RSA_MOST);
	return (unsigned)bits;
}

enum { ED25519 = 256, KEY_BITS, SELECTOR, KEY };
static const struct option long_options[] = {
	{ "ed25519", no_argument, NULL, ED25519 },
	{ "bits", required_argument, NULL, KEY_BITS },
	{ "selector", required_argument, NULL, SELECTOR },
	{ "key", required_argument, NULL, KEY },
	{ 0 },
};

int
postauth_keygen(int argc, char **argv)
{
	struct keygen g = { .kind = SIGN_RSA, .bits = BITS };
	int opt;

	command_help(argc, argv, &help);
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) > 0) {
		switch (opt) {
		case ED25519:
			g.kind = SIGN_ED25519;
			break;
		case KEY_BITS:
			g.bits = read_bits(optarg);
			break;
		case SELECTOR:
			g.selector = str_c(optarg);
			break;
		case KEY:
			g.file = optarg;
			break;
		default:
			command_usage(&help);
		}
	}
	if (optind + 1 != argc)
		command_usage(&help);
	g.domain = str_c(argv[optind]);
	make(&g);
	return fflush(stdout) == 0 ? 0 : 1;
}
