/* instances.h -- the mail systems of one machine: the primary one, whose configuration is
 * the default one, and those that its multi_instance_directories name. */
#ifndef INSTANCES_H
#define INSTANCES_H

#include "conf.h"

/* Every name but "-" begins so, lest it look like a file of somebody else. */
#define INSTANCE_PREFIX "postfix-"

struct one_instance {
	struct str config, queue, data; /* its directories */
	struct str name, group;         /* empty: none */
	bool enabled;
	bool primary;
};
struct instances {
	struct conf *conf; /* of the primary one */
	struct arena *arena;
	VEC(struct one_instance) list; /* the primary one first */
};

/* Which of them a command is about. */
struct selection {
	enum { SELECT_NOTHING, SELECT_ALL, SELECT_NAME, SELECT_GROUP } by;
	struct str word;
};

/* Reads all of them. Fatal when a main.cf cannot be used, or when two have a name or a
 * place in common. */
void instances_load(struct instances *all, struct conf *primary);
/* Reads queue, data, name, group and enabled of i->config. */
void instance_load(struct instances *all, struct one_instance *i);
/* Without a mistake in it, i may be put among the others: no name, no place is taken.
 * Fatal otherwise. Those of i itself, by its directory, do not count. */
void instance_check_free(const struct instances *all, const struct one_instance *i);
/* A name is its own, a directory, or its name without INSTANCE_PREFIX; "-" is the primary
 * one. */
bool instance_is_selected(const struct one_instance *i, const struct selection *by);

#endif
