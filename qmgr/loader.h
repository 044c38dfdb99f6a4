/* loader.h -- takes up messages that have to be read from the log first: all that did not
 * fit when they came, and all that slept. */
#ifndef LOADER_H
#define LOADER_H

void loader_start(void); /* a coroutine */
void loader_wake(void);  /* there may be work, or room for it */

#endif
