/* user.c -- see user.h. */
#include "user.h"
#include "dict.h"
#include <pwd.h>
#include <unistd.h>

const char *
user_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "unknown";
}

bool
user_is_in(const char *parameter, struct str list, const struct conf *c)
{
	struct why why = { 0 };
	struct match_list *l;
	bool found;

	/* The default: no need to open a table for it. */
	if (str_case_is(str_trim(list), "static:anyone"))
		return true;
	l = match_list_open(parameter, list, false, c);
	found = match_string(l, str_c(user_name()), &why) == DICT_FOUND;
	match_list_close(l);
	return found;
}
