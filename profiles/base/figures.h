/* Figures as every report shows them: durations, sizes, shares, small drawings. */
#ifndef SP_PROFILES_FIGURES_H
#define SP_PROFILES_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

void sp_put_duration(struct sp_buffer *out, uint64_t ns); /* "1.23 s", "45.6 ms", "0 µs", "33 ns" */
void sp_put_long_duration(struct sp_buffer *out,
	uint64_t ns);                                    /* the same, from two minutes on "45 min", "3.5 h", "2.0 d" */
void sp_put_size(struct sp_buffer *out, uint64_t bytes); /* "1.5 MiB" */

/* A drawing one character high: values of 0 to `most`. */
void sp_put_bars(struct sp_buffer *out, const double *values, size_t n, double most);

/* "… 212 more rows, see All functions", when anything was cut. */
void sp_put_cut(struct sp_buffer *out, size_t shown, size_t all, const char *what, const char *where);

uint64_t sp_whole(double value); /* rounded, and kept inside the type: a damaged spool may hold any number */
double sp_percent(uint64_t part, uint64_t whole);

#endif
