/* dmarc_store_test.c -- what was seen, from the file to the report and back. */
#include "dmarc_store.h"
#include "dkim_verify.h"
#include "dmarc.h"
#include "dmarc_report.h"
#include "spf.h"
#include "test.h"
#include <stdio.h>
#include <unistd.h>

static struct dkim_verdict signature = {
	.result = DKIM_PASS, .domain = STR_INIT("a.example"), .selector = STR_INIT("s1")
};

static struct dmarc_seen
seen_at(uint64_t at, struct str record, struct str client)
{
	return (struct dmarc_seen){ .at = at,
		.record = record,
		.client = client,
		.author = STR("x.a.example"),
		.sender = STR("b<&>\n.example"),
		.disposition = DMARC_QUARANTINE,
		.reason = DEPART_ARC,
		.dkim = true,
		.spf_result = SPF_SOFTFAIL,
		.spf_domain = STR("b.example"),
		.signatures = &signature,
		.n_signatures = 1 };
}

static void
put(struct buf *out, uint64_t at, struct str record, struct str client)
{
	struct dmarc_seen seen = seen_at(at, record, client);

	dmarc_store_put(out, &seen);
}

TEST(messages_become_rows_of_reports)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf store CLEANUP(buf_free) = BUF_INIT;
	struct dmarc_collection c;

	put(&store, 200, STR("a.example"), STR("192.0.2.1"));
	put(&store, 100, STR("a.example"), STR("192.0.2.1"));
	put(&store, 300, STR("c.example"), STR("192.0.2.1"));
	put(&store, 400, STR("a.example"), STR("192.0.2.2"));
	put(&store, 400, STR("no domain\n"), STR("192.0.2.2"));
	buf_addz(&store, "\xff\xff\xff\xffrest");
	dmarc_collect(buf_str(&store), arena, &c);
	CHECK_INT((long long)c.damaged, 8);
	CHECK_INT((long long)c.domains.n, 2);
	CHECK_STR(c.domains.items[0].report.domain, "a.example");
	CHECK_INT((long long)c.domains.items[0].report.begin, 100);
	CHECK_INT((long long)c.domains.items[0].report.end, 400);
	CHECK_INT((long long)c.domains.items[0].report.rows.n, 2);
	CHECK_INT((long long)c.domains.items[0].report.rows.items[0].count, 2);
	CHECK_INT((long long)c.domains.items[1].report.rows.n, 1);
	/* What it was made of makes it again. */
	buf_clear(&store);
	buf_add(&store, buf_str(&c.domains.items[0].seen));
	dmarc_collection_free(&c);
	dmarc_collect(buf_str(&store), arena, &c);
	CHECK_INT((long long)c.damaged, 0);
	CHECK_INT((long long)c.domains.items[0].report.rows.n, 2);
	dmarc_collection_free(&c);
}

