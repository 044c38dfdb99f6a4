/* check_doubles.c -- filters that do what we do as well: known by the names and ports
 * that their packages and guides give them. A message would be verified, or signed,
 * twice. */
#include "check.h"

enum { SPF = 1, DKIM = 2, DMARC = 4, ARC = 8, SIGNS = 16 };

static const struct {
	const char *name, *port; /* in its socket's path; with a colon */
	unsigned does;
} milters[] = {
	{ "opendkim", ":8891", DKIM | SIGNS },
	{ "opendkim", ":12301", DKIM | SIGNS },
	{ "opendmarc", ":8893", DMARC },
	{ "openarc", ":8894", ARC },
	{ "rspamd", ":11332", SPF | DKIM | DMARC | ARC },
};
static const struct {
	const char *parameter;
	unsigned does;
} ours[] = {
	{ "spf_mode", SPF },
	{ "dkim_mode", DKIM },
	{ "dmarc_mode", DMARC },
	{ "arc_mode", ARC },
	{ "dkim_sign_maps", SIGNS },
};

/* Names of those parameters of ours that are on and do some of this; empty: none. */
static void
list_ours(const struct check *k, unsigned does, struct buf *out)
{
	for (size_t i = 0; i < COUNT(ours); i++) {
		struct str value = conf_value(k->conf, ours[i].parameter);

		if (ours[i].does & does && value.len > 0 && !str_case_is(value, "off"))
			buf_printf(out, "%s%s", out->len ? ", " : "", ours[i].parameter);
	}
}

static void
tell(struct check *k, const char *parameter, struct str which, const char *name,
	unsigned does)
{
	struct buf same CLEANUP(buf_free) = BUF_INIT;

	list_ours(k, does, &same);
	if (same.len > 0)
		check_parameter(k, false, parameter, "leave it to one of them",
			"%s: " STR_FMT " looks like %s, which does the work of %s again",
			parameter, STR_ARG(which), name, buf_cstr(&same));
}

static void
check_milters(struct check *k, const char *parameter)
{
	struct str rest = conf_value(k->conf, parameter), word;

	while (str_token(&rest, " ,\t{}", &word))
		for (size_t i = 0; i < COUNT(milters); i++)
			if (str_find(word, str_c(milters[i].name)) >= 0 ||
				str_ends(word, str_c(milters[i].port))) {
				tell(k, parameter, word, milters[i].name,
					milters[i].does);
				break;
			}
}

static void
check_policies(struct check *k, const char *parameter)
{
	struct str rest = conf_value(k->conf, parameter), word;
	bool is_service = false;

	while (str_token(&rest, " ,\t{}", &word)) {
		if (is_service && str_find(word, STR("spf")) >= 0)
			tell(k, parameter, word, "policyd-spf", SPF);
		is_service = str_case_is(word, "check_policy_service");
	}
}

void
check_doubles(struct check *k)
{
	static const char *const lists[] = { "smtpd_client_restrictions",
		"smtpd_helo_restrictions", "smtpd_sender_restrictions",
		"smtpd_relay_restrictions", "smtpd_recipient_restrictions",
		"smtpd_data_restrictions", "smtpd_end_of_data_restrictions" };

	check_milters(k, "smtpd_milters");
	check_milters(k, "non_smtpd_milters");
	for (size_t i = 0; i < COUNT(lists); i++)
		check_policies(k, lists[i]);
}
