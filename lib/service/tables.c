/* tables.c -- tables behind a server are asked through proxymap, the one process that may
 * connect to it. */
#include "config.h"
#include "service_impl.h"
#include "dict.h"
#include "log.h"
#include "messages.h"

/* proxymap itself gives up sooner: its own limits are those of each server. */
#define PROXY_PATIENCE ((msec_t)100000)

static enum dict_result
asking_failed(struct str table, const char *text, struct why *why)
{
	why_set(why, "4.3.0", STR_FMT ": proxymap: %s", STR_ARG(table), text);
	return DICT_ERROR;
}

SWITCHES static enum dict_result
ask_proxymap(struct str table, bool proxied, struct str key, struct arena *arena,
	struct str *value, struct why *why)
{
	struct proxy_request ask = { .table = table, .key = key, .proxied = proxied };
	struct proxy_reply said;
	static const char *name;

	if (!co_self())
		return asking_failed(table, "asked too early", why);
	if (!name)
		name = arena_cstr(worker.arena, worker.conf->p.proxymap_service_name);
	if (proxy_call(service_peer(name), &ask, &said, arena,
		    deadline_in(PROXY_PATIENCE)) < 0)
		return asking_failed(table, strerror(errno), why);
	*value = said.value;
	if (said.result == DICT_FOUND || said.result == DICT_NOTFOUND)
		return said.result;
	why_set(why, "4.3.0", STR_FMT, STR_ARG(said.text));
	return DICT_ERROR;
}

void
tables_start(void)
{
	if (strcmp(worker.service->name, "proxymap") != 0)
		dict_proxy_ask = ask_proxymap;
}

void
tables_changed(int names)
{
	struct str all, rest, name;

	if (names < 0 || memfd_map(names, &all) < 0) {
		log_warn("the names of tables to open again: %m");
		fd_close(&names);
		return;
	}
	fd_close(&names);
	for (rest = all; str_split(&rest, '\n', &name);)
		if (name.len > 0)
			dict_must_reopen(name);
	memfd_unmap(all);
}
