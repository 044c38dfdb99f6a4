/* starttls.c -- see starttls.h.
 *
 * A context holds everything but the private keys. One is made before the jail, with the
 * authorities and parameters from files (the base); each time tlsmgr has other
 * certificates the base gives rise to another context, while sessions go on with theirs.
 */
#include "starttls.h"
#include "event.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "tickets.h"
#include "tls_keys.h"
#include <errno.h>

#define LOOK_AGAIN ((msec_t)1000)
#define PATIENCE   ((msec_t)10000)

/* ---- what the configuration says ---- */

/* smtpd_tls_security_level, or the two parameters that it replaces. */
static bool
wants_tls(const struct params *p, bool *required)
{
	struct str level = p->smtpd_tls_security_level;

	*required = str_case_is(level, "encrypt") ||
		    (level.len == 0 && p->smtpd_enforce_tls) || p->smtpd_tls_wrappermode;
	if (level.len && !str_case_is(level, "none") && !str_case_is(level, "may") &&
		!str_case_is(level, "encrypt"))
		log_fatal(
			"invalid TLS level \"%.*s\" in smtpd_tls_security_level: specify "
			"none, may or encrypt",
			STR_ARG(level));
	if (str_case_is(level, "none"))
		return p->smtpd_tls_wrappermode;
	return level.len || p->smtpd_use_tls || p->smtpd_enforce_tls ||
	       p->smtpd_tls_wrappermode;
}

static struct str
grade_list(const struct params *p, struct str grade)
{
	const struct {
		const char *grade;
		struct str list;
	} grades[] = {
		{ "high", p->tls_high_cipherlist },
		{ "medium", p->tls_medium_cipherlist },
		{ "low", p->tls_low_cipherlist },
		{ "export", p->tls_export_cipherlist },
		{ "null", p->tls_null_cipherlist },
	};

	for (size_t i = 0; i < COUNT(grades); i++)
		if (str_case_is(grade, grades[i].grade))
			return grades[i].list;
	return STR_NONE;
}

/* smtpd_tls_eecdh_grade: the other grades leave the choice to OpenSSL, as with Postfix.
 * Groups for DHE in TLS 1.3 go behind. */
static struct str
groups_of(const struct params *p, struct arena *arena)
{
	struct str grade = p->smtpd_tls_eecdh_grade;

	if (!str_case_is(grade, "auto")) {
		if (!str_case_is(grade, "strong") && !str_case_is(grade, "ultra") &&
			!str_case_is(grade, "none"))
			log_warn("invalid TLS eecdh grade \"%.*s\" in "
				 "smtpd_tls_eecdh_grade: specify auto",
				STR_ARG(grade));
		return STR_NONE;
	}
	if (p->tls_eecdh_auto_curves.len == 0)
		return STR_NONE;
	return arena_printf(arena, "%.*s %.*s", STR_ARG(p->tls_eecdh_auto_curves),
		STR_ARG(p->tls_ffdhe_auto_groups));
}

/* Who shows a certificate needs a cipher that lets him. */
static struct str
exclusions(const struct site *site, bool required)
{
	const struct params *p = site->p;
	return arena_printf(site->arena, "%.*s %.*s%s",
		STR_ARG(p->smtpd_tls_exclude_ciphers),
		STR_ARG(required ? p->smtpd_tls_mandatory_exclude_ciphers : STR("")),
		site->tls_asks ? " aNULL" : "");
}

static void
add_pair(struct strs *pairs, struct str cert, struct str key)
{
	bool own_key = key.len > 0 && !str_case_is(key, "none");

	if (cert.len == 0 || str_case_is(cert, "none"))
		return;
	pairs->items[pairs->n++] = cert;
	pairs->items[pairs->n++] = own_key ? key : cert;
}

/* The files with certificates and keys; site->arena owns the lists. */
static void
name_files(struct site *site)
{
	const struct params *p = site->p;
	struct strs *pairs = &site->tls_files.pairs;

	site->tls_files.chains = conf_list(p->smtpd_tls_chain_files, site->arena);
	if (site->tls_files.chains.n > 0)
		return;
	pairs->items = arena_alloc(site->arena, 6 * sizeof(*pairs->items));
	add_pair(pairs, p->smtpd_tls_cert_file, p->smtpd_tls_key_file);
	add_pair(pairs, p->smtpd_tls_eccert_file, p->smtpd_tls_eckey_file);
	add_pair(pairs, p->smtpd_tls_dcert_file, p->smtpd_tls_dkey_file);
}

static int find_sni(
	struct str name, struct arena *arena, const struct tls_chain **chains, size_t *n);

