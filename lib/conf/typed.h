/* typed.h -- the text of a value as the number or truth it stands for, within its bounds.
 */
#ifndef CONF_TYPED_H
#define CONF_TYPED_H

#include "conf.h"

union typed {
	bool truth;
	int64_t number; /* INT and LONG */
	msec_t span;
	struct str text;
};

/* unit: of a time that has none. NULL: all well; else what is wrong, in Postfix's words.
 */
const char *typed_value(const struct param_info *info, struct str name, struct str value,
	char unit, union typed *out, struct arena *scratch);
/* What to write instead. */
const char *typed_remedy(const struct param_info *info, struct arena *a);
/* The unit of a preset: its first letter. */
char typed_unit(struct str preset);

#endif
