/* The screen of `smartprof top`: what is drawn (draw.c), and the keys that change it (view.c). */
#ifndef SP_TOOLS_TOP_SCREEN_H
#define SP_TOOLS_TOP_SCREEN_H

#include <curses.h>

#include "tools/top/top.h"

#define SP_TOP_TABLE_AT 4 /* the line of the first row */

struct sp_top_screen {
	struct sp_top *top;
	SCREEN *terminal;
	bool ascii;
	attr_t grey;
	enum sp_top_view view;
	unsigned figure;
	size_t scroll, rows, help_from;
	bool paused, helping, typing, done;
	char typed[128], filter_text[128];
	regex_t filter;
	bool filtered;
	const char *message; /* until the next key */
};

void sp_top_draw(struct sp_top_screen *s);

/* A list of lines to choose one from. */
void sp_top_draw_choice(const struct sp_top_screen *s, const char *title, char *const *lines, size_t count,
	size_t chosen);

#endif
