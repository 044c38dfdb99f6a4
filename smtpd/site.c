/* site.c -- see site.h. */
#include "site.h"
#include "transcript.h"
#include "event.h"
#include "log.h"
#include "service.h"

#define LOOK_AGAIN 1000 /* ms between looks at the files of tables */

struct site *smtpd_site;

static const struct {
	const char *word;
	unsigned keyword;
} keyword_words[] = {
	{ "PIPELINING", KEYWORD_PIPELINING },
	{ "SIZE", KEYWORD_SIZE },
	{ "VRFY", KEYWORD_VRFY },
	{ "ETRN", KEYWORD_ETRN },
	{ "STARTTLS", KEYWORD_STARTTLS },
	{ "XCLIENT", KEYWORD_XCLIENT },
	{ "ENHANCEDSTATUSCODES", KEYWORD_ENHANCEDSTATUSCODES },
	{ "8BITMIME", KEYWORD_8BITMIME },
	{ "DSN", KEYWORD_DSN },
	{ "SMTPUTF8", KEYWORD_SMTPUTF8 },
	{ "CHUNKING", KEYWORD_CHUNKING },
	{ "silent-discard", KEYWORD_SILENT },
	/* of later extensions: nothing to take away */
	{ "AUTH", 0 },
	{ "XFORWARD", 0 },
	{ "REQUIRETLS", 0 },
};

unsigned
keywords_parse(struct str list, const char *parameter)
{
	struct str word;
	unsigned found = 0;

	while (str_token(&list, ", \t\r\n", &word)) {
		size_t i = 0;

		while (i < COUNT(keyword_words) &&
			!str_case_is(word, keyword_words[i].word))
			i++;
		if (i == COUNT(keyword_words))
			log_warn("%s: unknown EHLO keyword \"%.*s\"", parameter,
				STR_ARG(word));
		else
			found |= keyword_words[i].keyword;
	}
	return found;
}

/* yes means normalize since 3.9. */
static enum bare_newline
bare_newline_parse(struct str value)
{
	static const struct {
		const char *word;
		enum bare_newline how;
	} words[] = {
		{ "no", BARE_NEWLINE_NO },
		{ "yes", BARE_NEWLINE_NORMALIZE },
		{ "normalize", BARE_NEWLINE_NORMALIZE },
		{ "note", BARE_NEWLINE_NOTE },
		{ "reject", BARE_NEWLINE_REJECT },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(value, words[i].word))
			return words[i].how;
	log_fatal("bad parameter value: smtpd_forbid_bare_newline = %.*s: specify one of "
		  "normalize, note, reject, yes, no",
		STR_ARG(value));
}

static bool
list_has(struct str list, const char *word)
{
	struct str item;

	while (str_token(&list, ", \t\r\n", &item))
		if (str_case_is(item, word))
			return true;
	return false;
}

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

/* "none" means no such certificate. */
static struct str
file_or_none(struct str name)
{
	return str_case_is(name, "none") ? STR_NONE : name;
}

static void
open_tls(struct site *site, struct arena *scratch)
{
	const struct params *p = site->p;
	struct tls_config config = {
		.chain_files = conf_list(p->smtpd_tls_chain_files, scratch),
		.ca_file = p->smtpd_tls_CAfile,
		.ca_path = p->smtpd_tls_CApath,
		.protocols = p->smtpd_tls_protocols,
		.ciphers = p->smtpd_tls_ciphers,
		.exclude_ciphers = p->smtpd_tls_exclude_ciphers,
		.session_lifetime = p->smtpd_tls_session_cache_timeout / 1000,
		.ticket_cipher = p->tls_session_ticket_cipher,
		.session_scope = str_c(service_name()),
		.ask_certificate = p->smtpd_tls_ask_ccert,
		.require_certificate = p->smtpd_tls_req_ccert,
	};
	struct why why = { "", "" };

	if (!wants_tls(p, &site->tls_required))
		return;
	if (site->tls_required) {
		config.protocols = p->smtpd_tls_mandatory_protocols;
		config.ciphers = p->smtpd_tls_mandatory_ciphers;
	}
	if (config.chain_files.n == 0) {
		config.cert_file = file_or_none(p->smtpd_tls_cert_file);
		config.key_file = file_or_none(p->smtpd_tls_key_file);
		config.eccert_file = file_or_none(p->smtpd_tls_eccert_file);
		config.eckey_file = file_or_none(p->smtpd_tls_eckey_file);
	}
	if (config.chain_files.n || config.cert_file.len || config.eccert_file.len)
		site->tls = tls_server_context(&config, &why);
	else
		log_warn("No server certs available. TLS won't be enabled: set "
			 "smtpd_tls_chain_files");
	if (!site->tls && why.text[0])
		log_warn("TLS disabled: %s", why.text);
	if (!site->tls && p->smtpd_tls_wrappermode)
		log_fatal("smtpd_tls_wrappermode = yes needs a certificate: set "
			  "smtpd_tls_chain_files");
	site->tls_wrapper = p->smtpd_tls_wrappermode;
	if (p->smtpd_tls_loglevel.len && ascii_is_digit(p->smtpd_tls_loglevel.data[0]))
		site->tls_loglevel = p->smtpd_tls_loglevel.data[0] - '0';
}

