/* postern_tls.c -- postern tls: keys and certificates of the server, and TLS switched on
 * where nobody has chosen yet. Keys and certificates are made by the openssl command, so
 * that what the administrator would do by hand is what happens. */
#include "postern.h"
#include "command.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MOST  40
#define OUTPUT_MOST ((size_t)1 << 20)
/* Self-signed: nobody looks at its end. */
#define CERTIFICATE_DAYS "36500"

/* Each of them left alone: nobody has chosen yet. */
static const char *const client_settings[] = { "smtp_use_tls", "smtp_enforce_tls",
	"smtp_tls_enforce_peername", "smtp_tls_security_level", "smtp_tls_cert_file",
	"smtp_tls_dcert_file", "smtp_tls_eccert_file", NULL };
static const char *const server_settings[] = { "smtpd_use_tls", "smtpd_enforce_tls",
	"smtpd_tls_security_level", "smtpd_tls_cert_file", "smtpd_tls_dcert_file",
	"smtpd_tls_eccert_file", NULL };

static const struct algorithm {
	const char *name, *prefix; /* of the names of files */
	const char *key_parameter, *certificate_parameter;
	const char *bits; /* unless -b says otherwise */
	const char *type, *option;
} algorithms[] = {
	{ "rsa", "", "smtpd_tls_key_file", "smtpd_tls_cert_file", "2048", "RSA",
		"rsa_keygen_bits:" },
	{ "ecdsa", "ec", "smtpd_tls_eckey_file", "smtpd_tls_eccert_file", "prime256v1",
		"EC", "ec_paramgen_curve:" },
};

/* What follows the subcommand. */
struct tls_request {
	const struct algorithm *algorithm;      /* -a */
	const char *bits, *host, *random, *key; /* -b, -h, -r, -k */
	char **words;
};

/* ---- other programs ---- */

struct words {
	const char *list[WORDS_MOST + 1]; /* ends in NULL */
	size_t n;
};

static void
word(struct words *w, const char *text)
{
	ensure(w->n < WORDS_MOST);
	w->list[w->n++] = text;
}

static struct arena *
memory(void)
{
	return postern.conf->arena;
}

static const char *
joined(const char *a, const char *b)
{
	return arena_cstr(memory(), arena_printf(memory(), "%s%s", a, b));
}

NORETURN static void
run_child(const struct words *w, int input, int output)
{
	if (input >= 0)
		dup2(input, STDIN_FILENO);
	if (output >= 0)
		dup2(output, STDOUT_FILENO);
	execvp(w->list[0], (char *const *)(uintptr_t)w->list);
	log_fatal("%s: %m", w->list[0]);
}

static int
file_of(struct str bytes)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, bytes) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		log_fatal("memory for a program's input: %m");
	return fd;
}

/* Its standard output goes behind *output, or where ours goes. What it complains of it
 * says itself. */
static bool
run(const struct words *w, struct str input, struct buf *output)
{
	int in CLEANUP(fd_close) = file_of(input);
	int out CLEANUP(fd_close) = output ? file_of(STR("")) : -1;
	struct stat st;
	int status;
	pid_t pid;

	fflush(stdout);
	log_flush();
	pid = command_fork(postern.conf);
	if (pid == 0)
		run_child(w, in, out);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		log_fatal("%s cannot be run", w->list[0]);
	if (output && fstat(out, &st) == 0 && (size_t)st.st_size < OUTPUT_MOST) {
		buf_need(output, (size_t)st.st_size);
		output->len += (size_t)MAX(
			pread(out, output->data + output->len, (size_t)st.st_size, 0), 0);
	}
	return status == 0;
}

static struct words
openssl(const char *command)
{
	struct words w = { .n = 0 };

	word(&w, arena_cstr(memory(), postern.conf->p.openssl_path));
	word(&w, command);
	return w;
}

/* Edits main.cf; settings end in NULL. */
static int
set(const char *const *settings)
{
	struct str directory = postern.conf->p.command_directory;
	struct words w = { .n = 0 };

	word(&w, joined(arena_cstr(memory(), directory), "/postconf"));
	word(&w, "-c");
	word(&w, postern.directory);
	word(&w, "-e");
	for (; *settings; settings++)
		word(&w, *settings);
	return run(&w, STR_NONE, NULL) ? 0 : 1;
}

/* ---- what there is ---- */

