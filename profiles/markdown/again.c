/* A written profile with its names looked up again, as Markdown: what does not rest on names is copied. */
#include "profiles/model/again.h"

#include <string.h>

#include "profiles/markdown/markdown.h"
#include "profiles/markdown/writer.h"

/* The line that begins so, at or behind `at`; NULL: none. */
static const char *find_line(const char *at, const char *end, const char *begin)
{
	size_t length = strlen(begin);

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if ((size_t)(end - at) >= length && memcmp(at, begin, length) == 0)
			return at;
		at = newline ? newline + 1 : end;
	}
	return NULL;
}

bool sp_put_written(struct sp_writer *w, const char *from, const char *until)
{
	const struct sp_written *written = w->profile->written;
	const char *end, *at, *next;

	if (!written)
		return false;
	end = written->text + sp_markdown_top(written->text, written->length);
	at = find_line(written->text, end, from);
	if (!at)
		return true;
	next = find_line(at + strlen(from), end, until);
	sp_buffer_add(&w->out, at, (size_t)((next ? next : end) - at));
	return true;
}

static bool is_about_names(const char *line, size_t length)
{
	static const char *const marks[] = {" without a name: ", " [gone] or have addresses", "- Debug information of ",
		"- A file that names addresses of ", "- Names were looked up again "};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (memmem(line, length, marks[i], strlen(marks[i])))
			return true;
	return false;
}

bool sp_put_written_quality(struct sp_writer *w)
{
	const struct sp_written *written = w->profile->written;
	const char *end, *at;

	if (!written)
		return false;
	end = written->text + sp_markdown_top(written->text, written->length);
	at = find_line(written->text, end, "# Data Quality");
	while (at && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline + 1 : end) - at);

		if (*at == '#' && strncmp(at, "# Data Quality", 14) != 0)
			break;
		if (length > 1 && !is_about_names(at, length))
			sp_buffer_add(&w->out, at, length);
		if (strncmp(at, "# Data Quality", 14) == 0)
			sp_buffer_puts(&w->out, "\n");
		at += length;
	}
	if (written->looked_up)
		sp_buffer_printf(&w->out,
			"- Names were looked up again after the profile was written; that named or located %llu more "
			"addresses.\n",
			(unsigned long long)written->named);
	return true;
}

const char *sp_markdown_again(struct sp_buffer *out, const struct sp_buffer *text, const char *file_name,
	const struct sp_symbolizer_options *symbols, bool look_up, const char *span, uint64_t *named)
{
	const struct sp_filter filter = {.span = span};
	struct sp_again again;
	const char *why = "";
	struct sp_profile *written = sp_markdown_read(text->data, text->length, &why);

	if (!written)
		return why;
	if (span && !sp_span_is_known(written, span)) {
		sp_profile_free(written);
		return SP_NO_SUCH_SPAN;
	}
	if (span)
		sp_frames_filter(written, &filter, NULL);
	why = sp_profile_again(&again, written, text->data, text->length, symbols, look_up);
	if (why) {
		sp_profile_free(written);
		return why;
	}
	*named = again.written.named;
	again.written.looked_up = look_up;
	sp_markdown_write(out, again.profile, file_name, text->length > SP_BUDGET_BYTES);
	sp_again_free(&again);
	return NULL;
}
