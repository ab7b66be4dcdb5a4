/* Figures as every report shows them. */
#include "profiles/base/figures.h"

void sp_put_duration(struct sp_buffer *out, uint64_t ns)
{
	double s = (double)ns / 1e9;

	if (s >= 100)
		sp_buffer_printf(out, "%.0f s", s);
	else if (s >= 1)
		sp_buffer_printf(out, "%.2f s", s);
	else if (ns >= 1000000)
		sp_buffer_printf(out, "%.1f ms", s * 1e3);
	else if (ns >= 1000 || !ns)
		sp_buffer_printf(out, "%.0f µs", s * 1e6);
	else
		sp_buffer_printf(out, "%llu ns", (unsigned long long)ns);
}

void sp_put_long_duration(struct sp_buffer *out, uint64_t ns)
{
	double min = (double)ns / 60e9;

	if (min < 2)
		sp_put_duration(out, ns);
	else if (min < 120)
		sp_buffer_printf(out, "%.0f min", min);
	else if (min < 2 * 1440)
		sp_buffer_printf(out, "%.1f h", min / 60);
	else
		sp_buffer_printf(out, "%.1f d", min / 1440);
}

void sp_put_size(struct sp_buffer *out, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	sp_buffer_printf(out, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void sp_put_bars(struct sp_buffer *out, const double *values, size_t n, double most)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

	for (size_t i = 0; i < n; i++)
		sp_buffer_puts(out, bars[most > 0 ? (size_t)(7.0 * values[i] / most + 0.5) : 0]);
}

void sp_put_cut(struct sp_buffer *out, size_t shown, size_t all, const char *what, const char *where)
{
	if (all > shown)
		sp_buffer_printf(out, "\n… %zu more %s, see %s\n", all - shown, what, where);
}

uint64_t sp_whole(double value)
{
	return value > 0 ? value < 1.8e19 ? (uint64_t)(value + 0.5) : 18000000000000000000ULL : 0;
}

double sp_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}
