/* starttls.c -- see starttls.h. */
#include "starttls.h"
#include "log.h"
#include "service.h"

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
configure(struct site *site)
{
	const struct params *p = site->p;
	bool required = site->tls_required;
	const struct str pairs[CERTIFICATES_PAIRS][2] = {
		{ p->smtpd_tls_cert_file, p->smtpd_tls_key_file },
		{ p->smtpd_tls_eccert_file, p->smtpd_tls_eckey_file },
		{ p->smtpd_tls_dcert_file, p->smtpd_tls_dkey_file },
	};

	certificates_name(&site->tls, p->smtpd_tls_chain_files, pairs, site->arena);
	site->tls.config = (struct tls_config){
		.ca_file = p->smtpd_tls_CAfile,
		.ca_path = p->smtpd_tls_CApath,
		.protocols = required ? p->smtpd_tls_mandatory_protocols
				      : p->smtpd_tls_protocols,
		.ciphers =
			required ? p->smtpd_tls_mandatory_ciphers : p->smtpd_tls_ciphers,
		.exclude_ciphers = exclusions(site, required),
		.dh_file = p->smtpd_tls_dh1024_param_file,
		.session_lifetime = p->smtpd_tls_session_cache_timeout / 1000,
		.session_scope = str_c(service_name()),
		.ask_certificate = site->tls_asks,
		.verify_depth = p->smtpd_tls_ccert_verifydepth,
		.fingerprint_digest = p->smtpd_tls_fingerprint_digest,
	};
	certificates_configure(&site->tls, p, p->smtpd_tls_eecdh_grade, site->arena);
}

void
starttls_open(struct site *site)
{
	const struct params *p = site->p;
	bool anonymous = str_case_is(p->smtpd_tls_cert_file, "none");

	if (!wants_tls(p, &site->tls_required))
		return;
	/* Who shows none that is trusted is told so, after the handshake. */
	site->tls_insists = p->smtpd_tls_req_ccert && site->tls_required;
	site->tls_asks = p->smtpd_tls_ask_ccert || site->tls_insists;
	if (p->smtpd_tls_req_ccert && !site->tls_required)
		log_warn("Can't require client certs unless TLS is required");
	configure(site);
	certificates_open(&site->tls, p, anonymous, "smtpd_tls_chain_files");
	if (!site->tls.base && p->smtpd_tls_wrappermode)
		log_fatal("smtpd_tls_wrappermode = yes needs a certificate: set "
			  "smtpd_tls_chain_files");
	site->tls_wrapper = p->smtpd_tls_wrappermode;
	site->tls_loglevel = tls_loglevel(p->smtpd_tls_loglevel);
	if (site->tls_loglevel < 0)
		log_warn("smtpd_tls_loglevel: \"" STR_FMT "\": wanted is 0 to 4; nothing "
			 "is logged",
			STR_ARG(p->smtpd_tls_loglevel));
}

void
starttls_start(void)
{
	struct site *site = smtpd_site;

	certificates_start(&site->tls);
	if (site->tls_wrapper && !certificates_are_offered(&site->tls))
		log_fatal("smtpd_tls_wrappermode = yes needs a certificate: set "
			  "smtpd_tls_chain_files");
}
