/* finger_options.c -- the command line of posttls-finger: most options are a parameter of
 * smtp's under another name. */
#include "finger.h"
#include "log.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPTIONS "a:A:cCd:fF:g:h:H:k:K:l:L:m:M:o:p:P:r:Rs:St:T:vwX"

static const char usage[] =
	"posttls-finger [-cCfRSvw] [-a family] [-A tafile.pem] [-d mdalg] [-F "
	"CAfile.pem] [-g grade] "
	"[-h host_lookup] [-H chainfiles | -k certfile [-K keyfile]] [-l level] "
	"[-L logopts] [-m count] [-M insecure_mx_policy] [-o name=value] [-p protocols] "
	"[-P CApath/] [-r delay] [-s servername] [-t conn_tmout] [-T cmd_tmout] "
	"destination [match ...]";
static const char help[] =
	"shows what TLS the server of [inet:]domain[:port] or unix:pathname has\n"
	"  -a family    ipv4, ipv6: its addresses first; any\n"
	"  -A file      trust anchors\n"
	"  -c           nothing of what is said in SMTP\n"
	"  -C           the certificates of the server\n"
	"  -d mdalg     for fingerprints\n"
	"  -F, -P       trusted certificates: a file, a directory\n"
	"  -g grade     of ciphers: medium, high\n"
	"  -h lookup    dns, native\n"
	"  -H, -k, -K   our own certificates: chain files, or certificate and key\n"
	"  -l level     none, may, encrypt (the default), dane, dane-only, fingerprint,\n"
	"               verify, secure; match: names, or fingerprints\n"
	"  -L options   what of TLS is shown: none, summary, untrusted, peercert, cache\n"
	"  -o name=val  instead of what main.cf says\n"
	"  -p list      protocols\n"
	"  -r seconds   once more after that time: are TLS sessions resumed?\n"
	"  -m count     at most so many times more\n"
	"  -R           ask for SRV records\n"
	"  -s name      to be sent as SNI\n"
	"  -S           LMTP\n"
	"  -t, -T       seconds to wait for a connection, for an answer\n"
	"  -w           TLS from the first byte\n"
	"  -f, -M, -v   are accepted\n";

/* What no option gives: nothing of main.cf may change the picture, or look into a table.
 */
static const char *const fixed[] = {
	"smtp_address_preference=any",
	"smtp_always_send_ehlo=yes",
	"smtp_discard_ehlo_keyword_address_maps=",
	"smtp_discard_ehlo_keywords=",
	"smtp_dns_resolver_options=",
	"smtp_dns_support_level=enabled",
	"smtp_helo_name=$myhostname",
	"smtp_host_lookup=dns",
	"smtp_log_tls_feature_status=no",
	"smtp_mx_address_limit=0",
	"smtp_never_send_ehlo=no",
	"smtp_pix_workaround_maps=",
	"smtp_pix_workarounds=",
	"smtp_reply_filter=",
	"smtp_skip_5xx_greeting=yes",
	"smtp_skip_quit_response=no",
	"smtp_tcp_port=smtp",
	"smtp_tls_CAfile=",
	"smtp_tls_CApath=",
	"smtp_tls_cert_file=",
	"smtp_tls_chain_files=",
	"smtp_tls_ciphers=medium",
	"smtp_tls_eccert_file=",
	"smtp_tls_eckey_file=",
	"smtp_tls_exclude_ciphers=",
	"smtp_tls_fingerprint_cert_match=",
	"smtp_tls_key_file=",
	"smtp_tls_mandatory_ciphers=$smtp_tls_ciphers",
	"smtp_tls_mandatory_exclude_ciphers=",
	"smtp_tls_mandatory_protocols=$smtp_tls_protocols",
	"smtp_tls_policy_maps=",
	"smtp_tls_protocols=>=TLSv1",
	"smtp_tls_security_level=encrypt",
	"smtp_tls_per_site=",
	"smtp_tls_secure_cert_match=nexthop, dot-nexthop",
	"smtp_tls_servername=",
	"smtp_tls_trust_anchor_file=",
	"smtp_tls_verify_cert_match=hostname",
	"smtp_tls_wrappermode=no",
	"smtp_connect_timeout=30s",
	"smtp_helo_timeout=30s",
	"smtp_quit_timeout=30s",
	"smtp_starttls_timeout=30s",
	"use_srv_lookup=",
};

