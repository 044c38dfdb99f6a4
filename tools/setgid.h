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

#endif
