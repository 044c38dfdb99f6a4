/* hosts.c -- hosts(5) and the order that nsswitch.conf(5) asks for. */
#include "resolver.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define HOSTS_SIZE_MOST ((size_t)16 * 1024 * 1024)
#define RECHECK         1000 /* milliseconds between looks at the file */

struct hosts_file {
	char path[4096];
	struct stat seen;
	msec_t checked;
	struct buf text; /* the whole file */
};

struct hosts_file *
hosts_file_open(const char *path)
{
	struct hosts_file *h = mem_alloc(sizeof(*h));

	snprintf(h->path, sizeof(h->path), "%s", path);
	h->checked = -RECHECK;
	return h;
}

void
hosts_file_close(struct hosts_file *h)
{
	if (h)
		buf_free(&h->text);
	mem_free(h);
}

static void
refresh(struct hosts_file *h)
{
	struct stat now;

	if (time_monotonic() - h->checked < RECHECK && h->checked >= 0)
		return;
	h->checked = time_monotonic();
	if (stat(h->path, &now) < 0) {
		buf_clear(&h->text);
		memset(&h->seen, 0, sizeof(h->seen));
		return;
	}
	if (now.st_ino == h->seen.st_ino && now.st_size == h->seen.st_size &&
		now.st_mtim.tv_sec == h->seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == h->seen.st_mtim.tv_nsec)
		return;
	buf_clear(&h->text);
	if (read_file(h->path, HOSTS_SIZE_MOST, &h->text) == 0)
		h->seen = now;
}

/* One line: its address, then its names. False: a comment, or nothing. */
static bool
line_address(struct str *line, struct str *address)
{
	ssize_t comment = str_chr(*line, '#');

	if (comment >= 0)
		*line = str_sub(*line, 0, (size_t)comment);
	return str_token(line, " \t\r", address);
}

static bool
is_family(struct str address, int family)
{
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN + 1];

	if (address.len >= sizeof(text))
		return false;
	memcpy(text, address.data, address.len);
	text[address.len] = '\0';
	return inet_pton(family, text, bytes) == 1;
}

static void
add(struct dns_reply *out, struct arena *a, uint16_t type, struct str data)
{
	struct dns_rr *more = arena_alloc(a, (out->n_records + 1) * sizeof(*more));

	if (out->n_records > 0)
		memcpy(more, out->records, out->n_records * sizeof(*more));
	more[out->n_records] =
		(struct dns_rr){ .type = type, .data = arena_str(a, data) };
	out->records = more;
	out->n_records++;
}

/* "4.3.2.1.in-addr.arpa" or the ip6.arpa form as an address text. False: neither. */
static bool
reverse_name(struct str name, char out[INET6_ADDRSTRLEN])
{
	struct str label;
	unsigned char bytes[16] = { 0 };

	if (str_case_ends(name, STR(".in-addr.arpa"))) {
		struct str rest = str_sub(name, 0, name.len - 13);

		for (int i = 3; i >= 0; i--) {
			long byte;

			if (!str_split(&rest, '.', &label) ||
				str_to_long(label, &byte) < 0 || byte < 0 || byte > 255)
				return false;
			bytes[i] = (unsigned char)byte;
		}
		return inet_ntop(AF_INET, bytes, out, INET6_ADDRSTRLEN) != NULL;
	}
	if (!str_case_ends(name, STR(".ip6.arpa")) || name.len != 63 + 9)
		return false;
	for (size_t i = 0; i < 32; i++) {
		char digit[2] = { name.data[i * 2], '\0' }, *end;
		unsigned long value = strtoul(digit, &end, 16);

		if (*end || end == digit)
			return false;
		bytes[15 - i / 2] |= (unsigned char)(i % 2 ? value << 4 : value);
	}
	return inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN) != NULL;
}

bool
hosts_file_find(struct hosts_file *h, struct str name, uint16_t type, struct arena *arena,
	struct dns_reply *out)
{
	char wanted[INET6_ADDRSTRLEN] = "";
	struct str rest, line, address, host;

	*out = (struct dns_reply){ .status = DNS_OK, .name = name };
	if (str_ends(name, STR(".")))
		name = str_sub(name, 0, name.len - 1);
	if (type == ns_t_ptr && !reverse_name(name, wanted))
		return false;
	refresh(h);
	rest = buf_str(&h->text);
	while (str_token(&rest, "\n", &line)) {
		if (!line_address(&line, &address))
			continue;
		if (type == ns_t_ptr) {
			if (str_case_is(address, wanted) &&
				str_token(&line, " \t\r", &host))
				add(out, arena, type, host);
			continue;
		}
		if (!is_family(address, type == ns_t_a ? AF_INET : AF_INET6))
			continue;
		while (str_token(&line, " \t\r", &host))
			if (str_case_eq(host, name)) {
				add(out, arena, type, address);
				break;
			}
	}
	return out->n_records > 0;
}

bool
nsswitch_dns_first(const char *path)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str rest, line, word;

	if (read_file(path, HOSTS_SIZE_MOST, &text) < 0)
		return false;
	rest = buf_str(&text);
	while (str_token(&rest, "\n", &line)) {
		if (!str_token(&line, " \t", &word) || !str_is(word, "hosts:"))
			continue;
		while (str_token(&line, " \t", &word)) {
			if (str_is(word, "files"))
				return false;
			if (str_is(word, "dns"))
				return true;
		}
	}
	return false;
}
