/* keys.h -- the private keys of DKIM: the files of dkim_sign_key_directory, all of them
 * read as root before the jail. In there nothing can be opened any more; when one of the
 * files changes this process leaves, and the next one reads them anew. */
#ifndef KEYS_H
#define KEYS_H

#include "tls_sign.h"

/* Before the jail. */
void keys_open(void);
/* The key in the file of that name. NULL, and why->text says why. */
const struct sign_key *keys_find(struct str name, struct why *why);

#endif
