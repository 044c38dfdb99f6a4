/* site.c -- see site.h. */
#include "site.h"
#include "starttls.h"
#include "transcript.h"
#include "event.h"
#include "log.h"
#include "service.h"

struct site *smtpd_site;

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

static void
read_sasl_options(const char *parameter, struct str words, struct sasl_options *out)
{
	struct why why;

	if (sasl_options_parse(words, out, &why) != ACCEPT)
		log_fatal("bad parameter value: %s = %.*s: %s", parameter, STR_ARG(words),
			why.text);
}

static void
open_sasl(struct site *site)
{
	const struct params *p = site->p;
	struct sasl_config config = {
		.type = p->smtpd_sasl_type,
		.path = p->smtpd_sasl_path,
		.service = p->smtpd_sasl_service,
		.realm = p->smtpd_sasl_local_domain,
		.connect = service_connect,
		.peer = service_peer,
	};
	struct why why;

	if (!p->smtpd_sasl_auth_enable)
		return;
	read_sasl_options("smtpd_sasl_security_options", p->smtpd_sasl_security_options,
		&site->sasl_options);
	read_sasl_options("smtpd_sasl_tls_security_options",
		p->smtpd_sasl_tls_security_options, &site->sasl_tls_options);
	site->sasl = sasl_open(&config, &why);
	if (!site->sasl)
		log_fatal("%s", why.text);
	site->sasl_filter = match_list_open("smtpd_sasl_mechanism_filter",
		p->smtpd_sasl_mechanism_filter, false, site->conf);
	if (p->smtpd_sasl_exceptions_networks.len)
		site->sasl_exceptions = match_list_open("smtpd_sasl_exceptions_networks",
			p->smtpd_sasl_exceptions_networks,
			match_parents(site->conf, "smtpd_sasl_exceptions_networks"),
			site->conf);
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
	site->xforward_hosts = match_list_open("smtpd_authorized_xforward_hosts",
		p->smtpd_authorized_xforward_hosts, false, c);
	site->verp_clients = match_list_open("smtpd_authorized_verp_clients",
		p->smtpd_authorized_verp_clients, false, c);
	site->faults_wanted = faults_wanted(c);
	site->bare_newline_exclusions =
		match_list_open("smtpd_forbid_bare_newline_exclusions",
			p->smtpd_forbid_bare_newline_exclusions, false, c);
	site->limit_exceptions = match_list_open("smtpd_client_event_limit_exceptions",
		p->smtpd_client_event_limit_exceptions,
		match_parents(c, "smtpd_client_event_limit_exceptions"), c);
	site->spf_mode = spf_mode_parse(p->spf_mode);
	site->spf_engine = spf_engine_parse(p->spf_engine);
	site->spf_exempt = match_list_open("spf_exempt_clients", p->spf_exempt_clients,
		match_parents(c, "spf_exempt_clients"), c);
	site->wants_dmarc = !str_case_is(p->dmarc_mode, "off");
	site->verifies = site->wants_dmarc || !str_case_is(p->dkim_mode, "off") ||
			 !str_case_is(p->arc_mode, "off");
	site->dkim_exempt = match_list_open("dkim_exempt_clients", p->dkim_exempt_clients,
		match_parents(c, "dkim_exempt_clients"), c);
	if (p->smtpd_log_access_permit_actions.len)
		site->log_permits = match_list_open("smtpd_log_access_permit_actions",
			p->smtpd_log_access_permit_actions, false, c);
	if (p->permit_mx_backup_networks.len)
		site->mx_backup_networks = match_list_open("permit_mx_backup_networks",
			p->permit_mx_backup_networks,
			match_parents(c, "permit_mx_backup_networks"), c);
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
	TABLE(rbl_replies, rbl_reply_maps),
	TABLE(footers, smtpd_reject_footer_maps),
	TABLE(reject_filter, smtpd_reject_filter_maps),
	TABLE(command_filter, smtpd_command_filter),
	TABLE(relay_clientcerts, relay_clientcerts),
	TABLE(sender_login, smtpd_sender_login_maps),
	TABLE(milter_maps, smtpd_milter_maps),
#undef TABLE
};

static void
open_milters(struct site *site)
{
	struct why why;

	if (milter_list_read(site->p->smtpd_milters, site->conf, site->arena,
		    &site->milters, &why) < 0)
		log_fatal("smtpd_milters: %s", why.text);
	milter_macros_read(site->conf, site->arena, &site->milter_macros);
	site->asks_milters = (site->milters.n > 0 || !maps_empty(site->milter_maps)) &&
			     !list_has(site->p->receive_override_options, "no_milters");
}

