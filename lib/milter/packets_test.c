/* Packets of the milter protocol: what is read from them, and what is not. */
#include "packets.h"
#include "test.h"

#define BYTES(lit) \
	{ \
		lit, sizeof(lit) - 1 \
	}

TEST(edit_rows)
{
	static const struct {
		char command;
		struct str data;
		int want;
		enum milter_edit_kind kind;
		uint32_t index;
		const char *name, *value;
	} rows[] = {
		{ 'h', BYTES("X-A\0b\0"), 1, EDIT_ADD_FIELD, 0, "X-A", "b" },
		{ 'h', BYTES("X-A\0\0"), 1, EDIT_ADD_FIELD, 0, "X-A", "" },
		{ 'h', BYTES("X-A\0b"), -1, 0, 0, "", "" }, /* no NUL at the end */
		{ 'h', BYTES("X-A\0"), -1, 0, 0, "", "" },
		{ 'h', BYTES("X-A\0b\0c\0"), -1, 0, 0, "", "" },
		{ 'h', BYTES(""), -1, 0, 0, "", "" },
		{ 'i', BYTES("\0\0\0\7X\0y\0"), 1, EDIT_INSERT_FIELD, 7, "X", "y" },
		{ 'i', BYTES("\0\0\0"), -1, 0, 0, "", "" },
		{ 'm', BYTES("\377\377\377\377X\0\0"), 1, EDIT_CHANGE_FIELD, 0xffffffff,
			"X", "" },
		{ 'e', BYTES("<a@b>\0"), 1, EDIT_SENDER, 0, "<a@b>", "" },
		{ 'e', BYTES("<a@b>\0RET=FULL\0"), 1, EDIT_SENDER, 0, "<a@b>",
			"RET=FULL" },
		{ '+', BYTES("<a@b>\0"), 1, EDIT_ADD_RCPT, 0, "<a@b>", "" },
		{ '2', BYTES("<a@b>\0NOTIFY=NEVER\0"), 1, EDIT_ADD_RCPT, 0, "<a@b>",
			"NOTIFY=NEVER" },
		{ '-', BYTES("a@b\0"), 1, EDIT_DELETE_RCPT, 0, "a@b", "" },
		{ 'b', BYTES("te\0xt"), 1, EDIT_BODY, 0, "", NULL },
		{ 'q', BYTES("why\0"), 1, EDIT_QUARANTINE, 0, "why", "" },
		{ 'q', BYTES("why"), -1, 0, 0, "", "" },
		{ 'c', BYTES(""), 0, 0, 0, "", "" },
		{ '?', BYTES(""), 0, 0, 0, "", "" },
		{ 0, BYTES(""), 0, 0, 0, "", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct milter_edit edit;

		test_row(i);
		CHECK_INT(milter_edit_read(rows[i].command, rows[i].data, &edit),
			rows[i].want);
		if (rows[i].want != 1)
			continue;
		CHECK_INT(edit.kind, rows[i].kind);
		CHECK_INT(edit.index, rows[i].index);
		CHECK(str_eq(edit.name, str_c(rows[i].name)));
		CHECK(rows[i].value ? str_eq(edit.value, str_c(rows[i].value))
				    : str_eq(edit.value, rows[i].data));
	}
}

TEST(reply_rows)
{
	static const struct {
		struct str data;
		const char *want; /* NULL: malformed */
	} rows[] = {
		{ BYTES("550 5.7.1 no\0"), "550 5.7.1 no" },
		{ BYTES("450 later\0"), "450 later" },
		{ BYTES("550 5.7.1 50%% %d%\0"), "550 5.7.1 50% d" },
		{ BYTES("550-one\r\n550 two\r\n\0"), "550-one\n550 two" },
		{ BYTES("550-one\n550 two\0"), "550-one\n550 two" },
		{ BYTES("550 5.7.1 no"), NULL },
		{ BYTES("550 a\0b\0"), NULL },
		{ BYTES("250 2.0.0 Ok\0"), NULL },
		{ BYTES("55\0"), NULL },
		{ BYTES("5x0 a\0"), NULL },
		{ BYTES("5500 a\0"), NULL },
		{ BYTES("\0"), NULL },
		{ BYTES(""), NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct str text;

		test_row(i);
		CHECK_INT(milter_reply_read(rows[i].data, arena, &text),
			rows[i].want ? 0 : -1);
		if (rows[i].want)
			CHECK_STR(text, rows[i].want);
	}
}

TEST(option_rows)
{
	static const struct {
		struct str data;
		int want;
		uint32_t protocol;
		size_t stage;
		const char *names; /* of that stage's macros, joined */
	} rows[] = {
		{ BYTES("\0\0\0\6\0\0\1\377\0\0\4\0"), 0, 0x400, 0, "" },
		{ BYTES("\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\2i, {mail_addr} j\0"), 0, 0, 2,
			"i{mail_addr}j" },
		{ BYTES("\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\2\0"), 0, 0, 2, "" },
		/* A stage that nobody knows yet. */
		{ BYTES("\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\011x\0\0\0\0\0j\0"), 0, 0, 0,
			"j" },
		{ BYTES("\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\2i"), -1, 0, 0, "" },
		{ BYTES("\0\0\0\6\0\0\0\0\0\0\0\0\0\0"), -1, 0, 0, "" },
		{ BYTES("\0\0\0\6\0\0\0\0\0\0\0"), -1, 0, 0, "" },
		{ BYTES(""), -1, 0, 0, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf names CLEANUP(buf_free) = BUF_INIT;
		struct milter_options o;

		test_row(i);
		CHECK_INT(milter_options_read(rows[i].data, arena, &o), rows[i].want);
		if (rows[i].want < 0)
			continue;
		CHECK_INT(o.protocol, rows[i].protocol);
		CHECK_INT(o.wants_macros[rows[i].stage], rows[i].names[0] != 0);
		for (size_t k = 0; k < o.macros[rows[i].stage].n; k++)
			buf_add(&names, o.macros[rows[i].stage].items[k]);
		CHECK(str_eq(buf_str(&names), str_c(rows[i].names)));
	}
}

TEST(what_is_sent)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	size_t at = milter_packet_open(&out, 'M');

	milter_put_string(&out, STR("<a@b>"));
	milter_put_string(&out, STR("SIZE=1\0injected"));
	milter_packet_close(&out, at);
	at = milter_packet_open(&out, 'A');
	milter_packet_close(&out, at);
	CHECK(str_eq(buf_str(&out), STR("\0\0\0\016M<a@b>\0SIZE=1\0\0\0\0\1A")));
}

TEST_MAIN()
