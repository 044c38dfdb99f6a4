/* sessions.h -- TLS sessions with servers, for the next connection to the same one. Kept
 * in memory: a bounded number of bounded size; the oldest makes room. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "base.h"

#define SESSIONS_MOST 2048
#define SESSION_MOST  16384 /* bytes of one: with the server's certificates */

/* Replaces the one before; an empty one only ends that. One that is too large is not
 * kept.
 */
void sessions_keep(struct str key, struct str session, deadline_t until);
/* A view, good until the next call of sessions_keep(); none when there is none. */
struct str sessions_find(struct str key, deadline_t now);

#endif
