/* Files of Postfix 3.7's queue are understood, what is cut or goes in circles is not, and
 * what we write reads as what it was made from. */
#include "postfix_file.h"
#include "test.h"

/* As Postfix wrote it, but for the client's attributes. */
#define DSN_FILE \
	"C_            301             833               2              20             " \
	"301               7" \
	"T\x11" \
	"1795720598 245478" \
	"A\x16" \
	"create_time=1795720598" \
	"A\x15" \
	"rewrite_context=local" \
	"A\x11" \
	"envelope_id=abc+d" \
	"A\x0b" \
	"ret_flags=2" \
	"S\r" \
	"dsn@x.example" \
	"A\x15" \
	"client_name=localhost" \
	"A\x18" \
	"client_address=127.0.0.1" \
	"A\x12" \
	"server_port=127811" \
	"K\x10" \
	"trace_flags=1024" \
	"V\x02" \
	"+=" \
	"W\x0f" \
	"     1795734998" \
	"A\x0f" \
	"notify_flags=10" \
	"A%" \
	"dsn_orig_rcpt=rfc822;orig@bad.example" \
	"O\x0e" \
	"u4@bad.example" \
	"R\x0e" \
	"u4@bad.example" \
	"A\x0e" \
	"notify_flags=2" \
	"O\x06" \
	"u5@old" \
	"D\x0f" \
	"u5@good.example" \
	"M\x00" \
	"N\x0a" \
	"Subject: d" \
	"L\x04" \
	"half" \
	"N\x05" \
	" line" \
	"N\x00" \
	"w\x04" \
	"gone" \
	"N\x04" \
	"body" \
	"X\x00" \
	"A\x0d" \
	"encoding=8bit" \
	"L\x12" \
	"smtp:[127.0.0.1]:1" \
	"E\x00"

static struct arena *arena;
static struct postfix_message m;
static struct buf content;

static int
get(struct str file)
{
	buf_clear(&content);
	return postfix_get(file, arena, &m, &content);
}

static struct str
attribute(size_t i)
{
	return i < m.envelope.attributes.n ? m.envelope.attributes.items[i] : STR_NONE;
}

