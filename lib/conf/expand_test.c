/* expand_test.c -- rows of expressions; what they give was seen with Postfix 3.7. */
#include "expand.h"
#include "idna.h"
#include "test.h"

static int
get_row(struct expander *e, struct str name, struct str *value)
{
	static const struct {
		const char *name, *value;
	} values[] = { { "a", "AA" }, { "e", "" }, { "n5", "5" }, { "n10", "10" },
		{ "level", "3.6" }, { "dollar", "$a" } };

	(void)e;
	for (size_t i = 0; i < COUNT(values); i++)
		if (str_is(name, values[i].name))
			*value = str_c(values[i].value);
	return 0;
}

static const struct {
	const char *text, *want;
} good[] = {
	{ "", "" },
	{ "plain } text {", "plain } text {" },
	{ "$a", "AA" },
	{ "${a}", "AA" },
	{ "$(a)", "AA" },
	{ "$$a", "$a" },
	{ "$${a}", "${a}" },
	{ "$dollar", "$a" }, /* values are not looked at again here */
	{ "${ a }", "AA" },
	{ "$a_b $a.b $a-b", " AA.b AA-b" },
	{ "$1", "" },
	{ "[$unknown]", "[]" },
	{ "${ }", "" },
	{ "${?x}", "" },
	{ "${:x}", "x" },
	{ "${a?yes}", "yes" },
	{ "${a?yes:no}", "yes:no" },
	{ "${a?{yes}:no}", "yes" },
	{ "${a?{yes}:{no}}", "yes" },
	{ "${e?{yes}:no}", "no" },
	{ "${e?{yes} : {no}}", "no" },
	{ "[${a ? yes : no}]", "[ yes : no]" },
	{ "[${e ? yes : no}]", "[]" },
	{ "${e:no}", "no" },
	{ "[${e: no }]", "[ no ]" },
	{ "[${e:{ no }}]", "[ no ]" },
	{ "${e:{no} }", "no" },
	{ "[${a?{ no  x }:{ f }}]", "[ no  x ]" },
	{ "[${e?{yes} : no }]", "[ no ]" },
	{ "${a?{yes}:}", "yes" },
	{ "${a?}${e:}", "" },
	{ "${a?:x}", ":x" },
	{ "${a?yes{}}", "yes{}" },
	{ "${e?{yes}:no{x}}", "no{x}" },
	{ "${a?$e$a}", "AA" },
	{ "${a?$${x}}", "${x}" },
	{ "$(a?(x))", "(x)" },
	{ "${a?)(}", ")(" },
	{ "${e?bad$}", "" }, /* what is not chosen is not looked at */
	{ "${a?{x}:$}", "x" },
	{ "${x?{a}:{b}}{c}", "b{c}" },
	{ "${{$a} == {AA} ? {t} : {f}}", "t" },
	{ "${{$a}=={AA}?{t}:{f}}", "t" },
	{ "${{$a} != {AA} ? {t} : {f}}", "f" },
	{ "${{$a} == {AA}}", "true" },
	{ "[${{$a} != {AA}}]", "[]" },
	{ "$({a} == {a} ? {x} : {y})", "x" },
	{ "${{$n5} < {$n10} ? {t} : {f}}", "t" }, /* numbers */
	{ "${{$n10} < {9x} ? {t} : {f}}", "t" },  /* bytes */
	{ "${{-5} < {-10} ? {t} : {f}}", "f" },   /* bytes: - is no digit */
	{ "${{5 } < {10} ? {t} : {f}}", "f" },    /* a blank is none either */
	{ "${{05} == {5} ? {t} : {f}}", "t" },
	{ "${{} < {1} ? {t} : {f}}", "t" },
	{ "${{5} <= {5} ? {t} : {f}}", "t" },
	{ "${{5} >= {6} ? {t} : {f}}", "f" },
	{ "${{5} > {4} ? {t}}", "t" },
	{ "[${{5} > {4} : {f}}]", "[]" },
	{ "${{5} < {4} : {f}}", "f" },
	{ "${{5} < {4} ? {t} : f}", " f" },
	{ "[${{5} < {10} ? t : f}]", "[ t : f]" },
	{ "${{ a } == { a } ? { t } : {f}}", " t " },
	{ "${{a } == {a} ? {t} : {f}}", "f" },
	{ "${{a} == {a} ? {{x}} : {f}}", "{x}" },
	{ "${{$level} <level {3.10} ? {t} : {f}}", "t" },
	{ "${{3.6} <=level {3.6} ? {t} : {f}}", "t" },
	{ "${{3.6} ==level {3.6.0} ? {t} : {f}}", "t" },
	{ "${{3.6} !=level {3} ? {t} : {f}}", "t" },
	{ "${{1}<level{2}}", "true" },
	{ "${{03} ==level {3} ? {t} : {f}}", "t" },
	{ "${{3} >level {3.0.5} ? {t} : {f}}", "f" },
	{ "${domain_to_ascii{ b\303\274cher.example }}", "xn--bcher-kva.example" },
	{ "${domain_to_ascii{$a.example}}", "aa.example" },
};

