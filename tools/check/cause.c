/* Whether the code changed since the baseline, and which functions a growth is in. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/compare/code.h"
#include "profiles/compare/report.h"
#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/compare/compare.h"
#include "tools/tools.h"

#define PROFILES_MOST 6u /* of a side */
#define NAMED 3u
#define NAMED_LEAST 0.03 /* of the total */

/* A profile of the history as a file that comparisons read. */
static void add_stored(struct sp_side_files *side, struct sp_history *store, const char *hash)
{
	char path[64];
	void *data;
	size_t bytes;
	int fd;

	if (sp_history_blob_read(store, hash, &data, &bytes))
		return;
	fd = memfd_create("profile", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		sp_side_add(side, path);
	}
	if (fd >= 0)
		close(fd);
	free(data);
}

static void load(struct sp_check_session *s, size_t index, struct sp_side_files sides[SP_SIDES])
{
	const struct sp_check_command *c = &s->check.commands[index];
	const struct sp_check_now *now = &s->now[index];
	const json_t *hash;
	size_t i;

	if (!now->profile_count || !json_array_size(json_object_get(c->baseline, "profiles")))
		return; /* one side alone tells nothing */
	json_array_foreach(json_object_get(c->baseline, "profiles"), i, hash)
	{
		if (s->store && json_is_string(hash) && sides[SP_BASELINE].count < PROFILES_MOST)
			add_stored(&sides[SP_BASELINE], s->store, json_string_value(hash));
	}
	for (i = 0; i < now->profile_count && i < PROFILES_MOST; i++)
		if (strncmp(now->profiles[i], "blob:", 5) != 0)
			sp_side_add(&sides[SP_CURRENT], now->profiles[i]);
		else if (s->store)
			add_stored(&sides[SP_CURRENT], s->store, now->profiles[i] + 5);
}

static struct sp_comparison *compare(const struct sp_side_files sides[SP_SIDES], struct sp_comparison_input *input)
{
	*input = (struct sp_comparison_input){.weights = {50, 25, 15, 10},
		.gate = {.fail_below = NAN, .fail_on_regression = NAN, .most = {NAN, NAN, NAN, NAN}}};
	for (int side = 0; side < SP_SIDES; side++) {
		if (!sides[side].count)
			return NULL;
		input->profiles[side] = sides[side].profiles;
		input->names[side] = sides[side].names;
		input->count[side] = sides[side].count;
	}
	return sp_compare(input);
}

/* --- code */

static void set_code(struct sp_check_command *c, enum sp_code code, char *text)
{
	free(c->code_text);
	c->code = code;
	c->code_text = text;
}

/* Of what runs scripts or other programs only the repository can tell. */
static void tell_by_commit(struct sp_check_session *s, struct sp_check_command *c)
{
	const char *commit = sp_baseline_text(s->check.baseline, "commit");

	if (*commit && strcmp(commit, s->here.commit) == 0 && s->here.dirty == 0 &&
		json_is_false(json_object_get(s->check.baseline, "dirty")))
		set_code(c, SP_CODE_SAME,
			sp_text("it is the same commit without changed files, so what grew is the machine's or the "
				"input's"));
	else
		set_code(c, SP_CODE_UNKNOWN, NULL);
}

/* What the machine code of functions does not show. */
static void tell_by_constants(struct sp_check_session *s, size_t index)
{
	static const char same[] = "the machine code of every function that was seen is the same";
	struct sp_check_command *c = &s->check.commands[index];
	char before[PATH_MAX], now[PATH_MAX];
	int kept = sp_check_kept_program(s->store, sp_baseline_text(c->baseline, "build_id"), before) &&
			sp_check_kept_program(s->store, s->now[index].build_id, now)
		? sp_symbolize_constants_kept(before, now)
		: -ENOENT;

	if (!kept)
		set_code(c, SP_CODE_UNKNOWN, sp_text("%s, but constants or tables of the program are not", same));
	else
		set_code(c, SP_CODE_SAME,
			sp_text("%s%s, so what grew is the machine's or the input's", same,
				kept > 0 ? ", and so are the program's constants" : ""));
}

static void tell_by_code(struct sp_check_session *s, size_t index, const struct sp_comparison *comparison)
{
	struct sp_check_command *c = &s->check.commands[index];
	struct sp_buffer names = {0};

	if (comparison->code == SP_CODE_CHANGED) {
		sp_compare_code_put(&names, comparison);
		set_code(c, SP_CODE_CHANGED, sp_text("the machine code of these changed: %s", names.data));
		sp_buffer_free(&names);
	} else if (comparison->code == SP_CODE_SAME) {
		tell_by_constants(s, index);
	}
}

