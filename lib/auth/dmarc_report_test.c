/* dmarc_report_test.c -- aggregate reports as others send them, and as nobody should. */
#include "dmarc_report.h"
#include "test.h"

#define ORGANIZATION \
	"<report_metadata><org_name>Receiver</org_name><email>d@r.example</email>" \
	"<report_id>17.a</report_id><date_range><begin>1795000000</begin>" \
	"<end>1795086399</end></date_range></report_metadata>"
#define POLICY \
	"<policy_published><domain>a.example</domain><adkim>s</adkim><p>reject</p>" \
	"<sp>none</sp><pct>100</pct></policy_published>"
#define RECORD \
	"<record><row><source_ip>192.0.2.1</source_ip><count>12</count>" \
	"<policy_evaluated><disposition>none</disposition><dkim>pass</dkim>" \
	"<spf>fail</spf><reason><type>forwarded</type><comment>known</comment></reason>" \
	"</policy_evaluated></row><identifiers><header_from>a.example</header_from>" \
	"<envelope_from>b.example</envelope_from></identifiers><auth_results>" \
	"<dkim><domain>a.example</domain><selector>s1</selector><result>pass</result>" \
	"</dkim><dkim><domain>c.example</domain><result>fail</result></dkim>" \
	"<spf><domain>b.example</domain><scope>mfrom</scope><result>softfail</result>" \
	"</spf></auth_results></record>"
#define REPORT_OF(records) \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>" ORGANIZATION POLICY \
		records "</feedback>\n"

static struct arena *arena;
static struct dmarc_report report;
static struct why why;

static int
reads(struct str bytes)
{
	if (!arena)
		arena = arena_new();
	dmarc_report_free(&report);
	why = (struct why){ .text = "" };
	return dmarc_report_read(bytes, arena, &report, &why);
}

TEST(all_of_a_report_is_read)
{
	const struct dmarc_report_row *row;

	CHECK_INT(reads(STR(REPORT_OF(RECORD RECORD))), 0);
	CHECK_STR(report.organization, "Receiver");
	CHECK_STR(report.email, "d@r.example");
	CHECK_STR(report.id, "17.a");
	CHECK_INT((long long)report.begin, 1795000000);
	CHECK_INT((long long)report.end, 1795086399);
	CHECK_STR(report.domain, "a.example");
	CHECK_STR(report.adkim, "s");
	CHECK_STR(report.p, "reject");
	CHECK_STR(report.sp, "none");
	CHECK_STR(report.np, "");
	CHECK_STR(report.pct, "100");
	CHECK_INT((long long)report.rows.n, 2);
	row = &report.rows.items[1];
	CHECK_STR(row->source, "192.0.2.1");
	CHECK_INT((long long)row->count, 12);
	CHECK_STR(row->disposition, "none");
	CHECK_STR(row->dkim, "pass");
	CHECK_STR(row->spf, "fail");
	CHECK_STR(row->header_from, "a.example");
	CHECK_STR(row->envelope_from, "b.example");
	CHECK_STR(row->reasons->domain, "forwarded");
	CHECK_STR(row->reasons->result, "known");
	CHECK_STR(row->signatures->domain, "a.example");
	CHECK_STR(row->signatures->selector, "s1");
	CHECK_STR(row->signatures->next->domain, "c.example");
	CHECK_STR(row->signatures->next->result, "fail");
	CHECK(!row->signatures->next->next);
	CHECK_STR(row->senders->selector, "mfrom");
	CHECK_STR(row->senders->result, "softfail");
}

/* ---- documents ---- */

