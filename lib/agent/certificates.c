/* certificates.c -- see certificates.h. */
#include "certificates.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "tls_keys.h"
#include <errno.h>

#define LOOK_AGAIN       ((msec_t)1000)
#define PATIENCE         ((msec_t)10000)
#define TICKETS_PATIENCE ((msec_t)3000)
#define TICKETS_AGAIN    ((msec_t)10000) /* after no answer */

/* Of this process: OpenSSL asks without saying for whom. */
static struct certificates *ours;

/* ---- what the configuration says ---- */

static void
add_pair(struct strs *pairs, struct str cert, struct str key)
{
	bool own_key = key.len > 0 && !str_case_is(key, "none");

	if (cert.len == 0 || str_case_is(cert, "none"))
		return;
	pairs->items[pairs->n++] = cert;
	pairs->items[pairs->n++] = own_key ? key : cert;
}

void
certificates_name(struct certificates *c, struct str chain_files,
	const struct str (*pairs)[2], struct arena *arena)
{
	c->chain_files = conf_list(chain_files, arena);
	if (c->chain_files.n > 0)
		return;
	c->pairs.items = arena_alloc(
		arena, (size_t)2 * CERTIFICATES_PAIRS * sizeof(*c->pairs.items));
	for (size_t i = 0; i < CERTIFICATES_PAIRS; i++)
		add_pair(&c->pairs, pairs[i][0], pairs[i][1]);
}

static bool
are_named(const struct certificates *c)
{
	return c->chain_files.n > 0 || c->pairs.n > 0;
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

/* smtpd_tls_eecdh_grade and its like: other grades than auto leave the choice to OpenSSL,
 * as with Postfix. Groups for DHE in TLS 1.3 go behind. */
static struct str
groups_of(const struct params *p, struct str grade, struct arena *arena)
{
	if (!str_case_is(grade, "auto")) {
		if (!str_case_is(grade, "strong") && !str_case_is(grade, "ultra") &&
			!str_case_is(grade, "none"))
			log_warn("invalid TLS eecdh grade \"%.*s\": specify auto",
				STR_ARG(grade));
		return STR_NONE;
	}
	if (p->tls_eecdh_auto_curves.len == 0)
		return STR_NONE;
	return arena_printf(arena, "%.*s %.*s", STR_ARG(p->tls_eecdh_auto_curves),
		STR_ARG(p->tls_ffdhe_auto_groups));
}

static int find_sni(
	struct str name, struct arena *arena, const struct tls_chain **chains, size_t *n);

void
certificates_configure(struct certificates *c, const struct params *p,
	struct str eecdh_grade, struct arena *arena)
{
	struct tls_config *conf = &c->config;

	conf->default_authorities = p->tls_append_default_CA;
	conf->cipherlist = grade_list(p, conf->ciphers);
	conf->groups = groups_of(p, eecdh_grade, arena);
	conf->ssl_options = p->tls_ssl_options;
	conf->disabled_workarounds = p->tls_disable_workarounds;
	conf->prefer_own_ciphers = p->tls_preempt_cipherlist;
	conf->ticket_cipher = p->tls_session_ticket_cipher;
	c->sni_maps = p->tls_server_sni_maps;
	if (c->sni_maps.len > 0)
		conf->sni = find_sni;
}

/* Trials have no tlsmgr to ask, and read the files themselves, as it would. The first
 * two pairs: the third is DSA's, which no client of today takes. */
static int
try_files(const struct certificates *c, struct why *why)
{
	struct tls_config conf = c->config;
	struct tls_context *context;

	conf.no_certificate = false;
	conf.chain_files = c->chain_files;
	if (c->pairs.n >= 2) {
		conf.cert_file = c->pairs.items[0];
		conf.key_file = c->pairs.items[1];
	}
	if (c->pairs.n >= 4) {
		conf.eccert_file = c->pairs.items[2];
		conf.eckey_file = c->pairs.items[3];
	}
	context = tls_server_context(&conf, why);
	tls_context_free(context);
	return context ? 0 : -1;
}

void
certificates_open(struct certificates *c, const struct params *p, bool anonymous,
	const char *parameter)
{
	struct why why;

	if (tls_library_open(p->tls_config_file, p->tls_config_name, &why) < 0) {
		log_warn("%s; TLS disabled", why.text);
		return;
	}
	if (!are_named(c) && !anonymous) {
		log_warn("No server certs available. TLS won't be enabled: set %s",
			parameter);
		return;
	}
	ours = c;
	c->config.no_certificate = true;
	c->base = tls_server_context(&c->config, &why);
	if (!c->base || (are_named(c) && service_on_trial() && try_files(c, &why) < 0))
		log_warn("TLS disabled: %s", why.text);
	c->config.base = c->base;
	c->config.no_certificate = anonymous && !are_named(c);
	if (c->config.ca_path.len > 0) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;

		buf_add(&path, c->config.ca_path);
		service_allow_read(buf_cstr(&path));
	}
}

