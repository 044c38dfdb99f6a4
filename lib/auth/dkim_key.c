/* dkim_key.c -- records with keys of DKIM, made fit for libopendkim. See dkim_verify.h.
 */
#include "dkim_verify.h"
#include <arpa/nameser.h>

#define STRING_MOST \
	((size_t)255) /* octets of a character-string, RFC 1035 section 3.3 \
		       */
#define LABEL_MOST ((size_t)63)

/* ---- bare RSA keys ---- */

/* Appends the length of a DER object (X.690 section 8.1.3). */
static void
put_length(struct buf *out, size_t n)
{
	if (n >= 0x100) {
		buf_addc(out, (char)0x82);
		buf_addc(out, (char)(n >> 8));
	} else if (n >= 0x80) {
		buf_addc(out, (char)0x81);
	}
	buf_addc(out, (char)(n & 0xff));
}

/* SEQUENCE { INTEGER ...: an RSAPublicKey; a SubjectPublicKeyInfo has another SEQUENCE
 * there. */
static bool
is_bare(struct str der)
{
	size_t at = 2;

	if (der.len < 4 || der.data[0] != 0x30)
		return false;
	if ((unsigned char)der.data[1] > 0x80)
		at += (unsigned char)der.data[1] & 0x7f;
	return at < der.len && der.data[at] == 0x02;
}

/* SubjectPublicKeyInfo (RFC 3279 section 2.3.1). */
static void
wrap(struct str key, struct buf *out)
{
	static const char algorithm[] =
		"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
		"\x05\x00";
	struct buf bits CLEANUP(buf_free) = BUF_INIT;

	buf_addc(&bits, 0x03);
	put_length(&bits, key.len + 1);
	buf_addc(&bits, 0); /* unused bits */
	buf_add(&bits, key);
	buf_addc(out, 0x30);
	put_length(out, sizeof(algorithm) - 1 + bits.len);
	buf_add(out, str_of(algorithm, sizeof(algorithm) - 1));
	buf_add(out, buf_str(&bits));
}

/* The value of p=, with its blanks, as it was or wrapped up. */
static void
put_key(struct str value, struct buf *out)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT, der CLEANUP(buf_free) = BUF_INIT;
	struct buf wrapped CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_space(value.data[i]))
			buf_addc(&text, value.data[i]);
	if (base64_decode(buf_str(&text), &der) < 0 || !is_bare(buf_str(&der)) ||
		der.len > 0x8000) {
		buf_add(out, value);
		return;
	}
	wrap(buf_str(&der), &wrapped);
	base64_encode(buf_str(&wrapped), out);
}

void
dkim_key_wrap(struct str record, struct buf *out)
{
	struct str tag;

	for (bool first = true; record.len > 0; first = false) {
		ssize_t equals;

		(void)str_split(&record, ';', &tag);
		if (!first)
			buf_addc(out, ';');
		equals = str_chr(tag, '=');
		if (equals < 0 ||
			!str_is(str_trim(str_sub(tag, 0, (size_t)equals)), "p")) {
			buf_add(out, tag);
			continue;
		}
		buf_add(out, str_sub(tag, 0, (size_t)equals + 1));
		put_key(str_from(tag, (size_t)equals + 1), out);
	}
}

/* ---- the packet (RFC 1035 section 4.1) ---- */

static void
put_16(struct buf *out, unsigned n)
{
	buf_addc(out, (char)(n >> 8));
	buf_addc(out, (char)n);
}

/* Labels that are too long stand for none: the library only skips the name. */
static void
put_name(struct str name, struct buf *out)
{
	struct str label;

	while (str_split(&name, '.', &label)) {
		label = str_sub(label, 0, LABEL_MOST);
		if (label.len == 0)
			continue;
		buf_addc(out, (char)label.len);
		buf_add(out, label);
	}
	buf_addc(out, 0);
}

/* An answer to the only question. */
static void
put_text(struct str text, struct buf *out)
{
	struct buf data CLEANUP(buf_free) = BUF_INIT;

	do {
		struct str piece = str_sub(text, 0, STRING_MOST);

		buf_addc(&data, (char)piece.len);
		buf_add(&data, piece);
		text = str_from(text, piece.len);
	} while (text.len > 0);
	put_16(out, 0xc00c); /* the name of the question */
	put_16(out, ns_t_txt);
	put_16(out, ns_c_in);
	put_16(out, 0);
	put_16(out, 0); /* of what it was good for nothing is kept */
	put_16(out, (unsigned)data.len);
	buf_add(out, buf_str(&data));
}

size_t
dkim_key_packet(
	struct str name, const struct dns_reply *said, unsigned char *out, size_t room)
{
	struct buf answers CLEANUP(buf_free) = BUF_INIT,
			   packet CLEANUP(buf_free) = BUF_INIT;
	unsigned n = 0,
		 code = said->status == DNS_NXDOMAIN ? ns_r_nxdomain : ns_r_noerror;

	for (size_t i = 0; i < said->n_records; i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT;

		if (said->records[i].type != ns_t_txt)
			continue;
		dkim_key_wrap(said->records[i].data, &text);
		put_text(buf_str(&text), &answers);
		n++;
	}
	put_16(&packet, 1);
	put_16(&packet, 0x8180 | code); /* a response, recursion desired and available */
	put_16(&packet, 1);
	put_16(&packet, n);
	put_16(&packet, 0);
	put_16(&packet, 0);
	put_name(name, &packet);
	put_16(&packet, ns_t_txt);
	put_16(&packet, ns_c_in);
	buf_add(&packet, buf_str(&answers));
	if (packet.len > room)
		return 0;
	memcpy(out, packet.data, packet.len);
	return packet.len;
}
