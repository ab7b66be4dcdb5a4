/* A check for services that build: JUnit's XML, GitHub's workflow commands. */
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/gate/check.h"

/* Text of XML, without what no XML may have. */
static void put_xml(struct sp_buffer *out, const char *text)
{
	struct sp_buffer plain = {0};

	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	for (size_t i = 0; i < plain.length; i++) {
		char c = plain.data[i];

		if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
			sp_buffer_printf(out, "&#%d;", c);
		else
			sp_buffer_add(out, &c, 1);
	}
	sp_buffer_free(&plain);
}

static void put_case(struct sp_buffer *out, const struct sp_check_command *c, const char *name, double seconds,
	const char *element, const char *type, const char *message)
{
	sp_buffer_puts(out, "  <testcase classname=\"");
	put_xml(out, c->config->name);
	sp_buffer_puts(out, "\" name=\"");
	put_xml(out, name);
	sp_buffer_printf(out, "\" time=\"%.6f\">", seconds);
	if (element) {
		sp_buffer_printf(out, "<%s type=\"", element);
		put_xml(out, type);
		sp_buffer_puts(out, "\" message=\"");
		put_xml(out, message);
		sp_buffer_puts(out, "\"/>");
	}
	sp_buffer_puts(out, "</testcase>\n");
}

static void put_figure_case(struct sp_buffer *out, const struct sp_check_command *c, const struct sp_check_figure *f)
{
	struct sp_buffer text = {0};
	bool failed = f->state >= SP_FIGURE_WORSE, doubtful = f->state >= SP_FIGURE_UNSURE && !failed;
	double seconds = sp_gate_metrics[f->metric].unit == SP_GATE_NS ? sp_gate_median(&f->current) / 1e9 : 0;

	sp_check_put_finding(&text, c, f);
	if (failed && c->cause) {
		sp_buffer_puts(&text, ". ");
		sp_buffer_puts(&text, c->cause);
	}
	put_case(out, c, f->name, seconds,
		failed             ? "failure"
			: doubtful ? "skipped"
				   : NULL,
		sp_figure_words[f->state], text.data ? text.data : "");
	sp_buffer_free(&text);
}

void sp_check_junit(struct sp_buffer *out, const struct sp_check *check)
{
	size_t tests = check->command_count + sp_check_count(check, SP_FIGURE_ALONE, SP_FIGURE_ABOVE);
	size_t failures = sp_check_count(check, SP_FIGURE_WORSE, SP_FIGURE_ABOVE);
	size_t skipped = sp_check_count(check, SP_FIGURE_UNSURE, SP_FIGURE_NOT_CODE);

	for (size_t i = 0; i < check->command_count; i++)
		failures += check->commands[i].too_many_failed;
	sp_buffer_printf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n <testsuite name=\"smartprof check\" "
		"tests=\"%zu\" "
		"failures=\"%zu\" errors=\"0\" skipped=\"%zu\">\n",
		tests, failures, skipped);
	for (size_t i = 0; i < check->command_count; i++) {
		const struct sp_check_command *c = &check->commands[i];

		put_case(out, c, "success", 0, c->too_many_failed ? "failure" : NULL, "failed",
			c->failure ? c->failure : "");
		for (size_t k = 0; k < c->figure_count; k++)
			put_figure_case(out, c, &c->figures[k]);
	}
	sp_buffer_puts(out, " </testsuite>\n</testsuites>\n");
}

/* A message of a workflow command (docs.github.com, "Workflow commands for GitHub Actions"). */
static void put_command(struct sp_buffer *out, const char *command, const char *text)
{
	struct sp_buffer plain = {0};

	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	sp_buffer_printf(out, "::%s title=smartprof check::", command);
	for (size_t i = 0; i < plain.length; i++)
		if (plain.data[i] == '%')
			sp_buffer_puts(out, "%25");
		else
			sp_buffer_add(out, plain.data + i, 1);
	sp_buffer_puts(out, "\n");
	sp_buffer_free(&plain);
}

static void put_annotation(struct sp_buffer *out, const struct sp_check_command *c, const struct sp_check_figure *f)
{
	struct sp_buffer text = {0};

	if (f->state < SP_FIGURE_UNSURE)
		return;
	sp_buffer_printf(&text, "%s: ", c->config->name);
	sp_check_put_finding(&text, c, f);
	if (f->state >= SP_FIGURE_WORSE && c->cause)
		sp_buffer_printf(&text, ". %s", c->cause);
	put_command(out, f->state >= SP_FIGURE_WORSE ? "error" : "warning", text.data);
	sp_buffer_free(&text);
}

void sp_check_github(struct sp_buffer *out, const struct sp_check *check)
{
	struct sp_buffer text = {0};

	sp_check_put_summary(&text, check);
	put_command(out,
		check->verdict == SP_CHECK_FAIL             ? "error"
			: check->verdict == SP_CHECK_UNSURE ? "warning"
							    : "notice",
		text.data);
	sp_buffer_free(&text);
	for (size_t i = 0; i < check->command_count; i++) {
		const struct sp_check_command *c = &check->commands[i];

		if (c->too_many_failed) {
			sp_buffer_printf(&text, "%s: %zu of %zu runs failed (%s)", c->config->name, c->failed, c->runs,
				c->failure ? c->failure : "");
			put_command(out, "error", text.data);
			sp_buffer_free(&text);
		}
		for (size_t k = 0; k < c->figure_count; k++)
			put_annotation(out, c, &c->figures[k]);
	}
}