static void
read_filter(struct site *site)
{
	struct str filter = site->p->smtpd_proxy_filter, word;
	struct str options = site->p->smtpd_proxy_options;

	while (str_token(&options, ", \t\r\n", &word))
		if (str_case_is(word, "speed_adjust"))
			site->filter_waits = true;
		else
			log_fatal("unknown smtpd_proxy_options value \"%.*s\"",
				STR_ARG(word));
	if (filter.len)
		site->filter = net_endpoint(filter, site->arena);
}

static struct str
unescape(struct str text, struct arena *arena)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	c_unescape(text, &out);
	return arena_str(arena, buf_str(&out));
}

static struct maps **
table_at(const struct site *site, size_t i)
{
	return (struct maps **)((char *)(uintptr_t)site + tables[i].at);
}

static enum quota_action
quota_action_parse(const char *parameter, struct str value)
{
	static const char *const names[] = { [QUOTA_DEFERS] = "defer",
		[QUOTA_REJECTS] = "reject",
		[QUOTA_HOLDS] = "hold" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_is(value, names[i]))
			return (enum quota_action)i;
	log_fatal(
		"bad %s: %.*s: specify defer, reject or hold", parameter, STR_ARG(value));
}

static void
open_quotas(struct site *site)
{
	const struct params *p = site->p;

	site->quota_actions[QUOTA_LOGIN] = quota_action_parse(
		"smtpd_login_limit_action", p->smtpd_login_limit_action);
	site->quota_actions[QUOTA_DOMAIN] = quota_action_parse(
		"smtpd_sender_domain_limit_action", p->smtpd_sender_domain_limit_action);
	site->quota_exceptions[QUOTA_LOGIN] =
		match_list_open("smtpd_login_limit_exceptions",
			p->smtpd_login_limit_exceptions, false, site->conf);
	site->quota_exceptions[QUOTA_DOMAIN] =
		match_list_open("smtpd_sender_domain_limit_exceptions",
			p->smtpd_sender_domain_limit_exceptions, false, site->conf);
}

struct site *
site_open(const struct conf *conf, const struct conf *under_stress)
{
	struct site *site = mem_alloc(sizeof(*site));
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
	if (p->smtpd_upstream_proxy_protocol.len &&
		!str_case_is(p->smtpd_upstream_proxy_protocol, "haproxy"))
		log_fatal("unsupported smtpd_upstream_proxy_protocol: %.*s: specify "
			  "haproxy",
			STR_ARG(p->smtpd_upstream_proxy_protocol));
	site->access_dot_parents = !match_parents(conf, "smtpd_access_maps");
	site->prefix_ends = conf_level_at_least(conf, "3.10");
	for (size_t i = 0; i < COUNT(tables); i++)
		*table_at(site, i) = maps_open(tables[i].parameter,
			*(const struct str *)((const char *)p + tables[i].value),
			DICT_FOLD, conf);
	site->expansion_filter = unescape(p->smtpd_expansion_filter, site->arena);
	open_lists(site);
	open_quotas(site);
	open_milters(site);
	read_filter(site);
	starttls_open(site);
	open_sasl(site);
	site->route = route_open(conf, ROUTE_TRANSPORT);
	site->policy = policy_open(conf);
	return site;
}

void
site_close(struct site *site)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		maps_close(*table_at(site, i));
	match_list_close(site->mynetworks);
	match_list_close(site->xclient_hosts);
	match_list_close(site->xforward_hosts);
	match_list_close(site->verp_clients);
	match_list_close(site->bare_newline_exclusions);
	match_list_close(site->limit_exceptions);
	for (size_t i = 0; i < QUOTA_ABOUTS; i++)
		match_list_close(site->quota_exceptions[i]);
	match_list_close(site->spf_exempt);
	match_list_close(site->dkim_exempt);
	if (site->log_permits)
		match_list_close(site->log_permits);
	if (site->mx_backup_networks)
		match_list_close(site->mx_backup_networks);
	if (site->noop_commands)
		match_list_close(site->noop_commands);
	if (site->forbidden_commands)
		match_list_close(site->forbidden_commands);
	if (site->sasl_filter)
		match_list_close(site->sasl_filter);
	if (site->sasl_exceptions)
		match_list_close(site->sasl_exceptions);
	sasl_close(site->sasl);
	certificates_close(&site->tls);
	route_close(site->route);
	policy_close(site->policy);
	buf_free(&site->ehlo->text);
	buf_free(&site->ehlo->auth);
	arena_free(site->arena);
	fd_close(&site->queue);
	mem_free(site);
}
