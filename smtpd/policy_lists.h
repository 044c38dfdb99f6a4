/* policy_lists.h -- the restriction lists as they were read: lists.c makes them, policy.c
 * walks them. */
#ifndef POLICY_LISTS_H
#define POLICY_LISTS_H

#include "policy.h"

/* In the order in which a recipient is checked against them. */
enum {
	LIST_CLIENT,
	LIST_HELO,
	LIST_SENDER,
	LIST_RELAY,
	LIST_RECIPIENT,
	LIST_DATA,
	LIST_END_OF_DATA,
	LIST_ETRN,
	LIST_LOCAL_CLIENTS,
	LIST_SIGNED_CLIENTS,
	LISTS
};

/* A name in smtpd_restriction_classes: stands for the list that the parameter of that
 * name holds. */
struct named_list {
	struct str name;
	struct checks checks;
};
struct table {
	struct maps *maps;
};
struct named_service {
	struct str spec;
	struct policy_service *service;
};
struct policy {
	const struct conf *conf;
	struct checks lists[LISTS];
	VEC(struct named_list) classes; /* complete before the first list is read */
	VEC(struct table) tables;
	VEC(struct named_service) services; /* each policy server once */
	bool opened;                        /* in the jail nothing more can be opened */
	struct arena *arena;
};

extern const char *const policy_list_names[LISTS]; /* their parameters */
/* What each list is about, for refusals that name it. */
extern const enum subject policy_list_subjects[LISTS];
/* Reads one item, and its argument, off words, where *at is the item's place and becomes
 * that of its last word. Warns of what is no restriction; `parameter` is where it stands.
 */
void check_read(struct policy *p, const char *parameter, const struct strs *words,
	size_t *at, struct arena *arena, struct check *out);
/* The list that a restriction class stands for, or NULL. */
const struct checks *class_find(const struct policy *p, struct str name);

#endif
