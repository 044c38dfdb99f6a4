/* steps.c -- everything that is done to a message before its commit, in this order.
 * Signing goes into this list and nowhere else. */
#include "message.h"

const struct step steps[] = {
	{ .name = "sealer", .envelope = seal_begin },
	{ .name = "rewrite", .envelope = envelope_rewrite },
	{ .name = "verify", .field = verify_field, .end = verify_message },
	{ .name = "milters", .envelope = milters_hear_envelope, .end = milters_inspect },
	{ .name = "bcc", .envelope = envelope_bcc },
	{ .name = "srs", .envelope = srs_recipients },
	{ .name = "virtual", .envelope = envelope_virtual },
	{ .name = "forwarded", .envelope = srs_sender },
	{ .name = "checks", .field = header_check },
	{ .name = "limits", .field = header_limits },
	{ .name = "drop", .field = header_drop },
	{ .name = "encoding", .field = header_see_encoding },
	{ .name = "tls", .field = header_see_tls },
	{ .name = "delivered", .field = header_delivered },
	{ .name = "addresses", .field = header_rewrite },
	{ .name = "missing", .field = header_see, .fields_end = header_add_missing },
	{ .name = "late", .end = envelope_late },
	{ .name = "forwarded late", .end = srs_sender_late },
	{ .name = "sign", .end = sign_message },
	{ .name = "seal", .end = seal_message },
};
const size_t n_steps = COUNT(steps);
