/* Fuzzes comparisons of profiles: whatever the profile says, it costs as much as itself, and every report can be written. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/compare.h"
#include "profiles/markdown/markdown.h"
#include "profiles/compare/report.h"

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_compare: %s\n", what);
		abort();
	}
}

/* Sides of so many times the profile. */
static void compare(struct sp_profile *profile, size_t runs)
{
	struct sp_profile *profiles[6] = {profile, profile, profile, profile, profile, profile};
	const char *names[6] = {"a", "a", "a", "a", "a", "a"};
	struct sp_comparison_input input = {.profiles = {profiles, profiles},
		.names = {names, names},
		.count = {runs, runs},
		.weights = {50, 25, 15, 10},
		.gate = {NAN, NAN, {NAN, NAN, NAN, NAN}, false}};
	struct sp_comparison *c = sp_compare(&input);
	struct sp_buffer out = {0};

	require(c->score == 100 && c->verdict != SP_VERDICT_REGRESSION, "it costs more than itself");
	for (size_t i = 0; i < c->row_count; i++)
		require(c->rows[i].state == SP_ROW_STEADY, "a row changed");
	sp_compare_markdown(&out, c);
	sp_compare_text(&out, c);
	sp_compare_github(&out, c);
	sp_compare_json(&out, c);
	sp_buffer_free(&out);
	sp_comparison_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	char *text = malloc(size + 1);
	struct sp_profile *profile;
	size_t line = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	profile = sp_markdown_read_at(text, size, &why, &line);
	require(profile || line, "no line");
	if (profile) {
		compare(profile, 1);
		compare(profile, 6);
	}
	sp_profile_free(profile);
	free(text);
	return 0;
}
