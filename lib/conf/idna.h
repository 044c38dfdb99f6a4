/* idna.h -- domains in their ASCII form and back (A-labels, RFC 5890 to 5892 and 3492).
 */
#ifndef CONF_IDNA_H
#define CONF_IDNA_H

#include "base.h"

/* Appends domain with each label that is not ASCII as xn--..., the rest in lower case. A
 * domain has to come composed (NFC), as people's keyboards make it. Capital letters of
 * the Latin, Greek and Cyrillic alphabets become small ones; other mappings of UTS 46 are
 * not done. -1 when it is no UTF-8, or a label or the whole is too long for the DNS. */
int idna_to_ascii(struct str domain, struct buf *out) MUST_CHECK;
/* Appends domain with each label xn--... as people read it, UTF-8. A label that is not
 * what idna_to_ascii() makes of something stays as it is. */
void idna_to_utf8(struct str domain, struct buf *out);

#endif
