/* What goes beside a request: when to come back, whose clock is wrong, and the secret that it takes. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/figures.h"
#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/push/http.h"

#define FIRST_MS 1000u
#define LONGEST_MS 300000u
#define TOKEN_MOST 16384u

static uint64_t by_chance(uint64_t below)
{
	uint64_t any;

	if (getrandom(&any, sizeof(any), GRND_NONBLOCK) != (ssize_t)sizeof(any))
		any = sp_time_ns(CLOCK_MONOTONIC) * 0x9e3779b97f4a7c15u >> 8;
	return any % below;
}

uint64_t sp_http_backoff_ms(unsigned failures, uint64_t retry_after_ms)
{
	uint64_t most = failures > 9 ? LONGEST_MS : (uint64_t)FIRST_MS << failures, wait;

	most = most < LONGEST_MS ? most : LONGEST_MS;
	wait = most / 2 + by_chance(most / 2 + 1);
	/* All of those that were asked to come back at one time would. */
	return wait > retry_after_ms ? wait : retry_after_ms + by_chance(retry_after_ms / 8 + 1);
}

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Not by strptime: the words are English in every language. */
bool sp_http_date(const char *text, int64_t *seconds)
{
	char day[4], month[4], zone[4];
	struct tm tm = {0};
	const char *found;
	bool known = false;

	if (sscanf(text, " %3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[A-Z]", day, &tm.tm_mday, month, &tm.tm_year,
		    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) != 8 ||
		strcmp(zone, "GMT") != 0)
		return false;
	for (size_t i = 0; i < 7; i++)
		known |= strcmp(days[i], day) == 0;
	found = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!known || !found || (found - months) % 3 || tm.tm_year < 1970 || tm.tm_year > 9999)
		return false;
	tm.tm_mon = (int)(found - months) / 3;
	tm.tm_year -= 1900;
	*seconds = timegm(&tm);
	return true;
}

uint64_t sp_http_retry_after_ms(const char *value, int64_t now_seconds)
{
	const uint64_t day_ms = 86400000;
	int64_t at;
	char *end;
	unsigned long long seconds;

	value += strspn(value, " \t");
	if (isdigit((unsigned char)*value)) {
		seconds = strtoull(value, &end, 10);
		if (end[strspn(end, " \t\r\n")])
			return 0;
		return seconds < day_ms / 1000 ? seconds * 1000 : day_ms;
	}
	if (!sp_http_date(value, &at) || at <= now_seconds)
		return 0;
	return (uint64_t)(at - now_seconds) < day_ms / 1000 ? (uint64_t)(at - now_seconds) * 1000 : day_ms;
}

#define OFF_S 120 /* a clock that nobody sets is off by that after a month */

bool sp_http_clock_is_off(int64_t ahead_s, struct sp_buffer *out)
{
	uint64_t off_s = (uint64_t)(ahead_s < 0 ? -ahead_s : ahead_s);

	if (off_s < OFF_S)
		return false;
	sp_buffer_puts(out, "this machine's clock is ");
	sp_put_long_duration(out, off_s < UINT64_MAX / 1000000000u ? off_s * 1000000000u : UINT64_MAX);
	sp_buffer_puts(out, ahead_s < 0 ? " behind the engine's" : " ahead of the engine's");
	return true;
}

static char *clean(const char *text, size_t length, const char **why)
{
	char *token;

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			*why = "it holds control characters: a token is one line of text";
			return NULL;
		}
	token = sp_alloc(length + 1, 1);
	memcpy(token, text, length);
	return token;
}

char *sp_http_token(const char *file, const char *variable, const char **why)
{
	const char *given = variable ? getenv(variable) : NULL;
	char text[TOKEN_MOST], *token;
	ssize_t n;
	int fd;

	*why = NULL;
	if (!file)
		return clean(given ? given : "", given ? strlen(given) : 0, why);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n < 0)
		*why = strerror(errno);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL;
	if (n == (ssize_t)sizeof(text)) {
		*why = "it is too long for a token";
		return NULL;
	}
	text[n] = '\0';
	token = clean(text, strcspn(text, "\r\n"), why);
	explicit_bzero(text, sizeof(text));
	return token;
}
