/* ldap.c -- the module of ldap: tables, with OpenLDAP's client library.
 *
 * What an entry gives: the values of terminal_result_attribute, when it has any; else
 * those of result_attribute, and of leaf_result_attribute when nothing of it points
 * elsewhere; and what the entries give that special_result_attribute points to, by DN or
 * URL. */
#include "module.h"
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	TIMEOUT,
	RESULT,
	SPECIAL,
	TERMINAL,
	LEAF,
	SCOPE,
	BIND,
	BIND_DN,
	BIND_PW,
	DEREFERENCE,
	VERSION,
	SIZE_LIMIT,
	RECURSION,
	CHASE,
	START_TLS,
	TLS_CA_FILE,
	TLS_CA_DIR,
	TLS_CERT,
	TLS_KEY,
	TLS_REQUIRE,
	TLS_CIPHERS,
};
static const struct table_setting settings[] = {
	[TIMEOUT] = { "timeout", "10" },
	[RESULT] = { "result_attribute", "maildrop" },
	[SPECIAL] = { "special_result_attribute", "" },
	[TERMINAL] = { "terminal_result_attribute", "" },
	[LEAF] = { "leaf_result_attribute", "" },
	[SCOPE] = { "scope", "sub" },
	[BIND] = { "bind", "yes" },
	[BIND_DN] = { "bind_dn", "" },
	[BIND_PW] = { "bind_pw", "" },
	[DEREFERENCE] = { "dereference", "0" },
	[VERSION] = { "version", "3" },
	[SIZE_LIMIT] = { "size_limit", "0" },
	[RECURSION] = { "recursion_limit", "1000" },
	[CHASE] = { "chase_referrals", "no" },
	[START_TLS] = { "start_tls", "no" },
	[TLS_CA_FILE] = { "tls_ca_cert_file", "" },
	[TLS_CA_DIR] = { "tls_ca_cert_dir", "" },
	[TLS_CERT] = { "tls_cert", "" },
	[TLS_KEY] = { "tls_key", "" },
	[TLS_REQUIRE] = { "tls_require_cert", "no" },
	[TLS_CIPHERS] = { "tls_cipher_suite", "" },
	{ NULL, NULL },
};

/* Searches that one look-up may make at most, whatever the entries say. */
enum { SEARCHES_MOST = 10000, ATTRIBUTES = 64 };

struct link {
	LDAP *ld;
	struct timeval patience;
	int scope, recursion, size_limit;
	const char *attributes[ATTRIBUTES + 1];
	/* Which of them are which: each kind up to its end. */
	size_t plain_end, special_end, terminal_end, leaf_end;
	char *words; /* what attributes points into */
};

static bool
says_yes(const char *text)
{
	return strcasecmp(text, "yes") == 0;
}

