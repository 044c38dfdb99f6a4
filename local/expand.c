/* expand.c -- the names that forward_path, luser_relay and command_execution_directory
 * may use (local(8)). */
#include "local.h"
#include "log.h"

struct str
censored(struct str value, struct str filter, struct arena *a)
{
	char *out = arena_alloc(a, value.len + 1);

	if (filter.len == 0)
		return value;
	for (size_t i = 0; i < value.len; i++)
		out[i] = str_chr(filter, value.data[i]) < 0 ? '_' : value.data[i];
	return str_of(out, value.len);
}

struct names {
	const struct context *c;
	const struct user *u; /* or NULL */
	struct str filter;
	struct arena *a;
};

static struct str
value_of(struct str name, const struct names *n)
{
	const struct context *c = n->c;

	if (str_is(name, "user"))
		return c->user;
	if (str_is(name, "local"))
		return c->local;
	if (str_is(name, "extension"))
		return c->extension;
	if (str_is(name, "domain"))
		return c->domain;
	if (str_is(name, "recipient"))
		return c->address;
	if (str_is(name, "home"))
		return n->u ? n->u->home : STR_NONE;
	if (str_is(name, "shell"))
		return n->u ? n->u->shell : STR_NONE;
	/* The character that did separate: it is between the two. */
	if (str_is(name, "recipient_delimiter"))
		return c->extension.len ? str_sub(c->local, c->user.len, 1) : STR("");
	return STR_NONE;
}

static struct str
get(struct str name, void *arg)
{
	const struct names *n = arg;

	return censored(value_of(name, n), n->filter, n->a);
}

int
local_expand(const char *parameter, struct str text, const struct context *c,
	const struct user *u, struct str filter, struct arena *a, struct str *out)
{
	struct names names = { c, u, filter, a };
	struct why why;

	if (conf_expand_with(text, get, &names, a, out, &why) == 0)
		return 0;
	log_warn("%s: %s", parameter, why.text);
	return -1;
}
