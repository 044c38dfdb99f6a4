/* unix.h -- inside of unix:, for its test. */
#ifndef UNIX_H
#define UNIX_H

#include "entries.h"
#include <stdio.h>

/* Reads the entries of a passwd(5) or group(5) file: lines of `fields` fields with a
 * number in the third, as getpwnam(3) accepts them. False with errno when it cannot be
 * read. *others: there are entries (+, -) that send one elsewhere. */
bool unix_read(struct entries *e, FILE *file, size_t fields, bool *others);

/* Do the sources that nsswitch.conf(5) names for the database know more users than the
 * file? text: the content of nsswitch.conf. has_records: users of systemd exist here that
 * are in no file (systemd-homed, records in userdb directories). */
bool unix_asks_others(struct str text, const char *database, bool has_records);

#endif
