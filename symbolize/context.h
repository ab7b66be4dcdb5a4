/* What all modules of a symbolizer share. */
#ifndef SP_SYMBOLIZE_CONTEXT_H
#define SP_SYMBOLIZE_CONTEXT_H

#include <pthread.h>
#include <stdint.h>

#include "symbolize/base/strings.h"
#include "symbolize/symbolize.h"

struct sp_symbol_context {
	struct sp_symbolizer_options options; /* its texts belong to the symbolizer */
	struct sp_strings strings;
	pthread_mutex_t lock;         /* over what modules read late: dependencies, unwind tables */
	uint64_t debuginfod_until_ns; /* CLOCK_MONOTONIC; 0: it was not asked yet */
};

#endif
