/* source.c -- the logical lines of a text file, and "key value" entries. */
#include "source.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>

void
source_open(struct source *s, FILE *file, const char *name)
{
	*s = (struct source){ .file = file, .name = name };
}

void
source_close(struct source *s)
{
	if (s->file)
		fclose(s->file);
	s->file = NULL;
	free(s->ahead); /* getline()'s */
	s->ahead = NULL;
	buf_free(&s->logical);
}

/* The next physical line with its line end, or false. */
static bool
physical_line(struct source *s, struct str *line)
{
	if (!s->has_ahead) {
		ssize_t n;

		errno = 0;
		n = getline(&s->ahead, &s->ahead_room, s->file);
		if (n < 0)
			return false;
		s->ahead_len = (size_t)n;
		s->at++;
	}
	s->has_ahead = false;
	*line = str_of(s->ahead, s->ahead_len);
	if (line->len && line->data[line->len - 1] == '\n')
		line->len--;
	return true;
}

static bool
is_comment(struct str line)
{
	struct str text = str_trim(line);

	return text.len == 0 || text.data[0] == '#';
}

static void
warn_stray(const struct source *s, struct str line)
{
	log_warn("%s: logical line must not start with whitespace: \"%.*s\"", s->name,
		(int)MIN(line.len, 30), line.data);
}

bool
source_line(struct source *s, struct str *line)
{
	struct str physical;

	buf_clear(&s->logical);
	while (physical_line(s, &physical)) {
		bool more = physical.len && ascii_is_space(physical.data[0]);

		if (is_comment(physical))
			continue;
		if (s->logical.len == 0 && more) {
			warn_stray(s, physical);
			continue;
		}
		if (s->logical.len && !more) {
			s->has_ahead = true;
			break;
		}
		if (s->logical.len == 0)
			s->line = s->at;
		buf_add(&s->logical, physical);
	}
	*line = str_trim(buf_str(&s->logical));
	return s->logical.len > 0;
}

/* The length of the key at the front: up to the first blank outside quotes; 0 when a
 * quote is left open. */
static size_t
key_length(struct str line)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < line.len; i++) {
		char c = line.data[i];

		if (c == '\\' && i + 1 < line.len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && ascii_is_space(c))
			break;
	}
	return quoted ? 0 : i;
}

enum source_entry
source_map_entry(struct str line, struct str *key, struct str *value, struct why *why)
{
	size_t n = key_length(line);

	*why = (struct why){ 0 };
	if (str_chr(line, '\0') >= 0) {
		why_set(why, "5.5.0", "a NUL byte -- ignoring this line");
		return SOURCE_BAD;
	}
	if (n == 0) {
		why_set(why, "5.5.0",
			"unbalanced '\"' in '" STR_FMT "' -- ignoring this line",
			STR_ARG(line));
		return SOURCE_BAD;
	}
	*key = str_sub(line, 0, n);
	*value = str_trim(str_from(line, n));
	if (value->len == 0) {
		why_set(why, "5.5.0", "expected format: key whitespace value");
		return SOURCE_BAD;
	}
	if (key->data[n - 1] == ':')
		why_set(why, "5.5.0",
			"record is in \"key: value\" format; is this an alias file?");
	return SOURCE_ENTRY;
}
