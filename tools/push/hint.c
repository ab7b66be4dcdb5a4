/* Why an engine refuses is often only in its own log: what is known of its limits, and of clocks, is said. */
#include <stdio.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/base/time.h"
#include "tools/push/send.h"

static void put_age(struct sp_buffer *out, const struct sp_push_limits *limits, uint64_t end_ns)
{
	uint64_t now = sp_time_ns(CLOCK_REALTIME), age = end_ns && end_ns < now ? now - end_ns : 0;

	if (!limits->old_most_s || age < limits->old_most_s * 1000000000ull)
		return;
	sp_buffer_puts(out, "it is ");
	sp_put_long_duration(out, age);
	sp_buffer_puts(out, " old, and unless told otherwise by ");
	sp_buffer_puts(out, limits->old_setting);
	sp_buffer_puts(out, " the engine takes nothing older than ");
	sp_put_long_duration(out, limits->old_most_s * 1000000000ull);
}

static void put_clock(struct sp_buffer *out, int64_t ahead_s)
{
	struct sp_buffer text = {0};

	if (sp_http_clock_is_off(ahead_s, &text))
		sp_buffer_printf(out, "%s%s, and the profile's time is by this one", out->length ? "; " : "",
			text.data);
	sp_buffer_free(&text);
}

static void add(char *text, size_t size, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%s", length ? "; " : "", more);
}

void sp_push_hint(const struct sp_push_limits *limits, uint64_t end_ns, struct sp_push_result *result)
{
	struct sp_buffer text = {0};

	if (result->end == SP_HTTP_LATER)
		return;
	put_age(&text, limits, end_ns);
	put_clock(&text, result->ahead_s);
	if (text.length && result->end == SP_HTTP_DONE)
		add(result->note, sizeof(result->note), text.data);
	else if (text.length)
		add(result->why, sizeof(result->why), text.data);
	sp_buffer_free(&text);
}
