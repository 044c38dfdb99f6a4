/* proxy.c -- a table behind a server, asked through another process (dict_proxy_ask). */
#include "dict_impl.h"

static void *
proxy_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why UNUSED)
{
	return d;
}

static void
proxy_close(void *state UNUSED)
{
}

static enum dict_result
proxy_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	return dict_proxy_ask(str_c(d->name), d->proxied, key, arena, value, why);
}

const struct dict_ops dict_proxy = {
	.type = { "proxy", false, false },
	.open = proxy_open,
	.close = proxy_close,
	.find = proxy_find,
};
