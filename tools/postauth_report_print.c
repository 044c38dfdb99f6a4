/* postauth_report_print.c -- an aggregate report of DMARC, for people and as JSON. */
#include "dmarc_report.h"
#include "json.h"
#include "postauth.h"
#include <time.h>

/* ---- for people ---- */

/* Strangers wrote it, and it may go to a terminal. */
static void
add(struct buf *line, struct str text)
{
	c_escape(text, line);
}

static void
add_named(struct buf *line, const char *before, struct str text, const char *behind)
{
	if (!text.len)
		return;
	buf_addz(line, before);
	add(line, text);
	buf_addz(line, behind);
}

static void
add_time(struct buf *line, uint64_t at)
{
	time_t seconds = (time_t)at;
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	buf_addz(line, text);
}

static void
print_line(struct buf *line)
{
	printf(STR_FMT "\n", STR_ARG(buf_str(line)));
	buf_free(line);
}

static void
print_head(const struct dmarc_report *r)
{
	struct buf line = BUF_INIT;

	add(&line, r->domain);
	add_named(&line, " (p=", r->p, "");
	add_named(&line, " sp=", r->sp, "");
	add_named(&line, " np=", r->np, "");
	buf_addz(&line, r->p.len ? "), " : ", ");
	add_time(&line, r->begin);
	buf_addz(&line, " to ");
	add_time(&line, r->end);
	buf_addz(&line, " UTC, by ");
	add(&line, r->organization);
	add_named(&line, " <", r->email, ">");
	add_named(&line, ", report ", r->id, "");
	print_line(&line);
	add_named(&line, "  error: ", r->error, "");
	if (line.len)
		print_line(&line);
}

static void
add_details(struct buf *line, const char *what, const struct dmarc_report_detail *d,
	bool is_reason)
{
	for (; d; d = d->next) {
		buf_addz(line, line->len ? "; " : "");
		buf_addz(line, what);
		if (is_reason) {
			add(line, d->domain);
			add_named(line, " (", d->result, ")");
			continue;
		}
		add(line, d->result);
		add_named(line, " ", d->domain, "");
		add_named(line, " (", d->selector, ")");
	}
}

/* Columns as wide as what stands in them. */
struct widths {
	int source, author;
};

static int
width_of(struct str text)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	add(&line, text);
	return (int)line.len;
}

static void
print_row(const struct dmarc_report_row *row, struct widths w)
{
	struct buf source CLEANUP(buf_free) = BUF_INIT,
			  author CLEANUP(buf_free) = BUF_INIT,
			  dkim CLEANUP(buf_free) = BUF_INIT,
			  spf CLEANUP(buf_free) = BUF_INIT,
			  done CLEANUP(buf_free) = BUF_INIT,
			  why CLEANUP(buf_free) = BUF_INIT;

	add(&source, row->source);
	add(&author, row->header_from);
	add(&dkim, row->dkim);
	add(&spf, row->spf);
	add(&done, row->disposition);
	add_details(&why, "dkim=", row->signatures, false);
	add_details(&why, "spf=", row->senders, false);
	add_details(&why, "", row->reasons, true);
	printf("%8llu  %-*s  %-4s  %-4s  %-10s  %-*s  %s\n",
		(unsigned long long)row->count, w.source, buf_cstr(&source),
		buf_cstr(&dkim), buf_cstr(&spf), buf_cstr(&done), w.author,
		buf_cstr(&author), buf_cstr(&why));
}

static bool
passes(const struct dmarc_report_row *row)
{
	return str_case_is(row->dkim, "pass") || str_case_is(row->spf, "pass");
}

static void
print_sums(const struct dmarc_report *r)
{
	unsigned long long all = 0, passed = 0, quarantined = 0, rejected = 0;

	for (size_t i = 0; i < r->rows.n; i++) {
		const struct dmarc_report_row *row = &r->rows.items[i];

		all += row->count;
		passed += passes(row) ? row->count : 0;
		quarantined +=
			str_case_is(row->disposition, "quarantine") ? row->count : 0;
		rejected += str_case_is(row->disposition, "reject") ? row->count : 0;
	}
	printf("%8llu  messages: %llu passed, %llu failed; %llu quarantined, %llu "
	       "rejected\n",
		all, passed, all - passed, quarantined, rejected);
}

void
postauth_print_report(const struct dmarc_report *r)
{
	struct widths w = { .source = (int)strlen("source"),
		.author = (int)strlen("author") };

	print_head(r);
	for (size_t i = 0; i < r->rows.n; i++) {
		w.source = MAX(w.source, width_of(r->rows.items[i].source));
		w.author = MAX(w.author, width_of(r->rows.items[i].header_from));
	}
	w.source = MIN(w.source, 39); /* an IPv6 address */
	w.author = MIN(w.author, 40);
	printf("%8s  %-*s  %-4s  %-4s  %-10s  %-*s  %s\n", "count", w.source, "source",
		"dkim", "spf", "done", w.author, "author", "because");
	for (size_t i = 0; i < r->rows.n; i++)
		print_row(&r->rows.items[i], w);
	print_sums(r);
}

/* ---- JSON ---- */

static void
put_pair(const char *before, const char *name, struct str value)
{
	printf("%s\"%s\":", before, name);
	json_string(stdout, value);
}

/* names: of a detail's three strings; NULL: it has none of that. */
static void
put_details(const char *list, const struct dmarc_report_detail *d, const char *domain,
	const char *selector, const char *result)
{
	printf(",\"%s\":[", list);
	for (const char *comma = ""; d; d = d->next, comma = ",") {
		printf("%s{", comma);
		put_pair("", domain, d->domain);
		if (selector)
			put_pair(",", selector, d->selector);
		put_pair(",", result, d->result);
		printf("}");
	}
	printf("]");
}

static void
put_row(const struct dmarc_report_row *row)
{
	printf("{\"count\":%llu", (unsigned long long)row->count);
	put_pair(",", "source_ip", row->source);
	put_pair(",", "disposition", row->disposition);
	put_pair(",", "dkim", row->dkim);
	put_pair(",", "spf", row->spf);
	put_pair(",", "header_from", row->header_from);
	put_pair(",", "envelope_from", row->envelope_from);
	put_pair(",", "envelope_to", row->envelope_to);
	put_details("dkim_results", row->signatures, "domain", "selector", "result");
	put_details("spf_results", row->senders, "domain", "scope", "result");
	put_details("reasons", row->reasons, "type", NULL, "comment");
	printf("}");
}

void
postauth_print_report_json(const struct dmarc_report *r)
{
	printf("{");
	put_pair("", "domain", r->domain);
	put_pair(",", "org_name", r->organization);
	put_pair(",", "email", r->email);
	put_pair(",", "extra_contact_info", r->extra_contact);
	put_pair(",", "report_id", r->id);
	put_pair(",", "generator", r->generator);
	put_pair(",", "error", r->error);
	printf(",\"begin\":%llu,\"end\":%llu", (unsigned long long)r->begin,
		(unsigned long long)r->end);
	put_pair(",", "p", r->p);
	put_pair(",", "sp", r->sp);
	put_pair(",", "np", r->np);
	put_pair(",", "adkim", r->adkim);
	put_pair(",", "aspf", r->aspf);
	put_pair(",", "testing", r->testing);
	put_pair(",", "pct", r->pct);
	printf(",\"records\":[");
	for (size_t i = 0; i < r->rows.n; i++) {
		printf("%s", i ? "," : "");
		put_row(&r->rows.items[i]);
	}
	printf("]}\n");
}
