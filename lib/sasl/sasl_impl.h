/* sasl_impl.h -- what a type of back end has to do. A new one is a file and a row in
 * sasl.c. */
#ifndef SASL_IMPL_H
#define SASL_IMPL_H

#include "sasl.h"

struct sasl_type {
	const char *name;
	void *(*open)(const struct sasl_config *config);
	void (*close)(void *own);
	SWITCHES bool (*mechanisms)(void *own, const struct sasl_client *client,
		struct arena *arena, struct strs *out);
	/* The exchange's own part; NULL where there is nothing to end. */
	SWITCHES void *(*begin)(void *own, const struct sasl_client *client,
		struct str mechanism, struct str initial, struct arena *arena,
		struct sasl_answer *answer);
	SWITCHES void (*go_on)(void *exchange, struct str response, struct arena *arena,
		struct sasl_answer *answer);
	void (*end)(void *exchange);
};
extern const struct sasl_type sasl_dovecot, sasl_cyrus;

bool sasl_mechanism_is_good(
	const struct sasl_mechanism *m, const struct sasl_options *options);
/* Could it be base64 (RFC 4648 section 4)? */
bool sasl_is_base64(struct str text);
void sasl_answer_set(
	struct sasl_answer *answer, enum sasl_status status, struct str text);

#endif
