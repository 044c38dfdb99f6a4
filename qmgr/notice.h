/* notice.h -- failures are told to the sender: bounce makes the mail, we keep the message
 * until bounce has it. */
#ifndef NOTICE_H
#define NOTICE_H

#include "active.h"

/* A notice about every recipient whose failure is due to be told; ends with
 * active_notice_ended(). A few at a time, the others wait their turn. */
void notice_send(struct active *a);

#endif
