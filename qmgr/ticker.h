/* ticker.h -- the one timer behind everything that waits: sleeping messages, dead
 * destinations and transports, agents that do not come. */
#ifndef TICKER_H
#define TICKER_H

/* Something waits now that did not before: look again at the end of this turn. */
void ticker_touch(void);
/* Does what is due. The timer calls it; tests do after they moved the clock. */
void ticker_run(void);
/* Nothing is left that could wait (tests). */
void ticker_stop(void);

#endif
