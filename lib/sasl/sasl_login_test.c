/* sasl_login_test.c -- what mechanisms say to servers' challenges: the examples of their
 * RFCs, and what no server should say. */
#include "sasl_login.h"
#include "test.h"

#define STEPS 3
static const struct {
	const char *mechanism, *user, *password, *nonce;
	const char *initial; /* NULL: none */
	struct {
		const char *challenge, *response; /* NULL for it: refused */
	} steps[STEPS];
	const char *end; /* NULL: all is well, once the server says so */
} exchanges[] = {
	/* RFC 5802 section 5 */
	{ "SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		{ { "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,"
		    "i=4096",
			  "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
			  "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
			{ "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "" } },
		NULL },
	/* RFC 7677 section 3 */
	{ "SCRAM-SHA-256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO",
		"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		{ { "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
			{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "" } },
		NULL },
	/* A server that does not know the password: the signature is another's. */
	{ "SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		{ { "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,"
		    "i=4096",
			  "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
			  "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
			{ "v=smF9pqV8S7suAoZWja4dJRkFsKQ=", NULL } },
		"server failed mutual authentication step" },
	/* It says that all is well before it signed. */
	{ "SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		{ { "r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXCR+Q6sek8bf92,i=1",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3,"
			"p=683Xmgze1mesYgU5SvyVpTokwtQ=" } },
		"server failed mutual authentication step" },
	{ "SCRAM-SHA-1", "user", "pencil", "abc", "n,,n=user,r=abc", { { 0 } },
		"server failed mutual authentication step" },
	{ "SCRAM-SHA-1", "u,s=r", "pencil", "abc", "n,,n=u=2Cs=3Dr,r=abc", { { 0 } },
		"server failed mutual authentication step" },
	/* Another's nonce, ours alone, one in front of it; no salt, none that is one; no
	 * count, too low, too high; extensions that we do not know (section 5.1, m=). */
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=xyzabc,s=QSXCR+Q6sek8bf92,i=4096", NULL } },
		"bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abc,s=QSXCR+Q6sek8bf92,i=4096", NULL } },
		"bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc", { { "r=abcd,i=4096", NULL } },
		"bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abcd,s=,i=4096", NULL } }, "bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abcd,s=!,i=4096", NULL } }, "bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abcd,s=QSXCR+Q6sek8bf92", NULL } }, "bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abcd,s=QSXCR+Q6sek8bf92,i=0", NULL } }, "bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abcd,s=QSXCR+Q6sek8bf92,i=-1", NULL } }, "bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "r=abcd,s=QSXCR+Q6sek8bf92,i=1000001", NULL } },
		"bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc",
		{ { "m=x,r=abcd,s=QSXCR+Q6sek8bf92,i=4096", NULL } },
		"bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc", { { "", NULL } },
		"bad protocol / cancel" },
	{ "SCRAM-SHA-1", "u", "p", "abc", "n,,n=u,r=abc", { { "e=unknown-user", NULL } },
		"bad protocol / cancel" },
	/* RFC 4616 section 4 */
	{ "PLAIN", "tim", "tanstaaftanstaaf", NULL, "@tim@tanstaaftanstaaf", { { 0 } },
		NULL },
	{ "PLAIN", "tim", "", NULL, "@tim@", { { "", NULL } }, "generic failure" },
	{ "LOGIN", "joe", "a b", NULL, NULL,
		{ { "Username:", "joe" }, { "", "a b" }, { "Captcha:", NULL } },
		"generic failure" },
	/* RFC 2195 section 2 */
	{ "CRAM-MD5", "tim", "tanstaaftanstaaf", NULL, NULL,
		{ { "<1896.697170952@postoffice.reston.mci.net>",
			"tim b913a602c7eda7a495b4e6e7334d3890" } },
		NULL },
	{ "CRAM-MD5", "tim", "", NULL, NULL,
		{ { "x", "tim 5a470ef74cd7af75c375be99c6ef771f" }, { "y", NULL } },
		"generic failure" },
	/* RFC 7628 section 4.1; 4.3, where it fails */
	{ "OAUTHBEARER", "user@example.com",
		"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", NULL,
		"n,a=user@example.com,\001host=server.example.com\001port=587\001"
		"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001",
		{ { "{\"status\":\"invalid_token\"}", "\001" }, { "", NULL } },
		"generic failure" },
	/* Google's example */
	{ "XOAUTH2", "someuser@example.com",
		"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", NULL,
		"user=someuser@example.com\001auth=Bearer "
		"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\001\001",
		{ { "{\"status\":\"401\"}", "" }, { "", NULL } }, "generic failure" },
	/* Whoever wrote the table may write more into the exchange than he should. */
	{ "XOAUTH2", "joe\001auth=x", "token", NULL, NULL, { { 0 } },
		"invalid parameter supplied" },
};

static const struct sasl_login_mechanism *
by_name(const char *name)
{
	const struct sasl_login_mechanism *m;

	for (size_t i = 0; (m = sasl_login_mechanism(i)); i++)
		if (str_is(m->m.name, name))
			return m;
	return NULL;
}