static bool
all_are_default(const char *const *names)
{
	for (; *names; names++)
		if (conf_setting(postern.conf, str_c(*names)))
			return false;
	return true;
}

/* A file's name may be relative to the configuration. */
static const char *
path_of(const char *name)
{
	return name[0] == '/' ? name : joined(joined(postern.directory, "/"), name);
}

static const struct algorithm *
algorithm_named(const char *name)
{
	for (size_t i = 0; i < COUNT(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

/* The key that main.cf names for an algorithm; NULL: none. It may be in the file of its
 * certificate. */
static const char *
deployed_key(const struct algorithm *a)
{
	struct str key = conf_value(postern.conf, a->key_parameter);

	if (key.len == 0)
		key = conf_value(postern.conf, a->certificate_parameter);
	if (key.len == 0 || str_is(key, "none"))
		return NULL;
	return path_of(arena_cstr(memory(), key));
}

/* "rsa", "ecdsa", or a file. */
static const char *
key_named(const char *name)
{
	const struct algorithm *a = algorithm_named(name);

	return a ? deployed_key(a) : path_of(name);
}

/* They become part of openssl's arguments. */
static void
require_host(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!ascii_is_alnum(*c) && !strchr("-._*", *c))
			log_fatal("not a host name: %s", name);
	if (!*name)
		log_fatal("not a host name: it is empty");
}

static const char *
first_host(const struct tls_request *rq)
{
	return rq->words[0] ? rq->words[0]
			    : arena_cstr(memory(), postern.conf->p.myhostname);
}

/* "subjectAltName=DNS:a,DNS:b" */
static const char *
alternative_names(const struct tls_request *rq)
{
	const char *names = joined("subjectAltName=DNS:", first_host(rq));

	require_host(first_host(rq));
	for (char **w = rq->words; *w && w[1]; w++) {
		require_host(w[1]);
		names = joined(joined(names, ",DNS:"), w[1]);
	}
	return names;
}

/* ---- making them ---- */

static const char *
file_name(const struct algorithm *a, const char *what)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "-%Y%m%d-%H%M%S.pem", &tm);
	return path_of(joined(joined(a->prefix, what), stamp));
}

static void
make_key(const struct algorithm *a, const char *bits, const char *path)
{
	struct words w = openssl("genpkey");
	mode_t old = umask(077);

	word(&w, "-algorithm");
	word(&w, a->type);
	word(&w, "-pkeyopt");
	word(&w, joined(a->option, bits ? bits : a->bits));
	word(&w, "-out");
	word(&w, path);
	if (!run(&w, STR_NONE, NULL))
		log_fatal("no key was made");
	umask(old);
}

static void
make_certificate(const struct tls_request *rq, const char *key, const char *path)
{
	struct words w = openssl("req");

	word(&w, "-x509");
	word(&w, "-new");
	word(&w, "-sha256");
	word(&w, "-key");
	word(&w, key);
	word(&w, "-days");
	word(&w, CERTIFICATE_DAYS);
	word(&w, "-addext");
	word(&w, alternative_names(rq));
	word(&w, "-subj");
	word(&w, joined("/CN=", first_host(rq)));
	word(&w, "-out");
	word(&w, path);
	if (!run(&w, STR_NONE, NULL))
		log_fatal("no certificate was made");
}

static void
copy_key(const char *from, const char *to)
{
	struct buf text CLEANUP(buf_wipe) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	if (read_file(from, OUTPUT_MOST, &text) < 0)
		log_fatal("%s: %m", from);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, buf_str(&text)) < 0)
		log_fatal("%s: %m", to);
}

struct pair {
	const char *key, *certificate;
};

/* With a new key, or with a copy of the one in use. */
static struct pair
make_pair(const struct tls_request *rq, bool keep_key)
{
	const char *old = keep_key ? deployed_key(rq->algorithm) : NULL;
	struct pair p = { file_name(rq->algorithm, "key"),
		file_name(rq->algorithm, "cert") };

	if (access(p.key, F_OK) == 0)
		log_fatal("%s exists already", p.key);
	if (old)
		copy_key(old, p.key);
	else
		make_key(rq->algorithm, rq->bits, p.key);
	make_certificate(rq, p.key, p.certificate);
	log_info("new key: %s, self-signed certificate: %s", p.key, p.certificate);
	return p;
}

