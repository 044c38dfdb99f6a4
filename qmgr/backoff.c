/* backoff.c -- see backoff.h. */
#include "backoff.h"

msec_t
backoff_delay(const struct backoff_rules *rules, msec_t age)
{
	msec_t delay = MAX(age, rules->least);

	if (delay > rules->most)
		delay = rules->most;
	return MAX(delay, rules->run_delay);
}

bool
backoff_expired(const struct backoff_rules *rules, msec_t age, bool null_sender)
{
	return age >= (null_sender ? rules->bounce_lifetime : rules->lifetime);
}
