/* tls_policy.c -- what TLS a next hop must have: smtp_tls_policy_maps, or the parameters.
 * Whatever cannot be told for certain is a deferral, never mail in clear. */
#include "smtp.h"
#include "log.h"

static struct maps *policy_maps;
/* smtp_tls_trust_anchor_file: those of all its files; without records: one of them is not
 * to be read, and nobody is trusted. NULL: none are named. */
static const struct tls_dane *anchors;

static const struct {
	const char *word;
	enum tls_level level;
} levels[] = {
	{ "none", TLS_NONE },
	{ "may", TLS_MAY },
	{ "encrypt", TLS_ENCRYPT },
	{ "dane", TLS_DANE },
	{ "dane-only", TLS_DANE_ONLY },
	{ "fingerprint", TLS_FINGERPRINT },
	{ "verify", TLS_VERIFY },
	{ "secure", TLS_SECURE },
};

static bool
level_find(struct str word, enum tls_level *out)
{
	for (size_t i = 0; i < COUNT(levels); i++)
		if (str_case_is(word, levels[i].word)) {
			*out = levels[i].level;
			return true;
		}
	return false;
}

enum tls_level
tls_policy_level(const struct conf *c)
{
	enum tls_level level = TLS_INVALID;

	if (c->p.smtp_tls_security_level.len > 0)
		level_find(c->p.smtp_tls_security_level, &level);
	else if (c->p.smtp_enforce_tls)
		level = c->p.smtp_tls_enforce_peername ? TLS_VERIFY : TLS_ENCRYPT;
	else
		level = c->p.smtp_use_tls ? TLS_MAY : TLS_NONE;
	return level;
}

struct str
tls_policy_grade(const struct conf *c, struct str grade)
{
	const struct {
		const char *grade;
		struct str list;
	} grades[] = {
		{ "high", c->p.tls_high_cipherlist },
		{ "medium", c->p.tls_medium_cipherlist },
		{ "low", c->p.tls_low_cipherlist },
		{ "export", c->p.tls_export_cipherlist },
		{ "null", c->p.tls_null_cipherlist },
	};

	for (size_t i = 0; i < COUNT(grades); i++)
		if (str_case_is(grade, grades[i].grade))
			return grades[i].list;
	return STR_NONE;
}

/* ---- trust anchors ---- */

void
tls_policy_read_anchors(const struct conf *c)
{
	struct strs files = conf_list(c->p.smtp_tls_trust_anchor_file, c->arena);
	struct tls_dane *list = arena_alloc(c->arena, sizeof(*list));
	struct why why;

	*list = (struct tls_dane){ .n = 0 };
	anchors = files.n > 0 ? list : NULL;
	for (size_t i = 0; i < files.n; i++)
		if (tls_anchors_read(files.items[i], c->arena, list, &why) < 0) {
			log_warn("smtp_tls_trust_anchor_file: %s", why.text);
			list->n = 0;
			return;
		}
}

/* The jail closes before a look-up names them: what stands in a table by now may be read.
 */
static bool
allow_anchors(struct str key, struct str value, void *arg)
{
	struct str word;

	(void)key;
	while (str_token(&value, " \t\r\n,", &word))
		if (str_case_starts(word, STR("tafile=")) && str_chr(word, '\0') < 0)
			service_allow_read(
				arena_cstr(arg, str_from(word, STR("tafile=").len)));
	return true;
}

static enum verdict
add_anchors(struct tls_policy *p, struct str file, struct arena *arena, struct why *why)
{
	struct tls_dane *list = arena_alloc(arena, sizeof(*list));

	*list = p->terms.dane ? *p->terms.dane : (struct tls_dane){ .n = 0 };
	if (tls_anchors_read(file, arena, list, why) < 0)
		return PERMFAIL;
	p->terms.dane = list;
	return ACCEPT;
}

void
tls_policy_prepare(const struct conf *c)
{
	maps_close(policy_maps);
	policy_maps =
		maps_open(smtp_lmtp ? "lmtp_tls_policy_maps" : "smtp_tls_policy_maps",
			c->p.smtp_tls_policy_maps, 0, c);
	maps_each(policy_maps, allow_anchors, c->arena);
}

bool
tls_policy_has_table(void)
{
	return policy_maps && !maps_empty(policy_maps);
}

/* ---- an entry of the table ---- */

static enum verdict
bad(struct why *why, const char *what, struct str value)
{
	return why_set(why, "5.3.5", "%s \"" STR_FMT "\"", what, STR_ARG(value));
}

/* Appends to those there are. */
static struct strs
split(struct str text, const char *separators, struct strs had, struct arena *arena)
{
	VEC(struct str) list = { 0 };
	struct strs all = { NULL, 0 };
	struct str word;

	for (size_t i = 0; i < had.n; i++)
		*vec_push(&list) = had.items[i];
	while (str_token(&text, separators, &word))
		*vec_push(&list) = arena_str(arena, word);
	all.n = list.n;
	all.items = arena_alloc(arena, MAX(list.n, 1) * sizeof(*all.items));
	for (size_t i = 0; i < list.n; i++)
		all.items[i] = list.items[i];
	vec_free(&list);
	return all;
}

