/* tls_config_test.c -- what parameters say of TLS, and the files that they name. */
#include "tls_stage.h"
#include "test.h"

static const struct {
	const char *text;
	const char
		*allowed; /* a letter each for SSLv3, TLSv1 ... TLSv1.3; NULL: refused */
} protocols[] = {
	{ "", "yyyyy" },
	{ ">=TLSv1", "nyyyy" },
	{ ">=TLSv1.2", "nnnyy" },
	{ ">=tlsv1.2, <=TLSv1.2", "nnnyn" },
	{ "!SSLv2, !SSLv3", "nyyyy" },
	{ "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1", "nnnyy" },
	{ "TLSv1.2 TLSv1.3", "nnnyy" },
	{ "TLSv1.2, !TLSv1.2", NULL },
	{ ">=0304", "nnnny" },
	{ ">=0x0303", "nnnyy" },
	{ "<=TLSv1.2:>=TLSv1", "nyyyn" },
	{ ">=0", "yyyyy" },
	{ "SSLv2", NULL },
	{ "TLSv1.4", NULL },
	{ "!!TLSv1", NULL },
	{ ">TLSv1", NULL },
};

TEST(protocols_are_parsed)
{
	for (size_t i = 0; i < COUNT(protocols); i++) {
		struct tls_protocols p;
		struct why why;
		int got = tls_protocols_parse(str_c(protocols[i].text), &p, &why);

		test_row(i);
		CHECK((got == 0) == (protocols[i].allowed != NULL));
		for (int k = 0; got == 0 && k < TLS_PROTOCOLS; k++)
			CHECK(p.allowed[k] == (protocols[i].allowed[k] == 'y'));
	}
}

TEST(loglevels_are_numbers_and_words)
{
	static const struct {
		const char *text;
		int level;
	} rows[] = { { "0", 0 }, { "none", 0 }, { "1", 1 }, { "Routine", 1 }, { "2", 2 },
		{ "debug", 2 }, { "3", 3 }, { "ssl-expert", 3 }, { "4", 4 },
		{ "ssl-developer", 4 }, { "5", -1 }, { "-1", -1 }, { "", -1 },
		{ "1 2", -1 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(tls_loglevel(str_c(rows[i].text)), rows[i].level);
}

TEST(cipher_lists_are_made)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;
	struct tls_config conf = { .ciphers = STR("medium"),
		.cipherlist = STR("HIGH"),
		.exclude_ciphers = STR("aNULL, RC4 MD5") };
	struct why why;

	CHECK(tls_cipher_list(&conf, &list, &why) == 0);
	CHECK_STR(buf_str(&list), "HIGH:!aNULL:!RC4:!MD5");
	conf.ciphers = STR("strongest");
	CHECK(tls_cipher_list(&conf, &list, &why) < 0);
	CHECK(strstr(why.text, "strongest") != NULL);
}

static const struct {
	const char *files[2]; /* NULL-terminated, the names of the variables above */
	const char *why;      /* "": accepted */
} chains[] = {
	{ { stage.rsa_file, NULL }, "" },
	{ { stage.rsa_file, stage.ec_file }, "" },
	{ { stage.key_only, stage.cert_only }, "" },
	{ { stage.cert_only, NULL }, "begins with a certificate" },
	{ { stage.key_only, NULL }, "without its certificate" },
	{ { stage.key_only, stage.ec_file }, "without its certificate" },
	{ { stage.bad_file, NULL }, "cannot read a private key" },
	{ { "/nonexistent", NULL }, "cannot open /nonexistent: No such file" },
	{ { "/dev/null", NULL }, "cannot read keys" },
	{ { NULL, NULL }, "no server certificate: set smtpd_tls_chain_files" },
};

TEST(chain_files_are_read)
{
	stage_certificates();
	for (size_t i = 0; i < COUNT(chains); i++) {
		struct str files[2] = { str_c(chains[i].files[0]),
			str_c(chains[i].files[1]) };
		struct tls_config conf = { .chain_files = { files,
						   (size_t) !!chains[i].files[0] +
							   !!chains[i].files[1] } };
		struct why why = { "", "" };
		struct tls_context *ctx;

		test_row(i);
		ctx = tls_server_context(&conf, &why);
		CHECK((ctx != NULL) == (chains[i].why[0] == 0));
		CHECK(strstr(why.text, chains[i].why) != NULL);
		tls_context_free(ctx);
	}
}

TEST(older_parameters_are_read)
{
	struct tls_config conf = { .cert_file = str_c(stage.cert_only) };
	struct why why = { "", "" };
	struct tls_context *ctx;

	stage_certificates();
	conf = (struct tls_config){ .cert_file = str_c(stage.cert_only),
		.key_file = str_c(stage.key_only),
		.eccert_file = str_c(stage.ec_file) };
	ctx = tls_server_context(&conf, &why);
	CHECK(ctx != NULL);
	tls_context_free(ctx);
	conf.key_file = str_c(stage.ec_file); /* not its key */
	CHECK(tls_server_context(&conf, &why) == NULL);
	CHECK(strstr(why.text, stage.cert_only) != NULL);
	conf = (struct tls_config){ .cert_file = STR("none"), .protocols = STR("TLSv9") };
	CHECK(tls_client_context(&conf, &why) == NULL);
	conf.protocols = STR_NONE;
	ctx = tls_client_context(&conf, &why);
	CHECK(ctx != NULL);
	tls_context_free(ctx);
	conf.cipherlist = STR("NO-SUCH-CIPHER");
	CHECK(tls_client_context(&conf, &why) == NULL);
	CHECK(strstr(why.text, "NO-SUCH-CIPHER") != NULL);
	conf.cipherlist = STR_NONE;
	conf.ca_file = STR("/nonexistent");
	CHECK(tls_client_context(&conf, &why) == NULL);
}
