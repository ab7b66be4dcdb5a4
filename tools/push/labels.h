/* What says where a profile is from: pairs of a name and a value. */
#ifndef SP_TOOLS_PUSH_LABELS_H
#define SP_TOOLS_PUSH_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

#define SP_PUSH_LABELS_MOST 64u
#define SP_PUSH_LABEL_BYTES 1024u /* of a name, and of a value */

struct sp_push_label {
	char *name, *value;
};

/* In the order in which they were added. All-zero is none. */
struct sp_push_labels {
	struct sp_push_label list[SP_PUSH_LABELS_MOST];
	size_t count;
};

/* NULL: there is none of that name. */
const char *sp_push_label(const struct sp_push_labels *labels, const char *name);

/* Adds it where there is none of that name yet. What looks like a secret in the value is left out of it. false: there are too many. */
bool sp_push_label_add(struct sp_push_labels *labels, const char *name, const char *value);

/* A name or value as it is sent: UTF-8 without control characters, whatever it was; to be freed. What is clean stays as it is. */
char *sp_push_label_clean(const char *text);

/* "name=value", and the same several times with commas between them. false with a phrase in *why. */
bool sp_push_label_parse(struct sp_push_labels *labels, const char *text, const char **why);
bool sp_push_labels_parse(struct sp_push_labels *labels, const char *text, const char **why);

/* This machine's name as `host`. */
void sp_push_labels_add_host(struct sp_push_labels *labels);

/* service, version, environment, program, from the profile, where they were not given. */
void sp_push_labels_add_facts(struct sp_push_labels *labels, const struct sp_profile *profile);

/* For engines that take [a-zA-Z_][a-zA-Z0-9_]* alone: other characters of a name become _, and the name as it was is the value of one
 * more label, NAME_original. Of names that become the same the later ones get a number, and so do those that are reserved; in front of
 * a name that begins with __, which engines keep to themselves, stands `label`. At most so many, names and values at most so
 * long, 0: any; *left_out counts the others. */
struct sp_push_name_rules {
	size_t most, name_bytes, value_bytes;
	const char *const *reserved; /* the last one NULL; NULL: none is */
};
void sp_push_labels_valid(struct sp_push_labels *valid, const struct sp_push_labels *labels,
	const struct sp_push_name_rules *rules, size_t *left_out);

void sp_push_labels_free(struct sp_push_labels *labels);

#endif
