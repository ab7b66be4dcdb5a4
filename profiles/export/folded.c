/* Folded stacks, the input of flamegraph.pl, inferno and others: "main;parse;lex 1200". */
#include "profiles/base/escape.h"
#include "profiles/export/export.h"
#include "profiles/model/folded.h"

#include <string.h>

/* A semicolon separates frames: in a name it becomes a colon, as in the collapsing scripts of FlameGraph. */
static void put_name(struct sp_buffer *out, const char *name)
{
	size_t from = out->length;

	sp_escape(out, SP_ESCAPE_PLAIN, name, strlen(name));
	for (char *at = out->data + from; *at; at++)
		if (*at == ';')
			*at = ':';
}

void sp_export_folded(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view)
{
	struct sp_folded f = {0};

	sp_fold_functions(&f, profile, sp_view_info[view].stacks);
	sp_buffer_puts(out, "");
	for (size_t i = 0; i < f.count; i++) {
		uint64_t value = sp_view_value(f.rows[i].values, view);

		for (uint32_t k = 0; value && k < f.rows[i].depth; k++) {
			sp_buffer_puts(out, k ? ";" : "");
			put_name(out, profile->functions[f.ids[f.rows[i].first + k]].name);
		}
		if (value)
			sp_buffer_printf(out, " %llu\n", (unsigned long long)value);
	}
	sp_folded_free(&f);
}
