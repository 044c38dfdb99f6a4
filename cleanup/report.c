/* report.c -- what strangers' mail was worth to DMARC, written down for the reports to
 * their authors' domains (RFC 9990; postauth reports --send). The file is open before the
 * jail, which has none that could be written. */
#include "message.h"
#include "dmarc.h"
#include "dmarc_store.h"
#include "log.h"
#include "service.h"

static struct {
	int store; /* -1: nobody reports */
	bool complained;
} report = { .store = -1 };

void
report_open(const struct conf *c, bool has_verdicts)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	if (!c->p.dmarc_report_store.len || service_explains())
		return;
	if (!has_verdicts) {
		log_warn("dmarc_report_store: there is nothing to report without "
			 "dmarc_mode");
		return;
	}
	buf_add(&path, c->p.dmarc_report_store);
	report.store = dmarc_store_open(buf_cstr(&path));
	if (report.store < 0)
		log_warn("dmarc_report_store: %s: %m; nothing is reported",
			buf_cstr(&path));
}

/* "" for the null sender. */
static struct str
domain_of(struct str address, struct arena *arena)
{
	ssize_t at = str_rchr(address, '@');

	return at < 0 ? STR("") : arena_lower(arena, str_from(address, (size_t)at + 1));
}

/* What a report says of a signature. */
static void
take_signatures(const struct message *m, const struct mail_auth_reply *said,
	struct dmarc_seen *seen)
{
	seen->n_signatures = said->n_dkim;
	seen->signatures =
		arena_alloc(m->arena, (said->n_dkim + 1) * sizeof(*said->dkim));
	for (size_t i = 0; i < said->n_dkim; i++)
		seen->signatures[i] =
			(struct dkim_verdict){ .result = said->dkim[i].result,
				.domain = said->dkim[i].domain,
				.selector = said->dkim[i].selector };
}

void
report_message(const struct message *m, const struct mail_auth_reply *said, uint8_t done,
	uint8_t why)
{
	struct dmarc_seen seen = { .at = (uint64_t)time_wall_us() / 1000000,
		.record = said->dmarc_record,
		.client = m->envelope.client_address,
		.author = said->dmarc_domain,
		.sender = domain_of(m->envelope.sender, m->arena),
		.disposition = done,
		.reason = why,
		.dkim = said->dmarc_dkim,
		.spf = said->dmarc_spf,
		.spf_result = m->ask.spf_result,
		.spf_domain = m->ask.spf_domain };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	/* What the DNS could not tell, and who publishes nothing, is not reported. */
	if (report.store < 0 || !seen.record.len ||
		(said->dmarc_result != DMARC_PASS && said->dmarc_result != DMARC_FAIL))
		return;
	take_signatures(m, said, &seen);
	dmarc_store_put(&bytes, &seen);
	if (dmarc_store_add(report.store, buf_str(&bytes)) == 0)
		return;
	if (!report.complained)
		log_warn("dmarc_report_store: %s: %m: messages are not reported; is "
			 "postauth reports --send run each day?",
			m->queue_id);
	report.complained = true;
}
