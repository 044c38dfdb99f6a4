/* Any bytes as an address: rewriting, splitting, quoting and locating must not fail. */
#include "route_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf conf;

static struct route *
bare_route(void)
{
	static struct route r = { .conf = &conf };

	conf.p.swap_bangpath = conf.p.allow_percent_hack = conf.p.append_at_myorigin =
		true;
	conf.p.append_dot_mydomain = conf.p.resolve_dequoted_address = true;
	conf.p.myorigin = conf.p.mydomain = conf.p.myhostname = STR("example.org");
	if (!r.destinations) {
		r.own = own_addresses_new(&conf);
		r.compared = map_new();
		r.destinations = match_list_open(
			"mydestination", STR("example.org"), false, &conf);
		r.alias_domains = r.mailbox_domains = r.relay_domains = match_list_open(
			"relay_domains", STR("relay.example"), false, &conf);
	}
	return &r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct str address = str_of(data, size);
	struct route_class class;
	struct why why;

	(void)address_unquote(address_quote(address, arena), arena);
	(void)route_classify(bare_route(), address, arena, &class, &why);
	arena_free(arena);
	return 0;
}
