/* Source text beside lines: of hot functions in Function Details, and of a whole function (`report --source`). */
#include "profiles/model/source.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/markdown.h"
#include "profiles/markdown/writer.h"

#define HOT_LINES 3u
#define AROUND 2u
#define DETAIL_BYTES 100u /* of a line */
#define FUNCTIONS_MAX 5u  /* of one name */

static void put_text(struct sp_buffer *out, const char *text, size_t most)
{
	struct sp_buffer tabs = {0};
	size_t length = strlen(text);

	sp_buffer_puts(&tabs, "");
	if (length > most)
		for (length = most; length && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	for (size_t i = 0; i < length; i++)
		sp_buffer_add(&tabs, text[i] == '\t' ? "    " : text + i, text[i] == '\t' ? 4 : 1);
	while (tabs.length && tabs.data[tabs.length - 1] == ' ')
		tabs.data[--tabs.length] = '\0';
	sp_escape(out, SP_ESCAPE_PLAIN, tabs.data, tabs.length);
	if (text[length])
		sp_buffer_puts(out, "…");
	sp_buffer_free(&tabs);
}

/* What a line takes of `whole`, or blanks. */
static void put_part(struct sp_buffer *out, uint64_t ns, uint64_t whole)
{
	if (ns)
		sp_buffer_printf(out, "%7.1f%%", sp_percent(ns, whole));
	else
		sp_buffer_puts(out, "        ");
}

static uint64_t ns_at(const struct sp_hot_line *lines, size_t count, const char *file, unsigned line)
{
	for (size_t i = 0; i < count; i++)
		if (lines[i].line == line && strcmp(lines[i].file, file) == 0)
			return lines[i].ns;
	return 0;
}

/* Within AROUND lines of one of the hottest in the file of the very hottest. */
static bool is_near(const struct sp_hot_line *lines, size_t count, unsigned line)
{
	for (size_t i = 0; i < count && i < HOT_LINES; i++)
		if (strcmp(lines[i].file, lines[0].file) == 0 && line + AROUND >= lines[i].line &&
			line <= lines[i].line + AROUND)
			return true;
	return false;
}

void sp_write_hot_source(struct sp_writer *w, const struct sp_function *f, const struct sp_hot_line *lines,
	size_t count)
{
	unsigned low = UINT32_MAX, high = 0, last = 0;
	const char *file = count ? lines[0].file : "";

	if (!count || !w->sums.source || !sp_source_line(w->sums.source, f->module, file, lines[0].line, NULL))
		return;
	for (size_t i = 0; i < count && i < HOT_LINES; i++) {
		if (strcmp(lines[i].file, file) != 0)
			continue;
		low = lines[i].line < low ? lines[i].line : low;
		high = lines[i].line > high ? lines[i].line : high;
	}
	sp_buffer_puts(&w->out, "\n```text\n");
	for (unsigned line = low > AROUND ? low - AROUND : 1; line <= high + AROUND; line++) {
		const char *text = is_near(lines, count, line)
			? sp_source_line(w->sums.source, f->module, file, line, NULL)
			: NULL;

		if (!text)
			continue;
		if (last && line > last + 1)
			sp_buffer_puts(&w->out, "            …\n");
		put_part(&w->out, ns_at(lines, count, file, line), sp_function_self(f));
		sp_buffer_printf(&w->out, " %6u  ", line);
		put_text(&w->out, text, DETAIL_BYTES);
		sp_buffer_puts(&w->out, "\n");
		last = line;
	}
	sp_buffer_puts(&w->out, "```\n");
}

static void put_row(struct sp_buffer *out, const struct sp_profile *p, const struct sp_source_hit *hit, unsigned line,
	const char *text)
{
	put_part(out, hit ? hit->self_ns : 0, p->total_ns);
	put_part(out, hit ? hit->total_ns : 0, p->total_ns);
	sp_buffer_printf(out, " %6u  ", line);
	put_text(out, text, SIZE_MAX);
	sp_buffer_puts(out, "\n");
}

/* The function's lines in the file that holds most of it, with their text, then those that were sampled elsewhere. */
static void put_lines(struct sp_buffer *out, const struct sp_profile *p, struct sp_sources *source, uint32_t function,
	const struct sp_source_hit *hits, size_t count)
{
	struct sp_source_range range = sp_source_range(source, p, function, hits, count);
	uint32_t module = p->functions[function].module;
	const char *file = hits[0].file;
	size_t at = 0;

	sp_buffer_puts(out, "```text\n    self   total   line\n");
	for (unsigned line = range.first; line <= range.last; line++) {
		bool hit = at < count && hits[at].line == line && strcmp(hits[at].file, file) == 0;
		const char *text = sp_source_line(source, module, file, line, NULL);

		if (text || hit)
			put_row(out, p, hit ? &hits[at] : NULL, line, text ? text : "");
		at += hit;
	}
	for (; at < count; at++) {
		const char *text = sp_source_line(source, module, hits[at].file, hits[at].line, NULL);

		if (strcmp(hits[at].file, file) != 0) {
			file = hits[at].file;
			sp_buffer_puts(out, "                "); /* at a line's start it could end the fence */
			sp_escape(out, SP_ESCAPE_PLAIN, file, strlen(file));
			sp_buffer_puts(out, "\n");
		}
		put_row(out, p, &hits[at], hits[at].line, text ? text : "");
	}
	sp_buffer_puts(out, "```\n\n");
}

static void put_function(struct sp_buffer *out, const struct sp_profile *p, struct sp_sources *source,
	uint32_t function)
{
	const struct sp_function *f = &p->functions[function];
	size_t count;
	struct sp_source_hit *hits = sp_source_hits(p, function, &count);
	const char *why = NULL;

	sp_buffer_puts(out, "### ");
	sp_escape_name(out, SP_ESCAPE_CELL, f->name);
	sp_buffer_printf(out, "\n\nself %.1f%%, total %.1f%%, ", sp_percent(sp_function_self(f), p->total_ns),
		sp_percent(sp_function_total(f), p->total_ns));
	sp_put_function_location(out, SP_ESCAPE_CELL, p, f);
	sp_buffer_puts(out, "; percentages are of all CPU time.\n\n");
	if (!count)
		why = "no line of it is known: it was built without -g, or its debug files are missing";
	else
		sp_source_line(source, f->module, hits[0].file, hits[0].line, &why);
	if (why)
		sp_buffer_printf(out, "No source text: %s.\n\n", why);
	if (count)
		put_lines(out, p, source, function, hits, count);
	free(hits);
}

/* By its whole name, or that without arguments and scope. */
static bool is_named(const struct sp_function *f, const char *name, bool whole)
{
	size_t length = strcspn(f->name, "("), wanted = strlen(name);

	if (f->flags & SP_FUNCTION_PSEUDO)
		return false;
	if (whole)
		return strcmp(f->name, name) == 0;
	return length >= wanted && memcmp(f->name + length - wanted, name, wanted) == 0 &&
		(length == wanted || (length > wanted + 1 && f->name[length - wanted - 1] == ':'));
}

const char *sp_markdown_source(struct sp_buffer *out, const struct sp_profile *profile, const char *name,
	const char *directory)
{
	struct sp_sources *source = sp_source_open(profile, directory);
	size_t found = 0;

	for (int whole = 1; whole >= 0 && !found; whole--)
		for (size_t i = 0; i < profile->function_count && found < FUNCTIONS_MAX; i++) {
			const struct sp_function *f = &profile->functions[i];

			if (!is_named(f, name, whole) || !sp_function_total(f))
				continue;
			put_function(out, profile, source, (uint32_t)i);
			found++;
		}
	sp_source_free(source);
	return found ? NULL : "no function of that name was sampled; --by function lists them";
}
