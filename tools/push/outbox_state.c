/* The outbox as a directory: what is known of each target, a small file of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>

#include "profiles/base/directory.h"
#include "profiles/base/json.h"
#include "profiles/output/output.h"
#include "symbolize/base/memory.h"
#include "tools/push/outbox.h"

#define SUFFIX ".state"
#define STATE_MOST 16384u

/* Two targets of one name would only share what is counted. */
static void name_file(char name[static 32], const char *target)
{
	snprintf(name, 32, "%016llx" SUFFIX, (unsigned long long)sp_hash_bytes(target, strlen(target)));
}

static uint64_t number(const json_t *json, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(json, key));

	return value > 0 ? (uint64_t)value : 0;
}

static void text(const json_t *json, const char *key, char *to, size_t size)
{
	const char *value = json_string_value(json_object_get(json, key));

	snprintf(to, size, "%s", value ? value : "");
}

static json_t *load(const struct sp_outbox *box, const char *name)
{
	int fd = sp_regular_open(box->fd, name);
	char all[STATE_MOST];
	ssize_t n = fd < 0 ? -1 : read(fd, all, sizeof(all));

	if (fd >= 0)
		close(fd);
	return n > 0 && n < (ssize_t)sizeof(all) ? json_loadb(all, (size_t)n, 0, NULL) : NULL;
}

static void read_file(const struct sp_outbox *box, const char *name, struct sp_outbox_state *s)
{
	json_t *json = load(box, name);

	*s = (struct sp_outbox_state){
		.sent = number(json, "sent"),
		.refused = number(json, "refused"),
		.dropped = number(json, "dropped"),
		.failures = number(json, "failures"),
		.failed_in_row = (unsigned)number(json, "failed_in_row"),
		.not_before_s = number(json, "not_before"),
		.last_success_s = number(json, "last_success"),
		.last_error_s = number(json, "last_error_time"),
		.asked = json_is_true(json_object_get(json, "asked")),
	};
	text(json, "target", s->target, sizeof(s->target));
	text(json, "last_error", s->last_error, sizeof(s->last_error));
	json_decref(json);
}

void sp_outbox_state_read(const struct sp_outbox *box, const char *target, struct sp_outbox_state *state)
{
	char name[32];

	name_file(name, target);
	read_file(box, name, state);
	snprintf(state->target, sizeof(state->target), "%s", target);
}

static void write_file(const struct sp_outbox *box, const char *name, const struct sp_outbox_state *s)
{
	struct sp_buffer out = {0};

	sp_json_put(&out,
		json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "target", sp_json_text(s->target),
			"sent", (json_int_t)s->sent, "refused", (json_int_t)s->refused, "dropped",
			(json_int_t)s->dropped, "failures", (json_int_t)s->failures, "failed_in_row",
			(json_int_t)s->failed_in_row, "not_before", (json_int_t)s->not_before_s, "last_success",
			(json_int_t)s->last_success_s, "last_error_time", (json_int_t)s->last_error_s, "asked",
			s->asked, "last_error", sp_json_text(s->last_error)),
		false);
	sp_output_put(box->fd, name, &out, true); /* where that fails, counts are from before */
	sp_buffer_free(&out);
}

void sp_outbox_state_change(const struct sp_outbox *box, const char *target, sp_outbox_change_fn *change, void *context)
{
	int lock = sp_directory_lock(box->fd);
	struct sp_outbox_state state;
	char name[32];

	name_file(name, target);
	sp_outbox_state_read(box, target, &state);
	change(&state, context);
	write_file(box, name, &state);
	if (lock >= 0)
		close(lock);
}

static int is_state(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n == 16 + strlen(SUFFIX) && strcmp(entry->d_name + 16, SUFFIX) == 0;
}

size_t sp_outbox_states(const struct sp_outbox *box, struct sp_outbox_state **states)
{
	struct dirent **entries;
	int count = scandirat(box->fd, ".", &entries, is_state, alphasort);
	size_t n = 0;

	*states = sp_alloc(count > 0 ? (size_t)count : 1, sizeof(**states));
	for (int i = 0; i < count; i++) {
		read_file(box, entries[i]->d_name, &(*states)[n]);
		n += (*states)[n].target[0] != '\0';
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return n;
}
