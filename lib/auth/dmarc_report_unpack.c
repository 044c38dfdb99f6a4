/* dmarc_report_unpack.c -- gzip (RFC 1952) and zip, which aggregate reports come in
 * (RFC 9990 section 3.1, RFC 7489 section 7.2.1.1): a zip has one member. */
#include "dmarc_report.h"
#include <zlib.h>

enum {
	STEP = 65536,
	ZIP_HEADER = 30, /* of a member, without its name and extras */
	ZIP_ENCRYPTED = 1,
	ZIP_SIZE_BEHIND = 8, /* flag: what the header leaves out stands behind the data */
	ZIP_STORED = 0,
	ZIP_DEFLATED = 8,
	WINDOW_RAW = -MAX_WBITS,
	WINDOW_GZIP = MAX_WBITS + 16,
};

static const struct str gzip_magic = STR_INIT("\x1f\x8b"), zip_magic = STR_INIT("PK\3\4");

bool
report_is_packed(struct str bytes)
{
	return str_starts(bytes, gzip_magic) || str_starts(bytes, zip_magic);
}

static int
bad(struct why *why, const char *text)
{
	why_set(why, "5.6.0", "%s", text);
	return -1;
}

static int
inflate_all(z_stream *z, size_t most, struct buf *out, struct why *why)
{
	size_t start = out->len;
	int got;

	do {
		buf_need(out, STEP);
		z->next_out = (Bytef *)out->data + out->len;
		z->avail_out = STEP;
		got = inflate(z, Z_NO_FLUSH);
		out->len += STEP - z->avail_out;
		if (out->len - start > most)
			return bad(why, "too large when unpacked");
	} while (got == Z_OK && (z->avail_in > 0 || z->avail_out == 0));
	return got == Z_STREAM_END ? 0 : bad(why, "damaged, or not whole");
}

static int
unpack(struct str packed, int window, size_t most, struct buf *out, struct why *why)
{
	z_stream z = { .next_in = (z_const Bytef *)packed.data,
		.avail_in = (uInt)packed.len };
	int result;

	if (inflateInit2(&z, window) != Z_OK)
		mem_exhausted(0);
	result = inflate_all(&z, most, out, why);
	inflateEnd(&z);
	return result;
}

static unsigned
little(const char *at, unsigned octets)
{
	unsigned value = 0;

	for (unsigned i = octets; i > 0; i--)
		value = value << 8 | (unsigned char)at[i - 1];
	return value;
}

/* The header of a member: signature, version (4), flags (6), method (8), time, CRC (14),
 * packed size (18), size (22), lengths of name (26) and extras (28). */
static int
unzip(struct str zip, size_t most, struct buf *out, struct why *why)
{
	size_t start = out->len, behind;
	unsigned flags, method;
	struct str data, fresh;

	if (zip.len < ZIP_HEADER)
		return bad(why, "damaged, or not whole");
	flags = little(zip.data + 6, 2);
	method = little(zip.data + 8, 2);
	behind = ZIP_HEADER + little(zip.data + 26, 2) + little(zip.data + 28, 2);
	data = str_from(zip, MIN(behind, zip.len));
	if (flags & ZIP_ENCRYPTED)
		return bad(why, "encrypted");
	if (method == ZIP_STORED && !(flags & ZIP_SIZE_BEHIND)) {
		data = str_sub(data, 0, little(zip.data + 18, 4));
		if (data.len > most)
			return bad(why, "too large when unpacked");
		buf_add(out, data);
	} else if (method != ZIP_DEFLATED)
		return bad(why, "packed in a way that reports are not");
	else if (unpack(data, WINDOW_RAW, most, out, why) < 0)
		return -1;
	fresh = str_from(buf_str(out), start);
	if (!(flags & ZIP_SIZE_BEHIND) &&
		crc32(0, (const Bytef *)fresh.data, (uInt)fresh.len) !=
			little(zip.data + 14, 4))
		return bad(why, "damaged, or not whole");
	return 0;
}

int
report_unpack(struct str packed, size_t most, struct buf *out, struct why *why)
{
	ensure(packed.len <= REPORT_PACKED_MOST && most <= REPORT_UNPACKED_MOST);
	return str_starts(packed, zip_magic)
		       ? unzip(packed, most, out, why)
		       : unpack(packed, WINDOW_GZIP, most, out, why);
}

void
report_pack(struct str bytes, struct buf *out)
{
	z_stream z = { .next_in = (z_const Bytef *)bytes.data,
		.avail_in = (uInt)bytes.len };
	size_t room;

	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MAX_MEM_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		mem_exhausted(0);
	room = deflateBound(&z, bytes.len);
	buf_need(out, room);
	z.next_out = (Bytef *)out->data + out->len;
	z.avail_out = (uInt)room;
	ensure(deflate(&z, Z_FINISH) == Z_STREAM_END);
	out->len += room - z.avail_out;
	deflateEnd(&z);
}
