/* table.h -- the rows of parameters.def by their number, and where their fields are. */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include "conf.h"

/* Index of a name in conf_params(), or -1. */
int table_find(struct str name);
/* Where struct params has the field of row i; PT_REMOVED has none. */
size_t table_offset(size_t i);
/* The pattern that name ends in, behind a transport's name and _; NULL when none. */
const struct param_info *pattern_of(struct str name, struct str *transport);

#endif
