/* events.h -- event_socket: what becomes of mail, told to a program of the
 * administrator's, one line of JSON each. Whoever does not read costs lines, never mail
 * its time: a line that does not fit behind those that wait is counted, and the number
 * told. */
#ifndef EVENTS_H
#define EVENTS_H

#include "active.h"

void events_start(void);
/* outside.conf is new. */
void events_reload(void);
/* A message of this envelope (encoded) is in the queue. */
void events_accepted(const struct message *m, struct str envelope);
/* An outcome of recipient n; to: who said so, or NULL when we did. */
void events_outcome(const struct active *a, uint32_t n, const struct destination *to,
	const struct outcome *o);
/* Recipient n is given up after having been deferred. */
void events_expired(const struct active *a, uint32_t n);

#endif
