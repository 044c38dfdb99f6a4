/* file.h -- the policies that outlive the process: mta_sts_policies in data_directory, a
 * line for each, of which the last one of a domain counts (policies.h). It is written
 * anew at the start and grows until the next one; only its descriptor goes into the jail.
 */
#ifndef FILE_H
#define FILE_H

#include "conf.h"
#include "policies.h"

/* Before the jail: reads what is there, as whoever we are then. */
void file_open(const struct conf *c);
/* Makes it known to the disk. What cannot be written is logged, and is known until the
 * end of the process. */
SWITCHES void file_append(const struct policy *p);
/* Has it grown so much that it should be written anew? */
bool file_is_long(void);

#endif
