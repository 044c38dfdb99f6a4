/* settings.h -- what a table behind a server is told in its file: "name = value" lines,
 * as main.cf has them. A name without a slash is not a file: then the settings are
 * parameters of main.cf that begin with it, and an underscore. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "dict_impl.h"

struct settings;
/* BLOCKS. Everything lives in d->arena; the file is stamped. NULL and *why. */
struct settings *settings_open(struct dict *d, struct stamp *stamp, struct why *why);
struct str settings_text(const struct settings *s, const char *name, const char *preset);
/* With a NUL behind. */
const char *settings_cstr(const struct settings *s, const char *name, const char *preset);
/* These report a value that is none, or out of bounds, in *why, and give the preset. */
long settings_number(const struct settings *s, const char *name, long preset, long least,
	long most, struct why *why);
bool settings_yes(
	const struct settings *s, const char *name, bool preset, struct why *why);
/* Seconds unless there is a unit. */
msec_t settings_time(
	const struct settings *s, const char *name, const char *preset, struct why *why);

#endif
