/* Reading the two sides of a comparison. */
#include "tools/compare/compare.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/markdown/markdown.h"
#include "profiles/output/output.h"
#include "tools/report/report.h"
#include "tools/tools.h"

/* Of a side's profiles together. Text is kept about as it is; the frames of its stacks are numbers of 4 bytes, and a few
 * bytes of text can stand for thousands of them. What still does not fit sp_limit_reading() ends there. */
#define TEXT_MAX_BYTES (128u << 20)
#define FRAMES_MAX (128u << 20)

static int complain(const char *path, const char *why)
{
	sp_complain("compare: %s: %s; give it profiles or directories of profiles", *path ? path : "''", why);
	return 1;
}

static int complain_line(const char *path, size_t line, const char *why)
{
	sp_complain("compare: %s: line %zu: %s; give it profiles or directories of profiles", path, line, why);
	return 1;
}

static void keep(struct sp_side_files *side, struct sp_profile *profile, const char *path)
{
	sp_grow(&side->profiles, &side->profile_capacity, side->count + 1, sizeof(struct sp_profile *));
	sp_grow(&side->names, &side->name_capacity, side->count + 1, sizeof(char *));
	side->profiles[side->count] = profile;
	side->names[side->count++] = sp_pool_copy(&profile->pool, path, strlen(path));
}

/* NULL, or why the side cannot have another profile of that size. */
static const char *count_in(struct sp_side_files *side, size_t bytes, size_t frames)
{
	side->text_bytes += bytes;
	side->frames += frames;
	if (side->text_bytes > TEXT_MAX_BYTES)
		return "with it, a side's profiles are larger than 128 MB together";
	return side->frames > FRAMES_MAX ? "with it, the stacks of a side's profiles are larger than of any program"
					 : NULL;
}

/* in_directory: found, not named, so that what is no run of its own is passed over. */
static int add_file(struct sp_side_files *side, const char *path, bool in_directory)
{
	struct sp_buffer text = {0};
	struct sp_profile *profile = NULL;
	const char *why = NULL, *role;
	int error = sp_input_read(path, &text);
	size_t line = 0, length;

	if (!error && sp_report_is_index(&text)) { /* a run is what its processes are together */
		sp_buffer_clear(&text);
		error = sp_report_merge(&text, (char *[]){(char *)path}, 1, true) == SP_EXIT_USAGE ? -ENOENT : 0;
	}
	length = text.length;
	if (error == SP_INPUT_SPOOL)
		why = "it is a spool; smartprof report makes a profile of it";
	else if (error < 0)
		why = sp_input_error(error);
	else
		profile = sp_markdown_read_at(text.data, text.length, &why, &line);
	sp_buffer_free(&text);
	if (!profile)
		return line ? complain_line(path, line, why) : complain(path, why);
	role = sp_profile_fact(profile, "tree_role");
	if (in_directory && role && strcmp(role, "member") == 0) {
		side->skipped++;
		sp_profile_free(profile);
		return 0;
	}
	why = count_in(side, length, profile->frame_id_count);
	if (why) {
		sp_profile_free(profile);
		return complain(path, why);
	}
	keep(side, profile, path);
	return 0;
}

static int add_directory(struct sp_side_files *side, const char *path);

static int complain_empty(const char *path, const char *meant)
{
	if (!meant)
		return complain(path, "there are no profiles in it");
	sp_complain("compare: %s: there are no profiles in it; did you mean %s?", path, meant);
	return 1;
}

/* profiles/ has a directory for each environment: one of them is meant, which of several is for the user to say. */
static int add_below(struct sp_side_files *side, const char *path)
{
	char **directories;
	size_t count = sp_input_below(path, &directories);
	int bad;

	if (count == 1)
		bad = add_directory(side, directories[0]);
	else
		bad = complain_empty(path, count ? directories[0] : NULL);
	sp_input_free(directories, count);
	return bad;
}

/* Of runs whose first processes have no profile, such as make's. */
static int add_indexes(struct sp_side_files *side, const char *path)
{
	char pattern[PATH_MAX + 16];
	glob_t found;
	int bad = 0;

	snprintf(pattern, sizeof(pattern), "%s/tree.*.md", path);
	if (glob(pattern, GLOB_NOESCAPE, NULL, &found) != 0)
		return complain(path, "it has child processes' profiles alone, which count when they are named");
	for (size_t i = 0; i < found.gl_pathc; i++)
		bad += add_file(side, found.gl_pathv[i], false);
	globfree(&found);
	return bad;
}

static int add_directory(struct sp_side_files *side, const char *path)
{
	char **profiles;
	long count = sp_input_list(path, &profiles);
	int bad = 0;
	size_t before = side->count, skipped = side->skipped;

	if (count < 0)
		return complain(path, "cannot be listed");
	for (long i = 0; i < count; i++)
		bad += add_file(side, profiles[i], true);
	sp_input_free(profiles, (size_t)count);
	if (bad || side->count > before)
		return bad;
	if (side->skipped > skipped)
		return add_indexes(side, path);
	return add_below(side, path);
}

int sp_side_add(struct sp_side_files *side, const char *path)
{
	char named[PATH_MAX];
	struct stat st;

	path = sp_input_named("compare", path, named);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(side, path);
	return add_file(side, path, false);
}

int sp_side_check(const struct sp_side_files *side, const char *what)
{
	const char *first;

	if (!side->count) {
		sp_complain("compare: no %s profile; see smartprof compare --help", what);
		return SP_EXIT_USAGE;
	}
	first = sp_profile_fact(side->profiles[0], "program");
	for (size_t i = 1; i < side->count; i++) {
		const char *program = sp_profile_fact(side->profiles[i], "program");

		if (first && program && strcmp(first, program) == 0)
			continue;
		sp_complain("compare: the %s profiles are of several programs (%s: %s; %s: %s); name the files of one",
			what, side->names[0], first ? first : "unknown", side->names[i], program ? program : "unknown");
		return SP_EXIT_USAGE;
	}
	return 0;
}

void sp_side_free(struct sp_side_files *side)
{
	for (size_t i = 0; i < side->count; i++)
		sp_profile_free(side->profiles[i]);
	free(side->profiles);
	free(side->names);
}

void sp_noise_path(char *path, const char *directory, const struct sp_profile *profile)
{
	const char *program = sp_profile_fact(profile, "program");
	char name[128];

	sp_output_safe_name(name, sizeof(name), program ? program : "unknown");
	snprintf(path, PATH_MAX, "%s/%s.noise.json", directory, name);
}

void sp_compare_weights(double weights[static SP_GATING])
{
	static const enum sp_option options[SP_GATING] = {[SP_METRIC_CPU] = SP_OPT_SCORE_WEIGHT_CPU,
		[SP_METRIC_PEAK] = SP_OPT_SCORE_WEIGHT_PEAK,
		[SP_METRIC_ALLOCATED] = SP_OPT_SCORE_WEIGHT_ALLOCATED,
		[SP_METRIC_WALL] = SP_OPT_SCORE_WEIGHT_WALL};

	for (unsigned i = 0; i < SP_GATING; i++) {
		struct sp_value value;

		sp_value_load(&value, options[i], environ, sp_settings_file());
		weights[i] = (double)value.number;
	}
}
