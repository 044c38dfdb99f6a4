/* exchangers.h -- the mail exchangers of domains, as smtp found them on its way: domains
 * with the same ones have the same receiver. A memory of the last some thousand, made up
 * of a younger and an older half. */
#ifndef EXCHANGERS_H
#define EXCHANGERS_H

#include "base.h"

/* Octets of one domain's names; what does not fit is left out. */
#define EXCHANGERS_LENGTH 200

/* names in any order; most: how many domains are remembered. True when the domain had
 * others, or none were known. */
bool exchangers_learn(struct str domain, struct strs names, size_t most);
/* In lower case and in order, with commas between: "mx1.example,mx2.example"; or none.
 * Good until somebody learns. */
struct str exchangers_of(struct str domain);
void exchangers_free(void);

#endif
