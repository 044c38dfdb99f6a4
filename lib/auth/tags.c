/* tags.c -- see tags.h. */
#include "tags.h"

bool
tag_next(struct str *rest, struct str *name, struct str *value)
{
	struct str tag;
	ssize_t equals;

	if (rest->len == 0)
		return false;
	(void)str_split(rest, ';', &tag);
	equals = str_chr(tag, '=');
	*name = equals < 0 ? STR_NONE : str_trim(str_sub(tag, 0, (size_t)equals));
	*value = equals < 0 ? STR_NONE : str_trim(str_from(tag, (size_t)equals + 1));
	return true;
}

bool
tag_find(struct str list, const char *name, struct str *value)
{
	struct str found;

	while (tag_next(&list, &found, value))
		if (str_case_is(found, name))
			return true;
	*value = STR_NONE;
	return false;
}
