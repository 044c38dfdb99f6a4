/* login.c -- see login.h; and the restrictions that ask about it. */
#include "login.h"
#include "explain.h"

bool
login_is_possible(const struct session *s)
{
	return s->site->sasl && !s->auth_discarded &&
	       (s->conn->tls || !s->p->smtpd_tls_auth_only);
}

struct sasl_client
login_client(const struct session *s)
{
	return (struct sasl_client){
		.client_address = s->address,
		.server_address = s->server_address,
		.secured = s->conn->tls != NULL,
		.options =
			s->conn->tls ? s->site->sasl_tls_options : s->site->sasl_options,
	};
}

static bool
is_exception(struct session *s)
{
	struct match_list *list = s->site->sasl_exceptions;
	struct why why;

	return list && match_client(list, s->name, &s->peer, &why) == DICT_FOUND;
}

struct str
login_announced(struct session *s)
{
	struct sasl_client client = login_client(s);
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct strs names;
	struct why why;

	/* Who explains has nobody to judge logins, and needs none. */
	if (!login_is_possible(s) || explain_on || is_exception(s) ||
		!sasl_mechanisms(s->site->sasl, &client, s->command, &names))
		return STR_NONE;
	for (size_t i = 0; i < names.n; i++) {
		if (match_string(s->site->sasl_filter, names.items[i], &why) !=
			DICT_FOUND)
			continue;
		if (text.len)
			buf_addc(&text, ' ');
		buf_add(&text, names.items[i]);
	}
	if (text.len == 0) {
		log_warn("no SASL authentication mechanisms");
		return STR_NONE;
	}
	return arena_str(s->command, buf_str(&text));
}

void
login_begin(struct session *s, struct str method, struct str username)
{
	s->sasl_method = arena_str(s->arena, method);
	s->sasl_username = arena_str(s->arena, username);
}

bool
login_is_somebody(const struct session *s)
{
	return s->sasl_username.data && !str_case_is(s->sasl_method, "ANONYMOUS");
}

/* ---- restrictions ---- */

/* Without smtpd_sasl_auth_enable nobody is asked to log in. */
static bool
is_in_use(const struct session *s, const struct check *c)
{
	if (!s->p->smtpd_sasl_auth_enable)
		log_warn("restriction `%s' ignored: no SASL support", c->row->name);
	return s->p->smtpd_sasl_auth_enable;
}

enum decision
permit_sasl_authenticated(struct session *s, const struct check *c)
{
	return s->p->smtpd_sasl_auth_enable && login_is_somebody(s)
		       ? permit_because(s, c->name, SUBJECT_LOGIN, STR_NONE)
		       : DUNNO;
}

enum decision
check_sasl_access(struct session *s, const struct check *c)
{
	return is_in_use(s, c) && s->sasl_username.len ? check_access(s, c) : DUNNO;
}

/* smtpd_sender_login_maps: who may use the sender's address, in the order of
 * contract 5.2.
 */
static enum dict_result
find_owners(struct session *s, struct str *owners, struct why *why)
{
	struct route *route = s->site->route;
	struct route_class class;
	struct str extension;
	enum dict_result bare;

	if (route_classify(route, s->asked_sender, s->command, &class, why) == TEMPFAIL)
		return DICT_ERROR;
	bare = route_takes_bare_user(route, class.domain, why);
	if (bare == DICT_ERROR)
		return DICT_ERROR;
	return maps_find_address(s->site->sender_login, class.address,
		s->p->recipient_delimiter, FIND_FULL | FIND_USER | FIND_DOMAIN,
		bare == DICT_FOUND, s->command, owners, &extension, why);
}

static bool
is_among(struct str owners, struct str user)
{
	struct str name;

	while (str_token(&owners, ", \t\r\n", &name))
		if (str_case_eq(name, user))
			return true;
	return false;
}

/* What the four restrictions have in common. */
enum {
	WHEN_LOGGED_IN = 1,
	WHEN_NOT = 2,
	ANYBODYS_ARE_FREE = 4, /* an address that nobody owns is for all who log in */
};

static enum decision
reject_mismatch(struct session *s, const struct check *c, unsigned when)
{
	bool logged_in = s->sasl_username.data != NULL;
	struct str owners, sender;
	struct why why;
	enum dict_result found;

	if (!is_in_use(s, c) || s->asked_sender.len == 0 ||
		maps_empty(s->site->sender_login) ||
		!(when & (logged_in ? WHEN_LOGGED_IN : WHEN_NOT)))
		return DUNNO;
	sender = address_quote(s->asked_sender, s->command);
	found = find_owners(s, &owners, &why);
	if (found == DICT_ERROR) {
		log_warn("smtpd_sender_login_maps: %s", why.text);
		return refuse_lookup(s, s->asked_sender);
	}
	if (!logged_in)
		return found == DICT_FOUND
			       ? refuse(s, 553, "5.7.1",
					 "<%.*s>: Sender address rejected: not logged in",
					 STR_ARG(sender))
			       : DUNNO;
	if (found == DICT_FOUND ? is_among(owners, s->sasl_username)
				: when & ANYBODYS_ARE_FREE)
		return DUNNO;
	return refuse(s, 553, "5.7.1",
		"<%.*s>: Sender address rejected: not owned by user %.*s",
		STR_ARG(sender), STR_ARG(s->sasl_username));
}

enum decision
reject_sender_login_mismatch(struct session *s, const struct check *c)
{
	return reject_mismatch(s, c, WHEN_LOGGED_IN | WHEN_NOT);
}

enum decision
reject_authenticated_mismatch(struct session *s, const struct check *c)
{
	return reject_mismatch(s, c, WHEN_LOGGED_IN);
}

enum decision
reject_known_mismatch(struct session *s, const struct check *c)
{
	return reject_mismatch(s, c, WHEN_LOGGED_IN | WHEN_NOT | ANYBODYS_ARE_FREE);
}

enum decision
reject_unauthenticated_mismatch(struct session *s, const struct check *c)
{
	return reject_mismatch(s, c, WHEN_NOT);
}
