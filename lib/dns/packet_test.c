/* packet_test.c -- responses taken apart, and what is malformed about others. */
#include "resolver.h"
#include "test.h"
#include <arpa/nameser.h>

/* Header (id 1, response, rcode, QD 1, AN n), then the question a.test and its answer. */
#define HEAD(rcode, answers) "\0\1\x81" rcode "\0\1\0" answers "\0\0\0\0"
#define QUESTION(type)       "\1a\4test\0\0" type "\0\1"
#define RR(type, len)        "\xc0\x0c\0" type "\0\1\0\0\0\x3c\0" len

#define PACKET(p) STR_INIT(p)
static const struct {
	struct str packet;
	uint16_t type;
	enum dns_status status;
	size_t records;
	const char *data;
} cases[] = {
	{ PACKET(HEAD("\x80", "\1") QUESTION("\1") RR("\1", "\4") "\xc0\0\2\1"), ns_t_a,
		DNS_OK, 1, "192.0.2.1" },
	{ PACKET(HEAD("\x80", "\1") QUESTION("\xf") RR("\xf", "\4") "\0\x0a\xc0\x0c"),
		ns_t_mx, DNS_OK, 1, "a.test" },
	{ PACKET(HEAD("\x80", "\1") QUESTION("\xf") RR("\xf", "\3") "\0\0\0"), ns_t_mx,
		DNS_OK, 1, "" }, /* RFC 7505 */
	{ PACKET(HEAD("\x80", "\1") QUESTION("\x10") RR("\x10", "\5") "\1x\2yz"),
		ns_t_txt, DNS_OK, 1, "xyz" },
	{ PACKET(HEAD("\x80", "\0") QUESTION("\1")), ns_t_a, DNS_NODATA, 0, NULL },
	{ PACKET(HEAD("\x83", "\0") QUESTION("\1")), ns_t_a, DNS_NXDOMAIN, 0, NULL },
	{ PACKET(HEAD("\x82", "\0") QUESTION("\1")), ns_t_a, DNS_TEMPFAIL, 0, NULL },
	{ PACKET(HEAD("\x85", "\0") QUESTION("\1")), ns_t_a, DNS_TEMPFAIL, 0, NULL },
	/* Only a CNAME, which leads nowhere. */
	{ PACKET(HEAD("\x80", "\1") QUESTION("\1") RR("\5", "\2") "\xc0\x0c"), ns_t_a,
		DNS_NODATA, 1, "a.test" },
	/* An address of three bytes, an MX without a name, a string that is too long. */
	{ PACKET(HEAD("\x80", "\1") QUESTION("\1") RR("\1", "\3") "\xc0\0\2"), ns_t_a,
		DNS_NODATA, 0, NULL },
	{ PACKET(HEAD("\x80", "\1") QUESTION("\xf") RR("\xf", "\2") "\0\x0a"), ns_t_mx,
		DNS_NODATA, 0, NULL },
	{ PACKET(HEAD("\x80", "\1") QUESTION("\x10") RR("\x10", "\2") "\7x"), ns_t_txt,
		DNS_NODATA, 0, NULL },
	/* A compression pointer to itself; an answer that is not there; none of it. */
	{ PACKET(HEAD("\x80", "\1") QUESTION("\xf") RR("\xf", "\4") "\0\x0a\xc0\x26"),
		ns_t_mx, DNS_NODATA, 0, NULL },
	{ PACKET(HEAD("\x80", "\2") QUESTION("\1") RR("\1", "\4") "\xc0\0\2\1"), ns_t_a,
		DNS_TEMPFAIL, 0, NULL },
	{ PACKET("\0\1\x81"), ns_t_a, DNS_TEMPFAIL, 0, NULL },
	{ PACKET(""), ns_t_a, DNS_TEMPFAIL, 0, NULL },
};

TEST(responses_are_taken_apart)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct dns_reply out;

		test_row(i);
		packet_read(cases[i].packet, cases[i].type, arena, &out);
		CHECK_INT(out.status, cases[i].status);
		if (cases[i].status == DNS_TEMPFAIL)
			continue;
		CHECK_INT(out.n_records, cases[i].records);
		if (cases[i].data && out.n_records > 0)
			CHECK_STR(out.records[0].data, cases[i].data);
	}
}

/* No end of a packet is read past, wherever it is cut. */
TEST(every_beginning_of_a_response_is_harmless)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t n = 0; n < cases[i].packet.len; n++) {
			struct arena *arena CLEANUP(arena_free_at) = arena_new();
			char *cut = mem_alloc(n + 1);
			struct dns_reply out;

			memcpy(cut, cases[i].packet.data, n);
			packet_read(str_of(cut, n), cases[i].type, arena, &out);
			CHECK(out.status == DNS_TEMPFAIL);
			mem_free(cut);
		}
}

TEST_MAIN()