static void
check_dsn_message(void)
{
	const struct envelope *e = &m.envelope;

	CHECK_INT((long long)e->arrival_us, 1795720598245478);
	CHECK_STR(e->sender, "dsn@x.example");
	CHECK_STR(e->envid, "abc+d");
	CHECK_INT(e->ret, RET_HDRS);
	CHECK_STR(e->client_name, "localhost");
	CHECK_STR(e->client_address, "127.0.0.1");
	CHECK_INT(e->flags, ENVELOPE_REWRITE | ENVELOPE_8BIT | ENVELOPE_SMTPUTF8);
	CHECK_INT((long long)e->attributes.n, 3);
	CHECK_INT((long long)e->n_rcpts, 2);
	CHECK_STR(e->rcpts[0].address, "u4@bad.example");
	CHECK(!e->rcpts[0].original.data);
	CHECK_STR(e->rcpts[0].orcpt, "rfc822;orig@bad.example");
	CHECK_INT(e->rcpts[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	CHECK_STR(e->rcpts[1].address, "u5@good.example");
	CHECK_STR(e->rcpts[1].original, "u5@old");
	CHECK_INT(e->rcpts[1].notify, NOTIFY_SUCCESS);
	CHECK(!m.done[0] && m.done[1]);
	CHECK(!m.delay_sent);
	CHECK_STR(buf_str(&content), "Subject: d\nhalf line\n\nbody\n");
}

TEST(a_message_of_postfix)
{
	struct str file = STR(DSN_FILE);

	arena = arena_new();
	CHECK_INT(get(file), 0);
	check_dsn_message();
	CHECK_STR(attribute(0), "server_port=127811");
	CHECK_STR(attribute(1), "verp_delimiters=+=");
	CHECK_STR(attribute(2), "content_filter=smtp:[127.0.0.1]:1");
	CHECK_STR(str_sub(file, (size_t)m.offsets[0], 16), "R\x0eu4@bad.example");
	for (size_t cut = 0; cut < file.len; cut++)
		CHECK(get(str_sub(file, 0, cut)) < 0);
	arena_free(arena);
}

static const struct {
	struct str file;
	const char *text; /* NULL: not a message */
} files[] = {
	/* Local mail before pickup had it. */
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "N\x01"
		   "v"
		   "X\x00"
		   "E\x00"),
		"v\n" },
	/* A pointer to behind a line, one that points nowhere, circles, past the end. */
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "p\x02"
		   "19"
		   "N\x01"
		   "v"
		   "N\x01"
		   "w"
		   "X\x00"
		   "E\x00"),
		"w\n" },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "p\x01"
		   "0"
		   "N\x01"
		   "v"
		   "X\x00"
		   "E\x00"),
		"v\n" },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "N\x01"
		   "v"
		   "p\x02"
		   "12"
		   "X\x00"
		   "E\x00"),
		NULL },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "p\x02"
		   "99"
		   "X\x00"
		   "E\x00"),
		NULL },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "p\x01"
		   "-"
		   "X\x00"
		   "E\x00"),
		NULL },
	/* Without sender, recipient, time, content; content twice; lengths that lie. */
	{ STR_INIT("T\x03"
		   "1 2"
		   "R\x01"
		   "a"
		   "M\x00"
		   "X\x00"
		   "E\x00"),
		NULL },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "M\x00"
		   "X\x00"
		   "E\x00"),
		NULL },
	{ STR_INIT("S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "X\x00"
		   "E\x00"),
		NULL },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "E\x00"),
		NULL },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "M\x00"
		   "X\x00"
		   "M\x00"
		   "X\x00"
		   "E\x00"),
		NULL },
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x7f"
		   "a"),
		NULL },
	{ STR_INIT("T\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), NULL },
	{ STR_INIT(""), NULL },
	/* All of it goes to another one. */
	{ STR_INIT("T\x03"
		   "1 2"
		   "S\x00"
		   "R\x01"
		   "a"
		   "R\x01"
		   "b"
		   "M\x00"
		   "X\x00"
		   ">\x01"
		   "c"
		   "E\x00"),
		"" },
};

TEST(files)
{
	for (size_t i = 0; i < COUNT(files); i++) {
		arena = arena_new();
		test_row(i);
		CHECK_INT(get(files[i].file), files[i].text ? 0 : -1);
		if (files[i].text)
			CHECK_STR(buf_str(&content), files[i].text);
		if (i == COUNT(files) - 1) {
			CHECK_INT((long long)m.envelope.n_rcpts, 1);
			CHECK_STR(m.envelope.rcpts[0].address, "c");
			CHECK_STR(m.envelope.rcpts[0].original, "a");
		}
		arena_free(arena);
	}
}

/* Written, in pieces of any size, and read again. */
TEST(what_was_written_is_read)
{
	static char text[20000];
	struct buf file = BUF_INIT, line = BUF_INIT;
	uint64_t offsets[2];
	size_t place;

	arena = arena_new();
	CHECK_INT(get(STR(DSN_FILE)), 0);
	m.offsets = offsets;
	postfix_put_envelope(&file, &m, false, 1795734998);
	place = file.len;
	memset(text, 'x', sizeof(text));
	text[100] = text[19999] = '\n';
	for (size_t at = 0; at < sizeof(text); at += 7)
		postfix_put_text(
			&file, &line, str_sub(str_of(text, sizeof(text)), at, 7));
	postfix_put_end(&file, &line);
	postfix_put_size(file.data, place, file.len - place - 4, &m, true);
	CHECK_STR(str_sub(buf_str(&file), 0, POSTFIX_SIZE_RECORD),
		"C_          20030             616               2               0       "
		" "
		"   20030               3");
	CHECK_STR(
		str_sub(buf_str(&file), (size_t)offsets[1], 17), "D\x0fu5@good.example");
	CHECK_INT(get(buf_str(&file)), 0);
	CHECK(str_eq(buf_str(&content), str_of(text, sizeof(text))));
	buf_clear(&content);
	buf_addz(&content, "Subject: d\nhalf line\n\nbody\n");
	CHECK_INT((long long)m.offsets[1], (long long)offsets[1]);
	m.envelope.rcpts[1].orcpt = STR_NONE; /* written as it is by Postfix */
	check_dsn_message();
	buf_free(&file);
	buf_free(&line);
	arena_free(arena);
}

TEST(outcomes)
{
	struct str log = STR("\n<u2@bad.example>: refused\nrecipient=u2@bad.example\n"
			     "original_recipient=u@old\noffset=730\n"
			     "dsn_orig_rcpt=rfc822;u2@bad.example\nnotify_flags=10\n"
			     "status=4.4.1\naction=delayed\ndiag_type=smtp\n"
			     "diag_text=450 4.4.1 later=never\nmta_type=dns\n"
			     "mta_mname=mx.example\nreason=host said: 450\n\n\n"
			     "<b>: x\nrecipient=b\nstatus=5.1.1\nnonsense\n");
	struct buf again[2] = { BUF_INIT, BUF_INIT };
	struct postfix_outcome o;
	struct str rest = log;

	for (int round = 0; round < 2; round++) {
		CHECK(postfix_outcome_get(&rest, &o));
		CHECK_STR(o.recipient, "u2@bad.example");
		CHECK_STR(o.original, "u@old");
		CHECK(o.has_offset);
		CHECK_INT((long long)o.offset, 730);
		CHECK_INT(o.notify, 10);
		CHECK_STR(o.status, "4.4.1");
		CHECK_STR(o.action, "delayed");
		CHECK_STR(o.reason, "host said: 450");
		CHECK_STR(o.remote_mta, "mx.example");
		CHECK_STR(o.diagnostic, "450 4.4.1 later=never");
		CHECK(o.diagnostic_is_smtp);
		postfix_outcome_put(&again[round], &o);
		CHECK(postfix_outcome_get(&rest, &o));
		CHECK_STR(o.recipient, "b");
		CHECK(!o.has_offset);
		CHECK(!postfix_outcome_get(&rest, &o));
		o = (struct postfix_outcome){ .recipient = STR("b") };
		postfix_outcome_put(&again[round], &o);
		rest = buf_str(&again[round]);
	}
	buf_free(&again[0]);
	buf_free(&again[1]);
}

TEST(subfolders)
{
	static const struct {
		const char *id;
		unsigned depth;
		const char *want;
	} rows[] = {
		{ "4BF31A8C21A", 0, "" },
		{ "4BF31A8C21A", 1, "4" },
		{ "4BF31A8C21A", 2, "4/B" },
		{ "4", 3, "4/_/_" },
		{ "4hVtNs2XMczJ8nP", 2, "5/7" }, /* 357948: 5763C */
		{ "4hVtNs000CzJ8nP", 3, "0/0/0" },
	};
	char got[32];

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		postfix_subfolder(str_c(rows[i].id), rows[i].depth, got);
		CHECK_STR(str_c(got), rows[i].want);
	}
}

TEST(names_of_files)
{
	static const struct {
		const char *id;
		bool long_form;
		uint64_t inode;
		const char *want;
	} rows[] = {
		{ "4BF31A8C21A", false, 0x12AB, "4BF3112AB" },
		{ "4BF31A8C21A", false, 0x123456789AB, "4BF31123456789AB" },
		{ "5763C0F1A2B3C4", true, 51 * 51, "0000212XMcz100" },
		{ "4hVtNs2XMczJ8nP", true, 52, "4hVtNs2XMcz11" },
		{ "4hVtNs2XMczJ8nP", false, 52, "5763C34" },
	};
	char got[32];

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		postfix_file_name(str_c(rows[i].id), rows[i].long_form, 2 * 52 + 1,
			rows[i].inode, got);
		CHECK_STR(str_c(got), rows[i].want);
	}
}

TEST_MAIN()
