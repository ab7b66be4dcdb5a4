/* Labels of profiles that are sent. */
#include "tools/push/labels.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/redact/parts.h"
#include "profiles/redact/redact.h"
#include "symbolize/base/memory.h"

const char *sp_push_label(const struct sp_push_labels *labels, const char *name)
{
	for (size_t i = 0; i < labels->count; i++)
		if (strcmp(labels->list[i].name, name) == 0)
			return labels->list[i].value;
	return NULL;
}

/* Bytes of the text that leave its last character whole. */
static size_t fitting(const char *text, size_t most)
{
	size_t n = strlen(text);

	if (n <= most)
		return n;
	for (n = most; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

static char *clean(const char *text, size_t most)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	for (size_t n; *text; text += n) {
		n = strcspn(text, "\\");
		sp_escape(&out, SP_ESCAPE_PLAIN, text, n);
		for (; text[n] == '\\'; n++)
			sp_buffer_puts(&out, "\\");
	}
	out.data[fitting(out.data, most)] = '\0';
	return out.data;
}

char *sp_push_label_clean(const char *text)
{
	return clean(text, SP_PUSH_LABEL_BYTES);
}

static bool add(struct sp_push_labels *labels, const char *name, const char *value, size_t most)
{
	if (labels->count == SP_PUSH_LABELS_MOST)
		return false;
	labels->list[labels->count++] = (struct sp_push_label){clean(name, SP_PUSH_LABEL_BYTES), clean(value, most)};
	return true;
}

bool sp_push_label_add(struct sp_push_labels *labels, const char *name, const char *value)
{
	struct sp_buffer open = {0};
	bool added;

	if (sp_push_label(labels, name))
		return true;
	sp_buffer_puts(&open, "");
	if (sp_redact_hides(sp_redact_name(name, strlen(name)), value, strlen(value)))
		sp_buffer_puts(&open, SP_REDACTED);
	else
		sp_redact_text(&open, value, strlen(value));
	added = add(labels, name, open.data, SP_PUSH_LABEL_BYTES);
	sp_buffer_free(&open);
	return added;
}

static bool parse(struct sp_push_labels *labels, const char *text, size_t length, const char **why)
{
	const char *equals = memchr(text, '=', length);
	char *name, *value;
	bool added;

	*why = "a label is NAME=VALUE";
	if (!equals || equals == text || (size_t)(equals - text) > SP_PUSH_LABEL_BYTES)
		return false;
	name = sp_text("%.*s", (int)(equals - text), text);
	value = sp_text("%.*s", (int)(length - (size_t)(equals - text) - 1), equals + 1);
	*why = "there are more than 64 labels";
	added = sp_push_label_add(labels, name, value);
	free(name);
	free(value);
	return added;
}

bool sp_push_label_parse(struct sp_push_labels *labels, const char *text, const char **why)
{
	return parse(labels, text, strlen(text), why);
}

bool sp_push_labels_parse(struct sp_push_labels *labels, const char *text, const char **why)
{
	for (size_t n; *text; text += n + (text[n] == ',')) {
		n = strcspn(text, ",");
		if (n && !parse(labels, text, n, why))
			return false;
	}
	return true;
}

void sp_push_labels_add_host(struct sp_push_labels *labels)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) == 0 && *name)
		sp_push_label_add(labels, "host", name);
}

static void add_fact(struct sp_push_labels *labels, const char *name, const struct sp_profile *profile, const char *key)
{
	const char *value = sp_profile_fact(profile, key);

	if (value && *value)
		sp_push_label_add(labels, name, value);
}

void sp_push_labels_add_facts(struct sp_push_labels *labels, const struct sp_profile *profile)
{
	const char *commit = sp_profile_fact(profile, "git_commit");
	char version[13];

	add_fact(labels, "service", profile, "program");
	if (commit && *commit) {
		snprintf(version, sizeof(version), "%s", commit);
		sp_push_label_add(labels, "version", version);
	}
	add_fact(labels, "environment", profile, "environment");
	add_fact(labels, "program", profile, "program");
}

/* --- names that engines take */

static char *valid_name(const char *name, size_t most)
{
	char *valid = sp_text("%s%s",
		isdigit((unsigned char)*name)         ? "_"
			: strncmp(name, "__", 2) == 0 ? "label"
						      : "",
		name);

	for (char *c = valid; *c; c++)
		if (!isascii((unsigned char)*c) || (!isalnum((unsigned char)*c) && *c != '_'))
			*c = '_';
	if (most && strlen(valid) > most)
		valid[most] = '\0';
	return valid;
}

static bool is_taken(const struct sp_push_labels *valid, const char *name, const struct sp_push_name_rules *rules)
{
	for (size_t i = 0; rules->reserved && rules->reserved[i]; i++)
		if (strcmp(rules->reserved[i], name) == 0)
			return true;
	return sp_push_label(valid, name) != NULL;
}

/* Takes the name, and gives it or one with the first number that is free. */
static char *free_name(const struct sp_push_labels *valid, char *base, const struct sp_push_name_rules *rules)
{
	const size_t most = rules->name_bytes;
	char *name = base, number[16];

	for (unsigned n = 2; is_taken(valid, name, rules); n++) {
		size_t bytes = (size_t)snprintf(number, sizeof(number), "_%u", n), length = strlen(base);

		if (most && length + bytes > most)
			length = most > bytes ? most - bytes : 0;
		if (name != base)
			free(name);
		name = sp_text("%.*s%s", (int)length, base, number);
	}
	if (name != base)
		free(base);
	return name;
}

void sp_push_labels_valid(struct sp_push_labels *valid, const struct sp_push_labels *labels,
	const struct sp_push_name_rules *rules, size_t *left_out)
{
	const size_t most = rules->most && rules->most < SP_PUSH_LABELS_MOST ? rules->most : SP_PUSH_LABELS_MOST;
	const size_t value_bytes = rules->value_bytes ? rules->value_bytes : SP_PUSH_LABEL_BYTES;

	*left_out = 0;
	for (size_t i = 0; i < labels->count; i++) {
		const struct sp_push_label *one = &labels->list[i];
		char *name = free_name(valid, valid_name(one->name, rules->name_bytes), rules);
		bool changed = strcmp(name, one->name) != 0;

		if (valid->count + 1 + changed > most) {
			++*left_out;
		} else {
			add(valid, name, one->value, value_bytes);
			if (changed) {
				char *original = free_name(valid, sp_text("%s_original", name), rules);

				add(valid, original, one->name, value_bytes);
				free(original);
			}
		}
		free(name);
	}
}

void sp_push_labels_free(struct sp_push_labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->list[i].name);
		free(labels->list[i].value);
	}
	labels->count = 0;
}
