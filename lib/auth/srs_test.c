/* srs_test.c -- there and back, and what is refused. */
#include "srs.h"
#include "test.h"
#include <stdio.h>

#define DAY 86400
#define NOW ((int64_t)20000 * DAY)

static const struct srs ours = { .domain = STR_INIT("srs.test"),
	.secrets = { STR_INIT("0123456789abcdef") },
	.n_secrets = 1,
	.days = 21 };

static struct str
forward(const struct srs *s, const char *sender, struct buf *out)
{
	struct why why = { .text = "" };

	buf_clear(out);
	if (srs_forward(s, str_c(sender), NOW, out, &why) < 0)
		buf_printf(out, "! %s", why.text);
	return buf_str(out);
}

static struct str
reverse(const struct srs *s, struct str address, int64_t now, struct buf *out)
{
	struct why why = { .text = "" };

	buf_clear(out);
	if (srs_reverse(s, address, now, out, &why) < 0)
		buf_printf(out, "! %s", why.text);
	return buf_str(out);
}

TEST(senders_are_rewritten_and_come_back)
{
	static const struct {
		const char *sender, *want; /* but for the hash, XXXXXXXX */
		const char *back;
	} rows[] = {
		{ "user@a.test", "SRS0=XXXXXXXX=RA=a.test=user@srs.test", "user@a.test" },
		{ "User+x=y@A.test", "SRS0=XXXXXXXX=RA=A.test=User+x=y@srs.test",
			"User+x=y@A.test" },
		{ "a@b c@a.test", "SRS0=XXXXXXXX=RA=a.test=a@b c@srs.test",
			"a@b c@a.test" },
		/* of another forwarder, with each separator */
		{ "SRS0=Hash=TT=a.test=user@b.test",
			"SRS1=XXXXXXXX=b.test==Hash=TT=a.test=user@srs.test",
			"SRS0=Hash=TT=a.test=user@b.test" },
		{ "srs0+Hash=TT=a.test=user@b.test",
			"SRS1=XXXXXXXX=b.test=+Hash=TT=a.test=user@srs.test",
			"SRS0+Hash=TT=a.test=user@b.test" },
		{ "SRS0-Hash=TT=a.test=user@b.test",
			"SRS1=XXXXXXXX=b.test=-Hash=TT=a.test=user@srs.test",
			"SRS0-Hash=TT=a.test=user@b.test" },
		/* of the third one: the second is left out */
		{ "SRS1=abcd=b.test==Hash=TT=a.test=user@c.test",
			"SRS1=XXXXXXXX=b.test==Hash=TT=a.test=user@srs.test",
			"SRS0=Hash=TT=a.test=user@b.test" },
		{ "SRS1+abcd=b.test=-Hash=TT=a.test=user@c.test",
			"SRS1=XXXXXXXX=b.test=-Hash=TT=a.test=user@srs.test",
			"SRS0-Hash=TT=a.test=user@b.test" },
		/* what only looks like it */
		{ "SRS1=abcd@c.test", "SRS0=XXXXXXXX=RA=c.test=SRS1=abcd@srs.test",
			"SRS1=abcd@c.test" },
		{ "SRS0@c.test", "SRS0=XXXXXXXX=RA=c.test=SRS0@srs.test", "SRS0@c.test" },
		{ "SRS2=x@c.test", "SRS0=XXXXXXXX=RA=c.test=SRS2=x@srs.test",
			"SRS2=x@c.test" },
		/* what has none */
		{ "user@SRS.test", "! the sender is ours", NULL },
		{ "SRS0=Hash=TT=a.test=user@srs.test", "! the sender is ours", NULL },
		{ "user", "! the sender has no domain", NULL },
		{ "user@", "! the sender has no domain", NULL },
		{ "@a.test", "! the sender has no domain", NULL },
		{ "user@a=b.test", "! the sender's domain is none", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct buf back CLEANUP(buf_free) = BUF_INIT;
		struct buf masked CLEANUP(buf_free) = BUF_INIT;
		struct str got = forward(&ours, rows[i].sender, &out);

		test_row(i);
		buf_add(&masked, got);
		if (rows[i].back)
			memcpy(masked.data + 5, "XXXXXXXX", 8);
		CHECK_STR(buf_str(&masked), rows[i].want);
		if (rows[i].back)
			CHECK_STR(reverse(&ours, got, NOW, &back), rows[i].back);
	}
}

TEST(nobody_else_makes_them)
{
	static const struct {
		const char *address, *want;
	} rows[] = {
		{ "SRS0=AAAAAAAA=RA=a.test=user@srs.test",
			"! SRS address was not made here" },
		{ "SRS0=AAAA=RA=a.test=user@srs.test",
			"! SRS address was not made here" },
		{ "SRS0==RA=a.test=user@srs.test", "! SRS address was not made here" },
		{ "SRS1=AAAAAAAA=b.test==Hash=TT=a.test=user@srs.test",
			"! SRS address was not made here" },
		{ "SRS0=@srs.test", "! no SRS address of ours" },
		{ "SRS0=x@srs.test", "! SRS address was not made here" },
		{ "user@srs.test", "! no SRS address of ours" },
		{ "SRS0=AAAAAAAA=RA=a.test=user@other.test", "! no SRS address of ours" },
		{ "SRS0", "! no SRS address of ours" },
		{ "", "! no SRS address of ours" },
	};
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_STR(
			reverse(&ours, str_c(rows[i].address), NOW, &out), rows[i].want);
	}
}

