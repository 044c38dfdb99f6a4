/* auth.c -- tells servers who we are (RFC 4954), with the names and passwords of
 * smtp_sasl_password_maps.
 *
 * The tables are proxymap's to read: this process, which talks to strangers, learns the
 * password for one sender, host or next hop at a time, and no list of them. */
#include "sasl_login.h"
#include "smtp.h"
#include "log.h"
#include <string.h>

/* RFC 4954 section 4: a longer line than that waits for the server's first challenge. */
#define AUTH_LINE_MOST 512
static struct {
	bool on; /* smtp_sasl_auth_enable */
	struct maps *passwords;
	struct match_list *mechanisms; /* smtp_sasl_mechanism_filter; NULL: all */
	bool tokens;                   /* it names a mechanism for tokens */
	struct sasl_options clear, tls;
	struct route *route; /* to know which senders are local */
} auth;

/* ---- preparation ---- */

static void
options_read(struct str text, struct sasl_options *out)
{
	struct why why;

	if (sasl_options_parse(text, out, &why) != ACCEPT)
		log_fatal("%s", why.text);
}

/* A password must not go out as a token because a server also takes those: they are used
 * where the filter has their mechanism by name. */
static bool
names_token_mechanism(struct str filter)
{
	const struct sasl_login_mechanism *m;
	struct str word;

	while (str_token(&filter, " \t\r\n,", &word))
		for (size_t i = 0; (m = sasl_login_mechanism(i)); i++)
			if (m->token && str_case_eq(word, m->m.name))
				return true;
	return false;
}

void
auth_prepare(const struct conf *c)
{
	const struct params *p = &c->p;
	const char *passwords =
		smtp_lmtp ? "lmtp_sasl_password_maps" : "smtp_sasl_password_maps";

	auth.on = p->smtp_sasl_auth_enable;
	if (!auth.on)
		return;
	if (!str_is(p->smtp_sasl_type, "cyrus"))
		log_fatal("unsupported SASL client implementation: " STR_FMT,
			STR_ARG(p->smtp_sasl_type));
	if (p->smtp_sasl_password_maps.len == 0)
		log_fatal("specify a password table via the `%s' configuration parameter",
			passwords);
	auth.passwords = maps_open(
		passwords, p->smtp_sasl_password_maps, DICT_FOLD | DICT_PASSWORDS, c);
	if (p->smtp_sasl_mechanism_filter.len > 0)
		auth.mechanisms = match_list_open("smtp_sasl_mechanism_filter",
			p->smtp_sasl_mechanism_filter, false, c);
	auth.tokens = names_token_mechanism(p->smtp_sasl_mechanism_filter);
	options_read(p->smtp_sasl_security_options, &auth.clear);
	options_read(p->smtp_sasl_tls_security_options, &auth.tls);
	if (p->smtp_sender_dependent_authentication)
		auth.route = route_open(c, 0);
}

/* ---- whom the server takes us for ---- */

void
auth_secret_wipe(struct auth_secret *s)
{
	buf_wipe(&s->user);
	buf_wipe(&s->password);
}

/* "user:password"; a name alone has an empty one. */
static void
secret_take(struct str value, const struct conf *c, struct auth_secret *out)
{
	char delimiter = c->p.smtp_sasl_password_result_delimiter.data[0];
	struct str user;

	(void)str_split(&value, delimiter, &user);
	buf_clear(&out->user);
	buf_clear(&out->password);
	buf_add(&out->user, user);
	buf_add(&out->password, value);
}

/* What the table said is not left lying about. */
static void
value_wipe(struct str value)
{
	explicit_bzero((void *)(uintptr_t)value.data, value.len);
}

SWITCHES static enum dict_result
by_sender(const struct delivery *d, struct str *value, struct why *why)
{
	struct str sender = d->envelope.sender, local, domain, extension;
	enum dict_result bare;

	if (!d->conf->p.smtp_sender_dependent_authentication || sender.len == 0)
		return DICT_NOTFOUND;
	address_split(sender, &local, &domain);
	bare = route_takes_bare_user(auth.route, domain, why);
	if (bare == DICT_ERROR)
		return DICT_ERROR;
	return maps_find_address(auth.passwords, sender, d->conf->p.recipient_delimiter,
		FIND_FULL | FIND_USER | FIND_DOMAIN, bare == DICT_FOUND, d->arena, value,
		&extension, why);
}

