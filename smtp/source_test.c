/* source_test.c -- which address of a pool a message leaves from. */
#include "play.h"

static const struct {
	const char *pool;
	uint32_t number;
	const char *v4, *v6;
	const char *problem; /* "": none */
} rows[] = {
	{ "192.0.2.1", 0, "192.0.2.1", "", "" },
	{ "192.0.2.1", 4294967295U, "192.0.2.1", "", "" },
	{ "192.0.2.1, 192.0.2.2", 0, "192.0.2.1", "", "" },
	{ "192.0.2.1 192.0.2.2", 1, "192.0.2.2", "", "" },
	{ "192.0.2.1,192.0.2.2", 2, "192.0.2.1", "", "" },
	{ "192.0.2.1=3, 192.0.2.2=1", 2, "192.0.2.1", "", "" },
	{ "192.0.2.1=3, 192.0.2.2=1", 3, "192.0.2.2", "", "" },
	{ "192.0.2.1=3, 192.0.2.2=1", 4, "192.0.2.1", "", "" },
	/* Each family by itself. */
	{ "2001:db8::1", 7, "", "2001:db8::1", "" },
	{ "192.0.2.1, 2001:db8::1=2, 192.0.2.2, 2001:db8::2", 1, "192.0.2.2",
		"2001:db8::1", "" },
	{ "192.0.2.1, 2001:db8::1=2, 192.0.2.2, 2001:db8::2", 2, "192.0.2.1",
		"2001:db8::2", "" },
	/* Nothing new leaves from these. */
	{ "192.0.2.1=0, 192.0.2.2", 0, "192.0.2.2", "", "" },
	{ "192.0.2.1=0, 2001:db8::1", 0, "", "2001:db8::1", "" },
	{ "192.0.2.1=0", 0, "", "", "no address with a weight" },
	/* Mistakes. */
	{ "", 0, "", "", "no address with a weight" },
	{ "mx.example", 0, "", "",
		"\"mx.example\" is no address with a weight up to 1000" },
	{ "192.0.2.1=", 0, "", "",
		"\"192.0.2.1=\" is no address with a weight up to 1000" },
	{ "192.0.2.1=-1", 0, "", "",
		"\"192.0.2.1=-1\" is no address with a weight up to 1000" },
	{ "192.0.2.1, 192.0.2.2=1001", 0, "", "",
		"\"192.0.2.2=1001\" is no address with a weight up to 1000" },
	{ "192.0.2.1=1=1", 0, "", "",
		"\"192.0.2.1=1=1\" is no address with a weight up to 1000" },
};

TEST(pools_give_each_address_its_share)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct source source = { STR(""), STR("") };
		struct why why = { .text = "" };
		enum verdict v =
			source_pick(str_c(rows[i].pool), rows[i].number, &source, &why);

		CHECK_INT(v, rows[i].problem[0] ? TEMPFAIL : ACCEPT);
		CHECK_STR(source.v4, rows[i].v4);
		CHECK_STR(source.v6, rows[i].v6);
		CHECK_STR(str_c(why.text), rows[i].problem);
		test_row(i);
	}
}

TEST(pools_have_a_limit)
{
	struct buf pool CLEANUP(buf_free) = BUF_INIT;
	struct source source;
	struct why why = { .text = "" };

	for (int i = 0; i < 64; i++)
		buf_printf(&pool, "192.0.2.%d ", i);
	CHECK_INT(source_pick(buf_str(&pool), 63, &source, &why), ACCEPT);
	CHECK_STR(source.v4, "192.0.2.63");
	buf_addz(&pool, "192.0.2.64");
	CHECK_INT(source_pick(buf_str(&pool), 63, &source, &why), TEMPFAIL);
	CHECK_STR(str_c(why.text), "more than 64 addresses");
}