TEST(expressions_mean_what_they_mean_in_postfix)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct why why = { .text = "" };
		struct expander e = { .get = get_row, .why = &why };

		test_row(i);
		CHECK_INT(expand_text(&e, str_c(good[i].text), &out), 0);
		CHECK_STR(buf_str(&out), good[i].want);
		CHECK_STR(str_c(why.text), "");
	}
}

static const struct {
	const char *text, *want;
} bad[] = {
	{ "x$", "empty macro name: \"x$\"" },
	{ "x$ y", "empty macro name: \"x$ y\"" },
	{ "$-a", "empty macro name: \"$-a\"" },
	{ "${}", "empty macro name: \"${}\"" },
	{ "[${a", "truncated macro reference: \"[${a\"" },
	{ "[$(a}]", "truncated macro reference: \"[$(a}]\"" },
	{ "${a?bad${}", "truncated macro reference: \"${a?bad${}\"" },
	{ "${a-b}", "attribute name syntax error at: \"...a>>>-b\"" },
	{ "${a x}", "attribute name syntax error at: \"...a>>> x\"" },
	{ "${$a}", "attribute name syntax error at: \"...>>>$a\"" },
	{ "${a==b?x}", "attribute name syntax error at: \"...a>>>==b?x\"" },
	{ "${unknown{x}}", "attribute name syntax error at: \"...unknown>>>{x}\"" },
	{ "${e:{no}x}", "unexpected input at: \"...no}>>>x\"" },
	{ "${a?{yes}x}", "\":\" expected at: \"...yes}>>>x\"" },
	{ "${a?{x}?{y}}", "\":\" expected at: \"...x}>>>?{y}\"" },
	{ "${{a} ==  {a} extra}", "\"?\" or \":\" expected at: \"...}>>>extra\"" },
	{ "${{a} == b ? {t} : {f}}",
		"\"{expression}\" expected at: \"...{a} ==>>> b ? {t} : {f}\"" },
	{ "${{3.6} > level {3} ? {t} : {f}}",
		"\"{expression}\" expected at: \"...{3.6} >>>> level {3} ? {t} : {\"" },
	{ "${{1}<levelx{2}}", "bad operator suffix at: \"...<>>>levelx\"" },
	{ "${{3.x} >level {3}}", "malformed compatibility level syntax: \"3.x\"" },
	{ "${{} >level {3}}", "malformed compatibility level syntax: \"\"" },
	{ "${{3.6.1.2} >level {3}}",
		"malformed compatibility level syntax: \"3.6.1.2\"" },
	{ "${{99999999999999999999} < {1}}",
		"mac_exp_eval: bad conversion: 99999999999999999999" },
	{ "$(a?{x)", "unbalanced {} in attribute expression: \"{x\"" },
	{ "$(a?{x}:{y)", "unbalanced {} in attribute expression: \"{y\"" },
	{ "${a?{bad$}}", "empty macro name: \"bad$\"" },
	{ "${domain_to_ascii{\377}}", "domain_to_ascii: bad input: \"\377\"" },
};

TEST(mistakes_are_told_in_the_words_of_postfix)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct why why = { .text = "" };
		struct expander e = { .get = get_row, .why = &why };

		test_row(i);
		CHECK_INT(expand_text(&e, str_c(bad[i].text), &out), -1);
		CHECK_STR(str_c(why.text), bad[i].want);
	}
}

TEST(other_signs_than_operators_are_refused)
{
	static const char *const texts[] = { "${{a} && {b} ? {t}}", "${{a} || {b}}",
		"${{a} ~ {b}}", "${{a}={a}}", "${{a}}", "${{a} {b}}" };

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct why why = { .text = "" };
		struct expander e = { .get = get_row, .why = &why };

		test_row(i);
		CHECK_INT(expand_text(&e, str_c(texts[i]), &out), -1);
		CHECK(str_find(str_c(why.text), STR(" expected at: \"...a}>>>")) > 0);
	}
}

TEST(nesting_has_an_end)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;
	struct why why;
	struct expander e = { .get = get_row, .why = &why };

	for (int i = 0; i < 1000; i++)
		buf_addz(&text, "${a?");
	for (int i = 0; i < 1000; i++)
		buf_addc(&text, '}');
	CHECK_INT(expand_text(&e, buf_str(&text), &out), -1);
	CHECK(str_starts(str_c(why.text), STR("unreasonable macro call nesting")));
}

