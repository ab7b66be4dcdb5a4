/* The options with which report, recover, run and finish symbolize. */
#include "tools/tools.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/xdg.h"
#include "symbolize/cache/cache.h"

#define DEBUGINFOD_SECONDS 60

static void warn(const char *text)
{
	sp_complain("%s", text);
}

void sp_symbols_options(struct sp_symbolizer_options *options, int complain)
{
	static char cache[PATH_MAX];
	struct sp_value dir;

	sp_value_load(&dir, SP_OPT_DEBUG_DIR, environ, sp_settings_file());
	*options = (struct sp_symbolizer_options){
		.debug_dirs = dir.text && *dir.text ? dir.text : NULL, .warn = complain ? warn : NULL};
	if (sp_cache_path(cache, sizeof(cache), SP_CACHE_FILE) == 0)
		options->cache = cache;
}

int sp_symbols_flag(struct sp_symbolizer_options *options, int got, const char *value)
{
	if (got == SP_FLAG_DEBUGINFOD) {
		options->debuginfod_seconds = DEBUGINFOD_SECONDS;
		return 1;
	}
	if (got != SP_FLAG_DEBUG_DIR)
		return 0;
	options->debug_dirs = realpath(value, NULL); /* until the end of the process */
	if (options->debug_dirs)
		return 1;
	sp_complain("--debug-dir: '%s': no such directory", value);
	return -1;
}
