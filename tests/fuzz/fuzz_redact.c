/* Fuzzes the redaction of command lines. Besides not crashing: whatever stands before and after it, a secret behind a
 * secret's name is never left. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/redact/redact.h"

static const char planted[] = "\0--password=Zq7PLANTEDx9\0DB_TOKEN=Zq7PLANTEDx9\0";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *args, *p;
	struct sp_buffer out = {0};

	if (memmem(data, size, "PLANTED", 7))
		return 0;
	p = args = malloc(2 * size + sizeof(planted) + 2);
	for (size_t i = 0; i < size; i++) /* an empty argument would end them */
		if (data[i] || (p > args && p[-1]))
			*p++ = (char)data[i];
	if (p == args || !p[-1])
		*p++ = '-';
	memcpy(p, planted, sizeof(planted));
	p += sizeof(planted) - 1;
	sp_redact_command(&out, args, (size_t)(p - args) + 1);
	if (out.data && strstr(out.data, "PLANTED")) {
		fprintf(stderr, "fuzz_redact: %s\n", out.data);
		abort();
	}
	sp_buffer_clear(&out);
	sp_redact_text(&out, (const char *)data, size);
	sp_buffer_free(&out);
	free(args);
	return 0;
}
