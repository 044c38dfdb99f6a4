/* postauth_records.c -- postauth dns: what to publish for a domain, as a zone has it. */
#include "command.h"
#include "log.h"
#include "postauth.h"
#include "net.h"
#include "tls_digest.h"
#include <getopt.h>
#include <stdio.h>

#define STRING_MOST 255 /* octets of a string in a TXT record, RFC 1035 section 3.3 */
#define ID_BYTES    8   /* of a hash, for a name that changes with what it names */

static const struct command_help help = {
	"postauth dns [-c config_dir] domain",
	"prints the records to publish for a domain, as a zone has them: MX, SPF, DKIM\n"
	"(keys of dkim_sign_maps), DMARC, MTA-STS, TLSRPT, TLSA (certificates of smtpd)\n"
	"  -c dir   the directory of main.cf\n",
};

/* ---- zone text (RFC 1035 section 5.1) ---- */

/* Text of ours, which has no quotes in it. */
void
postauth_print_txt(struct str name, struct str text)
{
	bool is_short = text.len <= STRING_MOST;

	printf(STR_FMT ". IN TXT%s", STR_ARG(name), is_short ? "" : " (");
	for (; text.len > 0; text = str_from(text, MIN(text.len, STRING_MOST)))
		printf("%s\"" STR_FMT "\"", is_short ? " " : "\n\t",
			STR_ARG(str_sub(text, 0, STRING_MOST)));
	printf("%s\n", is_short ? "" : " )");
}

static struct str
below(const struct site *s, const char *label)
{
	return arena_printf(s->arena, "%s." STR_FMT, label, STR_ARG(s->domain));
}

static void
print_mx(const struct site *s)
{
	printf("; where its mail goes\n" STR_FMT ". IN MX 10 " STR_FMT ".\n",
		STR_ARG(s->domain), STR_ARG(s->host));
}

/* Who may send: the hosts that receive, and the addresses that smtp sends from. */
static void
print_spf(const struct site *s)
{
	const struct params *p = &s->conf->p;
	const struct str bound[] = { p->smtp_bind_address, p->smtp_bind_address6 };
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct net_addr address;

	printf("; SPF: who may send for it; ~all until you are sure, then -all\n");
	if (p->relayhost.len > 0)
		printf("; mail leaves through relayhost = " STR_FMT
		       ": add the include: of who runs it\n",
			STR_ARG(p->relayhost));
	buf_addz(&text, "v=spf1 mx");
	for (size_t i = 0; i < COUNT(bound); i++)
		if (net_addr_parse(bound[i], 0, &address) == 0)
			buf_printf(&text, " %s:" STR_FMT,
				address.sa.ss_family == AF_INET6 ? "ip6" : "ip4",
				STR_ARG(bound[i]));
	buf_addz(&text, " ~all");
	postauth_print_txt(s->domain, buf_str(&text));
}

/* False: a key cannot be read, so its record is missing. */
static bool
print_dkim(const struct site *s)
{
	bool all = true;

	printf("; DKIM: the keys of dkim_sign_maps\n");
	if (s->n_keys == 0)
		printf("; there are none: postauth keygen, then dkim_sign_maps\n");
	for (size_t i = 0; i < s->n_keys; i++) {
		const struct site_key *k = &s->keys[i];

		if (k->record.len == 0) {
			log_warn(STR_FMT, STR_ARG(k->problem));
			all = false;
			continue;
		}
		postauth_print_txt(
			arena_printf(s->arena, STR_FMT "._domainkey." STR_FMT,
				STR_ARG(k->signer.selector), STR_ARG(k->signer.domain)),
			k->record);
	}
	return all;
}

static void
print_dmarc(const struct site *s)
{
	printf("; DMARC: p=none only asks for reports; then quarantine, then reject\n");
	postauth_print_txt(below(s, "_dmarc"),
		arena_printf(s->arena, "v=DMARC1; p=none; rua=mailto:postmaster@" STR_FMT,
			STR_ARG(s->domain)));
}

/* RFC 8461. The id has to change with the policy, so it is made of it. */
static void
print_mta_sts(const struct site *s)
{
	struct str policy = arena_printf(s->arena,
		"version: STSv1\nmode: testing\nmx: " STR_FMT "\nmax_age: 604800\n",
		STR_ARG(s->host));
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[DIGEST_MOST];
	struct str line;

	if (digest_of(DIGEST_SHA256, policy, hash) < 0)
		log_fatal("OpenSSL has no SHA-256");
	buf_addz(&text, "v=STSv1; id=");
	for (size_t i = 0; i < ID_BYTES; i++)
		buf_printf(&text, "%02x", hash[i]);
	buf_addz(&text, ";");
	printf("; MTA-STS: good together with a file, which has to be at\n"
	       "; https://mta-sts." STR_FMT "/.well-known/mta-sts.txt and says\n",
		STR_ARG(s->domain));
	while (str_split(&policy, '\n', &line))
		printf(";\t" STR_FMT "\n", STR_ARG(line));
	printf("; with mode: enforce once reports say that all is well\n");
	postauth_print_txt(below(s, "_mta-sts"), buf_str(&text));
}

/* RFC 8460. */
static void
print_tlsrpt(const struct site *s)
{
	printf("; TLSRPT: who is told when TLS fails\n");
	postauth_print_txt(below(s, "_smtp._tls"),
		arena_printf(s->arena, "v=TLSRPTv1; rua=mailto:postmaster@" STR_FMT,
			STR_ARG(s->domain)));
}

/* RFC 6698, RFC 7672: our certificate (3), its public key (1), SHA2-256 (1). */
static void
print_tlsa(const struct site *s)
{
	const size_t size = digest_size(DIGEST_SHA256);

	printf("; TLSA: the keys of smtpd's certificates; of use in a signed zone only "
	       "(DNSSEC)\n");
	if (s->tls_keys.len == 0)
		printf("; there are none: postern tls enable-server\n");
	for (size_t at = 0; at < s->tls_keys.len; at += size) {
		printf("_25._tcp." STR_FMT ". IN TLSA 3 1 1 ", STR_ARG(s->host));
		for (size_t i = at; i < at + size; i++)
			printf("%02x", (unsigned char)s->tls_keys.data[i]);
		printf("\n");
	}
}

int
postauth_dns(int argc, char **argv)
{
	const char *directory = NULL;
	static struct site s;
	bool all;
	int opt;

	command_help(argc, argv, &help);
	while ((opt = getopt(argc, argv, "c:")) > 0) {
		if (opt != 'c')
			command_usage(&help);
		directory = optarg;
	}
	if (optind + 1 != argc)
		command_usage(&help);
	postauth_site_read(&s, directory, postauth_domain(argv[optind], arena_new()));
	print_mx(&s);
	print_spf(&s);
	all = print_dkim(&s);
	print_dmarc(&s);
	print_mta_sts(&s);
	print_tlsrpt(&s);
	print_tlsa(&s);
	return fflush(stdout) == 0 && all ? 0 : 1;
}
