/* arguments.h -- the command column of master.cf: arguments, and the options in them that
 * every daemon knows. */
#ifndef CONF_ARGUMENTS_H
#define CONF_ARGUMENTS_H

#include "conf.h"

/* Splits at blanks; "{ text with blanks }" is one argument, without the braces and the
 * blanks at its edges. NULL, or what is wrong with it, in a. */
const char *arguments_split(struct str text, struct arena *a, struct strs *out)
	MUST_CHECK;
/* Fills in overrides ("name=value") and verbose from args. NULL, or what is wrong. */
const char *arguments_options(struct service_line *s, struct arena *a) MUST_CHECK;

#endif
