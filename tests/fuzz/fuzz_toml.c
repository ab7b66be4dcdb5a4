/* Fuzzes the reader of smartprof.toml: an object or a reason with a line, nothing else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/gate/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	size_t line = 0;
	json_t *root = sp_toml_parse((const char *)data, size, &why, &line);

	if (root ? !json_is_object(root) : !why || !line)
		abort();
	json_decref(root);
	return 0;
}
