/* endpoints_test.c -- which sockets of others a captured daemon could ask for: those that
 * the configuration names, as what they are named for. */
#include "broker.h"
#include "test.h"
#include <stdio.h>

static void
put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	ensure(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static const struct {
	const char *endpoint;
	bool named;
} cases[] = {
	{ "unix:private/auth", true }, /* smtpd_sasl_path, of type dovecot */
	{ "inet:127.0.0.1:12345", true },
	{ "inet:localhost:9998", true },
	{ "unix:/run/policy", true },
	{ "unix:private/auth2", false },
	{ "private/auth", false },
	{ "unix:smtpd", false }, /* of type cyrus it is no socket */
	{ "inet:127.0.0.1:12346", false },
	{ "inet:127.0.0.1:25", false },
	{ "", false },
};

TEST(what_the_configuration_names)
{
	struct conf_issues issues;
	struct conf *c;
	struct master_conf *m;
	struct endpoints *e;

	put("main.cf",
		"compatibility_level = 3.6\nsmtpd_sasl_auth_enable = yes\n"
		"smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n"
		"smtpd_recipient_restrictions = check_policy_service localhost:9998, "
		"check_policy_service unix:/run/policy\n");
	put("master.cf", "smtp inet n - n - - smtpd\n"
			 "submission inet n - n - - smtpd -o "
			 "smtpd_sasl_path=inet:127.0.0.1:12345\n"
			 "465 inet n - n - - smtpd -o smtpd_sasl_type=cyrus -o "
			 "smtpd_sasl_path=smtpd\n"
			 "587 inet n - n - - smtpd -o smtpd_sasl_auth_enable=no -o "
			 "smtpd_sasl_path=private/auth2\n");
	conf_issues_init(&issues);
	c = conf_load(test_dir(), STR(""), &(struct strs){ NULL, 0 }, &issues);
	ensure(c);
	m = master_conf_load(test_dir(), c, &issues);
	ensure(m);
	e = endpoints_new(c, m);
	for (size_t i = 0; i < COUNT(cases); i++) {
		test_row(i);
		CHECK(endpoints_have(e, str_c(cases[i].endpoint)) == cases[i].named);
	}
	endpoints_free(e);
	master_conf_free(m);
	conf_free(c);
	conf_issues_free(&issues);
}

TEST_MAIN()
