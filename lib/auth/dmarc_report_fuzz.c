/* dmarc_report_fuzz.c -- an aggregate report in whatever form somebody sends it. */
#include "dmarc_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct dmarc_report report;
	struct why why = { .text = "" };

	if (dmarc_report_read(str_of(data, size), arena, &report, &why) < 0)
		ensure(why.text[0]);
	else
		ensure(report.domain.len > 0);
	ensure(report.rows.n <= REPORT_ITEMS_MOST);
	for (size_t i = 0; i < report.rows.n; i++)
		ensure(report.rows.items[i].source.len <= REPORT_TEXT_MOST);
	dmarc_report_free(&report);
	return 0;
}
