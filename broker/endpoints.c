/* endpoints.c -- which sockets of other software the configuration names:
 * "inet:host:port" and "unix:path" in main.cf and in the -o settings of master.cf. A
 * daemon that was taken over cannot ask for others. So does what smtpd_milter_maps may
 * find: the text of its tables, or the one that they were made from, is read for that. */
#include "broker.h"
#include "log.h"

#define TABLE_MOST ((size_t)1024 * 1024)

struct endpoints {
	struct map *named; /* the text -> itself */
};

/* A word of a value, or what a parameter means without "inet:". */
static void
add(struct endpoints *e, struct str word)
{
	if (str_starts(word, STR("inet:")) || str_starts(word, STR("unix:")))
		map_set(e->named, word, e);
}

static void
add_implied(struct endpoints *e, struct str word)
{
	struct buf whole CLEANUP(buf_free) = BUF_INIT;

	if (!str_starts(word, STR("inet:")) && !str_starts(word, STR("unix:")))
		buf_addz(&whole, "inet:");
	buf_add(&whole, word);
	add(e, buf_str(&whole));
}

static void
read_value(struct endpoints *e, struct str value)
{
	static const char separators[] = " \t\r\n,{}";
	bool is_server = false;
	struct str word;

	while (str_token(&value, separators, &word)) {
		if (is_server)
			add_implied(e, word);
		else
			add(e, word);
		is_server = str_is(word, "check_policy_service");
	}
}

/* A table's text: whatever looks like a socket in it. */
static void
read_table(struct endpoints *e, struct str path)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT, name CLEANUP(buf_free) = BUF_INIT;
	struct str rest, line;

	if (!str_starts(path, STR("/")) || str_chr(path, 0) >= 0)
		return;
	buf_add(&name, path);
	if (read_file(buf_cstr(&name), TABLE_MOST, &text) < 0) {
		log_warn(
			"smtpd_milter_maps: %s: %m: milters that only it names cannot be "
			"reached",
			buf_cstr(&name));
		return;
	}
	rest = buf_str(&text);
	while (str_split(&rest, '\n', &line))
		if (!str_starts(line, STR("#")))
			read_value(e, line);
}

static void
read_milter_maps(struct endpoints *e, struct str value)
{
	struct str word;

	while (str_token(&value, " \t\r\n,{}", &word)) {
		ssize_t colon = str_chr(word, ':');

		if (colon > 0)
			read_table(e, str_from(word, (size_t)colon + 1));
	}
}

static void
read_conf(struct endpoints *e, const struct conf *c)
{
	const struct conf_setting *setting;

	for (size_t at = 0; (setting = conf_next_setting(c, &at));) {
		struct buf name CLEANUP(buf_free) = BUF_INIT;

		buf_add(&name, setting->name);
		read_value(e, conf_value(c, buf_cstr(&name)));
		if (str_is(setting->name, "smtpd_milter_maps"))
			read_milter_maps(e, conf_value(c, buf_cstr(&name)));
	}
}

/* smtpd_sasl_path is a path, or as the others. Other types than Dovecot's mean something
 * else by it. */
static void
read_sasl(struct endpoints *e, const struct conf *c)
{
	struct buf whole CLEANUP(buf_free) = BUF_INIT;
	struct str path = c->p.smtpd_sasl_path;

	if (!c->p.smtpd_sasl_auth_enable || !str_is(c->p.smtpd_sasl_type, "dovecot"))
		return;
	if (!str_starts(path, STR("inet:")) && !str_starts(path, STR("unix:")))
		buf_addz(&whole, "unix:");
	buf_add(&whole, path);
	add(e, buf_str(&whole));
}

/* The filter in front of the queue, likewise. */
static void
read_filter(struct endpoints *e, const struct conf *c)
{
	if (c->p.smtpd_proxy_filter.len)
		add_implied(e, c->p.smtpd_proxy_filter);
}

/* A service with settings of its own has a configuration of its own. */
static void
read_service(struct endpoints *e, const struct conf *c, const struct service_line *s)
{
	struct buf directory CLEANUP(buf_free) = BUF_INIT;
	struct conf_issues issues;
	struct conf *own;

	if (s->overrides.n == 0)
		return;
	buf_add(&directory, c->directory);
	conf_issues_init(&issues);
	own = conf_load(buf_cstr(&directory), s->name, &s->overrides, &issues);
	conf_issues_free(&issues); /* the service itself complains */
	if (own) {
		read_conf(e, own);
		read_sasl(e, own);
		read_filter(e, own);
		conf_free(own);
	}
}

struct endpoints *
endpoints_new(const struct conf *c, const struct master_conf *m)
{
	struct endpoints *e = mem_alloc(sizeof(*e));

	e->named = map_new();
	read_conf(e, c);
	read_sasl(e, c);
	read_filter(e, c);
	for (size_t i = 0; i < m->services.n; i++)
		read_service(e, c, &m->services.items[i]);
	return e;
}

void
endpoints_free(struct endpoints *e)
{
	map_free(e->named);
	mem_free(e);
}

bool
endpoints_have(const struct endpoints *e, struct str endpoint)
{
	return map_get(e->named, endpoint) != NULL;
}
