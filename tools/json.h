/* json.h -- strings in the JSON that commands print. */
#ifndef JSON_H
#define JSON_H

#include "base.h"
#include <stdio.h>

/* json_put() to a stream. */
void json_string(FILE *out, struct str s);

#endif
