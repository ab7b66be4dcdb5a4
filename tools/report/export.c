/* smartprof report --format: a profile in the formats of other programs, and as a page. */
#include "tools/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/html/html.h"
#include "profiles/markdown/markdown.h"
#include "tools/tools.h"

int sp_report_parse_format(const char *word, enum sp_report_format *format)
{
	static const char *const words[SP_REPORT_FORMATS] = {
		"markdown", "html", "folded", "speedscope", "pprof", "otlp", "gperftools", "json"};
	int index = 0, status = sp_word_parse("report: unknown format", word, words, SP_REPORT_FORMATS, &index);

	*format = (enum sp_report_format)index;
	return status;
}

int sp_report_parse_metric(const char *word, enum sp_export_view *view)
{
	const char *words[SP_VIEWS];
	int index = 0, status;

	for (enum sp_export_view v = 0; v < SP_VIEWS; v++)
		words[v] = sp_view_info[v].key;
	status = sp_word_parse("report: unknown metric", word, words, SP_VIEWS, &index);
	*view = (enum sp_export_view)index;
	return status;
}

void sp_report_verdict(struct sp_buffer *out, const struct sp_buffer *markdown)
{
	size_t top = sp_markdown_top(markdown->data, markdown->length);
	const char *from = memmem(markdown->data, top, "\n**Verdict", 10), *end;

	sp_buffer_puts(out, "");
	if (!from)
		return;
	end = memmem(from, top - (size_t)(from - markdown->data), "\n\n", 2);
	if (end)
		sp_buffer_add(out, from + 1, (size_t)(end - from - 1));
}

static void export_profile(struct sp_buffer *out, const struct sp_profile *p, const struct sp_buffer *markdown,
	const struct sp_report_wish *wish, enum sp_export_view view)
{
	struct sp_buffer verdict = {0}, report = {0};
	char *directory;

	switch (wish->format) {
	case SP_REPORT_FOLDED:
		sp_export_folded(out, p, view);
		break;
	case SP_REPORT_SPEEDSCOPE:
		sp_export_speedscope(out, p, view, wish->lines);
		break;
	case SP_REPORT_PPROF:
		sp_export_pprof(out, p, view);
		break;
	case SP_REPORT_OTLP:
		sp_export_otlp(out, p, view);
		break;
	case SP_REPORT_GPERFTOOLS:
		sp_export_gperftools(out, p, view);
		break;
	case SP_REPORT_JSON:
		sp_export_json(out, p);
		break;
	default:
		directory = getcwd(NULL, 0);
		sp_report_verdict(&verdict, markdown);
		sp_buffer_add(&report, markdown->data, sp_markdown_top(markdown->data, markdown->length));
		sp_html_profile(out, p, &(struct sp_html_text){verdict.data, report.data, directory}, view);
		sp_buffer_free(&verdict);
		free(directory);
		sp_buffer_free(&report);
	}
}

static const char *not_in_it(const struct sp_profile *profile, enum sp_export_view view)
{
	enum sp_stack_kind kind = sp_view_info[view].stacks;

	if (kind == SP_STACKS_HEAP)
		return "it holds no heap: heap sampling was off";
	if (kind == SP_STACKS_CPU || (kind == SP_STACKS_WALL && !profile->cpu_on))
		return "it holds no CPU time: CPU sampling was off";
	return "it holds no stacks of waits: none was long enough to be sampled, or it was written before profiles had "
	       "them";
}

int sp_report_export(struct sp_buffer *out, const struct sp_buffer *markdown, const struct sp_report_wish *wish,
	const char **why, size_t *line)
{
	struct sp_profile *profile = sp_markdown_read_at(markdown->data, markdown->length, why, line);
	enum sp_export_view view = wish->view;
	int err = -ENODATA;

	if (!profile)
		return -EINVAL;
	if (view == SP_VIEWS)
		view = profile->cpu_on ? SP_VIEW_CPU : SP_VIEW_INUSE;
	*why = sp_export_prepare(profile, wish->filter);
	if (!*why && wish->format != SP_REPORT_JSON && !sp_view_on(profile, view))
		*why = not_in_it(profile, view);
	if (!*why) {
		export_profile(out, profile, markdown, wish, view);
		err = 0;
	}
	sp_profile_free(profile);
	return err;
}
