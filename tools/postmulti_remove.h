/* postmulti_remove.h -- the end of an instance: its files, once it has no mail. */
#ifndef POSTMULTI_REMOVE_H
#define POSTMULTI_REMOVE_H

#include "instances.h"

bool instance_runs(const struct instances *all, const struct one_instance *i);
/* Fatal when there is mail in its queue, or when that cannot be known. */
BLOCKS void instance_must_be_empty(
	const struct instances *all, const struct one_instance *i);
/* Takes away what the mail system made, and main.cf and master.cf. Directories that are
 * not empty then stay, with a warning. */
BLOCKS void instance_remove(const struct instances *all, const struct one_instance *i);

#endif