static struct arena *arena; /* for as long as the command runs */
static VEC(struct str) settings;
static const char *matched; /* the parameter with names for the level; NULL: none */

static void
set(const char *name, const char *value)
{
	*vec_push(&settings) = arena_printf(arena, "%s=%s", name, value);
}

NORETURN static void
wrong_usage(void)
{
	fprintf(stderr, "usage: %s\n", usage);
	exit(1);
}

NORETURN static void
bad_value(char option, const char *value)
{
	log_fatal("bad '-%c' option value: %s", option, value);
}

/* ---- options with a meaning of their own ---- */

static long
number(char option, const char *value)
{
	long n;

	if (str_to_long(str_c(value), &n) < 0 || n < 0 || n > 1000000)
		bad_value(option, value);
	return n;
}

static void
set_time(char option, const char *name, const char *value)
{
	set(name, arena_cstr(arena, arena_printf(arena, "%lds", number(option, value))));
}

static void
set_family(const char *value)
{
	static const struct {
		const char *name;
		int family;
	} families[] = { { "any", AF_UNSPEC }, { "ipv4", AF_INET },
		{ "ipv6", AF_INET6 } };

	for (size_t i = 0; i < COUNT(families); i++)
		if (strcmp(value, families[i].name) == 0) {
			finger.family = families[i].family;
			return;
		}
	bad_value('a', value);
}

/* Whom a level wants to meet, the words behind the destination say. */
static void
set_level(const char *value)
{
	static const struct {
		const char *name, *match;
	} levels[] = { { "none", NULL }, { "may", NULL }, { "encrypt", NULL },
		{ "dane", NULL }, { "dane-only", NULL },
		{ "fingerprint", "smtp_tls_fingerprint_cert_match" },
		{ "verify", "smtp_tls_verify_cert_match" },
		{ "secure", "smtp_tls_secure_cert_match" } };

	for (size_t i = 0; i < COUNT(levels); i++) {
		if (strcmp(value, levels[i].name) != 0)
			continue;
		matched = levels[i].match;
		set("smtp_tls_security_level", value);
		if (str_starts(str_c(value), STR("dane")))
			set("smtp_dns_support_level", "dnssec");
		return;
	}
	log_fatal("Invalid TLS level \"%s\"", value);
}

/* Names and numbers of smtp_tls_loglevel. What OpenSSL itself has to say is not shown. */
static void
set_show(const char *value)
{
	static const unsigned debug =
		SHOW_SUMMARY | SHOW_CERTIFICATE | SHOW_DISTRUST | SHOW_CACHE;
	static const struct {
		const char *name;
		unsigned show;
	} words[] = { { "0", 0 }, { "none", 0 }, { "1", SHOW_SUMMARY },
		{ "routine", SHOW_SUMMARY }, { "summary", SHOW_SUMMARY }, { "2", debug },
		{ "debug", debug }, { "3", debug }, { "ssl-expert", debug },
		{ "4", debug }, { "ssl-developer", debug }, { "ssl-debug", 0 },
		{ "ssl-handshake-packet-dump", 0 }, { "ssl-session-packet-dump", 0 },
		{ "untrusted", SHOW_DISTRUST }, { "peercert", SHOW_CERTIFICATE },
		{ "certmatch", SHOW_CERTIFICATE }, { "cache", SHOW_CACHE },
		{ "verbose", debug & ~(unsigned)SHOW_SUMMARY } };
	struct str list = str_c(value), word;

	finger.show = 0;
	while (str_token(&list, " ,\t\r\n", &word)) {
		size_t i = 0;

		while (i < COUNT(words) && !str_case_is(word, words[i].name))
			i++;
		if (i < COUNT(words))
			finger.show |= words[i].show;
		else
			log_warn("unknown -L option value \"" STR_FMT "\" in \"%s\"",
				STR_ARG(word), value);
	}
}

/* ---- options that are parameters ---- */

static const char *
parameter(int option)
{
	static const struct {
		char option;
		const char *name;
	} names[] = { { 'd', "smtp_tls_fingerprint_digest" }, { 'F', "smtp_tls_CAfile" },
		{ 'g', "smtp_tls_ciphers" }, { 'h', "smtp_host_lookup" },
		{ 'p', "smtp_tls_protocols" }, { 'P', "smtp_tls_CApath" },
		{ 's', "smtp_tls_servername" } };

	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].option == option)
			return names[i].name;
	return NULL;
}

