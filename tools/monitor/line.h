/* The line on the terminal while something runs. Nothing is shown where standard error is no terminal. */
#ifndef SP_TOOLS_MONITOR_LINE_H
#define SP_TOOLS_MONITOR_LINE_H

#include <stdbool.h>

bool sp_line_wanted(void);

/* Shows the text, any bytes, in place of the line before; what does not fit is cut. */
void sp_line_show(const char *text);

/* Before anything else is written to the terminal. */
void sp_line_clear(void);

#endif
