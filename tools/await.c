/* Waiting for profiles that are being rendered, before they are read. */
#include "tools/tools.h"

#include <stdbool.h>

#include "profiles/base/time.h"
#include "profiles/output/underway.h"

#define AT_MOST_MS 60000
#define TELL_MS 1000
#define NAP_MS 20
#define QUIET_NAPS 2 /* between two spools of a tree its renderer has none */

void sp_await_profiles(const char *command, const char *what, const char *path, bool below)
{
	int waited_ms = 0, quiet = sp_output_is_under_way(path, below) ? 0 : QUIET_NAPS;

	while (quiet < QUIET_NAPS && waited_ms < AT_MOST_MS) {
		sp_nap_ms(NAP_MS);
		waited_ms += NAP_MS;
		quiet = sp_output_is_under_way(path, below) ? 0 : quiet + 1;
		if (waited_ms == TELL_MS)
			sp_complain("%s: %s: waiting for a profile that is being written", command, what);
	}
	if (quiet < QUIET_NAPS)
		sp_complain("%s: %s: a profile is still being written after a minute; going on without it", command,
			what);
}