static const struct {
	struct str bytes;
	const char *trouble; /* "": it is read */
} documents[] = {
	{ STR_INIT(REPORT_OF("")), "" },
	/* RFC 9990's namespace, a prefix for it, and what is not known */
	{ STR_INIT("<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\"><version>1.0"
		   "</version>" ORGANIZATION POLICY "<extension><x>1</x></extension>"
		   "</feedback>"),
		"" },
	{ STR_INIT("<d:feedback xmlns:d=\"u\"><d:policy_published><d:domain> a.example\n"
		   "</d:domain></d:policy_published></d:feedback>"),
		"" },
	{ STR_INIT("\xef\xbb\xbf" REPORT_OF("")), "" },
	{ STR_INIT(REPORT_OF("<record/><record><row/></record>")), "" },
	/* a result outside a record, a second domain within the first */
	{ STR_INIT(
		  "<feedback><auth_results><dkim><domain>x</domain></dkim></auth_results>"
		  "<policy_published><domain>a<b>c</b></domain><domain>a.example</domain>"
		  "</policy_published></feedback>"),
		"" },
	{ STR_INIT("<feedback></feedback>"), "line 1: no domain in <policy_published>" },
	{ STR_INIT("<html></html>"),
		"line 1: not an aggregate report, which begins with <feedback>" },
	{ STR_INIT("<feedback>\n<a></b></feedback>"), "line 2: mismatched tag" },
	{ STR_INIT("<feedback>\n"), "line 2: no element found" },
	{ STR_INIT(
		  "<feedback><record><row><count>many</count></row></record></feedback>"),
		"line 1: no number in <count>" },
	{ STR_INIT("<feedback><record><row><count>99999999999</count></row></record>"
		   "</feedback>"),
		"line 1: no number in <count>" },
	/* bombs: entities within entities, another file */
	{ STR_INIT("<!DOCTYPE f [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\n<feedback>"
		   "&b;</feedback>"),
		"line 1: a document type, which no report has" },
	{ STR_INIT("<!DOCTYPE f SYSTEM \"file:///etc/passwd\"><feedback/>"),
		"line 1: a document type, which no report has" },
	{ STR_INIT("<feedback>&b;</feedback>"), "line 1: undefined entity" },
	{ STR_INIT(""), "neither a report nor a mail with one" },
	{ STR_INIT("\x1f\x8b"), "damaged, or not whole" },
	{ STR_INIT("PK\3\4"), "damaged, or not whole" },
};

TEST(documents_are_read_or_refused)
{
	for (size_t i = 0; i < COUNT(documents); i++) {
		test_row(i);
		CHECK_INT(reads(documents[i].bytes), documents[i].trouble[0] ? -1 : 0);
		CHECK_STR(str_c(why.text), documents[i].trouble);
		if (!documents[i].trouble[0])
			CHECK_STR(report.domain, "a.example");
	}
}

/* n times the same between two others. */
static struct str
repeated(const char *before, const char *often, size_t n, const char *behind)
{
	static struct buf text;

	buf_clear(&text);
	buf_addz(&text, before);
	while (n--)
		buf_addz(&text, often);
	buf_addz(&text, behind);
	return buf_str(&text);
}

TEST(all_is_bounded)
{
	CHECK_INT(reads(repeated("<feedback>", "<record/>", REPORT_ITEMS_MOST + 1,
			  "</feedback>")),
		-1);
	CHECK_STR(str_c(why.text), "line 1: more than 100000 records and results");
	CHECK_INT(reads(repeated("<feedback>", "<a>", 200, "")), -1);
	CHECK_STR(str_c(why.text), "line 1: elements within elements, too many");
	CHECK_INT(reads(repeated("<feedback><policy_published><domain>", "a", 5000,
			  "</domain></policy_published></feedback>")),
		0);
	CHECK_INT((long long)report.domain.len, REPORT_TEXT_MOST);
	CHECK_INT(reads(repeated("", " ", REPORT_PACKED_MOST + 1, "")), -1);
	CHECK_STR(str_c(why.text), "larger than 16777216 octets");
}

/* ---- packed, and in mails ---- */

/* <feedback><policy_published><domain>a.example</domain></policy_published></feedback> */
#define TINY \
	"<feedback><policy_published><domain>a.example</domain></policy_published></" \
	"feedback>"
#define DEFLATED \
	"7NJS01NSUpMzrazKcjPyUyujC8oTcrJLM5ITbGzScnPTczMs0vUS61IzC3ISbXRh4rY6GMq1oebBAA"
#define DEFLATED_ZIP \
	"S01NSUpMzrazKcjPyUyujC8oTcrJLM5ITbGzScnPTczMs0vUS61IzC3ISbXRh4rY6GMq1oebBAA="
#define STORED_ZIP \
	"xmZWVkYmFjaz48cG9saWN5X3B1Ymxpc2hlZD48ZG9tYWluPmEuZXhhbXBsZTwvZG9tYWluPjwvcG9s" \
	"aWN5X3B1Ymxpc2hlZD48L2ZlZWRiYWNrPg=="
#define QUOTED \
	"<feedback><policy_=\r\npublished><domain>a=2Eexample</domain></" \
	"policy_published>" \
	"</feedback>"
#define GZIP "H4sIAAAAAAAAA" DEFLATED "C+a64VAAAAA=="

