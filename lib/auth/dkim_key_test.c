/* dkim_key_test.c -- keys of DKIM as libopendkim reads them. */
#include "dkim_verify.h"
#include "test.h"
#include <arpa/nameser.h>

/* An RSA key of 512 bits, bare and wrapped up. */
#define BARE \
	"MEgCQQC4EqKl1UlJn3CLDs8O6EbggjsLJrV/" \
	"0iZ01sWMo9pXhcX0vwFSfnWH2PoV6jLE+5fjGb74f0dVszeDDv5CP+17AgMBAAE="
#define WRAPPED \
	"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALgSoqXVSUmfcIsOzw7oRuCCOwsmtX/" \
	"SJnTWxYyj2leFxfS/AVJ+dYfY+hXqMsT7l+MZvvh/R1WzN4MO/kI/7XsCAwEAAQ=="

TEST(bare_keys_are_wrapped_up)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "v=DKIM1; p=" BARE, "v=DKIM1; p=" WRAPPED },
		{ "p=" BARE "; t=s", "p=" WRAPPED "; t=s" },
		{ "v=DKIM1; k=rsa ; p = " BARE " ;", "v=DKIM1; k=rsa ; p =" WRAPPED },
		{ "v=DKIM1; p=" WRAPPED, "v=DKIM1; p=" WRAPPED },
		{ "v=DKIM1; p=", "v=DKIM1; p=" },
		{ "v=DKIM1; p=no*base64", "v=DKIM1; p=no*base64" },
		{ "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
			"v=DKIM1; k=ed25519; "
			"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" },
		{ "no tags;;=;", "no tags;;=" },
		{ "", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		dkim_key_wrap(str_c(rows[i].in), &got);
		CHECK_STR(buf_str(&got), rows[i].out);
	}
}

static size_t
packet(enum dns_status status, struct dns_rr *records, size_t n, unsigned char *out,
	size_t room)
{
	struct dns_reply said = {
		.status = (uint8_t)status, .records = records, .n_records = n
	};

	return dkim_key_packet(STR("s._domainkey.example.org"), &said, out, room);
}

TEST(replies_become_packets)
{
	unsigned char out[2048];
	char long_text[600];
	struct dns_rr records[] = { { .type = ns_t_txt, .data = STR("p=abc") },
		{ .type = ns_t_cname, .data = STR("other") } };
	ns_msg m;
	ns_rr rr;
	size_t n;

	n = packet(DNS_OK, records, 2, out, sizeof(out));
	CHECK_INT(ns_initparse(out, (int)n, &m), 0);
	CHECK_INT(ns_msg_getflag(m, ns_f_rcode), ns_r_noerror);
	CHECK_INT(ns_msg_count(m, ns_s_an), 1);
	CHECK_INT(ns_parserr(&m, ns_s_an, 0, &rr), 0);
	CHECK_INT(ns_rr_type(rr), ns_t_txt);
	CHECK_STR(str_c(ns_rr_name(rr)), "s._domainkey.example.org");
	CHECK_STR(str_of(ns_rr_rdata(rr), ns_rr_rdlen(rr)), "\5p=abc");

	memset(long_text, 'x', sizeof(long_text));
	records[0].data = str_of(long_text, sizeof(long_text));
	n = packet(DNS_OK, records, 1, out, sizeof(out));
	CHECK_INT(ns_initparse(out, (int)n, &m), 0);
	CHECK_INT(ns_parserr(&m, ns_s_an, 0, &rr), 0);
	CHECK_INT(ns_rr_rdlen(rr), 603);

	n = packet(DNS_NXDOMAIN, NULL, 0, out, sizeof(out));
	CHECK_INT(ns_initparse(out, (int)n, &m), 0);
	CHECK_INT(ns_msg_getflag(m, ns_f_rcode), ns_r_nxdomain);
	CHECK_INT(ns_msg_count(m, ns_s_an), 0);
	CHECK_INT(packet(DNS_OK, records, 1, out, 300), 0);
}