void
certificates_close(struct certificates *c)
{
	tls_context_free(c->context);
	tls_context_free(c->base);
	if (ours == c)
		ours = NULL;
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
use_certificates(struct certificates *c, const struct tls_identity_reply *said,
	struct arena *arena)
{
	struct tls_config conf = c->config;
	struct tls_context *fresh;
	struct why why;

	conf.chains = chains_of(said->chains, said->n_chains, arena);
	conf.n_chains = said->n_chains;
	fresh = tls_server_context(&conf, &why);
	if (!fresh) {
		log_warn("TLS disabled: %s", why.text);
		return;
	}
	tls_context_free(c->context);
	c->context = fresh;
	c->version = said->version;
	c->refused = c->told = false;
	c->tickets_until = 0;
}

/* Why there is nothing, once until there is something. */
static void
nothing(struct certificates *c, const char *reason, bool refused)
{
	if (!c->told)
		log_warn(
			refused ? "TLS disabled: %s" : "tlsmgr gives no certificates: %s",
			reason);
	c->told = true;
	c->refused = refused && !c->context;
}

static void
ask_certificates(struct certificates *c)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct tls_identity_request ask = { .chain_files = c->chain_files,
		.pairs = c->pairs,
		.known = c->context ? c->version : 0 };
	struct tls_identity_reply said = { .n_chains = 0 };

	if (tls_identity_call(service_peer("tlsmgr"), &ask, &said, arena,
		    deadline_in(PATIENCE)) < 0)
		nothing(c, strerror(errno), false);
	else if (said.error.len > 0)
		nothing(c, arena_cstr(arena, said.error), true);
	else if (said.n_chains > 0)
		use_certificates(c, &said, arena);
}

static void
make_anonymous(struct certificates *c)
{
	struct why why;

	c->context = tls_server_context(&c->config, &why);
	if (!c->context)
		log_warn("TLS disabled: %s", why.text);
}

/* ---- session tickets ---- */

static bool
use_keys(struct certificates *c, const struct ticket_keys_reply *said)
{
	struct str keys[TLS_TICKET_KEYS];
	size_t n = MIN(said->n_keys, (size_t)TLS_TICKET_KEYS);

	for (size_t i = 0; i < n; i++) {
		keys[i] = said->keys[i].bytes;
		if (keys[i].len != TLS_TICKET_KEY)
			return false;
	}
	if (n == 0 || said->good_for > INT32_MAX)
		return false;
	tls_context_ticket_keys(c->context, keys, n);
	c->tickets_until = deadline_in((msec_t)said->good_for);
	return true;
}

static void
refresh_tickets(struct certificates *c)
{
	struct ticket_keys_request ask = { .unused = 0 };
	struct ticket_keys_reply said;
	struct arena *arena;
	bool got;

	if (!tls_context_has_tickets(c->context) || event_now() < c->tickets_until)
		return;
	/* One asks; who comes meanwhile takes the keys at hand. */
	c->tickets_until = deadline_in(TICKETS_AGAIN);
	arena = arena_new();
	got = ticket_keys_call(service_peer("tlsmgr"), &ask, &said, arena,
		      deadline_in(TICKETS_PATIENCE)) == 0 &&
	      use_keys(c, &said);
	arena_free(arena);
	if (got)
		return;
	if (!c->tickets_told)
		log_warn("tlsmgr gives no ticket keys: TLS sessions are resumed by the "
			 "process they began in only");
	c->tickets_told = true;
}

/* ---- before a handshake ---- */

void
certificates_refresh(struct certificates *c)
{
	if (!c->base)
		return;
	if (!are_named(c)) {
		if (!c->context)
			make_anonymous(c);
	} else if (event_now() >= c->look_again && !c->asking) {
		/* Others go on with what is at hand, if there is anything. */
		c->asking = true;
		ask_certificates(c);
		c->asking = false;
		c->look_again = event_now() + LOOK_AGAIN;
		co_wake_all(&c->waiting);
	} else if (!c->context && c->asking) {
		(void)co_wait(&c->waiting, deadline_in(PATIENCE));
	}
	if (c->context)
		refresh_tickets(c);
}

bool
certificates_are_offered(const struct certificates *c)
{
	return c->base && !c->refused;
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
		ask_certificates(ours);
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
	struct tls_sni_request ask = { .maps = ours->sni_maps, .name = name };
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
certificates_start(struct certificates *c)
{
	tls_key_ask = key_ask;
	certificates_refresh(c);
}