TEST(what_is_written_can_be_read)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf store CLEANUP(buf_free) = BUF_INIT, xml CLEANUP(buf_free) = BUF_INIT,
			 packed CLEANUP(buf_free) = BUF_INIT;
	struct dmarc_collection c;
	struct dmarc_report *sent, read;
	const struct dmarc_report_row *row;
	struct why why = { .text = "" };

	put(&store, 100, STR("a.example"), STR("192.0.2.1"));
	dmarc_collect(buf_str(&store), arena, &c);
	sent = &c.domains.items[0].report;
	sent->organization = STR("R & \xc3\xa9\xff");
	sent->email = STR("d@r.example");
	sent->id = STR("1@r.example");
	sent->p = STR("reject");
	sent->testing = STR("y");
	dmarc_report_write(sent, &xml);
	report_pack(buf_str(&xml), &packed);
	CHECK_INT(dmarc_report_read(buf_str(&packed), arena, &read, &why), 0);
	CHECK_STR(str_c(why.text), "");
	CHECK_STR(read.organization, "R & \xc3\xa9?");
	CHECK_STR(read.email, "d@r.example");
	CHECK_STR(read.id, "1@r.example");
	CHECK_INT((long long)read.begin, 100);
	CHECK_STR(read.domain, "a.example");
	CHECK_STR(read.p, "reject");
	CHECK_STR(read.testing, "y");
	CHECK_INT((long long)read.rows.n, 1);
	row = &read.rows.items[0];
	CHECK_STR(row->source, "192.0.2.1");
	CHECK_INT((long long)row->count, 1);
	CHECK_STR(row->disposition, "quarantine");
	CHECK_STR(row->dkim, "pass");
	CHECK_STR(row->spf, "fail");
	CHECK_STR(row->header_from, "x.a.example");
	CHECK_STR(row->envelope_from, "b<&>?.example");
	CHECK_STR(row->signatures->domain, "a.example");
	CHECK_STR(row->signatures->selector, "s1");
	CHECK_STR(row->signatures->result, "pass");
	CHECK_STR(row->senders->domain, "b.example");
	CHECK_STR(row->senders->selector, "mfrom");
	CHECK_STR(row->senders->result, "softfail");
	CHECK_STR(row->reasons->domain, "trusted_forwarder");
	CHECK_STR(row->reasons->result, "arc=pass");
	dmarc_report_free(&read);
	dmarc_collection_free(&c);
}

TEST(the_store_is_emptied_once)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT, aside CLEANUP(buf_free) = BUF_INIT,
			got CLEANUP(buf_free) = BUF_INIT;
	int store CLEANUP(fd_close) = -1, first CLEANUP(fd_close) = -1, again = -1;

	buf_printf(&path, "%s/store", test_dir());
	buf_printf(&aside, "%s/store.sending", test_dir());
	store = dmarc_store_open(buf_cstr(&path));
	CHECK(store >= 0);
	CHECK_INT(dmarc_store_add(store, STR("one")), 0);
	CHECK_INT(dmarc_store_add(store, STR("two")), 0);
	CHECK_INT(dmarc_store_take(store, buf_cstr(&aside), &first, &got), 0);
	CHECK_STR(buf_str(&got), "onetwo");
	/* While it is sent nobody else takes any. */
	CHECK_INT(dmarc_store_add(store, STR("three")), 0);
	CHECK_INT(dmarc_store_take(store, buf_cstr(&aside), &again, &got), -1);
	CHECK_INT(errno, EWOULDBLOCK);
	/* A sender that died: the same again, then what came since. */
	fd_close(&first);
	buf_clear(&got);
	CHECK_INT(dmarc_store_take(store, buf_cstr(&aside), &first, &got), 0);
	CHECK_STR(buf_str(&got), "onetwo");
	CHECK_INT(ftruncate(first, 0), 0);
	fd_close(&first);
	buf_clear(&got);
	CHECK_INT(dmarc_store_take(store, buf_cstr(&aside), &first, &got), 0);
	CHECK_STR(buf_str(&got), "three");
}

TEST(the_store_has_a_limit_and_is_no_link)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT, other CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	buf_printf(&path, "%s/full", test_dir());
	buf_printf(&other, "%s/link", test_dir());
	fd = dmarc_store_open(buf_cstr(&path));
	CHECK_INT(ftruncate(fd, DMARC_STORE_MOST - 1), 0);
	CHECK_INT(dmarc_store_add(fd, STR("ab")), -1);
	CHECK_INT(errno, EFBIG);
	CHECK_INT(dmarc_store_add(fd, STR("a")), 0);
	CHECK_INT(symlink(buf_cstr(&path), buf_cstr(&other)), 0);
	CHECK_INT(dmarc_store_open(buf_cstr(&other)), -1);
	unlink(buf_cstr(&other));
	CHECK_INT(link(buf_cstr(&path), buf_cstr(&other)), 0);
	CHECK_INT(dmarc_store_open(buf_cstr(&other)), -1);
}
