/* The line on the terminal while something runs. */
#include "tools/monitor/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "profiles/base/buffer.h"
#include "profiles/base/escape.h"

static bool shown;

bool sp_line_wanted(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && (!term || strcmp(term, "dumb") != 0);
}

/* Bytes of the first so many characters. */
static size_t fit(const char *text, size_t length, size_t columns)
{
	size_t at = 0;

	while (at < length && columns--) {
		size_t bytes = sp_utf8_length(text + at, length - at, &(uint32_t){0});

		at += bytes ? bytes : 1;
	}
	return at;
}

void sp_line_show(const char *text)
{
	struct winsize window = {0};
	struct sp_buffer inert = {0};
	size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col - 1u : 79;

	if (!sp_line_wanted())
		return;
	sp_escape(&inert, SP_ESCAPE_PLAIN, text, strlen(text));
	fprintf(stderr, "\r%.*s\033[K", (int)fit(inert.data, inert.length, columns), inert.data);
	fflush(stderr);
	sp_buffer_free(&inert);
	shown = true;
}

void sp_line_clear(void)
{
	if (!shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	shown = false;
}
