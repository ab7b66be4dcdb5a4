/* Source text on the page. */
#include "profiles/model/source.h"

#include <stdlib.h>

#include "profiles/base/json.h"
#include "profiles/html/page.h"
#include "profiles/model/rank.h"

#define FUNCTIONS_MOST 40u
#define TEXT_MOST_BYTES (256u << 10) /* of all functions */

static uint64_t rank_self(const struct sp_profile *p, size_t i)
{
	return p->functions[i].flags & SP_FUNCTION_PSEUDO ? 0 : sp_function_self(&p->functions[i]);
}

/* The function's lines, "" when they are not to be had. */
static void put_range(struct sp_buffer *out, struct sp_sources *source, uint32_t module, const char *file,
	struct sp_source_range range)
{
	sp_buffer_puts(out, "");
	for (unsigned line = range.first; line <= range.last; line++) {
		const char *text = sp_source_line(source, module, file, line, NULL);

		if (!text)
			return;
		if (line > range.first)
			sp_buffer_puts(out, "\n");
		sp_buffer_puts(out, text);
	}
}

json_t *sp_page_source(const struct sp_profile *p, const uint32_t *numbers, struct sp_page_files *files,
	const char *directory)
{
	struct sp_sources *source = sp_source_open(p, directory);
	json_t *all = json_array();
	size_t ranked, bytes = 0;
	uint32_t *order = sp_rank(p->function_count, &ranked, rank_self, p);

	for (size_t i = 0; source && i < ranked && i < FUNCTIONS_MOST; i++) {
		size_t count = 0;
		struct sp_source_hit *hits =
			numbers[order[i]] == UINT32_MAX ? NULL : sp_source_hits(p, order[i], &count);
		struct sp_source_range range = sp_source_range(source, p, order[i], hits, count);
		struct sp_buffer text = {0};

		if (count)
			put_range(&text, source, p->functions[order[i]].module, hits[0].file, range);
		if (text.length && bytes + text.length <= TEXT_MOST_BYTES) {
			bytes += text.length;
			json_array_append_new(all,
				json_pack("{s:i, s:i, s:i, s:o}", "function", (int)numbers[order[i]], "file",
					(int)sp_page_file(files, hits[0].file), "line", (int)range.first, "text",
					sp_json_text(text.data)));
		}
		sp_buffer_free(&text);
		free(hits);
	}
	sp_source_free(source);
	free(order);
	return all;
}
