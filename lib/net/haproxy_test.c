/* haproxy_test.c -- PROXY headers, whole and octet by octet. */
#include "haproxy.h"
#include "test.h"
#include <stdio.h>

#define V2         "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(lit) STR_INIT(lit)

static const struct {
	struct str bytes;
	const char *want; /* "client port server port", "local", or NULL: refused */
	size_t behind;    /* octets that do not belong to it */
} rows[] = {
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n"),
		"192.0.2.1 4711 198.51.100.2 25", 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\nEHLO x\r\n"),
		"192.0.2.1 4711 198.51.100.2 25", 8 },
	{ BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"),
		"2001:db8::1 1 2001:db8::2 65535", 0 },
	{ BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP4 [192.0.2.1] 192.0.2.2 1 2\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), NULL, 0 },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), NULL, 0 },
	{ BYTES("PROXY UNKNOWN\r\n"), NULL, 0 },
	{ BYTES("PROXY UNKNOWN ff ff ff ff\r\n"), NULL, 0 },
	{ BYTES("PROXY \r\n"), NULL, 0 },
	{ BYTES("EHLO client.example\r\n"), NULL, 0 },
	{ BYTES("P\r\n"), NULL, 0 },
	{ BYTES(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\0\x19"),
		"192.0.2.1 4711 198.51.100.2 25", 0 },
	{ BYTES(V2 "\x21\x11\0\x10\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\0\x19tlv!EHLO"),
		"192.0.2.1 4711 198.51.100.2 25", 4 },
	{ BYTES(V2 "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
		   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\xff\xff"),
		"2001:db8::1 1 2001:db8::2 65535", 0 },
	{ BYTES(V2 "\x20\0\0\0"), "local", 0 },
	{ BYTES(V2 "\x20\x11\0\x02zz"), "local", 0 },
	{ BYTES(V2 "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\0"), NULL, 0 },
	{ BYTES(V2 "\x21\x21\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\0\x19"), NULL,
		0 },
	{ BYTES(V2 "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\0\x19"), NULL,
		0 },
	{ BYTES(V2 "\x31\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x67\0\x19"), NULL,
		0 },
	{ BYTES(V2 "\x21\x11\xff\xff"), NULL, 0 },
	{ BYTES("\r\n\r\n\0\r\nQUIT\r"), NULL, 0 },
};

static void
show(const struct haproxy *p, char *out, size_t room)
{
	char client[NET_ADDR_TEXT], server[NET_ADDR_TEXT];

	if (p->local)
		snprintf(out, room, "local");
	else
		snprintf(out, room, "%s %u %s %u", net_addr_text(&p->client, client),
			net_addr_port(&p->client), net_addr_text(&p->server, server),
			net_addr_port(&p->server));
}

TEST(haproxy_headers)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum haproxy_state state = HAPROXY_MORE;
		const char *what = "";
		struct haproxy p;
		char text[200];
		size_t used = 0, n;

		test_row(i);
		for (n = 0; state == HAPROXY_MORE && n <= rows[i].bytes.len; n++)
			state = haproxy_read(
				str_sub(rows[i].bytes, 0, n), &p, &used, &what);
		CHECK_INT(state, rows[i].want ? HAPROXY_OK : HAPROXY_BAD);
		if (state != HAPROXY_OK)
			continue;
		show(&p, text, sizeof(text));
		CHECK_STR(str_c(text), rows[i].want);
		CHECK_INT((long long)used, (long long)(n - 1));
		CHECK_INT(
			(long long)used, (long long)(rows[i].bytes.len - rows[i].behind));
		CHECK_INT(haproxy_read(rows[i].bytes, &p, &used, &what), HAPROXY_OK);
	}
}

TEST(a_line_without_end_is_none)
{
	char line[HAPROXY_MOST] = "PROXY TCP4 ";
	const char *what;
	struct haproxy p;
	size_t used;

	memset(line + 11, '1', sizeof(line) - 11);
	CHECK_INT(haproxy_read(str_of(line, 106), &p, &used, &what), HAPROXY_MORE);
	CHECK_INT(haproxy_read(str_of(line, 107), &p, &used, &what), HAPROXY_BAD);
}
