/* tags.h -- "name=value; name=value", as DKIM, DMARC and their relatives write it. */
#ifndef TAGS_H
#define TAGS_H

#include "base.h"

/* Takes the next tag off the front of the list, without blanks around its parts. False at
 * its end; a piece that is no tag comes without a name. */
bool tag_next(struct str *rest, struct str *name, struct str *value);
/* The first tag of that name; false: there is none. */
bool tag_find(struct str list, const char *name, struct str *value);

#endif
