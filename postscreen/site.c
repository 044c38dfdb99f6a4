/* site.c -- see site.h. */
#include "site.h"
#include "event.h"
#include "log.h"
#include "service.h"

#define LOOK_AGAIN   1000 /* ms between looks at the files of tables */
#define ACCESS_WORDS 100  /* of one value in a table */

struct site *postscreen_site;

/* ---- words of main.cf ---- */

static enum action
action_read(const char *parameter, struct str value)
{
	static const char *const words[] = { [ACTION_IGNORE] = "ignore",
		[ACTION_ENFORCE] = "enforce",
		[ACTION_DROP] = "drop" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(value, words[i]))
			return (enum action)i;
	/* Words of the first versions. */
	if (str_is(value, "continue"))
		return ACTION_IGNORE;
	log_fatal("bad %s parameter value: %.*s: specify ignore, enforce or drop",
		parameter, STR_ARG(value));
}

static void
read_tests(struct site *site)
{
	const struct params *p = site->p;
	const struct {
		bool enabled;
		const char *parameter;
		struct str action;
		msec_t ttl;
	} rows[TESTS] = {
		[TEST_PREGREET] = { true, "postscreen_greet_action",
			p->postscreen_greet_action, p->postscreen_greet_ttl },
		[TEST_DNSBL] = { site->lists.sites.n > 0, "postscreen_dnsbl_action",
			p->postscreen_dnsbl_action, p->postscreen_dnsbl_max_ttl },
		[TEST_PIPELINING] = { p->postscreen_pipelining_enable,
			"postscreen_pipelining_action", p->postscreen_pipelining_action,
			p->postscreen_pipelining_ttl },
		[TEST_NON_SMTP] = { p->postscreen_non_smtp_command_enable,
			"postscreen_non_smtp_command_action",
			p->postscreen_non_smtp_command_action,
			p->postscreen_non_smtp_command_ttl },
		[TEST_BARE_NEWLINE] = { p->postscreen_bare_newline_enable,
			"postscreen_bare_newline_action",
			p->postscreen_bare_newline_action,
			p->postscreen_bare_newline_ttl },
	};

	site->least_ttl = p->postscreen_greet_ttl;
	for (unsigned i = 0; i < TESTS; i++) {
		site->on[i] = action_read(rows[i].parameter, rows[i].action);
		site->ttl[i] = rows[i].ttl;
		if (!rows[i].enabled)
			continue;
		site->enabled |= TEST_BIT(i);
		site->least_ttl = MIN(site->least_ttl, rows[i].ttl);
	}
	site->denylist =
		action_read("postscreen_denylist_action", p->postscreen_denylist_action);
}

/* ---- the access list ---- */

static bool
access_word(struct str word, struct access_item *out)
{
	static const struct {
		const char *word;
		enum access_kind kind;
	} words[] = {
		{ "permit", ACCESS_PERMIT },
		{ "reject", ACCESS_REJECT },
		{ "dunno", ACCESS_DUNNO },
		{ "permit_mynetworks", ACCESS_OURS },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(word, words[i].word)) {
			out->kind = words[i].kind;
			return true;
		}
	return false;
}

static void
read_access(struct site *site, struct arena *scratch)
{
	struct strs words = conf_list(site->p->postscreen_access_list, scratch);

	for (size_t i = 0; i < words.n; i++) {
		struct str word = words.items[i];
		struct access_item item = { .kind = ACCESS_TABLE };
		struct why why = { "", "" };

		if (access_word(word, &item)) {
			*vec_push(&site->access) = item;
			continue;
		}
		if (str_chr(word, ':') <= 0) {
			log_warn("postscreen_access_list: unknown command: %.*s -- "
				 "ignoring the remainder of this access list",
				STR_ARG(word));
			return;
		}
		item.table = dict_open(word, DICT_FOLD, site->conf, &why);
		if (why.text[0])
			log_warn("postscreen_access_list: %s", why.text);
		*vec_push(&site->access) = item;
	}
}

static bool
is_ours(const struct site *site, const struct net_addr *client)
{
	struct why why;
	enum dict_result found = match_client(site->mynetworks, STR(""), client, &why);

	if (found == DICT_ERROR)
		log_warn("mynetworks: %s", why.text);
	return found == DICT_FOUND;
}

