/* requeue.h -- postsuper -r: pickup has cleanup make a new message of the recipients that
 * are left, with addresses rewritten anew. We keep the old one until that is on the disk.
 * Like a delivery, a requeue that a crash interrupts may be done twice. */
#ifndef REQUEUE_H
#define REQUEUE_H

#include "active.h"

/* Ends with active_requeued(). */
void requeue_send(struct active *a);

#endif
