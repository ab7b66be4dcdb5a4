/* What goes beside a request: when to come back, and the secret that it takes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

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