/* The value of a table is a list in itself: the first word that decides. */
static enum access_kind
access_value(const struct site *site, const struct net_addr *client, struct str value)
{
	struct str word, all = value;
	size_t n = 0;

	while (n++ < ACCESS_WORDS && str_token(&value, ", \t\r\n", &word)) {
		struct access_item item = { .kind = ACCESS_DUNNO };

		if (!access_word(word, &item)) {
			log_warn("postscreen_access_list: unknown command: %.*s in "
				 "\"%.*s\" -- ignoring the remainder of this access list",
				STR_ARG(word), STR_ARG(all));
			return ACCESS_DUNNO;
		}
		if (item.kind != ACCESS_OURS)
			return item.kind;
		if (is_ours(site, client))
			return ACCESS_PERMIT;
	}
	return ACCESS_TABLE;
}

SWITCHES enum access_kind
site_access(const struct site *site, const struct net_addr *client, struct str address)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	for (size_t i = 0; i < site->access.n; i++) {
		const struct access_item *item = &site->access.items[i];
		struct why why = { "", "it cannot be opened" };
		enum access_kind said;
		struct str value;

		if (item->kind == ACCESS_OURS && is_ours(site, client))
			return ACCESS_PERMIT;
		if (item->kind == ACCESS_OURS)
			continue;
		if (item->kind != ACCESS_TABLE)
			return item->kind;
		switch (item->table
				? dict_lookup(item->table, address, arena, &value, &why)
				: DICT_ERROR) {
		case DICT_FOUND:
			said = access_value(site, client, value);
			if (said != ACCESS_TABLE)
				return said;
			break;
		case DICT_ERROR:
			log_warn(
				"postscreen_access_list: %s -- ignoring the remainder of "
				"this access list",
				why.text);
			return ACCESS_DUNNO;
		case DICT_NOTFOUND:
			break;
		}
	}
	return ACCESS_DUNNO;
}

/* ---- TLS ---- */

/* postscreen_tls_security_level, or the two parameters that it replaces. */
static bool
wants_tls(const struct params *p, bool *required)
{
	struct str level = p->postscreen_tls_security_level;

	*required = str_case_is(level, "encrypt") ||
		    (level.len == 0 && p->postscreen_enforce_tls);
	if (level.len && !str_case_is(level, "none") && !str_case_is(level, "may") &&
		!str_case_is(level, "encrypt"))
		log_fatal("invalid TLS level \"%.*s\" in postscreen_tls_security_level: "
			  "specify none, may or encrypt",
			STR_ARG(level));
	if (str_case_is(level, "none"))
		return false;
	return level.len || p->postscreen_use_tls || p->postscreen_enforce_tls;
}

static void
configure_tls(struct site *site)
{
	const struct params *p = site->p;
	bool required = site->tls_required;
	bool insists = p->postscreen_tls_req_ccert && required;
	bool asks = p->postscreen_tls_ask_ccert || insists;
	const struct str pairs[CERTIFICATES_PAIRS][2] = {
		{ p->postscreen_tls_cert_file, p->postscreen_tls_key_file },
		{ p->postscreen_tls_eccert_file, p->postscreen_tls_eckey_file },
		{ p->postscreen_tls_dcert_file, p->postscreen_tls_dkey_file },
	};

	certificates_name(&site->tls, p->postscreen_tls_chain_files, pairs, site->arena);
	site->tls.config = (struct tls_config){
		.ca_file = p->postscreen_tls_CAfile,
		.ca_path = p->postscreen_tls_CApath,
		.protocols = required ? p->postscreen_tls_mandatory_protocols
				      : p->postscreen_tls_protocols,
		.ciphers = required ? p->postscreen_tls_mandatory_ciphers
				    : p->postscreen_tls_ciphers,
		/* Who shows a certificate needs a cipher that lets him. */
		.exclude_ciphers = arena_printf(site->arena, "%.*s %.*s%s",
			STR_ARG(p->postscreen_tls_exclude_ciphers),
			STR_ARG(required ? p->postscreen_tls_mandatory_exclude_ciphers
					 : STR_NONE),
			asks ? " aNULL" : ""),
		.dh_file = p->postscreen_tls_dh1024_param_file,
		.session_lifetime = p->smtpd_tls_session_cache_timeout / 1000,
		.session_scope = str_c(service_name()),
		.ask_certificate = asks,
		.require_certificate = insists,
		.verify_depth = p->postscreen_tls_ccert_verifydepth,
		.fingerprint_digest = p->postscreen_tls_fingerprint_digest,
	};
	certificates_configure(&site->tls, p, p->postscreen_tls_eecdh_grade, site->arena);
}

