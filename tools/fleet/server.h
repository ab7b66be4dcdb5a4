/* The ClickHouse that profiles of many machines are in. */
#ifndef SP_TOOLS_FLEET_SERVER_H
#define SP_TOOLS_FLEET_SERVER_H

#include "profiles/base/buffer.h"
#include "tools/push/engine.h"

/* The address of a statement, for GET, or, with a body, for POST: to be freed. */
char *sp_clickhouse_url(const struct sp_push_target *target, const char *sql);

/* Asks. Returns 0, or 1 after a complaint. */
int sp_clickhouse_ask(struct sp_http *http, const struct sp_push_target *target, const struct sp_buffer *sql,
	struct sp_buffer *answer);

#endif