static enum verdict
take_attribute(struct str name, struct str value, struct arena *arena,
	struct tls_policy *p, struct why *why)
{
	struct str *once = str_case_is(name, "protocols")    ? &p->terms.protocols
			   : str_case_is(name, "ciphers")    ? &p->terms.ciphers
			   : str_case_is(name, "servername") ? &p->servername
							     : NULL;

	if (once && once->len > 0)
		return bad(why, "attribute is specified more than once:", name);
	if (once) {
		*once = arena_str(arena, value);
	} else if (str_case_is(name, "match")) {
		if (p->level < TLS_FINGERPRINT)
			return bad(why, "the level does not use the attribute", name);
		p->match = split(
			value, p->level == TLS_FINGERPRINT ? "|" : ":", p->match, arena);
	} else if (str_case_is(name, "exclude")) {
		p->terms.exclude_ciphers = arena_printf(arena, STR_FMT " " STR_FMT,
			STR_ARG(p->terms.exclude_ciphers), STR_ARG(value));
	} else if (str_case_is(name, "tafile")) {
		if (p->level < TLS_VERIFY)
			return bad(why, "the level does not use the attribute", name);
		return add_anchors(p, value, arena, why);
	} else if (str_case_is(name, "connection_reuse")) {
		/* Our sessions are kept under TLS, too, by the process that has them. */
		if (!str_case_is(value, "yes") && !str_case_is(value, "no"))
			return bad(why, "bad value of connection_reuse:", value);
	} else {
		return bad(why, "this version does not know the attribute", name);
	}
	return ACCEPT;
}

enum verdict
tls_policy_parse(
	struct str text, struct arena *arena, struct tls_policy *out, struct why *why)
{
	struct str word = STR_NONE;

	if (!str_token(&text, " \t\r\n,", &word) || !level_find(word, &out->level))
		return bad(why, "invalid security level", word);
	if (out->level == TLS_NONE)
		return ACCEPT; /* the rest has no meaning */
	while (str_token(&text, " \t\r\n,", &word)) {
		ssize_t at = str_chr(word, '=');

		if (at <= 0 || (size_t)at + 1 == word.len)
			return bad(why, "malformed attribute", word);
		if (take_attribute(str_of(word.data, (size_t)at),
			    str_from(word, (size_t)at + 1), arena, out, why) != ACCEPT)
			return PERMFAIL;
	}
	return ACCEPT;
}

/* ---- the policy of a destination ---- */

static bool
is_domain(struct str destination)
{
	return destination.len > 0 && str_chr(destination, ':') < 0 &&
	       destination.data[0] != '[';
}

/* The destination as it stands; a domain without a port also as .parent, each. */
SWITCHES static enum dict_result
lookup(struct str destination, struct arena *arena, struct str *value, struct why *why)
{
	struct str key = arena_lower(arena, destination);
	bool domain = is_domain(key);

	for (;;) {
		enum dict_result got = maps_find(policy_maps, key, arena, value, why);
		ssize_t dot = key.len > 1 ? str_chr(str_from(key, 1), '.') : -1;

		if (got != DICT_NOTFOUND || !domain || dot < 0)
			return got;
		key = str_from(key, (size_t)dot + 1);
	}
}

/* What the table left open. */
static void
fill_in(struct tls_policy *p, const struct conf *c, struct arena *arena)
{
	const struct params *m = &c->p;
	bool may = p->level == TLS_MAY;
	/* A server without certificate could not be told from any other. */
	const char *also = p->level > TLS_ENCRYPT ? "aNULL" : "";

	if (p->servername.len == 0)
		p->servername = m->smtp_tls_servername;
	if (p->terms.protocols.len == 0)
		p->terms.protocols =
			may ? m->smtp_tls_protocols : m->smtp_tls_mandatory_protocols;
	if (p->terms.ciphers.len == 0)
		p->terms.ciphers =
			may ? m->smtp_tls_ciphers : m->smtp_tls_mandatory_ciphers;
	p->terms.cipherlist = tls_policy_grade(c, p->terms.ciphers);
	p->terms.exclude_ciphers = arena_printf(arena,
		STR_FMT " " STR_FMT " " STR_FMT " %s", STR_ARG(p->terms.exclude_ciphers),
		STR_ARG(m->smtp_tls_exclude_ciphers),
		STR_ARG(may ? STR("") : m->smtp_tls_mandatory_exclude_ciphers), also);
	if (p->level >= TLS_VERIFY && !p->terms.dane)
		p->terms.dane = anchors;
	if (p->match.n > 0)
		return;
	if (p->level == TLS_FINGERPRINT)
		p->match = split(
			m->smtp_tls_fingerprint_cert_match, " \t\r\n,|", p->match, arena);
	else if (p->level == TLS_VERIFY)
		p->match = split(
			m->smtp_tls_verify_cert_match, " \t\r\n,:", p->match, arena);
	else if (p->level == TLS_SECURE)
		p->match = split(
			m->smtp_tls_secure_cert_match, " \t\r\n,:", p->match, arena);
}