static int
new_pair(const struct tls_request *rq, bool keep_key)
{
	struct pair p = make_pair(rq, keep_key);

	log_info("to use them: postern tls deploy-server-cert %s %s", p.certificate,
		p.key);
	log_info("for a certificate request: postern tls output-server-csr -k %s", p.key);
	log_info("for DANE: postern tls output-server-tlsa %s", p.key);
	return 0;
}

/* ---- public keys ---- */

static bool
public_key(const char *key, const char *form, struct buf *out)
{
	struct words w = openssl("pkey");

	word(&w, "-in");
	word(&w, key);
	word(&w, "-pubout");
	word(&w, "-outform");
	word(&w, form);
	return run(&w, STR_NONE, out);
}

static bool
certificate_fits(const char *certificate, const char *key)
{
	struct buf mine CLEANUP(buf_free) = BUF_INIT, its CLEANUP(buf_free) = BUF_INIT;
	struct words w = openssl("x509");

	word(&w, "-in");
	word(&w, certificate);
	word(&w, "-noout");
	word(&w, "-pubkey");
	return run(&w, STR_NONE, &its) && public_key(key, "PEM", &mine) &&
	       str_eq(buf_str(&mine), buf_str(&its));
}

/* Of all key types only RSA's have a modulus. */
static const struct algorithm *
algorithm_of(const char *key)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct words w = openssl("pkey");

	word(&w, "-in");
	word(&w, key);
	word(&w, "-noout");
	word(&w, "-text_pub");
	if (!run(&w, STR_NONE, &text))
		log_fatal("%s: no private key", key);
	return algorithm_named(
		str_find(buf_str(&text), STR("Modulus")) >= 0 ? "rsa" : "ecdsa");
}

/* ---- subcommands ---- */

static int
deploy(const struct pair *p, bool enable)
{
	const struct algorithm *a = algorithm_of(p->key);
	const char *const settings[] = {
		joined(joined(a->key_parameter, " = "), p->key),
		joined(joined(a->certificate_parameter, " = "), p->certificate),
		enable ? "smtpd_tls_security_level = may" : NULL,
		"smtpd_tls_received_header = yes",
		"smtpd_tls_loglevel = 1",
		NULL,
	};

	if (!certificate_fits(p->certificate, p->key))
		log_fatal("%s is not the certificate of %s", p->certificate, p->key);
	if (set(settings) != 0)
		return 1;
	log_info(
		"key and certificate are in main.cf; \"postern reload\" makes them used");
	return 0;
}

static int
deploy_server_cert(const struct tls_request *rq)
{
	struct pair p;

	if (!rq->words[0] || !rq->words[1] || rq->words[2])
		log_fatal("usage: postern tls deploy-server-cert certfile keyfile");
	p = (struct pair){ path_of(rq->words[1]), path_of(rq->words[0]) };
	return deploy(&p, all_are_default(server_settings));
}

static int
suggest(const char *const *settings, const char *side)
{
	log_info("TLS settings of the %s are not at their defaults: main.cf stays as it "
		 "is; what would have been set:",
		side);
	for (; *settings; settings++)
		log_info("  %s", *settings);
	return 0;
}

static int
enable_client(const struct tls_request *rq)
{
	const char *const settings[] = {
		"smtp_tls_security_level = may",
		"smtp_tls_loglevel = 1",
		rq->random ? joined("tls_random_source = ", rq->random) : NULL,
		NULL,
	};

	return all_are_default(client_settings) ? set(settings)
						: suggest(settings, "client");
}

static int
enable_server(const struct tls_request *rq)
{
	const char *const settings[] = {
		"smtpd_tls_security_level = may",
		"smtpd_tls_received_header = yes",
		"smtpd_tls_loglevel = 1",
		NULL,
	};
	const char *const random[] = {
		rq->random ? joined("tls_random_source = ", rq->random) : NULL, NULL
	};
	struct pair p;

	if (!all_are_default(server_settings))
		return suggest(settings, "server");
	p = make_pair(rq, false);
	return deploy(&p, true) != 0 || (random[0] && set(random) != 0);
}

static int
new_server_key(const struct tls_request *rq)
{
	return new_pair(rq, false);
}

static int
new_server_cert(const struct tls_request *rq)
{
	return new_pair(rq, true);
}

