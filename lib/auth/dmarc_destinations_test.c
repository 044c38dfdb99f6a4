/* dmarc_destinations_test.c -- who gets reports: rows of "name record|name record". */
#include "dmarc_destinations.h"
#include "test.h"

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	struct str zone = *(struct str *)arg, item, owner;
	struct dns_rr *records = arena_alloc(arena, 4 * sizeof(*records));

	(void)until;
	*said = (struct dns_reply){ .status = DNS_NXDOMAIN, .records = records };
	while (str_split(&zone, '|', &item)) {
		if (!str_split(&item, ' ', &owner) || !str_eq(owner, name) || type != 16)
			continue;
		said->status = str_is(item, "SERVFAIL") ? DNS_TEMPFAIL : DNS_OK;
		records[said->n_records++] = (struct dns_rr){ .type = 16, .data = item };
	}
	return (enum dns_status)said->status;
}

#define A      "_dmarc.a.example v=DMARC1; p=none; rua="
#define WANTED "a.example._report._dmarc."

static const struct {
	struct str zone;
	const char *want; /* addresses, each with its limit; "doubt" */
} cases[] = {
	{ STR_INIT("_dmarc.b.example v=DMARC1; p=none"), "" },
	{ STR_INIT("_dmarc.a.example v=DMARC1; p=none"), "" },
	{ STR_INIT(A "mailto:r@a.example"), "r@a.example 0," },
	{ STR_INIT(A "mailto:r@a.example!10m, mailto:s@a.example!3"),
		"r@a.example 10485760,s@a.example 3," },
	{ STR_INIT(A "mailto:r@a.example!5x"), "r@a.example 1," },
	/* the same organization, above or below it */
	{ STR_INIT(A "mailto:r@x.a.example"), "r@x.a.example 0," },
	{ STR_INIT(A "mailto:r@example|_dmarc.example v=DMARC1; p=none"),
		"r@example 0," },
	{ STR_INIT(A "mailto:r@example|_dmarc.example v=DMARC1; p=none; psd=y"), "" },
	/* another one: only when it says so */
	{ STR_INIT(A "mailto:r@b.example"), "" },
	{ STR_INIT(A "mailto:r@b.example|" WANTED "b.example v=DMARC1"),
		"r@b.example 0," },
	{ STR_INIT(A "mailto:r@b.example|" WANTED "b.example v=spf1"), "" },
	/* and at which of its addresses */
	{ STR_INIT(A "mailto:r@b.example!1k|" WANTED
		     "b.example v=DMARC1; rua=mailto:s@c.example,mailto:t@B.example!2"),
		"t@B.example 2," },
	{ STR_INIT(A "mailto:r@b.example|" WANTED
		     "b.example v=DMARC1; rua=mailto:s@c.example"),
		"r@b.example 0," },
	{ STR_INIT(A "mailto:r@b.example|" WANTED "b.example SERVFAIL"), "doubt" },
	{ STR_INIT(A "mailto:r@b.example|_dmarc.b.example SERVFAIL"), "doubt" },
	{ STR_INIT("_dmarc.a.example SERVFAIL"), "doubt" },
	/* two records are none */
	{ STR_INIT(A "mailto:r@a.example|" A "mailto:r@a.example"), "" },
	/* what is no address, or would be an option */
	{ STR_INIT(A "https://a.example/r"), "" },
	{ STR_INIT(A "mailto:a.example"), "" },
	{ STR_INIT(A "mailto:-oQ@a.example"), "" },
	{ STR_INIT(A "mailto:r%0a@a.example"), "" },
	{ STR_INIT(A "mailto:r\n@a.example"), "" },
	{ STR_INIT(A "mailto:@a.example"), "" },
	{ STR_INIT(A "mailto:\0r@a.example"), "" },
};

TEST(destinations_are_those_that_want_them)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct str zone = cases[i].zone;
		struct auth_dns dns = { .ask = ask, .arg = &zone };
		struct dmarc_destinations d;

		test_row(i);
		dmarc_destinations(&dns, STR("a.example"), arena, DEADLINE_NEVER, &d);
		for (size_t k = 0; k < d.n; k++)
			buf_printf(&got, STR_FMT " %llu,", STR_ARG(d.items[k].address),
				(unsigned long long)d.items[k].most);
		buf_addz(&got, d.in_doubt ? "doubt" : "");
		CHECK_STR(str_c(buf_cstr(&got)), cases[i].want);
	}
}