static struct str
text_of(const struct tls_policy *p, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&text, "%d", (int)p->level);
	for (size_t i = 0; i < p->match.n; i++)
		buf_printf(&text, "|" STR_FMT, STR_ARG(p->match.items[i]));
	buf_printf(&text, ";" STR_FMT ";" STR_FMT ";" STR_FMT ";" STR_FMT,
		STR_ARG(p->servername), STR_ARG(p->terms.protocols),
		STR_ARG(p->terms.ciphers), STR_ARG(p->terms.exclude_ciphers));
	if (p->terms.dane)
		buf_printf(&text, " " STR_FMT, STR_ARG(dane_text(p->terms.dane, arena)));
	return arena_str(arena, buf_str(&text));
}

void
tls_policy_settle(
	struct tls_policy *p, struct str name, const struct conf *c, struct arena *arena)
{
	struct why why;

	fill_in(p, c, arena);
	p->text = text_of(p, arena);
	/* The handshake will fail, for the host's log lines to tell. */
	if (p->level != TLS_NONE && tls_terms_check(&p->terms, &why) < 0)
		log_warn("TLS policy for " STR_FMT ": %s", STR_ARG(name), why.text);
}

static bool
is_dane(const struct tls_policy *p)
{
	return p->level == TLS_DANE || p->level == TLS_DANE_ONLY;
}

/* Where there can be no DANE the level is "may", as with Postfix. */
static enum verdict
check_dane(struct tls_policy *p, struct str destination, const struct conf *c,
	struct why *why)
{
	const char *unfit = dane_unfit(c);

	dane_warn(destination, c);
	if (!unfit)
		return ACCEPT;
	if (p->level == TLS_DANE_ONLY)
		return why_set(why, "5.3.5", "dane-only is %s", unfit);
	p->level = TLS_MAY;
	return ACCEPT;
}

static enum verdict
check(struct tls_policy *p, struct str destination, const struct conf *c, struct why *why)
{
	if (p->level == TLS_INVALID)
		return why_set(why, "5.3.5", "no such level of TLS");
	if (is_dane(p))
		return check_dane(p, destination, c, why);
	if (p->level >= TLS_VERIFY && !p->terms.dane && anchors && anchors->n == 0)
		return why_set(why, "5.3.5", "smtp_tls_trust_anchor_file cannot be read");
	return ACCEPT;
}

enum verdict
tls_policy_find(struct str destination, const struct conf *c, struct arena *arena,
	struct tls_policy *out, struct why *why)
{
	enum dict_result got = DICT_NOTFOUND;
	struct str value = STR_NONE;

	*out = (struct tls_policy){ .level = tls_policy_level(c) };
	if (tls_policy_has_table())
		got = lookup(destination, arena, &value, why);
	out->listed = got == DICT_FOUND;
	if (got != DICT_ERROR &&
		(got == DICT_NOTFOUND ||
			tls_policy_parse(value, arena, out, why) == ACCEPT) &&
		check(out, destination, c, why) == ACCEPT) {
		if (is_dane(out))
			out->text = text_of(out, arena); /* the rest is up to the host */
		else
			tls_policy_settle(out, destination, c, arena);
		if (out->level < TLS_FINGERPRINT || out->match.n > 0)
			return ACCEPT;
		why_set(why, "5.3.5", "there is nothing to match");
	}
	log_warn("TLS policy for " STR_FMT ": %s", STR_ARG(destination), why->text);
	return why_set(why, "4.7.5", "client TLS configuration problem");
}

/* ---- certificates ---- */

/* The name, or .domain, that a word stands for. */
static struct str
name_of(struct str word, const struct session *s)
{
	struct str nexthop = s->nexthop->host;

	if (str_case_is(word, "hostname"))
		return s->host;
	if (str_case_is(word, "nexthop"))
		return nexthop;
	if (str_case_is(word, "dot-nexthop"))
		return arena_printf(s->arena, "." STR_FMT, STR_ARG(nexthop));
	return word;
}

bool
tls_policy_matches(
	const struct tls_policy *p, const struct session *s, struct str *matched)
{
	const struct tls_info *t = conn_tls_info(s->conn);
	bool by_key = p->level == TLS_FINGERPRINT;

	*matched = STR_NONE;
	if (!t || !t->peer_certificate || (!by_key && !t->trusted))
		return false;
	if (p->level == TLS_DANE || p->level == TLS_HALF_DANE)
		return true;
	for (size_t i = 0; i < p->match.n; i++) {
		struct str word = p->match.items[i];

		*matched = by_key ? word : name_of(word, s);
		if (by_key ? str_case_eq(word, t->fingerprint) ||
					str_case_eq(word, t->key_fingerprint)
			   : conn_tls_named(s->conn, *matched))
			return true;
	}
	*matched = STR_NONE;
	return false;
}
