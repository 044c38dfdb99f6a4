/* Rows for address.c. */
#include "address.h"
#include "test.h"

static const struct {
	struct str path;
	unsigned how;
	enum verdict want;
	const char *local, *domain, *code;
} paths[] = {
	{ STR_INIT("<a@example.org>"), 0, ACCEPT, "a", "example.org", "" },
	{ STR_INIT("<>"), 0, ACCEPT, "", "", "" }, /* the null sender, section 4.5.5 */
	{ STR_INIT("<Postmaster>"), 0, ACCEPT, "Postmaster", "", "" },
	{ STR_INIT("<root>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<root>"), ADDRESS_LOOSE, ACCEPT, "root", "", "" },
	{ STR_INIT("<@hop.example:a@example.org>"), 0, ACCEPT, "a", "example.org", "" },
	{ STR_INIT("<@a.example,@b.example:a@c.example>"), 0, ACCEPT, "a", "c.example",
		"" },
	{ STR_INIT("<@a.example:>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@exam\0ple.org>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@exam\0ple.org>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@example.org\r>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a\n@example.org>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("a@example.org"), ADDRESS_SENDER, PERMFAIL, "", "", "5.1.7" },
	{ STR_INIT("a@example.org"), ADDRESS_LOOSE, ACCEPT, "a", "example.org", "" },
	{ STR_INIT("<a@example.org"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("a@example.org>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@example.org>>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<<a@example.org>>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("Jo \"<x>\" <a@example.org>"), ADDRESS_LOOSE, ACCEPT, "a",
		"example.org", "" },
	{ STR_INIT("(c (d)) <a@b> (e)"), ADDRESS_LOOSE, ACCEPT, "a", "b", "" },
	{ STR_INIT("(open <a@b>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("a@b (comment)"), ADDRESS_LOOSE, ACCEPT, "a", "b", "" },
	{ STR_INIT("< a@b >"), ADDRESS_LOOSE, ACCEPT, "a", "b", "" },
	{ STR_INIT("< a@b >"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT(""), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT(""), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@b>, <c@d>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a..b@example.org>"), ADDRESS_LOOSE, ACCEPT, "a..b", "example.org",
		"" },
	{ STR_INIT("<a@exa_mple.org>"), ADDRESS_LOOSE, ACCEPT, "a", "exa_mple.org", "" },
	{ STR_INIT("<a@example..org>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@example.org.>"), ADDRESS_LOOSE, ACCEPT, "a", "example.org.", "" },
	{ STR_INIT("<a@example.org.>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<\"a>b\"@example.org>"), 0, ACCEPT, "\"a>b\"", "example.org", "" },
	{ STR_INIT("<\"a>b\"@example.org>"), ADDRESS_LOOSE, ACCEPT, "\"a>b\"",
		"example.org", "" },
	{ STR_INIT("<user%far@here.example>"), 0, ACCEPT, "user%far", "here.example",
		"" },
	{ STR_INIT("<a@[127.0.0.1]>"), 0, ACCEPT, "a", "[127.0.0.1]", "" },
	{ STR_INIT("<a@[127.0.0.256]>"), ADDRESS_LOOSE, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@[IPv6::1]>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@[IPv6:::1]>"), 0, ACCEPT, "a", "[IPv6:::1]", "" },
	{ STR_INIT("<a@[IPv6:1::2:]>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<a@[tag:x]>"), 0, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<\303\274@b>"), ADDRESS_UTF8, ACCEPT, "\303\274", "b", "" },
	{ STR_INIT("<\"\303\274 x\"@b>"), ADDRESS_UTF8, ACCEPT, "\"\303\274 x\"", "b",
		"" },
	{ STR_INIT("<\303@b>"), ADDRESS_UTF8, PERMFAIL, "", "", "5.1.3" },
	{ STR_INIT("<\300\256@b>"), ADDRESS_UTF8, PERMFAIL, "", "",
		"5.1.3" }, /* overlong dot */
	{ STR_INIT("<\355\240\200@b>"), ADDRESS_UTF8, PERMFAIL, "", "",
		"5.1.3" }, /* surrogate */
	{ STR_INIT("<a\302\205@b>"), ADDRESS_UTF8, PERMFAIL, "", "", "5.1.3" }, /* NEL */
};

TEST(paths)
{
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct address got = { STR_NONE, STR_NONE };
		struct why why = { "", "" };

		test_row(i);
		CHECK_INT(address_parse(paths[i].path, paths[i].how, &got, &why),
			paths[i].want);
		CHECK_STR(got.local, paths[i].local);
		CHECK_STR(got.domain, paths[i].domain);
		CHECK_STR(str_c(why.code), paths[i].code);
	}
}

/* The table of ../shared/vectors/addr-made: the grammar to the letter. */
static const struct {
	const char *address;
	unsigned how;
	enum verdict want;
} strict[] = {
	{ "a@example.com", 0, ACCEPT },                   /* Dot-string */
	{ "!#$%&'*+-/=?^_`{|}~@example.com", 0, ACCEPT }, /* every special atext */
	{ "a-@example.com", 0, ACCEPT },                  /* hyphen is atext */
	{ "a@b", 0, ACCEPT },                             /* single label domain */
	{ "a@xn--bcher-kva.example", 0, ACCEPT },         /* A-label */
	{ "a@lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.example", 0,
		ACCEPT },                  /* 63-octet label */
	{ "\"\"@example.com", 0, ACCEPT }, /* empty Quoted-string: *QcontentSMTP */
	{ "\"a b\"@example.com", 0, ACCEPT },
	{ "\"a\\\"b\"@example.com", 0, ACCEPT }, /* quoted-pair */
	{ "\"\\a\"@example.com", 0, ACCEPT },    /* quoted-pairSMTP of a letter */
	{ "\".a\"@example.com", 0, ACCEPT }, { "\"[]:;,()\"@example.com", 0, ACCEPT },
	{ "a@[IPv6:2001:db8::1]", 0, ACCEPT },
	{ "a@[IPv6:::ffff:192.0.2.1]", 0, ACCEPT },  /* IPv6v4 */
	{ "a@[IPv6:1:2:3:4:5:6:7:8]", 0, ACCEPT },   /* IPv6-full */
	{ "@a.example:b@example.com", 0, ACCEPT },   /* A-d-l */
	{ ".a@example.com", 0, PERMFAIL },           /* dot first */
	{ "a..b@example.com", 0, PERMFAIL },         /* two dots */
	{ "a@", 0, PERMFAIL }, { "a", 0, PERMFAIL }, /* no domain (only Postmaster may) */
	{ "a@-example.com", 0, PERMFAIL },           /* label starts with hyphen */
	{ "a@exa_mple.com", 0, PERMFAIL },           /* underscore is no Let-dig */
	{ "a@.example.com", 0, PERMFAIL },
	{ "a@llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.example", 0,
		PERMFAIL },                    /* 64-octet label */
	{ "\"a@example.com", 0, PERMFAIL },    /* quote open */
	{ "\"a\"b@example.com", 0, PERMFAIL }, /* text after quote */
	{ "a\\b@example.com", 0, PERMFAIL },   /* bare backslash */
	{ "a(c)@example.com", 0, PERMFAIL },   /* comment */
	{ "a,b@example.com", 0, PERMFAIL }, { "a;b@example.com", 0, PERMFAIL },
	{ "a@[192.0.2]", 0, PERMFAIL }, /* three octets */
	{ "a@192.0.2.1]", 0, PERMFAIL },
	{ "a@[IPv6:2001:db8::1::2]", 0, PERMFAIL }, /* two :: */
	{ "a@[IPv6:1:2:3:4:5:6:7]", 0, PERMFAIL },  /* seven groups */
	{ "a@[IPv6:1:2:3:4:5:6:7::]", 0,
		PERMFAIL }, /* RFC 5321: :: stands for at least two groups */
	{ "a@[]", 0, PERMFAIL },
	{ "@a.example,b@example.com", 0, PERMFAIL }, /* route without colon */
	{ "<a@example.com", 0, PERMFAIL },
	{ "\"a\001\"@example.com", 0, PERMFAIL },            /* control in quotes */
	{ "j\303\266rg@example.com", 0, PERMFAIL },          /* needs SMTPUTF8 */
	{ "a@b\303\274cher.example", ADDRESS_UTF8, ACCEPT }, /* U-label */
	{ "\347\224\250\346\210\267@\344\276\213\345\255\220.\345\271\277\345\221\212",
		ADDRESS_UTF8, ACCEPT },                           /* RFC 6531 */
	{ "\360\237\222\251@example.com", ADDRESS_UTF8, ACCEPT }, /* UTF8-4 */
	{ "a@\342\230\203.example", ADDRESS_UTF8, PERMFAIL }, /* DISALLOWED in IDNA2008 */
	{ "\357\275\201@example.com", ADDRESS_UTF8, ACCEPT }, /* full-width local part */
};

TEST(grammar_to_the_letter)
{
	for (size_t i = 0; i < COUNT(strict); i++) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;
		struct address got;
		struct why why;

		test_row(i);
		buf_printf(&path, "<%s>", strict[i].address);
		CHECK_INT(address_parse(buf_str(&path), strict[i].how, &got, &why),
			strict[i].want);
	}
}

static const struct {
	const char *argument, *path, *rest;
} tokens[] = {
	{ "<a@b> SIZE=1", "<a@b>", " SIZE=1" },
	{ "  <a@b>", "<a@b>", "" },
	{ "a@b RET=FULL", "a@b", " RET=FULL" },
	{ "<\"a> b\"@c> X", "<\"a> b\"@c>", " X" },
	{ "<a b@c> X", "<a b@c>", " X" },
	{ "\"a b\"@c X", "\"a b\"@c", " X" },
	{ "", "", "" },
};

TEST(path_tokens)
{
	for (size_t i = 0; i < COUNT(tokens); i++) {
		struct str rest = str_c(tokens[i].argument);

		test_row(i);
		CHECK_STR(address_path_token(&rest), tokens[i].path);
		CHECK_STR(rest, tokens[i].rest);
	}
}

static const struct {
	const char *path, *want;
} internals[] = {
	{ "<a@b>", "a@b" },
	{ "<>", "" },
	{ "<postmaster>", "postmaster" },
	{ "<\"a b\"@c>", "a b@c" },
	{ "<\"a\\\"b\\\\\"@c>", "a\"b\\@c" },
	{ "<\"\"@c>", "@c" },
	{ "<\"joe\"@c>", "joe@c" },
};

TEST(internal_form)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	for (size_t i = 0; i < COUNT(internals); i++) {
		struct address a;
		struct why why;

		test_row(i);
		CHECK_INT(address_parse(str_c(internals[i].path), 0, &a, &why), ACCEPT);
		CHECK_STR(address_internal(&a, arena), internals[i].want);
	}
}

TEST_MAIN()
