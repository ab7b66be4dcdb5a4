/* push --status: what waits in the outbox, and how sending goes. */
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/tools.h"

struct sums {
	size_t waiting, refused;
	uint64_t bytes, oldest_s;
};

static struct sums add_up(const struct sp_outbox *box, const struct sp_outbox_file *files, size_t count,
	const char *target)
{
	struct sums sums = {0};

	for (size_t i = 0; i < count; i++) {
		char *of = sp_outbox_target(box, files[i].name);
		uint64_t at_s = strtoull(files[i].name, NULL, 10) / 1000000000u;

		if (of && strcmp(of, target) == 0) {
			sums.waiting += !files[i].refused;
			sums.refused += files[i].refused;
			sums.bytes += files[i].bytes;
			if (!sums.oldest_s || at_s < sums.oldest_s)
				sums.oldest_s = at_s;
		}
		free(of);
	}
	return sums;
}

static json_t *time_json(uint64_t seconds)
{
	return seconds ? sp_json_count(seconds) : json_null();
}

static json_t *state_json(const struct sp_outbox_state *s, const struct sums *sums)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "target",
		sp_json_text(s->target), "waiting", (json_int_t)sums->waiting, "refused_kept",
		(json_int_t)sums->refused, "bytes", (json_int_t)sums->bytes, "oldest", time_json(sums->oldest_s),
		"sent", (json_int_t)s->sent, "refused", (json_int_t)s->refused, "dropped", (json_int_t)s->dropped,
		"last_success", time_json(s->last_success_s), "last_error_time", time_json(s->last_error_s),
		"last_error", sp_json_text(*s->last_error ? s->last_error : NULL), "next_attempt",
		time_json(s->failed_in_row ? s->not_before_s : 0));
}

static void put_ago(struct sp_buffer *out, const char *what, uint64_t at_s, uint64_t now_s)
{
	if (!at_s)
		return;
	sp_buffer_puts(out, what);
	if (now_s <= at_s) {
		sp_buffer_puts(out, "just now");
		return;
	}
	sp_put_long_duration(out, (now_s - at_s) * 1000000000u);
	sp_buffer_puts(out, " ago");
}

static void put_state(struct sp_buffer *out, const struct sp_outbox_state *s, const struct sums *sums, uint64_t now_s)
{
	sp_escape(out, SP_ESCAPE_PLAIN, s->target, strlen(s->target));
	sp_buffer_printf(out, ": %zu waiting", sums->waiting);
	if (sums->refused)
		sp_buffer_printf(out, ", %zu kept that it refused", sums->refused);
	put_ago(out, ", the oldest from ", sums->oldest_s, now_s);
	sp_buffer_printf(out, "; %llu sent", (unsigned long long)s->sent);
	put_ago(out, ", the last ", s->last_success_s, now_s);
	sp_buffer_printf(out, "; %llu refused, %llu dropped for want of room\n", (unsigned long long)s->refused,
		(unsigned long long)s->dropped);
	if (!*s->last_error)
		return;
	sp_buffer_puts(out, "  ");
	put_ago(out, "", s->last_error_s, now_s);
	sp_buffer_puts(out, ": ");
	sp_escape(out, SP_ESCAPE_PLAIN, s->last_error, strlen(s->last_error));
	if (s->failed_in_row && s->not_before_s > now_s) {
		sp_buffer_puts(out, "; not tried again for ");
		sp_put_long_duration(out, (s->not_before_s - now_s) * 1000000000u);
	}
	sp_buffer_puts(out, "\n");
}

/* Targets that nothing was sent to yet are known by what waits for them. */
static size_t add_unsent(const struct sp_outbox *box, const struct sp_outbox_file *files, size_t count,
	struct sp_outbox_state **states, size_t known)
{
	size_t capacity = known;

	for (size_t i = 0; i < count; i++) {
		char *target = sp_outbox_target(box, files[i].name);
		size_t k = 0;

		while (target && k < known && strcmp((*states)[k].target, target) != 0)
			k++;
		if (target && k == known) {
			sp_grow(states, &capacity, known + 1, sizeof(**states));
			sp_outbox_state_read(box, target, &(*states)[known++]);
		}
		free(target);
	}
	return known;
}

void sp_push_status(struct sp_buffer *out, const struct sp_outbox *box, bool json)
{
	struct sp_outbox_state *states = NULL;
	struct sp_outbox_file *files = NULL;
	size_t files_count = box->fd >= 0 ? sp_outbox_list(box, &files) : 0;
	size_t count = box->fd >= 0 ? sp_outbox_states(box, &states) : 0;
	uint64_t bytes = 0, now_s = sp_time_ns(CLOCK_REALTIME) / 1000000000u;
	json_t *list = json_array();

	count = add_unsent(box, files, files_count, &states, count);
	for (size_t i = 0; i < files_count; i++)
		bytes += files[i].bytes;
	if (!json) {
		sp_escape(out, SP_ESCAPE_PLAIN, box->path, strlen(box->path));
		sp_buffer_printf(out, ": %zu profile%s, ", files_count, files_count == 1 ? "" : "s");
		sp_put_size(out, bytes);
		sp_buffer_printf(out, " of at most %llu MB\n", (unsigned long long)(box->bytes_most / 1000000u));
	}
	for (size_t i = 0; i < count; i++) {
		struct sums sums = add_up(box, files, files_count, states[i].target);

		json_array_append_new(list, state_json(&states[i], &sums));
		if (!json)
			put_state(out, &states[i], &sums, now_s);
	}
	if (json)
		sp_json_put(out,
			json_pack("{s:o, s:I, s:I, s:I, s:o}", "outbox", sp_json_text(box->path), "profiles",
				(json_int_t)files_count, "bytes", (json_int_t)bytes, "bytes_most",
				(json_int_t)box->bytes_most, "targets", json_incref(list)),
			false);
	if (json)
		sp_buffer_puts(out, "\n");
	json_decref(list);
	free(states);
	free(files);
}
