/* Fuzzes what reads written profiles, the validator and the reader, and what makes other formats of them.
 *
 * Besides not crashing: what follows the schema can be read, and what was read and written again is
 * read as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/export/export.h"
#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "profiles/markdown/writer.h"
#include "profiles/model/order.h"

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_markdown: %s\n", what);
		abort();
	}
}

static void check_again(struct sp_profile *profile)
{
	struct sp_writer writer = {.profile = profile};
	struct sp_buffer out = {0};
	struct sp_profile *again;
	const char *why = "";

	sp_paths_sort(profile); /* as who writes has it from building the profile */
	sp_buffer_puts(&out, "---\nschema: smartprof/1\n---\n\n");
	writer.sums.files = sp_files_add_up(profile, &writer.sums.file_count);
	sp_write_complete(&writer, &out, 0);
	again = sp_markdown_read(out.data, out.length, &why);
	require(again != NULL, why);
	require(again->total_ns == profile->total_ns, "another total");
	require(again->samples == profile->samples, "other samples");
	require(again->thread_count == profile->thread_count, "other threads");
	sp_profile_free(again);
	sp_buffer_free(&out);
	free(writer.sums.files);
}

static void export_speedscope(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view)
{
	sp_export_speedscope(out, profile, view, view == SP_VIEW_CPU);
}

static void export_all(struct sp_profile *profile)
{
	static void (*const writers[])(struct sp_buffer *, const struct sp_profile *, enum sp_export_view) = {
		sp_export_folded, export_speedscope, sp_export_pprof, sp_export_otlp, sp_export_gperftools};
	struct sp_buffer out = {0};

	if (sp_export_prepare(profile, NULL))
		return;
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		for (enum sp_export_view view = 0; view < SP_VIEWS; view++) {
			sp_buffer_clear(&out);
			writers[i](&out, profile, view);
		}
	sp_export_json(&out, profile);
	sp_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_validation *validation = sp_alloc(1, sizeof(*validation));
	struct sp_profile *profile;
	const char *why = NULL;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	sp_validate(validation, text, size);
	profile = sp_markdown_read(text, size, &why);
	require(profile || why, "no reason");
	require(profile || validation->count, "it follows the schema and cannot be read");
	if (profile)
		check_again(profile);
	if (profile)
		export_all(profile);
	sp_profile_free(profile);
	sp_validation_free(validation);
	free(validation);
	free(text);
	return 0;
}