static struct tls_config *
configure(struct site *site)
{
	const struct params *p = site->p;
	struct tls_config *conf = arena_alloc(site->arena, sizeof(*conf));
	bool required = site->tls_required;

	*conf = (struct tls_config){
		.ca_file = p->smtpd_tls_CAfile,
		.ca_path = p->smtpd_tls_CApath,
		.default_authorities = p->tls_append_default_CA,
		.protocols = required ? p->smtpd_tls_mandatory_protocols
				      : p->smtpd_tls_protocols,
		.ciphers =
			required ? p->smtpd_tls_mandatory_ciphers : p->smtpd_tls_ciphers,
		.exclude_ciphers = exclusions(site, required),
		.groups = groups_of(p, site->arena),
		.dh_file = p->smtpd_tls_dh1024_param_file,
		.ssl_options = p->tls_ssl_options,
		.disabled_workarounds = p->tls_disable_workarounds,
		.prefer_own_ciphers = p->tls_preempt_cipherlist,
		.session_lifetime = p->smtpd_tls_session_cache_timeout / 1000,
		.ticket_cipher = p->tls_session_ticket_cipher,
		.session_scope = str_c(service_name()),
		.ask_certificate = site->tls_asks,
		.verify_depth = p->smtpd_tls_ccert_verifydepth,
		.fingerprint_digest = p->smtpd_tls_fingerprint_digest,
		.no_certificate = true,
	};
	conf->cipherlist = grade_list(p, conf->ciphers);
	if (p->tls_server_sni_maps.len > 0)
		conf->sni = find_sni;
	return conf;
}

static bool
has_files(const struct site *site)
{
	return site->tls_files.chains.n > 0 || site->tls_files.pairs.n > 0;
}

/* Trials have no tlsmgr to ask, and read the files themselves, as it would. */
static void
try_files(const struct site *site)
{
	const struct params *p = site->p;
	struct tls_config conf = *site->tls_config;
	struct tls_context *context;
	struct why why;

	conf.no_certificate = false;
	conf.chain_files = site->tls_files.chains;
	conf.cert_file = p->smtpd_tls_cert_file;
	conf.key_file = p->smtpd_tls_key_file;
	conf.eccert_file = p->smtpd_tls_eccert_file;
	conf.eckey_file = p->smtpd_tls_eckey_file;
	context = tls_server_context(&conf, &why);
	if (!context)
		log_warn("TLS disabled: %s", why.text);
	tls_context_free(context);
}

void
starttls_open(struct site *site)
{
	const struct params *p = site->p;
	bool anonymous = str_case_is(p->smtpd_tls_cert_file, "none");
	struct why why = { "", "" };

	if (!wants_tls(p, &site->tls_required))
		return;
	if (tls_library_open(p->tls_config_file, p->tls_config_name, &why) < 0) {
		log_warn("%s; TLS disabled", why.text);
		return;
	}
	/* Who shows none that is trusted is told so, after the handshake. */
	site->tls_insists = p->smtpd_tls_req_ccert && site->tls_required;
	site->tls_asks = p->smtpd_tls_ask_ccert || site->tls_insists;
	if (p->smtpd_tls_req_ccert && !site->tls_required)
		log_warn("Can't require client certs unless TLS is required");
	name_files(site);
	site->tls_config = configure(site);
	if (has_files(site) || anonymous)
		site->tls_base = tls_server_context(site->tls_config, &why);
	else
		log_warn("No server certs available. TLS won't be enabled: set "
			 "smtpd_tls_chain_files");
	if (!site->tls_base && why.text[0])
		log_warn("TLS disabled: %s", why.text);
	if (!site->tls_base && p->smtpd_tls_wrappermode)
		log_fatal("smtpd_tls_wrappermode = yes needs a certificate: set "
			  "smtpd_tls_chain_files");
	if (has_files(site) && service_on_trial())
		try_files(site);
	site->tls_config->base = site->tls_base;
	site->tls_config->no_certificate = anonymous && !has_files(site);
	site->tls_wrapper = p->smtpd_tls_wrappermode;
	if (p->smtpd_tls_CApath.len > 0)
		service_allow_read(arena_cstr(site->arena, p->smtpd_tls_CApath));
	site->tls_loglevel = tls_loglevel(p->smtpd_tls_loglevel);
	if (site->tls_loglevel < 0)
		log_warn("smtpd_tls_loglevel: \"" STR_FMT "\": wanted is 0 to 4; nothing "
			 "is logged",
			STR_ARG(p->smtpd_tls_loglevel));
}

void
starttls_close(struct site *site)
{
	tls_context_free(site->tls);
	tls_context_free(site->tls_base);
}

/* ---- what tlsmgr says ---- */

static struct tls_chain *
chains_of(const struct tls_certificates *list, size_t n, struct arena *arena)
{
	struct tls_chain *chains = arena_alloc(arena, (n + 1) * sizeof(*chains));

	for (size_t i = 0; i < n; i++)
		chains[i] = (struct tls_chain){ list[i].key, list[i].certificates };
	return chains;
}

static void
use_certificates(
	struct site *site, const struct tls_identity_reply *said, struct arena *arena)
{
	struct tls_config conf = *site->tls_config;
	struct tls_context *fresh;
	struct why why;

