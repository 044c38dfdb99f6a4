/* json.h -- strings in the JSON that commands print. */
#ifndef JSON_H
#define JSON_H

#include "base.h"
#include <stdio.h>

/* With its quotes (RFC 8259 section 7). Bytes above 0x7f go out as they are. */
void json_string(FILE *out, struct str s);

#endif
