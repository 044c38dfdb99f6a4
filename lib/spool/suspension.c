/* suspension.c -- see suspension.h. */
#include "suspension.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_NAME "suspended"
#define NEW_NAME  "suspended.new"
#define FILE_MOST \
	((size_t)SUSPENSIONS_MOST * (SUSPENSION_LENGTH + SUSPENSION_REASON_LENGTH + 25))

/* ---- one destination ---- */

/* The file has one on a line, and blanks around it. */
static bool
is_printable(struct str s, bool blanks)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f ||
			(s.data[i] == ' ' && !blanks))
			return false;
	return true;
}

int
suspension_read(
	struct str text, struct arena *arena, struct suspension *out, struct why *why)
{
	struct str nexthop = text, transport = STR_NONE;

	/* [2001:db8::1] is a next hop, however many colons it has. */
	if (str_chr(text, ':') >= 0 && text.data[0] != '[')
		str_split(&nexthop, ':', &transport);
	if (transport.len + nexthop.len == 0 || text.len >= SUSPENSION_LENGTH ||
		!is_printable(text, false) || str_chr(transport, '/') >= 0) {
		why_set(why, "5.5.4", "not a [transport:]nexthop: \"%.*s\"",
			(int)MIN(text.len, (size_t)100), text.data ? text.data : "");
		return -1;
	}
	out->transport = arena_str(arena, transport);
	out->nexthop = arena_lower(arena, nexthop);
	return 0;
}

struct str
suspension_name(const struct suspension *s, struct arena *arena)
{
	return arena_printf(
		arena, STR_FMT ":" STR_FMT, STR_ARG(s->transport), STR_ARG(s->nexthop));
}

static bool
means_the_same(const struct suspension *a, const struct suspension *b)
{
	return str_eq(a->transport, b->transport) && str_eq(a->nexthop, b->nexthop);
}

/* ---- the list ---- */

const struct suspension *
suspension_of(const struct suspensions *all, struct str transport, struct str nexthop)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct suspension *s = &all->items[i];

		if ((s->transport.len == 0 || str_eq(s->transport, transport)) &&
			(s->nexthop.len == 0 || str_case_eq(s->nexthop, nexthop)))
			return s;
	}
	return NULL;
}

int
suspensions_set(struct suspensions *all, const struct suspension *one)
{
	size_t i = 0;

	while (i < all->n && !means_the_same(&all->items[i], one))
		i++;
	if (i == SUSPENSIONS_MOST)
		return -1;
	all->items[i] = *one;
	all->n = MAX(all->n, i + 1);
	return 0;
}

bool
suspensions_remove(struct suspensions *all, const struct suspension *one)
{
	for (size_t i = 0; i < all->n; i++)
		if (means_the_same(&all->items[i], one)) {
			all->items[i] = all->items[--all->n];
			return true;
		}
	return false;
}

/* ---- the file ---- */

static int
parse_line(struct str line, struct arena *arena, struct suspension *out)
{
	struct str since, destination = STR_NONE;
	struct why why;
	uint64_t seconds;

	if (!str_split(&line, ' ', &since) || str_to_u64(since, &seconds) < 0 ||
		seconds > INT32_MAX * UINT64_C(1000))
		return -1;
	str_split(&line, ' ', &destination);
	if (line.len > SUSPENSION_REASON_LENGTH || !is_printable(line, true) ||
		suspension_read(destination, arena, out, &why) < 0)
		return -1;
	out->since = (int64_t)seconds;
	out->reason = arena_str(arena, line);
	return 0;
}

size_t
suspensions_parse(struct str text, struct arena *arena, struct suspensions *out)
{
	struct str line;
	size_t bad = 0;

	out->n = 0;
	while (str_token(&text, "\n", &line)) {
		struct suspension one = { 0 };

		if (parse_line(line, arena, &one) < 0 || suspensions_set(out, &one) < 0)
			bad++;
	}
	return bad;
}

int
suspensions_load(
	const char *directory, struct arena *arena, struct suspensions *out, size_t *bad)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	char path[4096];

	out->n = *bad = 0;
	snprintf(path, sizeof(path), "%s/" FILE_NAME, directory);
	if (read_file(path, FILE_MOST, &text) < 0)
		return errno == ENOENT ? 0 : -1;
	*bad = suspensions_parse(buf_str(&text), arena, out);
	return 0;
}

static int
write_durably(int directory, struct str text)
{
	int fd CLEANUP(fd_close) = openat(
		directory, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write_all(fd, text) < 0 || fsync(fd) < 0 ||
		renameat(directory, NEW_NAME, directory, FILE_NAME) < 0)
		return -1;
	return fsync(directory);
}

int
suspensions_store(const char *directory, const struct suspensions *all)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < all->n; i++) {
		const struct suspension *s = &all->items[i];

		buf_printf(&text, "%lld " STR_FMT ":" STR_FMT, (long long)s->since,
			STR_ARG(s->transport), STR_ARG(s->nexthop));
		if (s->reason.len)
			buf_printf(&text, " " STR_FMT, STR_ARG(s->reason));
		buf_addc(&text, '\n');
	}
	return fd < 0 ? -1 : write_durably(fd, buf_str(&text));
}