	conf.chains = chains_of(said->chains, said->n_chains, arena);
	conf.n_chains = said->n_chains;
	fresh = tls_server_context(&conf, &why);
	if (!fresh) {
		log_warn("TLS disabled: %s", why.text);
		return;
	}
	tls_context_free(site->tls);
	site->tls = fresh;
	site->tls_version = said->version;
	site->tls_refused = site->tls_told = false;
	tickets_forget();
}

/* Why there is nothing, once until there is something. */
static void
nothing(struct site *site, const char *reason, bool refused)
{
	if (!site->tls_told)
		log_warn(
			refused ? "TLS disabled: %s" : "tlsmgr gives no certificates: %s",
			reason);
	site->tls_told = true;
	site->tls_refused = refused && !site->tls;
}

static void
ask_certificates(struct site *site)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct tls_identity_request ask = { .chain_files = site->tls_files.chains,
		.pairs = site->tls_files.pairs,
		.known = site->tls ? site->tls_version : 0 };
	struct tls_identity_reply said = { .n_chains = 0 };

	if (tls_identity_call(service_peer("tlsmgr"), &ask, &said, arena,
		    deadline_in(PATIENCE)) < 0)
		nothing(site, strerror(errno), false);
	else if (said.error.len > 0)
		nothing(site, arena_cstr(arena, said.error), true);
	else if (said.n_chains > 0)
		use_certificates(site, &said, arena);
}

static void
make_anonymous(struct site *site)
{
	struct why why;

	site->tls = tls_server_context(site->tls_config, &why);
	if (!site->tls)
		log_warn("TLS disabled: %s", why.text);
}

SWITCHES void
starttls_refresh(struct site *site)
{
	if (!site->tls_base)
		return;
	if (!has_files(site)) {
		if (!site->tls)
			make_anonymous(site);
	} else if (event_now() >= site->tls_look_again && !site->tls_asking) {
		/* Others go on with what is at hand, if there is anything. */
		site->tls_asking = true;
		ask_certificates(site);
		site->tls_asking = false;
		site->tls_look_again = event_now() + LOOK_AGAIN;
		co_wake_all(&site->tls_waiting);
	} else if (!site->tls && site->tls_asking) {
		(void)co_wait(&site->tls_waiting, deadline_in(PATIENCE));
	}
	if (site->tls)
		tickets_refresh(site);
}

bool
starttls_is_offered(const struct site *site)
{
	return site->tls_base && !site->tls_refused;
}

/* ---- in a handshake ---- */

static int
use_key(const struct tls_key_use *use, struct buf *out, struct arena *arena,
	struct tls_key_reply *said)
{
	struct tls_key_request ask = { .key = use->key,
		.decrypt = use->decrypt,
		.pss = use->pss,
		.digest = use->digest,
		.client_version = use->client_version,
		.negotiated_version = use->negotiated_version,
		.data = use->data };

	if (tls_key_call(
		    service_peer("tlsmgr"), &ask, said, arena, deadline_in(PATIENCE)) < 0)
		*said = (struct tls_key_reply){ .error = str_c(strerror(errno)) };
	if (said->result.len == 0)
		return -1;
	buf_add(out, said->result);
	return 0;
}

/* A tlsmgr that has just begun has no keys before somebody asks for their certificates.
 */
static int
key_ask(const struct tls_key_use *use, struct buf *out)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct tls_key_reply said;
	int result = use_key(use, out, arena, &said);

	if (result < 0 && said.unknown) {
		ask_certificates(smtpd_site);
		result = use_key(use, out, arena, &said);
	}
	if (result < 0)
		log_warn("private key: %.*s", STR_ARG(said.error));
	return result;
}

/* A host name, as valid_hostname() of Postfix has it: not an address. */
static bool
is_host_name(struct str name)
{
	struct net_addr ignored;

	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && !strchr("-_.", name.data[i]))
			return false;
	return name.len > 0 && name.len < 256 && net_addr_parse(name, 0, &ignored) < 0;
}

static int
find_sni(struct str name, struct arena *arena, const struct tls_chain **chains, size_t *n)
{
	struct tls_sni_request ask = { .maps = smtpd_site->p->tls_server_sni_maps,
		.name = name };
	struct tls_sni_reply said;

	if (!is_host_name(name)) {
		log_warn("TLS SNI is no valid host name");
		return 0;
	}
	if (tls_sni_call(service_peer("tlsmgr"), &ask, &said, arena,
		    deadline_in(PATIENCE)) < 0) {
		log_warn("tls_server_sni_maps: tlsmgr: %m");
		return -1;
	}
	if (said.error.len > 0) {
		log_warn("tls_server_sni_maps: %.*s", STR_ARG(said.error));
		return -1;
	}
	*chains = chains_of(said.chains, said.n_chains, arena);
	*n = said.n_chains;
	return *n > 0;
}

void
starttls_start(void)
{
	tls_key_ask = key_ask;
	starttls_refresh(smtpd_site);
	if (smtpd_site->tls_wrapper && smtpd_site->tls_refused)
		log_fatal("smtpd_tls_wrappermode = yes needs a certificate: set "
			  "smtpd_tls_chain_files");
}
