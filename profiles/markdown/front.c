/* Reading front-coded rows. */
#include "profiles/markdown/front.h"

#include <ctype.h>
#include <stdlib.h>

#include "symbolize/base/memory.h"

/* A whole number up to 2^32 - 1; advances *at. */
static bool take_number(const char **at, const char *end, uint64_t *number)
{
	const char *digit = *at;

	for (*number = 0; digit < end && isdigit((unsigned char)*digit) && *number <= UINT32_MAX; digit++)
		*number = *number * 10 + (uint64_t)(*digit - '0');
	if (digit == *at || *number > UINT32_MAX)
		return false;
	*at = digit;
	return true;
}

const char *sp_front_next(struct sp_front *front, const char *shared, size_t shared_bytes, const char *rest,
	size_t rest_bytes, size_t frames)
{
	const char *end = shared + shared_bytes;
	uint64_t number;

	if (!take_number(&shared, end, &number) || shared != end)
		return "`shared` is not a whole number";
	if (number > front->depth)
		return "it shares more frames than the row above has";
	front->depth = (size_t)number;
	for (end = rest + rest_bytes; rest < end;) {
		if (!take_number(&rest, end, &number) || (rest < end && *rest != ' '))
			return "`frames` are not numbers with blanks between";
		if (number >= frames)
			return "a frame is not in All frames";
		if (front->depth >= SP_FRONT_DEPTH_MAX)
			return "a stack has more frames than any";
		sp_grow(&front->ids, &front->capacity, front->depth + 1, sizeof(*front->ids));
		front->ids[front->depth++] = (uint32_t)number;
		rest += rest < end;
	}
	return front->depth ? NULL : "a stack has no frames";
}

const char *sp_sample_run_parse(const char **at, const char *end, struct sp_sample_run *run)
{
	uint64_t number;

	if (!take_number(at, end, &number))
		return "`stacks` are not numbers with blanks between";
	*run = (struct sp_sample_run){(uint32_t)number, 1};
	if (*at < end && **at == '*') {
		++*at;
		if (!take_number(at, end, &number) || !number)
			return "a stack's number is not followed by its samples";
		run->count = (uint32_t)number;
	}
	if (*at < end && *(*at)++ != ' ')
		return "`stacks` are not numbers with blanks between";
	return NULL;
}

void sp_front_free(struct sp_front *front)
{
	free(front->ids);
	*front = (struct sp_front){0};
}

bool sp_hex_parse(const char *text, size_t length, uint64_t *number)
{
	*number = 0;
	if (!length || length > 16)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool digit = isdigit((unsigned char)text[i]);

		if (!digit && (text[i] < 'a' || text[i] > 'f'))
			return false;
		*number = *number << 4 | (uint64_t)(digit ? text[i] - '0' : text[i] - 'a' + 10);
	}
	return true;
}