/* NUL is in no C string: "@" stands for it in rows. */
static struct str
shown(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] == '\0')
			b->data[i] = '@';
	return buf_str(b);
}

/* True: every step was taken. */
static bool
take_steps(struct sasl_login *l, size_t row, struct why *why)
{
	for (size_t k = 0; k < STEPS && exchanges[row].steps[k].challenge; k++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;

		if (!sasl_login_step(
			    l, str_c(exchanges[row].steps[k].challenge), &out, why)) {
			CHECK(!exchanges[row].steps[k].response);
			return false;
		}
		CHECK(exchanges[row].steps[k].response);
		CHECK_STR(shown(&out), exchanges[row].steps[k].response);
	}
	return true;
}

TEST(mechanisms_answer_challenges)
{
	for (size_t i = 0; i < COUNT(exchanges); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		const struct sasl_login_secret secret = {
			.user = str_c(exchanges[i].user),
			.password = str_c(exchanges[i].password),
			.nonce = str_c(exchanges[i].nonce),
			.host = STR("server.example.com"),
			.port = 587,
		};
		struct why why = { 0 };
		bool has_initial;
		struct sasl_login *l = sasl_login_begin(by_name(exchanges[i].mechanism),
			&secret, &out, &has_initial, &why);

		test_row(i);
		if (l) {
			CHECK_INT(has_initial, exchanges[i].initial != NULL);
			if (exchanges[i].initial)
				CHECK_STR(shown(&out), exchanges[i].initial);
			if (take_steps(l, i, &why) && sasl_login_finish(l, &why))
				CHECK(!exchanges[i].end);
		}
		if (exchanges[i].end)
			CHECK_STR(str_c(why.text), exchanges[i].end);
		sasl_login_end(l);
	}
}

TEST(a_nonce_is_new_each_time)
{
	const struct sasl_login_secret secret = { .user = STR("joe"),
		.password = STR("secret") };
	struct buf one CLEANUP(buf_free) = BUF_INIT, other CLEANUP(buf_free) = BUF_INIT;
	bool has_initial;
	struct why why;

	for (int i = 0; i < 2; i++)
		sasl_login_end(sasl_login_begin(by_name("SCRAM-SHA-256"), &secret,
			i ? &one : &other, &has_initial, &why));
	CHECK(one.len == other.len && one.len > 30);
	CHECK(!str_eq(buf_str(&one), buf_str(&other)));
}

static const struct {
	const char *offered, *options;
	bool tokens;
	const char *want; /* NULL: none */
} choices[] = {
	{ "PLAIN LOGIN CRAM-MD5", "noanonymous", false, "CRAM-MD5" },
	{ "LOGIN PLAIN", "noanonymous", false, "PLAIN" },
	{ "LOGIN", "", false, "LOGIN" },
	{ "plain scram-sha-1 scram-sha-256", "noanonymous", false, "SCRAM-SHA-256" },
	{ "PLAIN LOGIN", "noplaintext, noanonymous", false, NULL },
	{ "PLAIN CRAM-MD5", "noplaintext", false, "CRAM-MD5" },
	{ "CRAM-MD5 SCRAM-SHA-1", "noactive", false, "SCRAM-SHA-1" },
	{ "CRAM-MD5 SCRAM-SHA-1", "nodictionary", false, NULL },
	{ "CRAM-MD5 SCRAM-SHA-1", "mutual_auth", false, "SCRAM-SHA-1" },
	{ "SCRAM-SHA-256", "forward_secrecy", false, NULL },
	{ "GSSAPI NTLM DIGEST-MD5 ANONYMOUS EXTERNAL", "", true, NULL },
	/* A password is not handed out as a token. */
	{ "XOAUTH2 OAUTHBEARER", "noanonymous", false, NULL },
	{ "XOAUTH2 PLAIN", "noanonymous", false, "PLAIN" },
	{ "PLAIN XOAUTH2", "noanonymous", true, "XOAUTH2" },
	{ "PLAIN XOAUTH2 OAUTHBEARER", "noanonymous", true, "OAUTHBEARER" },
	{ "PLAIN XOAUTH2", "noplaintext", true, NULL },
	{ "", "", true, NULL },
};

TEST(the_best_mechanism_is_chosen)
{
	for (size_t i = 0; i < COUNT(choices); i++) {
		struct str text = str_c(choices[i].offered), items[8];
		struct strs offered = { items, 0 };
		const struct sasl_login_mechanism *m;
		struct sasl_options options;
		struct why why;

		test_row(i);
		while (offered.n < COUNT(items) &&
			str_token(&text, " ", &items[offered.n]))
			offered.n++;
		CHECK(sasl_options_parse(str_c(choices[i].options), &options, &why) ==
			ACCEPT);
		m = sasl_login_choose(&offered, &options, choices[i].tokens);
		CHECK_STR(m ? m->m.name : STR("-"),
			choices[i].want ? choices[i].want : "-");
	}
}