static void
note_name(struct str name, void *arg)
{
	buf_add(arg, name);
	buf_addc(arg, ' ');
}

TEST(names_are_found_in_all_parts)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "$a ${b} $(c) $$d", "a b c " },
		{ "${e?{$f}:{${ g }}}", "e f g " },
		{ "${{$h} == {$i} ? {$j}}", "h i j " },
		{ "${function{$k}} $ ${", "k " },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		expand_names(str_c(rows[i].text), note_name, &out);
		CHECK_STR(buf_str(&out), rows[i].want);
	}
}

TEST(levels_are_ordered)
{
	static const char *const rows[] = { "0", "1", "2", "3.5.12", "3.6", "3.6.1",
		"3.10", "3.600", "4" };
	static const char *const junk[] = { "", ".", "3.", "a", "3.x", "3.6.1.2",
		"3.2000", "-1" };
	int64_t before = -1, level;

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(level_parse(str_c(rows[i]), &level), 0);
		CHECK(level > before);
		before = level;
	}
	for (size_t i = 0; i < COUNT(junk); i++) {
		test_row(i);
		CHECK_INT(level_parse(str_c(junk[i]), &level), -1);
	}
}

/* RFC 3492 section 7.1 has (L) and (R); the others are domains of every day. */
TEST(domains_get_their_ascii_form)
{
	static const struct {
		const char *domain, *want; /* NULL: none */
	} rows[] = {
		{ "", "" },
		{ "Example.ORG", "example.org" },
		{ "example.org.", "example.org." },
		{ "b\303\274cher.de", "xn--bcher-kva.de" },
		{ "B\303\234CHER.de", "xn--bcher-kva.de" },
		{ "fa\303\237.example", "xn--fa-hia.example" },
		{ "\317\200\316\261\317\201\316\254\316\264\316\265\316\271\316\263\316"
		  "\274\316\261",
			"xn--hxajbheg2az3al" },
		{ "\320\237\320\240\320\230\320\234\320\225\320\240", "xn--e1afmkfd" },
		{ "3\345\271\264b\347\265\204\351\207\221\345\205\253\345\205\210\347\224"
		  "\237",
			"xn--3b-ww4c5e180e575a65lsy2b" }, /* (L) */
		{ "\343\201\235\343\201\256\343\202\271\343\203\224\343\203\274\343\203"
		  "\211\343\201\247",
			"xn--d9juau41awczczp" }, /* (R) */
		{ "\377.example", NULL },
		{ "\300\200.example", NULL },     /* overlong */
		{ "\355\240\200.example", NULL }, /* a surrogate */
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b",
			NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		CHECK_INT(idna_to_ascii(str_c(rows[i].domain), &out),
			rows[i].want ? 0 : -1);
		if (rows[i].want)
			CHECK_STR(buf_str(&out), rows[i].want);
	}
}

TEST(domains_as_people_read_them)
{
	static const struct {
		const char *domain, *want;
	} rows[] = {
		{ "", "" },
		{ "example.org.", "example.org." },
		{ "mx.xn--bcher-kva.example", "mx.b\303\274cher.example" },
		{ "XN--BCHER-KVA.example", "b\303\274cher.example" },
		{ "xn--d9juau41awczczp.jp",
			"\343\201\235\343\201\256\343\202\271\343\203\224\343\203\274"
			"\343\203\211\343\201\247.jp" },
		/* What nobody would have made: */
		{ "xn--", "xn--" },
		{ "xn--a-", "xn--a-" },
		{ "xn--abc-", "xn--abc-" },
		{ "xn--99999999999", "xn--99999999999" },
		{ "xn--a\377-b", "xn--a\377-b" },
		{ "xn--\303\274-kva", "xn--\303\274-kva" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		idna_to_utf8(str_c(rows[i].domain), &out);
		CHECK_STR(buf_str(&out), rows[i].want);
	}
}

TEST(a_name_that_stands_alone_may_have_to_be_defined)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{ "$a$e", "AA" },
		{ "${nosuch?x}${nosuch:y}", "y" },
		{ "$nosuch", NULL },
		{ "x${nosuch}", NULL },
		{ "${a?$nosuch}", NULL },
		{ "${e?$nosuch}", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct why why;
		struct expander e = { .get = get_row, .why = &why, .strict = true };

		test_row(i);
		CHECK_INT(expand_text(&e, str_c(rows[i].text), &out),
			rows[i].want ? 0 : -1);
		if (rows[i].want)
			CHECK_STR(buf_str(&out), rows[i].want);
	}
}

TEST_MAIN()
