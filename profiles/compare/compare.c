/* A comparison's order of work. */
#include "profiles/compare/compare.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/code.h"
#include "profiles/compare/stages.h"

void sp_sentences_add(struct sp_comparison *c, struct sp_sentences *lines, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = sp_text_list(format, args);
	va_end(args);
	sp_grow(&lines->items, &lines->capacity, lines->count + 1, sizeof(*lines->items));
	lines->items[lines->count++] = sp_pool_copy(&c->pool, text, strlen(text));
	free(text);
}

struct sp_comparison *sp_compare(const struct sp_comparison_input *input)
{
	struct sp_comparison *c = sp_alloc(1, sizeof(*c));

	c->input = input;
	c->program = sp_profile_fact(input->profiles[SP_CURRENT][0], "program");
	if (!c->program)
		c->program = "the program";
	sp_compare_check(c);
	sp_compare_totals(c);
	sp_compare_spans(c);
	sp_compare_rows_load(c);
	sp_compare_numbered(c);
	sp_compare_renames(c);
	sp_compare_rows_test(c);
	sp_compare_shifts(c);
	sp_compare_code_tell(c);
	sp_compare_decide(c);
	return c;
}

void sp_comparison_free(struct sp_comparison *c)
{
	if (!c)
		return;
	sp_compare_rows_free(c);
	free(c->spans);
	free(c->reasons.items);
	free(c->warnings.items);
	free(c->not_compared.items);
	free(c);
}
