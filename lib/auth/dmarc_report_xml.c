/* dmarc_report_xml.c -- aggregate reports in XML (RFC 9990 section 3 and appendix A),
 * read by expat. Elements that nobody here knows are passed over, as are namespaces:
 * reporters differ in both. A document type is refused: no report needs one, and entities
 * are what bombs are made of. */
#include "dmarc_report.h"
#include <expat.h>

enum { PATH_MOST = 300 };

/* Where an element's text goes. */
enum owner { REPORT, ROW, DETAIL };
static const struct element {
	const char *path; /* below feedback */
	enum owner owner;
	size_t offset;
	bool is_number;
} elements[] = {
#define IN(type, field) offsetof(struct type, field)
	{ "/report_metadata/org_name", REPORT, IN(dmarc_report, organization), false },
	{ "/report_metadata/email", REPORT, IN(dmarc_report, email), false },
	{ "/report_metadata/extra_contact_info", REPORT, IN(dmarc_report, extra_contact),
		false },
	{ "/report_metadata/report_id", REPORT, IN(dmarc_report, id), false },
	{ "/report_metadata/generator", REPORT, IN(dmarc_report, generator), false },
	{ "/report_metadata/error", REPORT, IN(dmarc_report, error), false },
	{ "/report_metadata/date_range/begin", REPORT, IN(dmarc_report, begin), true },
	{ "/report_metadata/date_range/end", REPORT, IN(dmarc_report, end), true },
	{ "/policy_published/domain", REPORT, IN(dmarc_report, domain), false },
	{ "/policy_published/p", REPORT, IN(dmarc_report, p), false },
	{ "/policy_published/sp", REPORT, IN(dmarc_report, sp), false },
	{ "/policy_published/np", REPORT, IN(dmarc_report, np), false },
	{ "/policy_published/adkim", REPORT, IN(dmarc_report, adkim), false },
	{ "/policy_published/aspf", REPORT, IN(dmarc_report, aspf), false },
	{ "/policy_published/testing", REPORT, IN(dmarc_report, testing), false },
	{ "/policy_published/pct", REPORT, IN(dmarc_report, pct), false },
	{ "/record/row/source_ip", ROW, IN(dmarc_report_row, source), false },
	{ "/record/row/count", ROW, IN(dmarc_report_row, count), true },
	{ "/record/row/policy_evaluated/disposition", ROW,
		IN(dmarc_report_row, disposition), false },
	{ "/record/row/policy_evaluated/dkim", ROW, IN(dmarc_report_row, dkim), false },
	{ "/record/row/policy_evaluated/spf", ROW, IN(dmarc_report_row, spf), false },
	{ "/record/row/policy_evaluated/reason/type", DETAIL,
		IN(dmarc_report_detail, domain), false },
	{ "/record/row/policy_evaluated/reason/comment", DETAIL,
		IN(dmarc_report_detail, result), false },
	{ "/record/identifiers/header_from", ROW, IN(dmarc_report_row, header_from),
		false },
	{ "/record/identifiers/envelope_from", ROW, IN(dmarc_report_row, envelope_from),
		false },
	{ "/record/identifiers/envelope_to", ROW, IN(dmarc_report_row, envelope_to),
		false },
	{ "/record/auth_results/dkim/domain", DETAIL, IN(dmarc_report_detail, domain),
		false },
	{ "/record/auth_results/dkim/selector", DETAIL, IN(dmarc_report_detail, selector),
		false },
	{ "/record/auth_results/dkim/result", DETAIL, IN(dmarc_report_detail, result),
		false },
	{ "/record/auth_results/spf/domain", DETAIL, IN(dmarc_report_detail, domain),
		false },
	{ "/record/auth_results/spf/scope", DETAIL, IN(dmarc_report_detail, selector),
		false },
	{ "/record/auth_results/spf/result", DETAIL, IN(dmarc_report_detail, result),
		false },
#undef IN
};
/* Those that begin a detail, and the list it goes to. */
static const struct {
	const char *path;
	size_t offset;
} details[] = {
	{ "/record/row/policy_evaluated/reason",
		offsetof(struct dmarc_report_row, reasons) },
	{ "/record/auth_results/dkim", offsetof(struct dmarc_report_row, signatures) },
	{ "/record/auth_results/spf", offsetof(struct dmarc_report_row, senders) },
};

struct reading {
	XML_Parser parser;
	struct arena *arena;
	struct dmarc_report *report;
	struct dmarc_report_detail *detail; /* of the row in hand, or NULL */
	struct buf path, text;
	bool begun;
	size_t items;
	struct why *why;
	bool failed;
};

PRINTF(2, 3) static void fail(struct reading *r, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	if (r->failed)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	why_set(r->why, "5.6.0", "line %lu: %s",
		(unsigned long)XML_GetCurrentLineNumber(r->parser), buf_cstr(&text));
	r->failed = true;
	XML_StopParser(r->parser, XML_FALSE);
}