void sp_check_tell_code(struct sp_check_session *s, size_t index)
{
	struct sp_check_command *c = &s->check.commands[index];
	const struct sp_check_now *now = &s->now[index];
	struct sp_side_files sides[SP_SIDES] = {0};
	struct sp_comparison_input input;
	struct sp_comparison *comparison;
	const char *build;
	bool same_build;

	if (!c->baseline)
		return;
	if (now->several) {
		tell_by_commit(s, c);
		return;
	}
	build = sp_baseline_text(c->baseline, "build_id");
	same_build = *build && strcmp(build, now->build_id) == 0;
	load(s, index, sides);
	comparison = compare(sides, &input);
	set_code(c, SP_CODE_UNKNOWN, NULL);
	if (comparison && !(same_build && comparison->code == SP_CODE_SAME))
		tell_by_code(s, index, comparison);
	if (same_build && c->code != SP_CODE_CHANGED)
		set_code(c, SP_CODE_SAME,
			sp_text("it is the same build (%.12s), so what grew is the machine's or the input's", build));
	sp_comparison_free(comparison);
	for (int side = 0; side < SP_SIDES; side++)
		sp_side_free(&sides[side]);
}

/* --- functions */

static bool has_grown(const struct sp_check_command *c, bool memory)
{
	for (size_t i = 0; i < c->figure_count; i++) {
		const struct sp_check_figure *f = &c->figures[i];
		bool of_memory = f->metric == SP_GATE_PEAK || f->metric == SP_GATE_ALLOCATED;

		if (of_memory == memory && (sp_check_is_suspect(f) || f->state == SP_FIGURE_ABOVE))
			return true;
	}
	return false;
}

static double time_growth(const struct sp_comparison *c, const struct sp_row *row)
{
	return row->kind == SP_ROW_CPU ? sp_compare_row_growth(c, row) : 0;
}

static double memory_growth(const struct sp_comparison *c, const struct sp_row *row)
{
	return row->kind != SP_ROW_CPU && row->kind != SP_ROW_INUSE ? sp_compare_row_growth(c, row) : 0;
}

static void put_row(struct sp_buffer *out, const struct sp_row *row)
{
	enum sp_metric_unit unit = row->kind == SP_ROW_CPU ? SP_UNIT_NS : SP_UNIT_BYTES;
	static const char *const kinds[SP_ROW_KINDS] = {"CPU time", "at the peak", "allocated", "in use"};

	sp_buffer_printf(out, "%s%s +", out->length ? ", " : "", row->function);
	sp_compare_put_value(out, unit, row->change);
	sp_buffer_printf(out, " %s (", kinds[row->kind]);
	sp_compare_put_value(out, unit, row->baseline);
	sp_buffer_puts(out, " before, ");
	sp_compare_put_value(out, unit, row->current);
	sp_buffer_puts(out, " now)");
}

static void put_rows(struct sp_buffer *out, const struct sp_comparison *c, bool memory)
{
	const struct sp_row *rows[NAMED];
	size_t count = sp_compare_weightiest(c, memory ? memory_growth : time_growth, NAMED_LEAST, rows, NAMED);

	for (size_t i = 0; i < count; i++)
		put_row(out, rows[i]);
}

void sp_check_tell_cause(struct sp_check_session *s, size_t index)
{
	struct sp_check_command *c = &s->check.commands[index];
	bool time = has_grown(c, false), memory = has_grown(c, true);
	struct sp_side_files sides[SP_SIDES] = {0};
	struct sp_comparison_input input;
	struct sp_comparison *comparison = NULL;
	struct sp_buffer text = {0};

	if (c->baseline && (time || memory)) {
		load(s, index, sides);
		comparison = compare(sides, &input);
	}
	if (comparison && time) {
		put_rows(&text, comparison, false);
		if (!text.length && comparison->reasons.count)
			sp_buffer_puts(&text, comparison->reasons.items[comparison->reasons.count - 1]);
	}
	if (comparison && memory)
		put_rows(&text, comparison, true);
	if (text.length) {
		free(c->cause);
		c->cause = sp_copy_text(text.data);
	}
	sp_buffer_free(&text);
	sp_comparison_free(comparison);
	for (int side = 0; side < SP_SIDES; side++)
		sp_side_free(&sides[side]);
}