static void
start(void)
{
	int version = LDAP_VERSION3;

	ldap_set_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

/* ---- connecting ---- */

static void
add_attributes(struct link *l, size_t *n, char **to, const char *list)
{
	size_t len = strlen(list);
	char *word, *save = NULL, *copy = *to;

	memcpy(copy, list, len + 1);
	*to += len + 1;
	for (word = strtok_r(copy, " ,\t", &save); word && *n < ATTRIBUTES;
		word = strtok_r(NULL, " ,\t", &save))
		l->attributes[(*n)++] = word;
}

static bool
read_attributes(struct link *l, const char *const *values)
{
	static const int kinds[] = { RESULT, SPECIAL, TERMINAL, LEAF };
	size_t *ends[] = { &l->plain_end, &l->special_end, &l->terminal_end,
		&l->leaf_end };
	size_t room = 0, n = 0;
	char *to;

	for (size_t i = 0; i < 4; i++)
		room += strlen(values[kinds[i]]) + 1;
	to = l->words = malloc(room);
	for (size_t i = 0; to && i < 4; i++) {
		add_attributes(l, &n, &to, values[kinds[i]]);
		*ends[i] = n;
	}
	return l->words != NULL;
}

static int
scope_of(const char *word)
{
	if (strcasecmp(word, "base") == 0)
		return LDAP_SCOPE_BASE;
	return strcasecmp(word, "one") == 0 ? LDAP_SCOPE_ONELEVEL : LDAP_SCOPE_SUBTREE;
}

static void
set_text(LDAP *ld, int option, const char *text)
{
	if (text[0])
		ldap_set_option(ld, option, text);
}

static void
set_options(struct link *l, const char *const *values)
{
	int version = atoi(values[VERSION]), fresh = 0;
	int dereference = atoi(values[DEREFERENCE]);
	int require = says_yes(values[TLS_REQUIRE]) ? LDAP_OPT_X_TLS_DEMAND
						    : LDAP_OPT_X_TLS_NEVER;

	ldap_set_option(l->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	ldap_set_option(l->ld, LDAP_OPT_DEREF, &dereference);
	ldap_set_option(l->ld, LDAP_OPT_NETWORK_TIMEOUT, &l->patience);
	ldap_set_option(l->ld, LDAP_OPT_TIMEOUT, &l->patience);
	ldap_set_option(l->ld, LDAP_OPT_REFERRALS,
		says_yes(values[CHASE]) ? LDAP_OPT_ON : LDAP_OPT_OFF);
	set_text(l->ld, LDAP_OPT_X_TLS_CACERTFILE, values[TLS_CA_FILE]);
	set_text(l->ld, LDAP_OPT_X_TLS_CACERTDIR, values[TLS_CA_DIR]);
	set_text(l->ld, LDAP_OPT_X_TLS_CERTFILE, values[TLS_CERT]);
	set_text(l->ld, LDAP_OPT_X_TLS_KEYFILE, values[TLS_KEY]);
	set_text(l->ld, LDAP_OPT_X_TLS_CIPHER_SUITE, values[TLS_CIPHERS]);
	ldap_set_option(l->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);
	ldap_set_option(l->ld, LDAP_OPT_X_TLS_NEWCTX, &fresh);
}

static int
log_in(struct link *l, const char *const *values)
{
	struct berval password = { strlen(values[BIND_PW]), (char *)values[BIND_PW] };
	int got = LDAP_SUCCESS;

	if (says_yes(values[START_TLS]))
		got = ldap_start_tls_s(l->ld, NULL, NULL);
	if (got == LDAP_SUCCESS && strcasecmp(values[BIND], "no") != 0)
		got = ldap_sasl_bind_s(l->ld, values[BIND_DN], LDAP_SASL_SIMPLE,
			&password, NULL, NULL, NULL);
	return got;
}

static void
close_link(void *link)
{
	struct link *l = link;

	if (l->ld)
		ldap_unbind_ext_s(l->ld, NULL, NULL);
	free(l->words);
	free(l);
}

static void *
connect_to(const char *const *values, const char *host, char *error, size_t room)
{
	struct link *l = calloc(1, sizeof *l);
	int got = LDAP_NO_MEMORY;

	if (l && read_attributes(l, values))
		got = ldap_initialize(&l->ld, host);
	if (got == LDAP_SUCCESS) {
		l->patience.tv_sec = atoi(values[TIMEOUT]);
		l->scope = scope_of(values[SCOPE]);
		l->recursion = atoi(values[RECURSION]);
		l->size_limit = atoi(values[SIZE_LIMIT]);
		set_options(l, values);
		got = log_in(l, values);
	}
	if (got == LDAP_SUCCESS)
		return l;
	snprintf(error, room, "%s", ldap_err2string(got));
	if (l)
		close_link(l);
	return NULL;
}

/* RFC 4515 section 3; enough for a DN too (RFC 4514 section 2.4), where these and more
 * may be written as hex pairs. */
static size_t
quote(void *link, char *out, const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	(void)link;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80 || (c > ' ' && !strchr("*()\\\"#+,;<=>", c))) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = digits[c >> 4];
		out[n++] = digits[c & 15];
	}
	return n;
}

/* ---- searching ---- */

struct search {
	char *base, *filter;
	int scope, depth;
};

struct walk {
	struct link *link;
	struct search *todo; /* the next one is the last */
	size_t n, room, made;
	table_value *value;
	void *arg;
	bool enough;
	int result;
};

static void
search_add(struct walk *w, const char *base, int scope, const char *filter, int depth)
{
	struct search *s;

	if (w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 16;

		s = realloc(w->todo, room * sizeof *s);
		if (!s) {
			w->result = LDAP_NO_MEMORY;
			return;
		}
		w->todo = s;
		w->room = room;
	}
	s = &w->todo[w->n++];
	*s = (struct search){ strdup(base ? base : ""), strdup(filter), scope, depth };
	if (!s->base || !s->filter)
		w->result = LDAP_NO_MEMORY;
	if (++w->made > SEARCHES_MOST || depth > w->link->recursion)
		w->result = LDAP_LOOP_DETECT;
}