static void
open_lists(struct site *site)
{
	const struct params *p = site->p;
	const struct conf *c = site->conf;
	bool parents = match_parents(c, "mynetworks");

	site->mynetworks = match_list_open("mynetworks", p->mynetworks, parents, c);
	site->xclient_hosts = match_list_open("smtpd_authorized_xclient_hosts",
		p->smtpd_authorized_xclient_hosts, false, c);
	site->faults_wanted = faults_wanted(c);
	site->bare_newline_exclusions =
		match_list_open("smtpd_forbid_bare_newline_exclusions",
			p->smtpd_forbid_bare_newline_exclusions, false, c);
	site->limit_exceptions = match_list_open("smtpd_client_event_limit_exceptions",
		p->smtpd_client_event_limit_exceptions,
		match_parents(c, "smtpd_client_event_limit_exceptions"), c);
	if (p->smtpd_noop_commands.len)
		site->noop_commands = match_list_open(
			"smtpd_noop_commands", p->smtpd_noop_commands, false, c);
	if (p->smtpd_forbidden_commands.len)
		site->forbidden_commands = match_list_open("smtpd_forbidden_commands",
			p->smtpd_forbidden_commands, false, c);
}

/* Tables with addresses as keys, and their parameters. */
static const struct {
	const char *parameter;
	size_t at, value; /* in struct site and struct params */
} tables[] = {
#define TABLE(field, parameter) \
	{ \
#parameter, offsetof(struct site, field), \
			offsetof(struct params, parameter) \
	}
	TABLE(canonical, canonical_maps),
	TABLE(sender_canonical, sender_canonical_maps),
	TABLE(recipient_canonical, recipient_canonical_maps),
	TABLE(virtual_alias, virtual_alias_maps),
	TABLE(local_recipients, local_recipient_maps),
	TABLE(relay_recipients, relay_recipient_maps),
	TABLE(virtual_mailboxes, virtual_mailbox_maps),
	TABLE(discard_maps, smtpd_discard_ehlo_keyword_address_maps),
#undef TABLE
};

static struct maps **
table_at(const struct site *site, size_t i)
{
	return (struct maps **)((char *)(uintptr_t)site + tables[i].at);
}

struct site *
site_open(const struct conf *conf, const struct conf *under_stress)
{
	struct site *site = mem_alloc(sizeof(*site));
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	const struct params *p = &conf->p;

	site->conf = conf;
	site->p = p;
	site->under_stress = &under_stress->p;
	site->arena = arena_new();
	storage_open(site);
	site->ehlo = arena_alloc(site->arena, sizeof(*site->ehlo));
	site->banner = arena_printf(site->arena, "220 %.*s", STR_ARG(p->smtpd_banner));
	site->bare_newline = bare_newline_parse(p->smtpd_forbid_bare_newline);
	site->discard = keywords_parse(
		p->smtpd_discard_ehlo_keywords, "smtpd_discard_ehlo_keywords");
	site->check_recipients =
		!list_has(p->receive_override_options, "no_unknown_recipient_checks");
	site->access_dot_parents = !match_parents(conf, "smtpd_access_maps");
	site->prefix_ends = conf_level_at_least(conf, "3.10");
	for (size_t i = 0; i < COUNT(tables); i++)
		*table_at(site, i) = maps_open(tables[i].parameter,
			*(const struct str *)((const char *)p + tables[i].value),
			DICT_FOLD, conf);
	open_lists(site);
	open_tls(site, scratch);
	site->route = route_open(conf, ROUTE_CLASS);
	site->policy = policy_open(conf);
	site->checked = event_now();
	return site;
}

void
site_close(struct site *site)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		maps_close(*table_at(site, i));
	match_list_close(site->mynetworks);
	match_list_close(site->xclient_hosts);
	match_list_close(site->bare_newline_exclusions);
	match_list_close(site->limit_exceptions);
	if (site->noop_commands)
		match_list_close(site->noop_commands);
	if (site->forbidden_commands)
		match_list_close(site->forbidden_commands);
	if (site->tls)
		tls_context_free(site->tls);
	route_close(site->route);
	policy_close(site->policy);
	buf_free(&site->ehlo->text);
	arena_free(site->arena);
	fd_close(&site->queue);
	mem_free(site);
}

bool
site_refresh(struct site *site)
{
	bool ok = true;

	if (event_now() - site->checked < LOOK_AGAIN)
		return true;
	site->checked = event_now();
	for (size_t i = 0; i < COUNT(tables); i++)
		if (maps_changed(*table_at(site, i)))
			ok &= maps_reopen(*table_at(site, i));
	if (route_changed(site->route))
		ok &= route_reopen(site->route);
	if (policy_changed(site->policy))
		ok &= policy_reopen(site->policy);
	return ok;
}
