/* dmarc_report_collect.c -- what cleanup wrote down, sorted by the domains that it is
 * reported to, and counted. */
#include "dkim_sign.h"
#include "dmarc_report.h"
#include "dmarc_store.h"
#include "results.h"

/* How the reports of RFC 9990 name it, and what they add. */
static const struct {
	const char *type, *comment;
} departures[] = {
	[DEPART_NOT] = { NULL, NULL },
	[DEPART_TEST] = { "policy_test_mode", "" },
	[DEPART_ARC] = { "trusted_forwarder", "arc=pass" },
	[DEPART_LOCAL] = { "local_policy", "policies are only watched here" },
};

static struct dmarc_report_detail *
detail_new(
	struct arena *arena, struct str domain, struct str selector, const char *result)
{
	struct dmarc_report_detail *d = arena_alloc(arena, sizeof(*d));

	*d = (struct dmarc_report_detail){
		.domain = domain, .selector = selector, .result = str_c(result)
	};
	return d;
}

static struct str
pass_or_fail(bool passes)
{
	return passes ? STR("pass") : STR("fail");
}

static void
fill_row(struct dmarc_report_row *row, const struct dmarc_seen *seen, struct arena *arena)
{
	*row = (struct dmarc_report_row){ .source = seen->client,
		.count = 1,
		.disposition =
			str_c(dmarc_policy_name((enum dmarc_policy)seen->disposition)),
		.dkim = pass_or_fail(seen->dkim),
		.spf = pass_or_fail(seen->spf),
		.header_from = seen->author,
		.envelope_from = seen->sender };
	for (size_t i = seen->n_signatures; i > 0; i--) {
		const struct dkim_verdict *v = &seen->signatures[i - 1];
		struct dmarc_report_detail *d = detail_new(arena, v->domain, v->selector,
			dkim_result_name((enum dkim_result)v->result));

		d->next = row->signatures;
		row->signatures = d;
	}
	if (seen->spf_domain.len > 0)
		row->senders = detail_new(arena, seen->spf_domain,
			seen->sender.len > 0 ? STR("mfrom") : STR("helo"),
			spf_result_name((enum spf_result)seen->spf_result));
	if (departures[seen->reason].type)
		row->reasons = detail_new(arena, str_c(departures[seen->reason].type),
			STR_NONE, departures[seen->reason].comment);
}

/* Cleanup, which reads what strangers write, made it. */
static bool
is_good(const struct dmarc_seen *seen)
{
	for (size_t i = 0; i < seen->n_signatures; i++)
		if (seen->signatures[i].result > DKIM_PERMERROR)
			return false;
	return seen->disposition <= DMARC_REJECT && seen->reason < COUNT(departures) &&
	       seen->spf_result <= SPF_PERMERROR && dkim_name_is_domain(seen->record);
}

/* Numbers from 1 on in a map: where something is in a vector. */
static size_t
place_of(struct map *map, struct str key, size_t next)
{
	size_t at = (size_t)(uintptr_t)map_get(map, key);

	if (at > 0)
		return at - 1;
	map_set(map, key, (void *)(uintptr_t)(next + 1));
	return next;
}

static void
take(struct dmarc_collection *c, struct map *domains, struct map *kinds,
	const struct dmarc_seen *seen, struct str bytes, struct arena *arena)
{
	struct buf kind CLEANUP(buf_free) = BUF_INIT;
	struct dmarc_seen timeless = *seen;
	size_t at = place_of(domains, seen->record, c->domains.n), row;
	struct dmarc_collected *one;

	if (at == c->domains.n) {
		one = vec_push(&c->domains);
		one->report.domain = seen->record;
		one->report.begin = seen->at;
	}
	one = &c->domains.items[at];
	one->report.begin = MIN(one->report.begin, seen->at);
	one->report.end = MAX(one->report.end, seen->at);
	buf_add(&one->seen, bytes);
	timeless.at = 0;
	dmarc_seen_put(&kind, &timeless);
	row = place_of(kinds, buf_str(&kind), one->report.rows.n);
	if (row == one->report.rows.n)
		fill_row(vec_push(&one->report.rows), seen, arena);
	else
		one->report.rows.items[row].count++;
}

void
dmarc_collect(struct str store, struct arena *arena, struct dmarc_collection *out)
{
	struct map *domains = map_new(), *kinds = map_new();
	struct dmarc_seen seen;
	struct str bytes;

	*out = (struct dmarc_collection){ .damaged = 0 };
	while (dmarc_store_next(&store, &seen, &bytes, arena))
		if (is_good(&seen))
			take(out, domains, kinds, &seen, bytes, arena);
	out->damaged = store.len;
	map_free(domains);
	map_free(kinds);
}

void
dmarc_collection_free(struct dmarc_collection *c)
{
	for (size_t i = 0; i < c->domains.n; i++) {
		dmarc_report_free(&c->domains.items[i].report);
		buf_free(&c->domains.items[i].seen);
	}
	vec_free(&c->domains);
}
