/* steps.c -- everything that is done to a message before its commit, in this order.
 * Header and body checks, Milters and signing go into this list and nowhere else. */
#include "message.h"

const struct step steps[] = {
	{ .name = "rewrite", .envelope = envelope_rewrite },
	{ .name = "bcc", .envelope = envelope_bcc },
	{ .name = "virtual", .envelope = envelope_virtual },
	{ .name = "limits", .field = header_limits },
	{ .name = "drop", .field = header_drop },
	{ .name = "delivered", .field = header_delivered },
	{ .name = "addresses", .field = header_rewrite },
	{ .name = "missing", .field = header_see, .fields_end = header_add_missing },
};
const size_t n_steps = COUNT(steps);
