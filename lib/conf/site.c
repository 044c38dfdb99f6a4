/* site.c -- defaults that depend on the host, and on other parameters: its name, its
 * domain, its networks. Asked only when main.cf does not set them. */
#include "values.h"
#include "networks.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* The value of another parameter; empty when it cannot be expanded, which whoever loads
 * it is told about. */
static struct str
value_of(struct conf_values *v, const char *name)
{
	struct entry *e = values_find(v, str_c(name));
	struct str value;
	struct why why;

	if (values_eval(v, e, &value, v->expander.why ? v->expander.why : &why) < 0)
		return STR("");
	return value;
}

/* gethostname(), and a domain behind it when it has none: mydomain if that is set. */
static struct str
preset_myhostname(struct conf_values *v)
{
	char name[256] = "";
	struct str domain = STR("localdomain");

	if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0')
		snprintf(name, sizeof(name), "localhost");
	if (strchr(name, '.'))
		return arena_str(v->arena, str_c(name));
	if (values_find(v, STR("mydomain"))->said.text.data)
		domain = value_of(v, "mydomain");
	return arena_printf(v->arena, "%s." STR_FMT, name, STR_ARG(domain));
}

static struct str
preset_mydomain(struct conf_values *v)
{
	struct str name = value_of(v, "myhostname");
	ssize_t dot = str_chr(name, '.');

	return dot < 0 ? STR("localdomain") : str_from(name, (size_t)dot + 1);
}

static struct str
preset_mynetworks(struct conf_values *v)
{
	struct str interfaces = value_of(v, "inet_interfaces");
	struct str protocols = value_of(v, "inet_protocols");

	return own_networks(value_of(v, "mynetworks_style"),
		conf_list(interfaces, v->arena), conf_list(protocols, v->arena),
		v->arena);
}

static struct str
preset_process_name(struct conf_values *v)
{
	(void)v;
	return str_c(program_invocation_short_name);
}

static struct str
preset_process_id(struct conf_values *v)
{
	return arena_printf(v->arena, "%d", (int)getpid());
}

static const struct {
	const char *name;
	struct str (*preset)(struct conf_values *v);
} presets[] = {
	{ "mydomain", preset_mydomain },
	{ "myhostname", preset_myhostname },
	{ "mynetworks", preset_mynetworks },
	{ "process_id", preset_process_id },
	{ "process_name", preset_process_name },
};

struct str
site_preset(struct conf_values *v, const char *name)
{
	for (size_t i = 0; i < COUNT(presets); i++)
		if (strcmp(presets[i].name, name) == 0)
			return presets[i].preset(v);
	return STR(""); /* service_name of a command */
}

int
first_line(const char *path, struct arena *a, struct str *out)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct str rest, line;

	if (read_file(path, 65536, &file) < 0)
		return -1;
	rest = buf_str(&file);
	if (!str_split(&rest, '\n', &line))
		line = STR("");
	*out = arena_str(a, str_trim(line));
	return 0;
}