static void
search_free(struct search *s)
{
	free(s->base);
	free(s->filter);
}

/* How many values the attributes from..to have here; gives them when `give`. */
static size_t
values_of(struct walk *w, LDAPMessage *entry, size_t from, size_t to, bool give)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		struct berval **values =
			ldap_get_values_len(w->link->ld, entry, w->link->attributes[i]);

		for (int j = 0; values && values[j]; j++) {
			n++;
			if (give && !w->enough)
				w->enough = !w->value(
					w->arg, values[j]->bv_val, values[j]->bv_len);
		}
		ldap_value_free_len(values);
	}
	return n;
}

static void
follow(struct walk *w, const char *to, int depth)
{
	LDAPURLDesc *url;

	if (!ldap_is_ldap_url(to)) {
		search_add(w, to, LDAP_SCOPE_BASE, "(objectclass=*)", depth);
		return;
	}
	if (ldap_url_parse(to, &url) != LDAP_URL_SUCCESS)
		return;
	search_add(w, url->lud_dn, url->lud_scope,
		url->lud_filter ? url->lud_filter : "(objectclass=*)", depth);
	ldap_free_urldesc(url);
}

/* The last one is put down first, since the one put down last is searched first. */
static void
follow_all(struct walk *w, LDAPMessage *entry, int depth)
{
	for (size_t i = w->link->special_end; i-- > w->link->plain_end;) {
		struct berval **values =
			ldap_get_values_len(w->link->ld, entry, w->link->attributes[i]);

		for (int j = ldap_count_values_len(values); j-- > 0;)
			follow(w, values[j]->bv_val, depth);
		ldap_value_free_len(values);
	}
}

static void
take_entry(struct walk *w, LDAPMessage *entry, int depth)
{
	const struct link *l = w->link;

	if (values_of(w, entry, l->special_end, l->terminal_end, true) > 0)
		return;
	values_of(w, entry, 0, l->plain_end, true);
	if (values_of(w, entry, l->plain_end, l->special_end, false) == 0)
		values_of(w, entry, l->terminal_end, l->leaf_end, true);
	else
		follow_all(w, entry, depth + 1);
}

static void
search_run(struct walk *w, const struct search *s)
{
	struct link *l = w->link;
	LDAPMessage *found = NULL, *entry;
	struct timeval patience = l->patience;
	int got = ldap_search_ext_s(l->ld, s->base, s->scope, s->filter,
		(char **)l->attributes, 0, NULL, NULL, &patience,
		l->size_limit > 0 ? l->size_limit : LDAP_NO_LIMIT, &found);

	/* What an entry points to may be gone. */
	if (got == LDAP_SUCCESS)
		for (entry = ldap_first_entry(l->ld, found); entry;
			entry = ldap_next_entry(l->ld, entry))
			take_entry(w, entry, s->depth);
	else if (got != LDAP_NO_SUCH_OBJECT)
		w->result = got;
	ldap_msgfree(found);
}

static int
ask(void *link, const char *base, const char *question, table_value *value, void *arg,
	char *error, size_t room, bool *lost)
{
	struct walk w = { .link = link, .value = value, .arg = arg };

	search_add(&w, base, w.link->scope, question, 0);
	while (w.n > 0) {
		struct search s = w.todo[--w.n];

		if (w.result == LDAP_SUCCESS && !w.enough)
			search_run(&w, &s);
		search_free(&s);
	}
	free(w.todo);
	if (w.result == LDAP_SUCCESS)
		return 0;
	snprintf(error, room, "%s",
		w.result == LDAP_LOOP_DETECT ? "recursion_limit exceeded"
					     : ldap_err2string(w.result));
	*lost = w.result == LDAP_SERVER_DOWN || w.result == LDAP_TIMEOUT ||
		w.result == LDAP_CONNECT_ERROR || w.result == LDAP_UNAVAILABLE ||
		w.result == LDAP_BUSY;
	return -1;
}

const struct table_module postern_table_module = {
	.version = TABLE_MODULE_VERSION,
	.settings = settings,
	.start = start,
	.connect = connect_to,
	.close = close_link,
	.quote = quote,
	.ask = ask,
};
