/* explain_print.c -- steps as lines for people, or as JSON: an object in each line. */
#include "postern_explain.h"
#include "json.h"

#define INDENT 2
/* What people have before their eyes of a table: inline: ones can be long. */
#define TABLE_MOST 60

/* Keys and texts are anybody's: they get no line of their own, and no terminal. */
static void
print_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < ' ' || c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

static void
print_word(struct str word)
{
	if (word.len == 0)
		return;
	putchar(' ');
	print_text(word);
}

static void
print_member(const char *name, struct str value)
{
	if (!value.data)
		return;
	printf(", \"%s\": ", name);
	json_string(stdout, value);
}

void
explain_print_program(
	const struct explain *x, const struct service_line *line, struct str about)
{
	if (x->json)
		return;
	printf(STR_FMT " (service " STR_FMT ")", STR_ARG(line->command),
		STR_ARG(line->name));
	print_word(about);
	putchar('\n');
}

static void
print_step(const struct explain_step *s)
{
	printf("%*s" STR_FMT, INDENT * (s->depth + 1), "", STR_ARG(s->kind));
	print_word(s->name);
	print_word(str_sub(s->table, 0, MIN(s->table.len, TABLE_MOST)));
	if (s->table.len > TABLE_MOST)
		fputs("...", stdout);
	if (s->subject.data)
		print_word(s->subject.len > 0 ? s->subject : STR("<>"));
	if (s->result.len > 0) {
		putchar(':');
		print_word(s->result);
	}
	if (s->text.len > 0) {
		putchar(':');
		print_word(s->text);
	}
	putchar('\n');
}

static void
print_json(const struct service_line *line, const struct explain_step *s)
{
	fputs("{\"program\": ", stdout);
	json_string(stdout, line->command);
	print_member("service", line->name);
	printf(", \"depth\": %u", s->depth);
	print_member("kind", s->kind);
	print_member("name", s->name);
	print_member("table", s->table);
	print_member("subject", s->subject);
	print_member("result", s->result);
	if (s->text.len > 0)
		print_member("text", s->text);
	puts("}");
}

void
explain_print_steps(const struct explain *x, const struct service_line *line,
	const struct explain_reply *said)
{
	for (size_t i = 0; i < said->n_steps; i++) {
		const struct explain_step *s = &said->steps[i];
		bool chatter = str_is(s->kind, "log") && str_is(s->result, "says");

		if (x->json)
			print_json(line, s);
		else if (!chatter || x->verbose)
			print_step(s);
	}
	if (said->left_out && !x->json)
		printf("%*s(there are more steps)\n", INDENT, "");
}

void
explain_print_outcome(const struct explain *x, struct str recipient, const char *outcome,
	struct str code, struct str text)
{
	if (x->json) {
		printf("{\"kind\": \"outcome\"");
		print_member("recipient", recipient);
		printf(", \"result\": \"%s\"", outcome);
		print_member("code", code);
		print_member("text", text);
		puts("}");
		return;
	}
	fputs("outcome", stdout);
	print_word(recipient);
	printf(": %s", outcome);
	if (code.len + text.len > 0)
		putchar(':');
	print_word(code);
	print_word(text);
	putchar('\n');
}
