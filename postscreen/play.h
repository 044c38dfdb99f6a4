/* play.h -- a stage for tests of the dialogue: a session over a socket pair, without
 * master, broker and jail. */
#ifndef PLAY_H
#define PLAY_H

#include "base.h"

/* With such a main.cf; once in a process, before the others. */
void play_conf(const char *text);
/* A client that sends that, and hangs up. What it is told is behind *said; good until the
 * next call. False: some reply is no line of RFC 5321. */
bool play_feed(struct str bytes, struct str *said);
/* The log lines of that session, each with a newline. */
struct str play_logged(void);

#endif
