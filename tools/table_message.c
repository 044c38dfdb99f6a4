/* table_message.c -- postmap -b, -h and -m with -q -: standard input is a message, and
 * its headers (as one key each, with their folds) and body lines are looked up, to try
 * out header_checks and body_checks. */
#include "table_tool.h"
#include "fields.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>

enum { NESTING_MOST = 100, BOUNDARY_MOST = 2048 };

struct message {
	const struct request *rq;
	struct dict **tables;
	size_t n;
	bool found;
	bool in_header;
	struct buf field; /* the header that may go on */
	struct arena *arena;
	struct str boundaries[NESTING_MOST]; /* of the multiparts we are in */
	size_t depth;
	struct str boundary; /* this part's Content-Type named it */
	bool is_message;     /* this part is a message/rfc822 */
};

static void
ask(struct message *m, struct str key)
{
	for (size_t i = 0; i < m->n; i++) {
		if (table_ask(m->rq, m->tables[i], key, true)) {
			m->found = true;
			return;
		}
	}
}

/* ---- headers ---- */

/* The value of boundary=, with or without quotes (RFC 2046 section 5.1.1). */
static struct str
boundary_of(struct message *m, struct str type)
{
	struct str rest = type, item;

	str_token(&rest, ";", &item);
	while (str_token(&rest, ";", &item)) {
		ssize_t quote;

		item = str_trim(item);
		if (!str_case_starts(item, STR("boundary=")))
			continue;
		item = str_from(item, 9);
		if (item.len && item.data[0] == '"') {
			item = str_from(item, 1);
			quote = str_chr(item, '"');
			item = str_sub(item, 0, quote < 0 ? item.len : (size_t)quote);
		}
		return arena_str(m->arena, str_sub(item, 0, BOUNDARY_MOST));
	}
	return STR_NONE;
}

static void
note_content_type(struct message *m, struct str name, struct str body)
{
	if (!m->rq->mime || !str_case_is(name, "Content-Type"))
		return;
	body = str_trim(body);
	m->is_message = str_case_starts(body, STR("message/rfc822"));
	m->boundary = str_case_starts(body, STR("multipart/")) ? boundary_of(m, body)
							       : STR_NONE;
}

/* A header is complete: "Name: body", without blanks before the colon. */
static void
header_end(struct message *m)
{
	struct buf key CLEANUP(buf_free) = BUF_INIT;
	struct str text = buf_str(&m->field), name;
	ssize_t colon = str_chr(text, ':');

	if (text.len == 0)
		return;
	name = str_trim(str_sub(text, 0, (size_t)colon));
	note_content_type(m, name, str_from(text, (size_t)colon + 1));
	buf_add(&key, name);
	buf_add(&key, str_from(text, (size_t)colon));
	if (m->rq->header)
		ask(m, buf_str(&key));
	buf_clear(&m->field);
}

/* ---- bodies ---- */

static void
part_start(struct message *m)
{
	m->in_header = true;
	m->boundary = STR_NONE;
	m->is_message = false;
}

/* Which multipart does this line delimit? Those inside of it have ended with it. */
static bool
is_delimiter(struct message *m, struct str line)
{
	if (!str_starts(line, STR("--")))
		return false;
	for (size_t i = m->depth; i-- > 0;) {
		struct str rest = str_from(line, 2);

		if (!str_starts(rest, m->boundaries[i]))
			continue;
		rest = str_from(rest, m->boundaries[i].len);
		m->depth = i + 1;
		if (str_starts(rest, STR("--")))
			m->depth--;
		else
			part_start(m);
		return true;
	}
	return false;
}

static void
body_line(struct message *m, struct str line)
{
	if (m->rq->body)
		ask(m, line);
	if (m->rq->mime)
		is_delimiter(m, line);
}

/* The empty line, or what stands where it should be. */
static void
header_section_end(struct message *m, struct str line)
{
	header_end(m);
	m->in_header = false;
	if (m->rq->body)
		ask(m, STR(""));
	if (m->boundary.len && m->depth < NESTING_MOST)
		m->boundaries[m->depth++] = m->boundary;
	if (m->is_message)
		part_start(m);
	if (line.len)
		body_line(m, line);
}

static void
header_line(struct message *m, struct str line)
{
	struct str name;

	if (line.len && ascii_is_blank(line.data[0]) && m->field.len) {
		buf_addc(&m->field, '\n');
		buf_add(&m->field, line);
	} else if (field_start(line, &name)) {
		header_end(m);
		buf_add(&m->field, line);
	} else {
		header_section_end(m, line);
	}
}

static void
read_message(struct message *m)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) >= 0) {
		struct str s = str_of(line, (size_t)n);

		if (str_ends(s, STR("\n")))
			s.len--;
		if (str_ends(s, STR("\r")))
			s.len--;
		if (m->in_header)
			header_line(m, s);
		else
			body_line(m, s);
	}
	if (ferror(stdin))
		log_fatal("read standard input: %m");
	header_end(m);
	free(line);
}

int
table_message(const struct request *rq, struct strs tables)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct message m = { .rq = rq, .arena = a, .in_header = true, .n = tables.n };

	if (!rq->body && !rq->header) {
		log_warn("ignoring -m option without -b or -h");
		return table_query(rq, tables);
	}
	m.tables = arena_alloc(a, tables.n * sizeof *m.tables);
	for (size_t i = 0; i < tables.n; i++)
		m.tables[i] = table_open(rq, tables.items[i]);
	read_message(&m);
	buf_free(&m.field);
	for (size_t i = 0; i < tables.n; i++)
		dict_close(m.tables[i]);
	return m.found ? 0 : 1;
}