/* ---- elements ---- */

static struct dmarc_report_row *
row_of(struct reading *r)
{
	return r->report->rows.n ? &r->report->rows.items[r->report->rows.n - 1] : NULL;
}

static bool
has_room(struct reading *r)
{
	if (++r->items > REPORT_ITEMS_MOST)
		fail(r, "more than %d records and results", REPORT_ITEMS_MOST);
	return !r->failed;
}

static void
begin_detail(struct reading *r, size_t offset)
{
	struct dmarc_report_row *row = row_of(r);
	struct dmarc_report_detail **list;

	if (!row || !has_room(r))
		return;
	list = (struct dmarc_report_detail **)((char *)row + offset);
	r->detail = arena_alloc(r->arena, sizeof(*r->detail));
	r->detail->next = *list;
	*list = r->detail;
}

static void
on_start(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;
	const char *colon = strrchr(name, ':'); /* of a namespace */
	struct str local = str_c(colon ? colon + 1 : name);

	(void)attributes;
	buf_clear(&r->text);
	if (!r->begun) {
		r->begun = true;
		if (!str_is(local, "feedback"))
			fail(r, "not an aggregate report, which begins with <feedback>");
		return;
	}
	if (r->path.len + local.len > PATH_MOST) {
		fail(r, "elements within elements, too many");
		return;
	}
	buf_addc(&r->path, '/');
	buf_add(&r->path, local);
	if (str_is(buf_str(&r->path), "/record")) {
		r->detail = NULL;
		if (has_room(r))
			(void)vec_push(&r->report->rows);
	}
	for (size_t i = 0; i < COUNT(details); i++)
		if (str_is(buf_str(&r->path), details[i].path))
			begin_detail(r, details[i].offset);
}

static void
on_text(void *arg, const char *data, int len)
{
	struct reading *r = arg;

	buf_add(&r->text,
		str_sub(str_of(data, (size_t)len), 0, REPORT_TEXT_MOST - r->text.len));
}

static void
take(struct reading *r, const struct element *e, void *owner)
{
	struct str text = str_trim(buf_str(&r->text));
	void *field = (char *)owner + e->offset;

	if (!e->is_number)
		*(struct str *)field = arena_str(r->arena, text);
	else if (str_to_u64(text, field) < 0 || *(uint64_t *)field > UINT32_MAX)
		fail(r, "no number in <%s>", strrchr(e->path, '/') + 1);
}

static void
on_end(void *arg, const char *name)
{
	struct reading *r = arg;
	void *owners[] = {
		[REPORT] = r->report, [ROW] = row_of(r), [DETAIL] = r->detail
	};
	ssize_t slash = str_rchr(buf_str(&r->path), '/');

	(void)name;
	for (size_t i = 0; i < COUNT(elements); i++)
		if (str_is(buf_str(&r->path), elements[i].path) &&
			owners[elements[i].owner])
			take(r, &elements[i], owners[elements[i].owner]);
	buf_clear(&r->text);
	if (slash >= 0)
		r->path.len = (size_t)slash;
}

static void
on_doctype(
	void *arg, const char *name, const char *system, const char *public, int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	fail(arg, "a document type, which no report has");
}

/* ---- a document ---- */

/* Lists were built from their ends. */
static struct dmarc_report_detail *
reversed(struct dmarc_report_detail *list)
{
	struct dmarc_report_detail *out = NULL, *next;

	for (; list; list = next) {
		next = list->next;
		list->next = out;
		out = list;
	}
	return out;
}

int
dmarc_report_parse(
	struct str xml, struct arena *arena, struct dmarc_report *out, struct why *why)
{
	struct reading r = { .arena = arena, .report = out, .why = why };

	ensure(xml.len <= REPORT_UNPACKED_MOST);
	*out = (struct dmarc_report){ .begin = 0 };
	r.parser = XML_ParserCreate(NULL);
	if (!r.parser)
		mem_exhausted(0);
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, xml.data, (int)xml.len, XML_TRUE) != XML_STATUS_OK)
		fail(&r, "%s", XML_ErrorString(XML_GetErrorCode(r.parser)));
	else if (!out->domain.len)
		fail(&r, "no domain in <policy_published>");
	for (size_t i = 0; i < out->rows.n; i++) {
		struct dmarc_report_row *row = &out->rows.items[i];

		row->signatures = reversed(row->signatures);
		row->senders = reversed(row->senders);
		row->reasons = reversed(row->reasons);
	}
	XML_ParserFree(r.parser);
	buf_free(&r.path);
	buf_free(&r.text);
	return r.failed ? -1 : 0;
}

void
dmarc_report_free(struct dmarc_report *r)
{
	vec_free(&r->rows);
}
