/* setgid.h -- what our set-gid commands do before anything else. Their caller chose the
 * environment, the descriptors and the limits. */
#ifndef SETGID_H
#define SETGID_H

#include "conf.h"

/* Descriptors 0 to 2 exist and no others; no environment but MAIL_CONFIG and TZ; no core
 * dumps. */
void setgid_scrub(void);
/* Another configuration than the default one may be named by root, by those whose rights
 * we have anyway, and where the default main.cf lists it; otherwise fatal. */
void setgid_check_directory(const char *directory);
/* Does a list of users (authorized_*_users) have the caller? Root always. User names,
 * /file and type:table as in match lists. */
bool setgid_user_is_in(const char *parameter, struct str list, const struct conf *c);
/* The caller's name, for messages. */
const char *setgid_user_name(void);

#endif
