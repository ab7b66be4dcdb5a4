/* Serving the dashboard over HTTP, to read, on this machine unless told otherwise. */
#ifndef SP_TOOLS_DASHBOARD_SERVE_H
#define SP_TOOLS_DASHBOARD_SERVE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "profiles/base/buffer.h"

#define SP_SERVE_PORT 8717

struct sp_serve_address {
	struct sockaddr_storage socket;
	bool loopback;
};

/* "8717", "127.0.0.1", "127.0.0.1:8717", "localhost:0", "[::1]:8717"; NULL or "": 127.0.0.1 and SP_SERVE_PORT. Names other than
 * localhost are none: nobody is asked what they stand for. False: no such address. */
bool sp_serve_parse(struct sp_serve_address *address, const char *text);

/* Whether a request's Host header may be answered: an address, or localhost, with or without a port. Any other name could be one
 * that somebody else's page made point here, to read what it must not (DNS rebinding). */
bool sp_serve_host_is_own(const char *host);

/* What is served now: inert JSON. It may be another one at each call; the buffer lives until the next. NULL: it cannot be had. Called
 * by one thread at a time. */
typedef const struct sp_buffer *sp_serve_data_fn(void *context);

/* Serves until SIGINT or SIGTERM, and prints the address when it can be asked. Returns an exit status, after a complaint where
 * that is not 0. */
int sp_serve(const struct sp_serve_address *address, sp_serve_data_fn *data, void *context);

#endif
