/* What the keys are, in as many columns as there are. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/top/top.h"

static const char *const help[] = {
	"F L T H   functions, lines, threads, heap sites",
	"S W       spans, waits",
	"1 2       sort by a figure of the last interval",
	"3 4       sort by a figure of the window",
	"R         the window begins now",
	"P         the view stands still, the program does not; again: it goes on",
	"/         show rows that match an expression; an empty one shows all",
	"Up Down PgUp PgDn Home   scroll",
	"Ctrl-L    draw everything again",
	"q         end",
	"",
	"± is half of the 95 % interval. What is no larger than that is grey: it says nothing yet.",
	"Self is the time in the function or line itself, Total that with what it calls. Shares are of the "
	"process's CPU time in the last interval, seconds are those of the window.",
	"Growth of a heap site: what is in use more than before.",
	"Spans: how often they ended and their share of CPU time in the last interval, how long they took in "
	"the window. Waits count when they are over; 100 % is one thread that waits all the time.",
};

/* Bytes of the text that so many columns have room for, whole words where one fits: at least one character. */
static size_t fit(const char *text, int columns)
{
	size_t at = 0, words = 0;

	for (; text[at]; at++) {
		if (((unsigned char)text[at] & 0xc0) == 0x80)
			continue;
		if (columns-- <= 0)
			return words ? words : at ? at : 1;
		if (text[at] == ' ')
			words = at;
	}
	return at;
}

bool sp_top_help_line(size_t number, int columns, char line[static SP_TOP_HELP_LINE])
{
	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++) {
		const char *text = help[i];

		do {
			size_t bytes = fit(text, columns > 0 ? columns : 1);

			if (number-- == 0) {
				snprintf(line, SP_TOP_HELP_LINE, "%.*s", (int)bytes, text);
				return true;
			}
			text += bytes;
			text += strspn(text, " ");
		} while (*text);
	}
	return false;
}