static enum dict_result
secret_found(enum dict_result got, struct str value, const struct delivery *d,
	const struct why *why, struct auth_secret *out)
{
	if (got == DICT_ERROR) {
		log_warn("%s", why->text);
		log_warn("%.*s: %s lookup error", STR_ARG(d->envelope.queue_id),
			smtp_lmtp ? "lmtp_sasl_password_maps"
				  : "smtp_sasl_password_maps");
	}
	if (got == DICT_FOUND) {
		secret_take(value, d->conf, out);
		value_wipe(value);
	}
	return got;
}

enum dict_result
auth_secret_of_sender(const struct delivery *d, struct auth_secret *out)
{
	struct why why = { 0 };
	struct str value = STR_NONE;
	enum dict_result got = auth.on ? by_sender(d, &value, &why) : DICT_NOTFOUND;

	return secret_found(got, value, d, &why, out);
}

/* Postfix's order: the sender, the host, the next hop as it was given. */
SWITCHES static enum dict_result
secret_find(const struct session *s, const struct attempt *a, struct auth_secret *out)
{
	struct arena *arena = a->d->arena;
	struct why why = { 0 };
	struct str value = STR_NONE;
	enum dict_result got = by_sender(a->d, &value, &why);

	if (got == DICT_NOTFOUND)
		got = maps_find(auth.passwords, s->host, arena, &value, &why);
	if (got == DICT_NOTFOUND)
		got = maps_find(auth.passwords, a->destination, arena, &value, &why);
	return secret_found(got, value, a->d, &why, out);
}

/* ---- what the server offers ---- */

/* A line of EHLO: "AUTH PLAIN LOGIN", or the "AUTH=PLAIN LOGIN" of old servers. False:
 * the filter failed. */
bool
auth_offered(struct session *s, struct str words)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;
	struct str rest = words, word;
	struct why why;

	if (!auth.on)
		return true;
	while (str_token(&rest, " \t", &word)) {
		enum dict_result got = auth.mechanisms
					       ? match_string(auth.mechanisms, word, &why)
					       : DICT_FOUND;

		if (got == DICT_ERROR) {
			log_warn("%s", why.text);
			return false;
		}
		if (got == DICT_FOUND)
			buf_printf(&list, " " STR_FMT, STR_ARG(word));
	}
	if (list.len > 0)
		s->mechanisms = arena_printf(s->arena, STR_FMT STR_FMT,
			STR_ARG(s->mechanisms), STR_ARG(buf_str(&list)));
	else if (str_trim(words).len == 0)
		log_warn(
			"%.*s offered null AUTH mechanism list", STR_ARG(s->namaddrport));
	else
		log_warn("%.*s offered no supported AUTH mechanisms: '%.*s'",
			STR_ARG(s->namaddrport), STR_ARG(str_trim(words)));
	s->offers |= OFFERS_AUTH;
	return true;
}

static const struct sasl_login_mechanism *
choose(const struct session *s)
{
	struct str rest = s->mechanisms, word;
	struct strs offered = { arena_alloc(s->arena, (rest.len + 1) * sizeof(word)), 0 };

	while (str_token(&rest, " ", &word))
		offered.items[offered.n++] = word;
	return sasl_login_choose(
		&offered, s->conn->tls ? &auth.tls : &auth.clear, auth.tokens);
}

/* ---- the exchange ---- */

/* One step, in a thread where it takes its time. */
struct step {
	struct sasl_login *login;
	struct str challenge;
	struct buf *out;
	struct why *why;
	bool well;
};

static void
step_run(void *arg)
{
	struct step *s = arg;

	s->well = sasl_login_step(s->login, s->challenge, s->out, s->why);
}

/* The response to the challenge in the last reply. */
SWITCHES static bool
step(struct session *s, const struct sasl_login_mechanism *m, struct sasl_login *l,
	struct buf *out, struct why *why)
{
	struct buf challenge CLEANUP(buf_wipe) = BUF_INIT;
	struct step now = { .login = l, .out = out, .why = why };
	struct str text = str_trim(reply_line(&s->reply, 0));

	if (s->reply.n_lines != 1 || base64_decode(text, &challenge) < 0) {
		/* What Cyrus SASL calls it. */
		why_set(why, "4.7.0", "another step is needed in authentication");
		return false;
	}
	now.challenge = buf_str(&challenge);
	if (m->slow)
		event_offload(step_run, &now);
	else
		step_run(&now);
	return now.well;
}

/* "AUTH name response", "AUTH name", or a response alone; no transcript has it. */
static void
say(struct session *s, struct str mechanism, const struct buf *response)
{
	struct buf line CLEANUP(buf_wipe) = BUF_INIT;

	if (mechanism.len > 0)
		buf_printf(&line, "AUTH " STR_FMT "%s", STR_ARG(mechanism),
			response ? " " : "");
	if (response)
		base64_encode(buf_str(response), &line);
	conn_write(s->conn, buf_str(&line));
	conn_write(s->conn, STR("\r\n"));
	session_note(s, WE_SAID,
		mechanism.len > 0 ? arena_printf(s->arena, "AUTH " STR_FMT " ...",
					    STR_ARG(mechanism))
				  : STR("..."));
}

