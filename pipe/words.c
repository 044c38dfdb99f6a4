/* words.c -- the macros of argv= (pipe(8)), replaced word by word: what a sender chose
 * never becomes two words, and no shell sees it. */
#include "pipe.h"
#include "log.h"
#include "route.h"
#include <stdio.h>

struct macros {
	const struct pipe_options *o;
	const struct delivery *d;
	const struct rcpt *rcpt;
	bool about_rcpt; /* one of them was asked for */
	struct str unknown;
};

static struct str
shown(struct macros *m, struct str address)
{
	return m->o->quote ? address_quote(address, m->d->arena) : address;
}

/* The recipient as flags h and u want him. */
static struct str
folded(struct macros *m, struct str address, struct str *local, struct str *domain)
{
	struct arena *a = m->d->arena;

	address_split(address, local, domain);
	if (m->o->fold_user)
		*local = arena_lower(a, *local);
	if (m->o->fold_domain)
		*domain = arena_lower(a, *domain);
	if (!domain->data)
		return *local;
	return arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(*local), STR_ARG(*domain));
}

static bool
rcpt_value(struct macros *m, struct str name, struct str *out)
{
	const struct params *p = &m->d->conf->p;
	struct str local, domain, user, extension = STR_NONE;
	struct str whole = folded(m, m->rcpt->address, &local, &domain);

	user = local;
	address_split_extension(local, p->recipient_delimiter, p->owner_request_special,
		p->double_bounce_sender, &user, &extension);
	if (str_is(name, "recipient"))
		*out = shown(m, whole);
	else if (str_is(name, "original_recipient"))
		*out = shown(m, folded(m, rcpt_original(m->rcpt), &local, &domain));
	else if (str_is(name, "user"))
		*out = user;
	else if (str_is(name, "extension"))
		*out = extension;
	else if (str_is(name, "mailbox"))
		*out = local;
	else if (str_is(name, "domain"))
		*out = domain;
	else
		return false;
	m->about_rcpt = true;
	return true;
}

static bool
message_value(struct macros *m, struct str name, struct str *out)
{
	const struct envelope *e = &m->d->envelope;
	struct arena *a = m->d->arena;
	struct str nexthop = m->d->ask.nexthop;
	struct {
		const char *name;
		struct str value;
	} simple[] = {
		{ "client_address", e->client_address },
		{ "client_helo", e->helo },
		{ "client_hostname", e->client_name },
		{ "client_port", e->client_port },
		{ "client_protocol", e->protocol },
		{ "envid", e->envid },
		{ "queue_id", e->queue_id },
		{ "sasl_method", e->sasl_method },
		{ "sasl_sender", e->sasl_sender },
		{ "sasl_username", e->sasl_username },
	};

	for (size_t i = 0; i < COUNT(simple); i++)
		if (str_is(name, simple[i].name)) {
			*out = simple[i].value;
			return true;
		}
	if (str_is(name, "sender"))
		*out = e->sender.len ? shown(m, e->sender) : m->o->null_sender;
	else if (str_is(name, "nexthop"))
		*out = m->o->fold_domain ? arena_lower(a, nexthop) : nexthop;
	else if (str_is(name, "size"))
		*out = arena_printf(a, "%llu", (unsigned long long)m->d->ask.size);
	else
		return false;
	return true;
}

static struct str
get(struct str name, void *arg)
{
	struct macros *m = arg;
	struct str value = STR_NONE;

	if (!rcpt_value(m, name, &value) && !message_value(m, name, &value))
		m->unknown = name;
	return value.data ? value : STR("");
}

/* One word of argv=; *n recipients' worth of it at out. */
static enum verdict
expand_word(
	struct macros *m, struct str word, struct str *out, size_t *n, struct why *why)
{
	const struct envelope *e = &m->d->envelope;

	m->about_rcpt = false;
	for (*n = 0; *n < e->n_rcpts && (*n == 0 || m->about_rcpt); ++*n) {
		m->rcpt = &e->rcpts[*n];
		if (conf_expand_with(word, get, m, m->d->arena, &out[*n], why) < 0) {
			log_warn("argv=: %s", why->text);
			return why_set(why, "4.3.5", "mail system configuration error");
		}
		if (m->unknown.data) {
			log_warn("argv=: unknown macro name: \"" STR_FMT "\"",
				STR_ARG(m->unknown));
			return why_set(why, "4.3.5", "mail system configuration error");
		}
	}
	return ACCEPT;
}

enum verdict
pipe_words(const struct pipe_options *o, const struct delivery *d, struct strs *out,
	struct why *why)
{
	struct macros m = { .o = o, .d = d };

	out->n = 0;
	out->items = arena_alloc(
		d->arena, o->command.argv.n * d->envelope.n_rcpts * sizeof(*out->items));
	for (size_t i = 0; i < o->command.argv.n; i++) {
		size_t n;

		if (expand_word(&m, o->command.argv.items[i], &out->items[out->n], &n,
			    why) != ACCEPT)
			return TEMPFAIL;
		out->n += n;
	}
	return ACCEPT;
}