/* In base64. */
static const struct {
	const char *base64, *trouble;
} packed[] = {
	{ GZIP, "" },
	/* a zip; one that has its sizes behind the data; one that is not packed */
	{ "UEsDBBQAAAAIAAAAAAAC+a64OgAAAFQAAAABAAAAcrNJ" DEFLATED_ZIP, "" },
	{ "UEsDBBQACAAIAAAAAAAAAAAAAAAAAFQAAAABAAAAcrNJ" DEFLATED_ZIP, "" },
	{ "UEsDBBQAAAAAAAAAAAAC+a64VAAAAFQAAAABAAAAcj" STORED_ZIP, "" },
	{ "UEsDBBQAAAAAAAAAAAABAAAAVAAAAFQAAAABAAAAcj" STORED_ZIP,
		"damaged, or not whole" },
	{ "UEsDBBQAAQAIAAAAAAAC+a64OgAAAFQAAAABAAAAcrNJ" DEFLATED_ZIP, "encrypted" },
	{ "UEsDBBQAAAAMAAAAAAAC+a64OgAAAFQAAAABAAAAcrNJ" DEFLATED_ZIP,
		"packed in a way that reports are not" },
	/* a member without a byte */
	{ "UEsDBBQAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAcg==", "line 1: no element found" },
	/* cut; and a CRC that is not right */
	{ "H4sIAAAAAAAAA7NJS01NSUpMzrazKcjP", "damaged, or not whole" },
	{ "H4sIAAAAAAAAA" DEFLATED "A+a64VAAAAA==", "damaged, or not whole" },
};

TEST(packed_reports_are_read)
{
	for (size_t i = 0; i < COUNT(packed); i++) {
		struct buf bytes CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		CHECK_INT(base64_decode(str_c(packed[i].base64), &bytes), 0);
		CHECK_INT(reads(buf_str(&bytes)), packed[i].trouble[0] ? -1 : 0);
		CHECK_STR(str_c(why.text), packed[i].trouble);
		if (!packed[i].trouble[0])
			CHECK_STR(report.domain, "a.example");
	}
}

TEST(what_grows_too_large_is_refused)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;

	CHECK_INT(base64_decode(STR(GZIP), &bytes), 0);
	CHECK_INT(report_unpack(buf_str(&bytes), 84, &out, &why), 0);
	CHECK_STR(buf_str(&out), TINY);
	CHECK_INT(report_unpack(buf_str(&bytes), 83, &out, &why), -1);
	CHECK_STR(str_c(why.text), "too large when unpacked");
}

#define MIXED \
	"Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble " \
	"<feedback>\r\n--x\r\n"

static const struct {
	const char *mail, *trouble;
} mails[] = {
	{ "Subject: report\r\nContent-Type: application/gzip\r\n"
	  "Content-Transfer-Encoding: base64\r\n\r\n" GZIP "\r\n",
		"" },
	/* behind text for people, in HTML; lines end as files of Unix have them */
	{ MIXED "Content-Type: text/html\r\n\r\n<p>report</p>\r\n--x\r\n"
		"Content-Type: application/octet-stream\r\n"
		"Content-Transfer-Encoding: BASE64\r\n\r\nH4sIAAAAAAAAA\r\n" DEFLATED
		"\r\nC+a64VAAAAA==\r\n--x--\r\nbye\r\n",
		"" },
	{ "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: "
	  "text/xml\n\n" TINY "\n--x--\n",
		"" },
	{ MIXED "Content-Transfer-Encoding: quoted-printable\r\n\r\n" QUOTED
		"\r\n--x--\r\n",
		"" },
	/* text that asks for feedback, as Microsoft's does; a prologue and a prefix */
	{ MIXED "Content-Type: text/html\r\n\r\n<div>For feedback</div>\r\n--x\r\n\r\n"
		"<?xml version=\"1.0\"?>\r\n<!-- none -->\r\n<d:feedback xmlns:d=\"u\">"
		"<d:policy_published><d:domain>a.example</d:domain></d:policy_published>"
		"</d:feedback>\r\n--x--\r\n",
		"" },
	/* a mail that was handed on as an attachment */
	{ MIXED "Content-Type: message/rfc822\r\n\r\nSubject: report\r\n\r\n" TINY
		"\r\n--x--\r\n",
		"" },
	{ MIXED "Content-Type: text/plain\r\n\r\n<p>none</p>\r\n--x--\r\n",
		"neither a report nor a mail with one" },
	{ MIXED "Content-Transfer-Encoding: base64\r\n\r\nH4sI!\r\n--x--\r\n",
		"neither a report nor a mail with one" },
	{ "Subject: report\n\nPK\3\4", "damaged, or not whole" },
};

TEST(mails_are_read)
{
	for (size_t i = 0; i < COUNT(mails); i++) {
		test_row(i);
		CHECK_INT(reads(str_c(mails[i].mail)), mails[i].trouble[0] ? -1 : 0);
		CHECK_STR(str_c(why.text), mails[i].trouble);
		if (!mails[i].trouble[0])
			CHECK_STR(report.domain, "a.example");
	}
}

TEST_MAIN()
