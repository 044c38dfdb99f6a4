/* spf_engine.h -- who judges by SPF: the evaluator of lib/auth in this process, or
 * libspf2 in mailauth (spf_engine). */
#ifndef SPF_ENGINE_H
#define SPF_ENGINE_H

#include "spf.h"

struct session;

enum spf_engine {
	SPF_ENGINE_NATIVE,
	SPF_ENGINE_LIBSPF2,
	SPF_ENGINE_BOTH, /* the native one counts; where libspf2 differs is logged */
};
/* Fatal when it is none of these words; native, with a warning, where the build has no
 * libspf2. */
enum spf_engine spf_engine_parse(struct str value);

/* As spf_check(), by the site's engine. A crash or a hang of libspf2 is a temperror. */
SWITCHES void spf_engine_check(struct session *s, const struct spf_question *q,
	struct arena *arena, struct spf_verdict *out);

#endif
