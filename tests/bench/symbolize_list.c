/* Symbolizes a list of addresses like addr2line -aCfie: for the benchmarks. Usage: symbolize_list
 * [--single] [--names] [--cache FILE] FILE <addresses. Addresses are those of the ELF file, in hexadecimal.
 * --names: the functions' own names only, without lines and inlined calls. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/symbolize.h"

#define FRAMES_MAX 64

#define TEXT_MAX (1u << 17) /* longer names and paths are not handed out */

static char output[1 << 19];

/* What is printed is 11 MB for 10,000 addresses: stdio would be a good part of the time measured. */
static char *print_frame(char *at, const struct sp_symbol *frame, bool names_only)
{
	if (output + sizeof(output) - at < (ptrdiff_t)(3 * TEXT_MAX)) {
		fwrite_unlocked(output, 1, (size_t)(at - output), stdout);
		at = output;
	}
	at = stpcpy(at, frame->function ? frame->function : "??");
	*at++ = '\n';
	if (names_only)
		return at;
	at = stpcpy(at, frame->file ? frame->file : "??");
	return at + sprintf(at, ":%u\n", frame->line);
}

int main(int argc, char **argv)
{
	struct sp_symbolizer_options options = {0};
	struct sp_symbol_module module = {0};
	struct sp_symbol_query *queries = NULL;
	struct sp_symbol frames[FRAMES_MAX];
	size_t count = 0, capacity = 0;
	struct sp_symbolizer *s;
	int single = 0, at = 1;
	char line[64], *out = output;

	for (; at + 1 < argc; at++) {
		if (!strcmp(argv[at], "--single"))
			single = 1;
		else if (!strcmp(argv[at], "--names"))
			options.names_only = true;
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

		out += sprintf(out, "0x%016lx\n", queries[i].address);
		for (size_t k = 0; k < n; k++)
			out = print_frame(out, &frames[k], options.names_only);
	}
	fwrite(output, 1, (size_t)(out - output), stdout);
	free(queries);
	sp_symbolizer_free(s);
	return 0;
}