static int
output_server_csr(const struct tls_request *rq)
{
	const char *key = key_named(rq->key ? rq->key : "rsa");
	struct words w = openssl("req");

	if (!key)
		log_fatal("main.cf names no key of this algorithm");
	word(&w, "-new");
	word(&w, "-sha256");
	word(&w, "-key");
	word(&w, key);
	word(&w, "-subj");
	word(&w, "/");
	word(&w, "-addext");
	word(&w, alternative_names(rq));
	return run(&w, STR_NONE, NULL) ? 0 : 1;
}

/* RFC 6698: our certificate (3), its public key (1), SHA2-256 (1). */
static void
print_tlsa(const char *host, const char *key)
{
	struct buf der CLEANUP(buf_free) = BUF_INIT, digest CLEANUP(buf_free) = BUF_INIT;
	struct words w = openssl("dgst");

	word(&w, "-sha256");
	word(&w, "-r");
	if (!public_key(key, "DER", &der) || !run(&w, buf_str(&der), &digest))
		log_fatal("%s: no digest", key);
	printf("; %s\n_25._tcp.%s. IN TLSA 3 1 1 " STR_FMT "\n", key, host,
		STR_ARG(str_sub(buf_str(&digest), 0, 64)));
}

static int
output_server_tlsa(const struct tls_request *rq)
{
	static const char *both[] = { "rsa", "ecdsa", NULL };
	const char *const *names =
		rq->words[0] ? (const char *const *)(uintptr_t)rq->words : both;
	const char *host =
		rq->host ? rq->host : arena_cstr(memory(), postern.conf->p.myhostname);

	require_host(host);
	for (; *names; names++)
		if (key_named(*names))
			print_tlsa(host, key_named(*names));
	return fflush(stdout) == 0 ? 0 : 1;
}

static int
all_default_client(const struct tls_request *rq UNUSED)
{
	return all_are_default(client_settings) ? 0 : 1;
}

static int
all_default_server(const struct tls_request *rq UNUSED)
{
	return all_are_default(server_settings) ? 0 : 1;
}

static const struct {
	const char *name, *options;
	int (*run)(const struct tls_request *rq);
	const char *help;
} commands[] = {
	{ "enable-client", "r:", enable_client, "[-r randsource]" },
	{ "enable-server", "r:a:b:", enable_server,
		"[-r randsource] [-a algorithm] [-b bits] [hostname...]" },
	{ "new-server-key", "a:b:", new_server_key,
		"[-a algorithm] [-b bits] [hostname...]" },
	{ "new-server-cert", "a:b:", new_server_cert,
		"[-a algorithm] [-b bits] [hostname...]" },
	{ "deploy-server-cert", "", deploy_server_cert, "certfile keyfile" },
	{ "output-server-csr", "k:", output_server_csr, "[-k keyfile] [hostname...]" },
	{ "output-server-tlsa", "h:", output_server_tlsa, "[-h hostname] [keyfile...]" },
	{ "all-default-client", "", all_default_client, "" },
	{ "all-default-server", "", all_default_server, "" },
};

NORETURN static void
usage(void)
{
	for (size_t i = 0; i < COUNT(commands); i++)
		log_error("usage: postern tls %s %s", commands[i].name, commands[i].help);
	log_flush();
	exit(1);
}

static void
take_option(struct tls_request *rq, int letter)
{
	switch (letter) {
	case 'a':
		rq->algorithm = algorithm_named(optarg);
		if (!rq->algorithm)
			log_fatal("unknown key algorithm: %s", optarg);
		break;
	case 'b':
		rq->bits = optarg;
		break;
	case 'h':
		rq->host = optarg;
		break;
	case 'k':
		rq->key = optarg;
		break;
	case 'r':
		rq->random = optarg;
		break;
	default:
		usage();
	}
}

int
postern_tls(void)
{
	struct tls_request rq = { .algorithm = &algorithms[0] };
	int letter;

	for (size_t i = 0; postern.argc > 1 && i < COUNT(commands); i++) {
		if (strcmp(commands[i].name, postern.argv[1]) != 0)
			continue;
		optind = 0; /* from the start */
		while ((letter = getopt(postern.argc - 1, postern.argv + 1,
				joined("+", commands[i].options))) > 0)
			take_option(&rq, letter);
		rq.words = postern.argv + 1 + optind;
		return commands[i].run(&rq);
	}
	usage();
}
