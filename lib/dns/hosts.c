/* hosts.c -- hosts(5), the order that nsswitch.conf(5) asks for, and the names that the
 * search list of resolv.conf(5) makes of one. */
#include "resolver.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define HOSTS_SIZE_MOST ((size_t)16 * 1024 * 1024)
#define SEARCH_MOST     6    /* as resolv.conf(5) has it */
#define RECHECK         1000 /* milliseconds between looks at a file */

/* A file that is read again when it changed. */
struct watched {
	char path[4096];
	struct stat seen;
	msec_t checked;
	struct buf text; /* the whole file */
};

struct hosts_file {
	struct watched hosts, nsswitch, resolv;
	bool dns_first;
	struct arena *arena; /* of search */
	struct strs search;
};

static void
watch(struct watched *w, const char *path)
{
	snprintf(w->path, sizeof(w->path), "%s", path);
	w->checked = -RECHECK;
}

/* True: it is not what it was. */
static bool
refresh(struct watched *w)
{
	struct stat now;

	if (time_monotonic() - w->checked < RECHECK && w->checked >= 0)
		return false;
	w->checked = time_monotonic();
	if (stat(w->path, &now) < 0) {
		bool gone = w->text.len > 0;

		buf_clear(&w->text);
		memset(&w->seen, 0, sizeof(w->seen));
		return gone;
	}
	if (now.st_ino == w->seen.st_ino && now.st_size == w->seen.st_size &&
		now.st_mtim.tv_sec == w->seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == w->seen.st_mtim.tv_nsec)
		return false;
	buf_clear(&w->text);
	if (read_file(w->path, HOSTS_SIZE_MOST, &w->text) == 0)
		w->seen = now;
	return true;
}

struct hosts_file *
hosts_file_open(const char *hosts, const char *nsswitch, const char *resolv_conf)
{
	struct hosts_file *h = mem_alloc(sizeof(*h));

	watch(&h->hosts, hosts);
	watch(&h->nsswitch, nsswitch);
	watch(&h->resolv, resolv_conf);
	h->arena = arena_new();
	return h;
}

void
hosts_file_close(struct hosts_file *h)
{
	if (!h)
		return;
	buf_free(&h->hosts.text);
	buf_free(&h->nsswitch.text);
	buf_free(&h->resolv.text);
	arena_free(h->arena);
	mem_free(h);
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
	if (type != ns_t_a && type != ns_t_aaaa && type != ns_t_ptr)
		return false;
	if (type == ns_t_ptr && !reverse_name(name, wanted))
		return false;
	refresh(&h->hosts);
	rest = buf_str(&h->hosts.text);
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

/* ---- nsswitch.conf ---- */

static bool
dns_before_files(struct str text)
{
	struct str line, word;

	while (str_token(&text, "\n", &line)) {
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

bool
hosts_dns_first(struct hosts_file *h)
{
	if (refresh(&h->nsswitch))
		h->dns_first = dns_before_files(buf_str(&h->nsswitch.text));
	return h->dns_first;
}

/* ---- the search list of resolv.conf(5) ---- */

/* The last `search` or `domain` line counts. */
static void
search_read(struct hosts_file *h)
{
	struct str text = buf_str(&h->resolv.text), line, word;

	arena_reset(h->arena);
	h->search = (struct strs){ NULL, 0 };
	while (str_token(&text, "\n", &line)) {
		if (!str_token(&line, " \t\r", &word) ||
			(!str_is(word, "search") && !str_is(word, "domain")))
			continue;
		h->search.n = 0;
		h->search.items = arena_alloc(h->arena, SEARCH_MOST * sizeof(struct str));
		while (h->search.n < SEARCH_MOST && str_token(&line, " \t\r", &word))
			if (!str_is(word, "."))
				h->search.items[h->search.n++] =
					arena_str(h->arena, word);
	}
}

struct strs
hosts_search(struct hosts_file *h)
{
	if (refresh(&h->resolv))
		search_read(h);
	return h->search;
}

struct strs
hosts_names(struct hosts_file *h, struct str name, uint32_t flags, struct arena *arena)
{
	struct strs search = hosts_search(h), out = { NULL, 0 };
	bool dotted = str_chr(name, '.') >= 0;
	size_t n = flags & DNS_SEARCH ? search.n : MIN(search.n, (size_t)1);

	if (!(flags & DNS_SEARCH) && (dotted || !(flags & DNS_DEFNAMES)))
		n = 0;
	if (str_ends(name, STR(".")))
		n = 0;
	out.items = arena_alloc(arena, (n + 1) * sizeof(*out.items));
	if (dotted || n == 0)
		out.items[out.n++] = name;
	for (size_t i = 0; i < n; i++)
		out.items[out.n++] = arena_printf(
			arena, "%.*s.%.*s", STR_ARG(name), STR_ARG(search.items[i]));
	if (!dotted && n > 0)
		out.items[out.n++] = name;
	return out;
}