static void
open_tls(struct site *site)
{
	const struct params *p = site->p;
	bool anonymous = str_case_is(p->postscreen_tls_cert_file, "none");

	if (!wants_tls(p, &site->tls_required))
		return;
	configure_tls(site);
	certificates_open(&site->tls, p, anonymous, "postscreen_tls_chain_files");
	site->tls_loglevel = tls_loglevel(p->postscreen_tls_loglevel);
	if (site->tls_loglevel < 0)
		log_warn("postscreen_tls_loglevel: \"" STR_FMT "\": wanted is 0 to 4; "
			 "nothing is logged",
			STR_ARG(p->postscreen_tls_loglevel));
}

/* A value that is not expanded names another parameter only as a whole. */
static struct str
value_or(struct str value, const char *name, struct str other)
{
	return str_is(value, name) ? other : value;
}

/* ---- all of it ---- */

static const struct {
	const char *parameter;
	size_t at, value; /* in struct site and struct params */
} tables[] = {
#define TABLE(field, parameter) \
	{ \
#parameter, offsetof(struct site, field), \
			offsetof(struct params, parameter) \
	}
	TABLE(list_names, postscreen_dnsbl_reply_map),
	TABLE(discard_maps, postscreen_discard_ehlo_keyword_address_maps),
	TABLE(footers, postscreen_reject_footer_maps),
	TABLE(command_filter, postscreen_command_filter),
#undef TABLE
};

static struct maps **
table_at(const struct site *site, size_t i)
{
	return (struct maps **)((char *)(uintptr_t)site + tables[i].at);
}

static void
open_tables(struct site *site)
{
	const struct params *p = site->p;
	const struct conf *c = site->conf;

	for (size_t i = 0; i < COUNT(tables); i++)
		*table_at(site, i) = maps_open(tables[i].parameter,
			*(const struct str *)((const char *)p + tables[i].value),
			DICT_FOLD, c);
	site->mynetworks = match_list_open(
		"mynetworks", p->mynetworks, match_parents(c, "mynetworks"), c);
	site->allowlist_interfaces = match_list_open("postscreen_allowlist_interfaces",
		p->postscreen_allowlist_interfaces, false, c);
	if (p->postscreen_forbidden_commands.len)
		site->forbidden_commands =
			match_list_open("postscreen_forbidden_commands",
				p->postscreen_forbidden_commands, false, c);
}

struct site *
site_open(const struct conf *conf, const struct conf *under_stress)
{
	struct site *site = mem_alloc(sizeof(*site));
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct buf filter CLEANUP(buf_free) = BUF_INIT;
	const struct params *p = &conf->p;
	struct why why;

	site->conf = conf;
	site->p = p;
	site->under_stress = &under_stress->p;
	site->arena = arena_new();
	if (score_sites_read(p->postscreen_dnsbl_sites, &site->lists, &why) < 0)
		log_fatal("postscreen_dnsbl_sites: %s", why.text);
	read_tests(site);
	read_access(site, scratch);
	open_tables(site);
	site->discard = keywords_parse(
		p->postscreen_discard_ehlo_keywords, "postscreen_discard_ehlo_keywords");
	c_unescape(value_or(p->postscreen_expansion_filter, "$smtpd_expansion_filter",
			   p->smtpd_expansion_filter),
		&filter);
	site->expansion_filter = arena_str(site->arena, buf_str(&filter));
	site->footer = value_or(p->postscreen_reject_footer, "$smtpd_reject_footer",
		p->smtpd_reject_footer);
	if (p->postscreen_greet_banner.len)
		site->teaser = arena_printf(
			site->arena, "220-%.*s\r\n", STR_ARG(p->postscreen_greet_banner));
	if (p->postscreen_upstream_proxy_protocol.len &&
		!str_case_is(p->postscreen_upstream_proxy_protocol, "haproxy"))
		log_fatal("unsupported postscreen_upstream_proxy_protocol: %.*s: specify "
			  "haproxy",
			STR_ARG(p->postscreen_upstream_proxy_protocol));
	open_tls(site);
	site->checked = event_now();
	return site;
}

bool
site_refresh(struct site *site)
{
	bool ok = true;

	if (event_now() - site->checked < LOOK_AGAIN)
		return true;
	site->checked = event_now();
	for (size_t i = 0; i < site->access.n; i++) {
		struct dict *d = site->access.items[i].table;

		if (d && dict_changed(d))
			ok &= dict_reopen(d);
	}
	return ok;
}