/* Every letter counts, but not whether it is a capital. */
TEST(a_changed_address_is_none)
{
	static const char *const senders[] = { "user@a.test",
		"SRS0=Hash=TT=a.test=user@b.test" };
	struct buf made CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;

	for (size_t n = 0; n < COUNT(senders); n++) {
		struct str address = forward(&ours, senders[n], &made);
		size_t at = (size_t)str_rchr(address, '@');

		for (size_t i = 5; i < at; i++) {
			char was = made.data[i];

			made.data[i] = was == 'x' ? 'y' : 'x';
			if (ascii_lower(was) == made.data[i])
				made.data[i] = 'z';
			CHECK(str_starts(reverse(&ours, address, NOW, &out), STR("! ")));
			made.data[i] = was;
		}
		for (size_t i = 0; i < made.len; i++)
			made.data[i] = ascii_lower(made.data[i]);
		CHECK(!str_starts(reverse(&ours, address, NOW, &out), STR("! ")));
	}
}

TEST(addresses_may_hold_any_octet)
{
	static const struct str senders[] = { STR_INIT("a\0b@a.test"),
		STR_INIT("SRS0=a\0b=c@b.test"), STR_INIT("SRS0\0a@b.test"),
		STR_INIT("SRS1=a=b=\0c@b.test"), STR_INIT("\377@a.test") };

	for (size_t i = 0; i < COUNT(senders); i++) {
		struct buf made CLEANUP(buf_free) = BUF_INIT;
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct why why;

		test_row(i);
		CHECK_INT(srs_forward(&ours, senders[i], NOW, &made, &why), 0);
		CHECK_INT(srs_reverse(&ours, buf_str(&made), NOW, &out, &why), 0);
		CHECK(str_eq(buf_str(&out), senders[i]));
	}
}

TEST(addresses_expire)
{
	static const struct {
		int days;
		bool good;
	} rows[] = { { 0, true }, { 1, true }, { 21, true }, { 22, false },
		{ 500, false }, { -1, true }, { -2, false }, { 1022, false },
		{ 1024, true } };
	struct buf made CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;
	struct str address = forward(&ours, "user@a.test", &made);

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_STR(
			reverse(&ours, address, NOW + (int64_t)rows[i].days * DAY, &out),
			rows[i].good ? "user@a.test" : "! SRS address has expired");
	}
}

TEST(secrets_change)
{
	struct srs fresh = ours;
	struct buf made CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;
	struct buf other CLEANUP(buf_free) = BUF_INIT;
	struct str address = forward(&ours, "user@a.test", &made);
	struct why why;

	CHECK_INT(srs_secrets_read(STR("# new\nfedcba9876543210 \n\n0123456789abcdef\n"),
			  &fresh, &why),
		0);
	CHECK_INT(fresh.n_secrets, 2);
	CHECK_STR(fresh.secrets[0], "fedcba9876543210");
	CHECK_STR(reverse(&fresh, address, NOW, &out), "user@a.test");
	CHECK(!str_eq(forward(&fresh, "user@a.test", &other), address));
	fresh.n_secrets = 1;
	CHECK_STR(reverse(&fresh, address, NOW, &out), "! SRS address was not made here");
	CHECK_INT(srs_secrets_read(STR("too short\n"), &fresh, &why), -1);
	CHECK_INT(srs_secrets_read(STR("# none\n"), &fresh, &why), -1);
	CHECK_INT(srs_secrets_read(STR(""), &fresh, &why), -1);
	CHECK_STR(forward(&fresh, "user@a.test", &other), "! OpenSSL does not hash");
}

TEST(addresses_do_not_grow)
{
	struct buf address CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;
	struct srs hops[3] = { ours, ours, ours };
	struct str got;
	size_t len = 0;

	hops[0].domain = STR("hop0.test");
	hops[1].domain = STR("hop1.test");
	hops[2].domain = STR("hop2.test");
	buf_addz(&address, "user@a.test");
	for (size_t i = 0; i < 30; i++) {
		got = forward(&hops[i % 3], buf_cstr(&address), &out);
		buf_clear(&address);
		buf_add(&address, got);
		if (i == 1)
			len = address.len;
	}
	CHECK_INT(address.len, len);
	buf_clear(&address);
	for (size_t i = 0; i < 240; i++)
		buf_addc(&address, 'x');
	buf_addz(&address, "@a.test");
	CHECK_STR(forward(&ours, buf_cstr(&address), &out),
		"! the rewritten sender would be too long");
}

TEST_MAIN()
