/* Drawings of values. */
#include "profiles/history/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

#define SPARK_PART 0.25 /* of the median: what is drawn above and below it at the least */
#define FROM_ZERO 0.5   /* a least value below this part of the most: the axis begins at 0 */
#define WIDEST 3        /* columns of a value */
#define LABEL 11        /* columns of the axis's figures */

static bool ends_in(const char *name, const char *unit)
{
	size_t n = strlen(name), u = strlen(unit);

	return n >= u && strcmp(name + n - u, unit) == 0;
}

void sp_history_put_value(struct sp_buffer *out, const char *metric, double value)
{
	if (isnan(value))
		sp_buffer_puts(out, "-");
	else if (ends_in(metric, "_ns"))
		sp_put_duration(out, sp_whole(value));
	else if (ends_in(metric, "_bytes"))
		sp_put_size(out, sp_whole(value));
	else if (ends_in(metric, "_percent"))
		sp_buffer_printf(out, "%.0f %%", value);
	else
		sp_buffer_printf(out, fabs(value) < 1e6 ? "%.6g" : "%.4g", value);
}

/* The values of column i of n. */
static const double *column(const double *values, size_t count, size_t n, size_t i, size_t *length)
{
	size_t from = i * count / n, to = (i + 1) * count / n;

	*length = to - from;
	return values + from;
}

void sp_history_put_spark(struct sp_buffer *out, const double *values, size_t count, size_t width)
{
	size_t n = count < width ? count : width;
	double *cells, least, most, middle;

	if (!n)
		return;
	cells = sp_alloc(n, sizeof(*cells));
	for (size_t i = 0; i < n; i++) {
		size_t length;
		const double *part = column(values, count, n, i, &length);

		cells[i] = sp_stats_median(part, length);
	}
	middle = sp_stats_median(values, count);
	least = fmin(sp_stats_least(cells, n), middle * (1 - SPARK_PART));
	most = fmax(sp_stats_most(cells, n), middle * (1 + SPARK_PART));
	for (size_t i = 0; i < n; i++)
		cells[i] -= least;
	sp_put_bars(out, cells, n, most - least);
	free(cells);
}

/* --- plots */

struct scale {
	double low, high;
	size_t rows;
};

static struct scale scale_of(const struct sp_history_plot *plot)
{
	double least = sp_stats_least(plot->values, plot->count), most = sp_stats_most(plot->values, plot->count);
	struct scale scale = {.low = 0, .high = most > 0 ? most : 1, .rows = plot->rows};

	if (least >= FROM_ZERO * most && least > 0) {
		double margin = fmax((most - least) / 8, most * 0.01);

		scale.low = least - margin;
		scale.high = most + margin;
	}
	return scale;
}

/* From the top. */
static size_t row_of(const struct scale *scale, double value)
{
	double part = (value - scale->low) / (scale->high - scale->low);
	size_t up = (size_t)fmin(fmax(part * (double)scale->rows, 0), (double)(scale->rows - 1));

	return scale->rows - 1 - up;
}

static void put_label(struct sp_buffer *out, const struct sp_history_plot *plot, const struct scale *scale, size_t row)
{
	bool told = row == 0 || row == scale->rows / 2 || row == scale->rows - 1;
	double part = row == 0 ? 1 : row == scale->rows - 1 ? 0 : 1 - ((double)row + 0.5) / (double)scale->rows;
	struct sp_buffer text = {0};
	int width = LABEL;

	if (told)
		sp_history_put_value(&text, plot->metric, scale->low + part * (scale->high - scale->low));
	for (size_t i = 0; i < text.length; i++)
		width += ((unsigned char)text.data[i] & 0xc0) == 0x80;
	sp_buffer_printf(out, "%*s %s", width, told ? text.data : "", told ? "┤" : "│");
	sp_buffer_free(&text);
}

static bool is_marked(const struct sp_history_plot *plot, size_t n, size_t i)
{
	for (size_t k = i * plot->count / n; plot->marks && k < (i + 1) * plot->count / n; k++)
		if (plot->marks[k])
			return true;
	return false;
}

/* Few values get more room each. */
static size_t width_of(const struct sp_history_plot *plot, size_t n)
{
	size_t width = plot->columns / n;

	return width < 1 ? 1 : width > WIDEST ? WIDEST : width;
}

static void put_cell(struct sp_buffer *out, const struct sp_history_plot *plot, const struct scale *scale, size_t n,
	size_t i, size_t row)
{
	size_t length;
	const double *part = column(plot->values, plot->count, n, i, &length);
	int blank = (int)width_of(plot, n) - 1;

	if (row == row_of(scale, sp_stats_median(part, length)))
		sp_buffer_puts(out, "•");
	else if (row >= row_of(scale, sp_stats_most(part, length)) &&
		row <= row_of(scale, sp_stats_least(part, length)))
		sp_buffer_puts(out, "│");
	else
		sp_buffer_puts(out, is_marked(plot, n, i) ? "┊" : " ");
	sp_buffer_printf(out, "%*s", blank, "");
}

static void put_axis(struct sp_buffer *out, const struct sp_history_plot *plot, size_t n)
{
	sp_buffer_printf(out, "%*s └", LABEL, "");
	for (size_t i = 0; i < n; i++) {
		sp_buffer_puts(out, is_marked(plot, n, i) ? "▲" : "─");
		for (size_t k = 1; k < width_of(plot, n); k++)
			sp_buffer_puts(out, "─");
	}
	sp_buffer_puts(out, "\n");
}

void sp_history_put_plot(struct sp_buffer *out, const struct sp_history_plot *plot)
{
	size_t n = plot->count < plot->columns ? plot->count : plot->columns;
	struct scale scale;

	if (!n || !plot->rows)
		return;
	scale = scale_of(plot);
	for (size_t row = 0; row < plot->rows; row++) {
		put_label(out, plot, &scale, row);
		for (size_t i = 0; i < n; i++)
			put_cell(out, plot, &scale, n, i, row);
		sp_buffer_puts(out, "\n");
	}
	put_axis(out, plot, n);
}
