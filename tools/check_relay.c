/* check_relay.c -- may strangers send mail through us? smtpd itself refuses to run
 * without one restriction that could stop them; here also the order counts, and who is
 * trusted. */
#include "check.h"
#include "dict.h"

enum passage {
	STOPPED,   /* strangers do not get past this list */
	PERMITTED, /* all of them do, whatever follows */
	UNDECIDED, /* neither: it depends on tables, or nothing is said */
};

/* How deep classes may name each other. */
enum { NESTING_MOST = 10 };

static const struct {
	const char *word;
	enum passage means;
} words[] = {
	{ "permit", PERMITTED },
	{ "reject", STOPPED },
	{ "defer", STOPPED },
	{ "defer_if_permit", STOPPED },
	{ "reject_unauth_destination", STOPPED },
	{ "defer_unauth_destination", STOPPED },
};

/* A table after check_..._access is no word, and warn_if_reject takes the next one's
 * effect away. */
static bool
skips_next(struct str word)
{
	return str_is(word, "warn_if_reject") ||
	       (str_starts(word, STR("check_")) && str_ends(word, STR("_access")));
}

static enum passage
list_passage(const struct conf *c, struct str value, int depth)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct strs items = conf_list(value, a);

	for (size_t i = 0; i < items.n; i++) {
		struct str word = items.items[i];
		const char *name = arena_cstr(a, word);
		enum passage p = UNDECIDED;

		for (size_t k = 0; k < COUNT(words); k++)
			if (str_case_is(word, words[k].word))
				p = words[k].means;
		if (name && depth < NESTING_MOST && !conf_param(word) &&
			str_chr(word, ':') < 0 && conf_setting(c, word))
			p = list_passage(c, conf_value(c, name), depth + 1);
		if (p != UNDECIDED)
			return p;
		if (skips_next(word))
			i++;
	}
	return UNDECIDED;
}

/* Each list has to be passed; "permit" ends its own only. */
static bool
strangers_pass(const struct conf *c)
{
	const struct str lists[] = { c->p.smtpd_client_restrictions,
		c->p.smtpd_helo_restrictions, c->p.smtpd_sender_restrictions,
		c->p.smtpd_relay_restrictions, c->p.smtpd_recipient_restrictions };

	for (size_t i = 0; i < COUNT(lists); i++)
		if (list_passage(c, lists[i], 0) == STOPPED)
			return false;
	return true;
}

/* Networks for documentation lie far from each other and are nobody's: a list that has
 * both of a family has everybody. */
static bool
trusts_everybody(const struct conf *c)
{
	static const char *const nobody[][2] = { { "198.51.100.1", "203.0.113.1" },
		{ "2001:db8::1", "3fff::1" } };
	struct match_list *l;
	bool all = false;

	check_quietly(true);
	l = match_list_open(
		"mynetworks", c->p.mynetworks, match_parents(c, "mynetworks"), c);
	for (size_t i = 0; i < COUNT(nobody); i++) {
		struct net_addr a, b;
		struct why why;

		ensure(net_addr_parse(str_c(nobody[i][0]), 0, &a) == 0 &&
			net_addr_parse(str_c(nobody[i][1]), 0, &b) == 0);
		all = all ||
		      (match_client(l, STR("unknown"), &a, &why) == DICT_FOUND &&
			      match_client(l, STR("unknown"), &b, &why) == DICT_FOUND);
	}
	match_list_close(l);
	check_quietly(false);
	return all;
}

/* Of the parameters that decide, the one whose setting is at fault: -o of the line, or
 * main.cf's. */
static void
tell(struct check *k, const struct service_line *line, const char *parameter,
	const char *remedy, const char *text)
{
	struct str name = str_c(parameter);

	for (size_t i = 0; i < line->overrides.n; i++)
		if (str_starts(line->overrides.items[i], name)) {
			check_line(k, line, true, remedy, "service " STR_FMT ": %s",
				STR_ARG(line->name), text);
			return;
		}
	check_parameter(k, true, parameter, remedy, "%s", text);
}

static bool
strangers_reach(const struct service_line *line)
{
	static const char *const own[] = { "127.", "localhost:", "[::1]:" };

	if (!str_is(line->command, "smtpd") ||
		(line->type != SERVICE_INET && line->type != SERVICE_PASS))
		return false;
	for (size_t i = 0; i < COUNT(own); i++)
		if (str_starts(line->name, str_c(own[i])))
			return false;
	return true;
}

static void
check_service(struct check *k, const struct service_line *line)
{
	struct conf_issues ignored CLEANUP(conf_issues_free);
	struct conf *c;

	conf_issues_init(&ignored);
	c = conf_load(k->directory, line->name, &line->overrides, &ignored);
	if (c && strangers_pass(c))
		tell(k, line, "smtpd_relay_restrictions",
			"put reject_unauth_destination where every stranger comes to it",
			"open relay: no restriction keeps strangers from sending mail to "
			"anybody");
	if (c && trusts_everybody(c))
		tell(k, line, "mynetworks",
			"list only networks whose users you answer for",
			"open relay: mynetworks trusts the whole Internet");
	conf_free(c);
}

void
check_relay(struct check *k)
{
	for (size_t i = 0; i < k->services->services.n; i++)
		if (strangers_reach(&k->services->services.items[i]))
			check_service(k, &k->services->services.items[i]);
}
