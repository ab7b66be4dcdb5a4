/* Fuzzes what reads noise files. Besides not crashing: what was read and written again is read as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/compare.h"
#include "profiles/compare/noise.h"

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_noise: %s\n", what);
		abort();
	}
}

static void check_again(const struct sp_noise *noise)
{
	const char *why = "it cannot be written";
	char *text = sp_noise_text(noise);
	size_t line;
	struct sp_noise *again = text ? sp_noise_parse(text, strlen(text), &why, &line) : NULL;

	require(again != NULL, why);
	require(again->runs == noise->runs && again->row_count == noise->row_count, "other rows");
	for (unsigned m = 0; m < SP_METRICS; m++)
		require((again->metrics[m] < 0) == (noise->metrics[m] < 0), "other metrics");
	sp_noise_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	size_t line = 0;
	struct sp_noise *noise = sp_noise_parse((const char *)data, size, &why, &line);

	require(noise || (why && line), "no reason");
	if (noise) {
		check_again(noise);
		sp_noise_function(noise, "parse", "(program)");
	}
	sp_noise_free(noise);
	return 0;
}
