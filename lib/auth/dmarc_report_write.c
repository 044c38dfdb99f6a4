/* dmarc_report_write.c -- a report as XML, by RFC 9990 appendix A. */
#include "dmarc_report.h"

static void
put_text(struct buf *out, struct str text)
{
	while (text.len > 0) {
		uint32_t point;
		size_t len = utf8_step(text, &point);
		char c = text.data[0];

		if (c == '&')
			buf_addz(out, "&amp;");
		else if (c == '<')
			buf_addz(out, "&lt;");
		else if (c == '>')
			buf_addz(out, "&gt;");
		else if (len == 0 || point < ' ' || point == 0xfffe || point == 0xffff)
			buf_addc(out, '?');
		else
			buf_add(out, str_sub(text, 0, len));
		text = str_from(text, MAX(len, (size_t)1));
	}
}

static void
put(struct buf *out, const char *name, struct str text)
{
	buf_printf(out, "<%s>", name);
	put_text(out, text);
	buf_printf(out, "</%s>\n", name);
}

static void
put_if(struct buf *out, const char *name, struct str text)
{
	if (text.len > 0)
		put(out, name, text);
}

static void
put_head(struct buf *out, const struct dmarc_report *r)
{
	buf_addz(out, "<version>1.0</version>\n<report_metadata>\n");
	put(out, "org_name", r->organization);
	put(out, "email", r->email);
	put_if(out, "extra_contact_info", r->extra_contact);
	put(out, "report_id", r->id);
	buf_printf(out,
		"<date_range>\n<begin>%llu</begin>\n<end>%llu</end>\n</date_range>\n",
		(unsigned long long)r->begin, (unsigned long long)r->end);
	put_if(out, "error", r->error);
	put_if(out, "generator", r->generator);
	buf_addz(out, "</report_metadata>\n<policy_published>\n");
	put(out, "domain", r->domain);
	buf_addz(out, "<discovery_method>treewalk</discovery_method>\n");
	put_if(out, "p", r->p);
	put_if(out, "sp", r->sp);
	put_if(out, "np", r->np);
	put_if(out, "adkim", r->adkim);
	put_if(out, "aspf", r->aspf);
	put_if(out, "testing", r->testing);
	buf_addz(out, "</policy_published>\n");
}

static void
put_details(struct buf *out, const struct dmarc_report_detail *d, const char *element,
	const char *domain, const char *selector, const char *result)
{
	for (; d; d = d->next) {
		buf_printf(out, "<%s>\n", element);
		put(out, domain, d->domain);
		if (selector)
			put_if(out, selector, d->selector);
		put_if(out, result, d->result);
		buf_printf(out, "</%s>\n", element);
	}
}

static void
put_row(struct buf *out, const struct dmarc_report_row *row)
{
	buf_addz(out, "<record>\n<row>\n");
	put(out, "source_ip", row->source);
	buf_printf(out, "<count>%llu</count>\n<policy_evaluated>\n",
		(unsigned long long)row->count);
	put(out, "disposition", row->disposition);
	put(out, "dkim", row->dkim);
	put(out, "spf", row->spf);
	put_details(out, row->reasons, "reason", "type", NULL, "comment");
	buf_addz(out, "</policy_evaluated>\n</row>\n<identifiers>\n");
	put(out, "header_from", row->header_from);
	put(out, "envelope_from", row->envelope_from);
	buf_addz(out, "</identifiers>\n<auth_results>\n");
	put_details(out, row->signatures, "dkim", "domain", "selector", "result");
	put_details(out, row->senders, "spf", "domain", "scope", "result");
	buf_addz(out, "</auth_results>\n</record>\n");
}

void
dmarc_report_write(const struct dmarc_report *r, struct buf *out)
{
	buf_addz(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		      "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
	put_head(out, r);
	for (size_t i = 0; i < r->rows.n; i++)
		put_row(out, &r->rows.items[i]);
	buf_addz(out, "</feedback>\n");
}
