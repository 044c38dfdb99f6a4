/* user.h -- who calls, and whether he may (authorized_*_users). */
#ifndef USER_H
#define USER_H

#include "conf.h"

/* The caller's name; "unknown" when the user database does not have him. */
const char *user_name(void);
/* Does a list of users have the caller? User names, /file and type:table as in match
 * lists. Root is a user like others, as in Postfix. */
bool user_is_in(const char *parameter, struct str list, const struct conf *c);

#endif
