/* config_copy.h -- a configuration directory goes from Postfix to us, or back. */
#ifndef CONFIG_COPY_H
#define CONFIG_COPY_H

#include "base.h"

/* What to read and write, and with which names. Directories without / at the end. */
struct config_copy {
	const char *from, *to;
	bool to_postfix;
	/* The directories that settings may name. */
	struct str old_queue, new_queue, old_data, new_data;
	unsigned long files, settings, trouble; /* what was done, and was not */
};

/* Copies every file, main.cf and master.cf with the changes that the other side needs,
 * and prints what it changed or did not understand. A file that is in the way keeps a
 * second name, with ".before" behind it. Fatal when something cannot be read or written.
 * BLOCKS */
void config_copy(struct config_copy *c);

#endif