/* Whose pool it is, as a message from a@test to [127.0.0.1] has it. */
TEST(pools_are_found_by_sender_next_hop_and_class)
{
	static const struct {
		const char *table, *sender, *login, *protocol, *v4;
	} found[] = {
		{ "a@test=192.0.2.1, @test=192.0.2.2", "a@test", "", "ESMTP",
			"192.0.2.1" },
		{ "a@test=192.0.2.1, @test=192.0.2.2", "A@Test", "", "ESMTP",
			"192.0.2.1" },
		{ "a@test=192.0.2.1, @test=192.0.2.2", "b@test", "", "ESMTP",
			"192.0.2.2" },
		{ "@test=192.0.2.2, mx.far.example=192.0.2.3", "a@test", "", "ESMTP",
			"192.0.2.2" },
		{ "mx.far.example=192.0.2.3, class:network=192.0.2.4", "a@test", "",
			"ESMTP", "192.0.2.3" },
		{ ".far.example=192.0.2.3", "a@test", "", "ESMTP", "192.0.2.3" },
		{ "far.example=192.0.2.3", "a@test", "", "ESMTP", "" },
		{ "class:network=192.0.2.4", "a@test", "", "ESMTP", "192.0.2.4" },
		{ "class:network=192.0.2.4", "a@test", "", "", "" },
		{ "class:local=192.0.2.5", "a@test", "", "", "192.0.2.5" },
		{ "class:authenticated=192.0.2.6, class:network=192.0.2.4", "a@test",
			"ann", "ESMTP", "192.0.2.6" },
		{ "class:bounce=192.0.2.7", "", "", "", "192.0.2.7" },
		{ "<>=192.0.2.8, class:bounce=192.0.2.7", "", "", "", "192.0.2.8" },
	};
	const struct nexthop far = { .host = STR("mx.far.example") },
			     socket = { .host = STR("mx.far.example"),
				     .path = STR("/socket") };

	for (size_t i = 0; i < COUNT(found); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf text CLEANUP(buf_free) = BUF_INIT;
		struct delivery d = { .arena = arena };
		struct source source;
		struct why why;

		buf_printf(&text, "smtp_bind_address_maps = inline:{ %s }\n",
			found[i].table);
		play_conf(buf_cstr(&text));
		d.conf = service_conf();
		d.envelope = (struct envelope){ .queue_id = STR("1"),
			.sender = str_c(found[i].sender),
			.sasl_username = str_c(found[i].login),
			.protocol = str_c(found[i].protocol) };
		CHECK_INT(source_find(&d, &far, &source, &why), ACCEPT);
		CHECK_STR(source.v4, found[i].v4);
		CHECK_INT(source_find(&d, &socket, &source, &why), ACCEPT);
		CHECK_STR(source.v4, "");
		test_row(i);
	}
}

TEST(a_pool_that_is_none_defers)
{
	play_conf("smtp_bind_address_maps = inline:{ @test=elsewhere }\n");
	play_mail.request.nexthop = STR("[127.0.0.1]:9");
	play_alone();
	CHECK_OUTCOME(0, TEMPFAIL, "4.3.5", "no source address for 127.0.0.1");
	CHECK(play_logged("smtp_bind_address_maps: \"elsewhere\": "));
	play_conf("smtp_bind_address_maps = fail:x\n");
	play_mail.request.nexthop = STR("[127.0.0.1]:9");
	play_alone();
	CHECK_OUTCOME(
		0, TEMPFAIL, "4.3.0", "local data error while talking to 127.0.0.1");
}

TEST(source_addresses_of_a_pool_can_be_insisted_on)
{
	play_conf("smtp_bind_address_maps = inline:{ @test=192.0.2.77 }\n"
		  "smtp_bind_address_enforce = yes\n");
	play_mail.request.nexthop = STR("[127.0.0.1]:9");
	play_alone();
	CHECK_OUTCOME(0, TEMPFAIL, "4.4.1",
		"connect to 127.0.0.1[127.0.0.1]:9: Cannot assign requested address");
	CHECK(play_logged("smtp_bind_address_maps: cannot use \"192.0.2.77\": "));
}
