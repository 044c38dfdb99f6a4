/* postcat_records.c -- the records of a queue file in words, as Postfix's postcat has
 * them.
 */
#include "postcat.h"
#include "log.h"
#include "postfix_file.h"
#include <stdio.h>
#include <time.h>

static const struct {
	char type;
	const char *name;
	bool is_time;
	bool says_nothing; /* shown by -v only */
} kinds[] = {
	{ 'C', "message_size", false, false },
	{ 'T', "message_arrival_time", true, false },
	{ 'c', "queue_file_create_time", false, false },
	{ 'F', "sender_fullname", false, false },
	{ 'I', "content_inspector", false, false },
	{ 'L', "content_filter", false, false },
	{ 'S', "sender", false, false },
	{ 'D', "done_recipient", false, false },
	{ 'R', "recipient", false, false },
	{ 'O', "original_recipient", false, false },
	{ '/', "canceled_recipient", false, false },
	{ 'W', "warning_message_time", true, false },
	{ 'A', "named_attribute", false, false },
	{ 'p', "pointer_record", false, true },
	{ 'w', "padding", false, true },
	{ 'r', "return_receipt", false, false },
	{ 'e', "errors_to", false, false },
	{ 'P', "priority", false, false },
	{ 'V', "verp_delimiters", false, false },
	{ '>', "redirect_to", false, false },
	{ 'f', "flags", false, false },
	{ 'i', "dsn_envelope_id", false, false },
	{ 'o', "dsn_original_recipient", false, false },
	{ 'n', "dsn_notify_flags", false, false },
};

enum part { IN_ENVELOPE, IN_HEADER, IN_BODY, IN_EXTRACTED };

struct viewing {
	const struct view *v;
	enum part part;
	bool line_goes_on; /* the last text record had no line end */
	bool owes_newline; /* and was shown so */
};

static void
print_str(struct str s)
{
	fwrite(s.data ? s.data : "", 1, s.len, stdout);
}

/* What -f, -o and -d put in front. */
static void
print_front(const struct view *v, const struct postfix_record *r)
{
	if (v->names)
		printf("%s: ", v->label);
	if (v->offsets)
		printf("%9llu ", (unsigned long long)r->offset);
	if (v->types)
		printf("%3d ", (unsigned char)r->type);
}

/* Seconds since 1970 at the start of the text, in words, with a line end. */
static void
print_time(struct str text)
{
	struct str word = STR_NONE;
	uint64_t seconds = 0;
	char words[64];
	time_t t;

	if (!str_token(&text, " \t", &word) || str_to_u64(word, &seconds) < 0) {
		print_str(word);
		putchar('\n');
		return;
	}
	t = (time_t)seconds;
	fputs(ctime_r(&t, words) ? words : "\n", stdout);
}

/* ---- envelope ---- */

static void
print_field(const struct viewing *w, const struct postfix_record *r)
{
	struct str create_time = STR("create_time=");
	size_t i = 0;

	while (i < COUNT(kinds) && kinds[i].type != r->type)
		i++;
	if (!(w->v->show & SHOW_ENVELOPE) ||
		(i < COUNT(kinds) && kinds[i].says_nothing && !w->v->all))
		return;
	print_front(w->v, r);
	if (r->type == 'A' && str_starts(r->data, create_time)) {
		fputs("create_time: ", stdout);
		print_time(str_from(r->data, create_time.len));
		return;
	}
	printf("%s: ", i < COUNT(kinds) ? kinds[i].name : "unknown_record_type");
	if (i < COUNT(kinds) && kinds[i].is_time) {
		print_time(r->data);
	} else {
		print_str(r->data);
		putchar('\n');
	}
}

static void
print_label(struct viewing *w, const struct postfix_record *r, const char *words)
{
	if (!(w->v->show & SHOW_ENVELOPE))
		return;
	if (w->owes_newline)
		putchar('\n');
	w->owes_newline = false;
	print_front(w->v, r);
	printf("*** %s %s ***\n", words, w->v->label);
}

/* ---- text ---- */

/* RFC 5322 section 2.2: a name of printable characters without a colon, blanks that
 * section 4.5 still allows, a colon; or the rest of a folded field. */
static bool
is_header(struct str line)
{
	size_t n = 0;

	if (line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
		return true;
	while (n < line.len && line.data[n] > ' ' && line.data[n] != ':' &&
		line.data[n] != 127)
		n++;
	if (n == 0)
		return false;
	while (n < line.len && (line.data[n] == ' ' || line.data[n] == '\t'))
		n++;
	return n < line.len && line.data[n] == ':';
}

static void
print_text(struct viewing *w, const struct postfix_record *r)
{
	bool part_of_line = r->type == 'L';

	if (w->part == IN_HEADER && !w->line_goes_on && !is_header(r->data))
		w->part = IN_BODY;
	w->line_goes_on = part_of_line;
	if (w->v->show & (w->part == IN_HEADER ? SHOW_HEADER : SHOW_BODY)) {
		print_front(w->v, r);
		if (w->v->all)
			fputs(part_of_line ? "unterminated_text: " : "regular_text: ",
				stdout);
		print_str(r->data);
		w->owes_newline = part_of_line && !w->v->all && !w->v->offsets;
		if (!w->owes_newline)
			putchar('\n');
	}
}

/* ---- all of it ---- */

static void
print_record(struct viewing *w, const struct postfix_record *r)
{
	bool in_text = w->part == IN_HEADER || w->part == IN_BODY;

	if (r->type == 'M') {
		print_label(w, r, "MESSAGE CONTENTS");
		w->part = IN_HEADER;
	} else if (r->type == 'X') {
		print_label(w, r, "HEADER EXTRACTED");
		w->part = IN_EXTRACTED;
	} else if (r->type == 'E') {
		print_label(w, r, "MESSAGE FILE END");
	} else if (in_text && (r->type == 'N' || r->type == 'L')) {
		print_text(w, r);
	} else {
		print_field(w, r);
	}
}

bool
view_records(const struct view *v, struct str file)
{
	struct postfix_walk walk = { .file = file, .at = v->skip };
	struct viewing w = { .v = v };
	struct postfix_record r;
	int got;

	if (file.len == 0)
		return true;
	if (v->skip == 0 && file.data[0] != 'C' && file.data[0] != 'T') {
		log_warn("%s: input is not a valid queue file", v->label);
		return true;
	}
	if (v->skip == 0 && (v->show & SHOW_ENVELOPE))
		printf("*** ENVELOPE RECORDS %s ***\n", v->label);
	while ((got = postfix_record_next(&walk, &r)) == 1) {
		print_record(&w, &r);
		if (r.type == 'p' && !v->file_order &&
			postfix_record_follow(&walk, &r) < 0)
			break;
	}
	if (got == 0)
		return true;
	log_warn("%s: %s", v->label,
		got < 0 ? "unexpected end of the file in a record"
			: "a pointer leads nowhere");
	return false;
}