static void
take(int option, const char *value)
{
	switch (option) {
	case 'a':
		set_family(value);
		break;
	case 'c':
		finger.without_chat = true;
		break;
	case 'C':
		finger.chain = true;
		break;
	case 'f': /* accepted */
	case 'M':
	case 'v':
		break;
	case 'l':
		set_level(value);
		break;
	case 'L':
		set_show(value);
		break;
	case 'm':
		finger.times = (int)number('m', value);
		break;
	case 'r':
		finger.again = (msec_t)number('r', value) * 1000;
		break;
	case 'R':
		set("use_srv_lookup", "smtp");
		break;
	case 'S':
		smtp_lmtp = true;
		break;
	case 't':
		set_time('t', "smtp_connect_timeout", value);
		break;
	case 'T':
		set_time('T', "smtp_helo_timeout", value);
		set_time('T', "smtp_starttls_timeout", value);
		set_time('T', "smtp_quit_timeout", value);
		break;
	case 'w':
		set("smtp_tls_wrappermode", "yes");
		break;
	case 'X':
		log_fatal("-X: there is no tlsproxy(8) in this version");
	default:
		ensure(parameter(option));
		set(parameter(option), value);
	}
}

static void
set_match(char *const *words)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	for (; *words; words++)
		buf_printf(&list, "%s%s", list.len ? " " : "", *words);
	if (matched && list.len > 0)
		set(matched, buf_cstr(&list));
}

static void
load(void)
{
	struct strs list = { settings.items, settings.n };

	finger.conf = conf_must_load(conf_directory(NULL), STR_NONE, &list);
	smtp_port = nexthop_port(finger.conf, smtp_lmtp ? STR("24") : STR("smtp"));
	if (smtp_port == 0)
		smtp_port = 25;
}

void
finger_options(int argc, char **argv)
{
	struct buf chains CLEANUP(buf_free) = BUF_INIT;
	struct buf anchors CLEANUP(buf_free) = BUF_INIT;
	VEC(char *) last = { 0 }; /* of -o: they have the last word */
	const char *cert = NULL, *key = NULL;
	int option;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		printf("usage: %s\n%s", usage, help);
		exit(fflush(stdout) == 0 ? 0 : 1);
	}
	arena = arena_new();
	finger.show = SHOW_SUMMARY | SHOW_CERTIFICATE;
	finger.times = 5;
	for (size_t i = 0; i < COUNT(fixed); i++)
		*vec_push(&settings) = str_c(fixed[i]);
	while ((option = getopt(argc, argv, OPTIONS)) != -1) {
		if (option == '?')
			wrong_usage();
		else if (option == 'k')
			cert = optarg;
		else if (option == 'K')
			key = optarg;
		else if (option == 'o')
			*vec_push(&last) = optarg;
		else if (option == 'H')
			buf_printf(&chains, "%s%s", chains.len ? ", " : "", optarg);
		else if (option == 'A')
			buf_printf(&anchors, "%s%s", anchors.len ? ", " : "", optarg);
		else
			take(option, optarg);
	}
	if (argc - optind < 1)
		wrong_usage();
	if (chains.len > 0 && (cert || key))
		log_fatal("-H is without -k and -K");
	if (cert || key) { /* which may be one file */
		set("smtp_tls_cert_file", cert ? cert : key);
		set("smtp_tls_key_file", key ? key : cert);
	}
	if (chains.len > 0)
		set("smtp_tls_chain_files", buf_cstr(&chains));
	if (anchors.len > 0)
		set("smtp_tls_trust_anchor_file", buf_cstr(&anchors));
	set_match(argv + optind + 1);
	set("smtp_tls_loglevel", finger.show & SHOW_SUMMARY ? "1" : "0");
	for (size_t i = 0; i < last.n; i++)
		*vec_push(&settings) = str_c(last.items[i]);
	vec_free(&last);
	finger.destination = str_c(argv[optind]);
	if (str_starts(finger.destination, STR("inet:")))
		finger.destination = str_from(finger.destination, 5);
	load();
}
