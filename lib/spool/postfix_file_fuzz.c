/* Any bytes from a queue that Postfix left; what was understood is written and must be
 * understood again. */
#include "postfix_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct buf content = BUF_INIT, file = BUF_INIT, line = BUF_INIT, again = BUF_INIT;
	struct str rest = str_of(data, size);
	struct postfix_message m;
	struct postfix_outcome o;
	char folder[32];

	while (postfix_outcome_get(&rest, &o))
		postfix_outcome_put(&file, &o);
	buf_clear(&file);
	postfix_subfolder(str_of(data, size), 15, folder);
	if (postfix_get(str_of(data, size), arena, &m, &content) == 0) {
		postfix_put_envelope(&file, &m, true, m.delay_sent ? 0 : -1);
		postfix_put_text(&file, &line, buf_str(&content));
		postfix_put_end(&file, &line);
		ensure(postfix_get(buf_str(&file), arena, &m, &again) == 0);
		if (content.len && content.data[content.len - 1] != '\n')
			buf_addc(&content, '\n');
		ensure(str_eq(buf_str(&content), buf_str(&again)));
	}
	buf_free(&content);
	buf_free(&file);
	buf_free(&line);
	buf_free(&again);
	arena_free(arena);
	return 0;
}
