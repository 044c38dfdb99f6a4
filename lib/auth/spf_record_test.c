/* spf_record_test.c -- the grammar of RFC 7208 section 12. */
#include "spf_record.h"
#include "test.h"

static const struct {
	struct str text;
	bool is_record;
} versions[] = {
	{ STR_INIT("v=spf1"), true },
	{ STR_INIT("V=sPf1 a"), true },
	{ STR_INIT("v=spf10"), false },
	{ STR_INIT("v=spf1\ta"), false },
	{ STR_INIT(" v=spf1"), false },
	{ STR_INIT(""), false },
};

TEST(spf_versions)
{
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct str rest;

		test_row(i);
		CHECK_INT(spf_is_record(versions[i].text, &rest), versions[i].is_record);
	}
}

static const struct {
	struct str term;
	int kind; /* -1: a mistake */
	const char *domain_spec;
	unsigned bits4, bits6; /* those of a network in the one of its family */
	enum spf_result qualifier;
} terms[] = {
	{ STR_INIT("all"), SPF_ALL, "", 0, 0, SPF_PASS },
	{ STR_INIT("-ALL"), SPF_ALL, "", 0, 0, SPF_FAIL },
	{ STR_INIT("~all"), SPF_ALL, "", 0, 0, SPF_SOFTFAIL },
	{ STR_INIT("?all"), SPF_ALL, "", 0, 0, SPF_NEUTRAL },
	{ STR_INIT("all."), -1, "", 0, 0, 0 },
	{ STR_INIT("all:x.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("all/8"), -1, "", 0, 0, 0 },
	{ STR_INIT("--all"), -1, "", 0, 0, 0 },
	{ STR_INIT("-"), -1, "", 0, 0, 0 },
	{ STR_INIT("a"), SPF_A, "", 32, 128, SPF_PASS },
	{ STR_INIT("a/0"), SPF_A, "", 0, 128, SPF_PASS },
	{ STR_INIT("a/24//64"), SPF_A, "", 24, 64, SPF_PASS },
	{ STR_INIT("a//64"), SPF_A, "", 32, 64, SPF_PASS },
	{ STR_INIT("a/24/64"), -1, "", 0, 0, 0 },
	{ STR_INIT("a/33"), -1, "", 0, 0, 0 },
	{ STR_INIT("a//129"), -1, "", 0, 0, 0 },
	{ STR_INIT("a/024"), -1, "", 0, 0, 0 },
	{ STR_INIT("a/99999999999999999999"), -1, "", 0, 0, 0 },
	{ STR_INIT("a/"), -1, "", 0, 0, 0 },
	{ STR_INIT("a//"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:/24"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:x.example/24//64"), SPF_A, "x.example", 24, 64, SPF_PASS },
	{ STR_INIT("a:foo:bar/baz.example"), SPF_A, "foo:bar/baz.example", 32, 128,
		SPF_PASS },
	{ STR_INIT("a:foo=bar.example"), SPF_A, "foo=bar.example", 32, 128, SPF_PASS },
	{ STR_INIT("a:x.example."), SPF_A, "x.example.", 32, 128, SPF_PASS },
	{ STR_INIT("a:.example"), SPF_A, ".example", 32, 128, SPF_PASS },
	{ STR_INIT("a:example"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:example."), -1, "", 0, 0, 0 },
	{ STR_INIT("a:192.0.2.1"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:x.-example"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:x.example-"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:x.1-2"), SPF_A, "x.1-2", 32, 128, SPF_PASS },
	{ STR_INIT("a:x.example\0"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:x\x01y.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("a:\xc3\xa4.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("mx"), SPF_MX, "", 32, 128, SPF_PASS },
	{ STR_INIT("mx:%{d}/8"), SPF_MX, "%{d}", 8, 128, SPF_PASS },
	{ STR_INIT("mx:%{d"), -1, "", 0, 0, 0 },
	{ STR_INIT("mx:%{d/}"), SPF_MX, "%{d/}", 32, 128, SPF_PASS },
	{ STR_INIT("ptr"), SPF_PTR, "", 0, 0, SPF_PASS },
	{ STR_INIT("ptr:x.example"), SPF_PTR, "x.example", 0, 0, SPF_PASS },
	{ STR_INIT("ptr/0"), -1, "", 0, 0, 0 },
	{ STR_INIT("include:x.example"), SPF_INCLUDE, "x.example", 0, 0, SPF_PASS },
	{ STR_INIT("include"), -1, "", 0, 0, 0 },
	{ STR_INIT("include:"), -1, "", 0, 0, 0 },
	{ STR_INIT("include:x.example/24"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{ir}.%{l1r+-}._spf.%{d2}"), SPF_EXISTS,
		"%{ir}.%{l1r+-}._spf.%{d2}", 0, 0, SPF_PASS },
	{ STR_INIT("exists"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{c}.example"), -1, "", 0, 0, 0 }, /* c, r, t: exp only */
	{ STR_INIT("exists:%{x}.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{d0}"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{d99999999999999999999}"), SPF_EXISTS,
		"%{d99999999999999999999}", 0, 0, SPF_PASS },
	{ STR_INIT("exists:%{dr2}"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{d*}"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{}"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{d}x"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%{d}."), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:%n.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:x.example%"), -1, "", 0, 0, 0 },
	{ STR_INIT("exists:a%%b%_c%-"), SPF_EXISTS, "a%%b%_c%-", 0, 0, SPF_PASS },
	{ STR_INIT("ip4:192.0.2.1"), SPF_IP4, "", 32, 0, SPF_PASS },
	{ STR_INIT("ip4:192.0.2.1/0"), SPF_IP4, "", 0, 0, SPF_PASS },
	{ STR_INIT("ip4:192.0.2.1/33"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.1/032"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.1//32"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.1/"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.01"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.1:25"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.1\n"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:192.0.2.1\0"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4:"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4/24"), -1, "", 0, 0, 0 },
	{ STR_INIT("/24"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip4=192.0.2.1"), SPF_OTHER, "", 0, 0, 0 },
	{ STR_INIT("ip6:2001:db8::1/32"), SPF_IP6, "", 0, 32, SPF_PASS },
	{ STR_INIT("ip6:::ffff:192.0.2.1"), SPF_IP6, "", 0, 128, SPF_PASS },
	{ STR_INIT("ip6:2001:db8::1/129"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip6:::2001::db8"), -1, "", 0, 0, 0 },
	{ STR_INIT("ip6:192.0.2.1"), -1, "", 0, 0, 0 },
	{ STR_INIT("redirect=x.example"), SPF_REDIRECT, "x.example", 0, 0, 0 },
	{ STR_INIT("Redirect=%{o}"), SPF_REDIRECT, "%{o}", 0, 0, 0 },
	{ STR_INIT("redirect="), -1, "", 0, 0, 0 },
	{ STR_INIT("redirect=-all"), -1, "", 0, 0, 0 },
	{ STR_INIT("~redirect=x.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("redirect:x.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("exp=%{r}.example"), -1, "", 0, 0, 0 },
	{ STR_INIT("exp=why.example"), SPF_EXP, "why.example", 0, 0, 0 },
	{ STR_INIT("moo.cow-far_out=man:dog/cat"), SPF_OTHER, "", 0, 0, 0 },
	{ STR_INIT("moo=%{t}"), SPF_OTHER, "", 0, 0, 0 },
	{ STR_INIT("moo="), SPF_OTHER, "", 0, 0, 0 },
	{ STR_INIT("moo=%abc"), -1, "", 0, 0, 0 },
	{ STR_INIT("moo.cow/far_out=man"), -1, "", 0, 0, 0 },
	{ STR_INIT("moo.cow:far_out=man"), -1, "", 0, 0, 0 },
	{ STR_INIT("1up=x"), -1, "", 0, 0, 0 },
	{ STR_INIT("=all"), -1, "", 0, 0, 0 },
	{ STR_INIT("moo"), -1, "", 0, 0, 0 },
};

TEST(spf_terms)
{
	for (size_t i = 0; i < COUNT(terms); i++) {
		struct str rest = terms[i].term;
		struct spf_term term;
		struct why why = { .text = "" };
		int got = spf_term_next(&rest, &term, &why);

		test_row(i);
		if (terms[i].kind < 0) {
			CHECK_INT(got, -1);
			CHECK(why.text[0] != 0);
			continue;
		}
		CHECK_INT(got, 1);
		CHECK_INT(term.kind, terms[i].kind);
		CHECK_INT(term.qualifier, terms[i].qualifier);
		CHECK_STR(term.domain_spec, terms[i].domain_spec);
		CHECK(str_eq(term.text, terms[i].term));
		if (term.kind == SPF_IP4 || term.kind == SPF_IP6)
			CHECK_INT(term.block.bits,
				term.kind == SPF_IP4 ? terms[i].bits4 : terms[i].bits6);
		CHECK_INT(term.bits4, term.kind == SPF_IP4 ? 0 : terms[i].bits4);
		CHECK_INT(term.bits6, term.kind == SPF_IP6 ? 0 : terms[i].bits6);
		CHECK_INT(spf_term_next(&rest, &term, &why), 0);
	}
}

/* One or more blanks between terms, any number at the end; nothing else parts them. */
TEST(spf_blanks)
{
	struct str rest = STR(" a   mx  ");
	struct spf_term term;
	struct why why;

	CHECK_INT(spf_term_next(&rest, &term, &why), 1);
	CHECK_INT(term.kind, SPF_A);
	CHECK_INT(spf_term_next(&rest, &term, &why), 1);
	CHECK_INT(term.kind, SPF_MX);
	CHECK_INT(spf_term_next(&rest, &term, &why), 0);
	rest = STR("a\rmx");
	CHECK_INT(spf_term_next(&rest, &term, &why), -1);
	CHECK_STR(str_c(why.text), "something behind its name: a\\rmx");
	rest = STR("a\tmx");
	CHECK_INT(spf_term_next(&rest, &term, &why), -1);
}
