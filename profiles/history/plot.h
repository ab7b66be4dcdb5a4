/* The values of runs, drawn for terminals and Markdown. */
#ifndef SP_PROFILES_HISTORY_PLOT_H
#define SP_PROFILES_HISTORY_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"

/* A value as people read it, by the unit at the end of the metric's name: "1.23 s" of _ns, "4.5 MiB" of _bytes, "93 %" of _percent,
 * else a number. NAN: "-". */
void sp_history_put_value(struct sp_buffer *out, const char *metric, double value);

/* One line of at most `width` cells, oldest first. The scale covers a quarter around the median at the least, so that noise looks
 * like noise. */
void sp_history_put_spark(struct sp_buffer *out, const double *values, size_t count, size_t width);

/* Several lines: a point where the median of a column's values is, a stroke from the least to the most of them. */
struct sp_history_plot {
	const char *metric;
	const double *values; /* oldest first */
	const bool *marks;    /* a change begins with that value; NULL: none */
	size_t count;
	size_t columns, rows;
};
void sp_history_put_plot(struct sp_buffer *out, const struct sp_history_plot *plot);

#endif
