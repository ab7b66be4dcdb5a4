/* Symbolizes a list of addresses like addr2line -aCfie: for the benchmarks. Usage: symbolize_list
 * [--single] [--cache FILE] FILE <addresses. Addresses are those of the ELF file, in hexadecimal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/symbolize.h"

#define FRAMES_MAX 64

int main(int argc, char **argv)
{
	struct sp_symbolizer_options options = {0};
	struct sp_symbol_module module = {0};
	struct sp_symbol_query *queries = NULL;
	struct sp_symbol frames[FRAMES_MAX];
	size_t count = 0, capacity = 0;
	struct sp_symbolizer *s;
	int single = 0, at = 1;
	char line[64];

	for (; at + 1 < argc; at++) {
		if (!strcmp(argv[at], "--single"))
			single = 1;
		else if (!strcmp(argv[at], "--cache"))
			options.cache = argv[++at];
	}
	module.path = argv[argc - 1];
	s = sp_symbolizer_new(&options);
	if (argc < 2 || !s || sp_symbolizer_add_module(s, &module))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		if (count == capacity) {
			capacity = capacity * 2 + 1024;
			queries = reallocarray(queries, capacity, sizeof(*queries));
			if (!queries)
				return 1;
		}
		queries[count++].address = strtoull(line, NULL, 16);
		queries[count - 1].module = 0;
	}
	if (!single)
		sp_symbolizer_prepare(s, queries, count);
	for (size_t i = 0; i < count; i++) {
		size_t n = sp_symbolize(s, 0, queries[i].address, frames, FRAMES_MAX);

		printf("0x%016lx\n", queries[i].address);
		for (size_t k = 0; k < n; k++)
			printf("%s\n%s:%u\n", frames[k].function ? frames[k].function : "??",
				frames[k].file ? frames[k].file : "??", frames[k].line);
	}
	free(queries);
	sp_symbolizer_free(s);
	return 0;
}