/* It ended in words of our own. */
static enum verdict
cannot(struct session *s, struct why *why)
{
	char text[sizeof(why->text)];

	memcpy(text, why->text, sizeof(text));
	reply_clear(&s->reply);
	return why_set(why, "4.7.0",
		"SASL authentication failed; cannot authenticate to server %.*s: %s",
		STR_ARG(s->namaddr), text);
}

/* RFC 4954 section 4: who does not go on says so. Postfix says QUIT, which a server takes
 * for a response. */
SWITCHES static enum verdict
cancel(struct session *s, deadline_t patience, struct why *why)
{
	command_send(s, "*");
	(void)session_reply(s, patience);
	return cannot(s, why);
}

static enum verdict
refused(const struct session *s, const struct conf *c, struct why *why)
{
	char code[sizeof(why->code)];

	/* The server's code, or what its class makes of it. */
	session_why(s, "", NULL, why);
	memcpy(code, why->code, sizeof(code));
	if (code[0] == '5' && c->p.smtp_sasl_auth_soft_bounce)
		code[0] = '4';
	return why_set(why, code, "SASL authentication failed; server %.*s said: %.*s",
		STR_ARG(s->namaddr), STR_ARG(buf_str(&s->reply.text)));
}

SWITCHES static enum verdict
converse(struct session *s, const struct conf *c, const struct sasl_login_mechanism *m,
	struct sasl_login *l, struct buf *response, bool has_initial, const char *doing,
	struct why *why)
{
	deadline_t patience = deadline_in(c->p.smtp_helo_timeout);
	bool fits = sizeof("AUTH  \r\n") + m->m.name.len + (response->len + 2) / 3 * 4 <=
		    AUTH_LINE_MOST;

	say(s, m->m.name, has_initial && fits ? response : NULL);
	for (bool waits = has_initial && !fits;; waits = false) {
		if (!session_reply(s, patience))
			return session_why(s, doing, NULL, why);
		if (s->reply.code / 100 == 2)
			return sasl_login_finish(l, why) ? ACCEPT : cannot(s, why);
		if (s->reply.code / 100 != 3)
			return refused(s, c, why);
		if (!waits) {
			buf_wipe(response);
			if (!step(s, m, l, response, why))
				return cancel(s, patience, why);
		}
		say(s, STR_NONE, response);
	}
}

SWITCHES static enum verdict
login(struct session *s, const struct conf *c, const struct auth_secret *secret,
	const char *doing, struct why *why)
{
	const struct sasl_login_mechanism *m = choose(s);
	const struct sasl_login_secret with = {
		.user = buf_str(&secret->user),
		.password = buf_str(&secret->password),
		.host = s->host,
		.port = s->nexthop->port,
	};
	struct buf response CLEANUP(buf_wipe) = BUF_INIT;
	struct sasl_login *l;
	enum verdict verdict;
	bool has_initial;

	if (!m) {
		log_warn("SASL authentication failure: No worthy mechs found");
		why_set(why, "4.7.0", "no mechanism available");
		return cannot(s, why);
	}
	l = sasl_login_begin(m, &with, &response, &has_initial, why);
	if (!l)
		return cannot(s, why);
	verdict = converse(s, c, m, l, &response, has_initial, doing, why);
	sasl_login_end(l);
	return verdict;
}

enum verdict
auth_login(struct session *s, const struct attempt *a, const char *doing, struct why *why)
{
	struct auth_secret secret CLEANUP(auth_secret_wipe) = { BUF_INIT, BUF_INIT };
	enum dict_result got;

	if (!(s->offers & OFFERS_AUTH))
		return ACCEPT;
	got = secret_find(s, a, &secret);
	reply_clear(&s->reply);
	if (got == DICT_NOTFOUND) {
		/* Strangers to each other: it is not mentioned again. */
		s->offers &= ~(unsigned)OFFERS_AUTH;
		return ACCEPT;
	}
	if (got == DICT_ERROR)
		return why_set(why, "4.3.0", "local data error while talking to %.*s",
			STR_ARG(s->namaddr));
	if (s->mechanisms.len == 0)
		return why_set(why, "4.7.0",
			"SASL authentication failed: server %.*s offered no compatible "
			"authentication mechanisms for this type of connection security",
			STR_ARG(s->namaddr));
	return login(s, a->conf, &secret, doing, why);
}
