/* ports.c -- names of TCP ports that need no services(5): containers often have none. */
#include "conf.h"

/* "smtps=submissions=465": the last part is the port of all names before it. */
static bool
names_port(struct str item, struct str service)
{
	struct str name;
	bool found = false;

	while (str_split(&item, '=', &name))
		found = found || str_eq(name, service);
	return found;
}

struct str
conf_tcp_port(const struct conf *c, struct str service)
{
	struct str rest = c->p.known_tcp_ports, item;

	while (str_token(&rest, ", \t\r\n", &item))
		if (names_port(item, service))
			return str_from(item, (size_t)(str_rchr(item, '=') + 1));
	return service;
}
