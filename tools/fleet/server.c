/* Statements by ClickHouse's HTTP interface. */
#include "tools/fleet/server.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/fleet/sql.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

#define ANSWER_MOST (512u << 20)
#define COMPLAINT_BYTES 200

/* What it says of tables that are not there; a comma or, since 21.11, a full stop follows. */
#define NO_TABLE "Code: 60"

static void put_encoded(struct sp_buffer *out, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			sp_buffer_add(out, text, 1);
		else
			sp_buffer_printf(out, "%%%02X", (unsigned char)*text);
}

/* The path of a target is the database. */
char *sp_clickhouse_url(const struct sp_push_target *target, const char *sql)
{
	struct sp_buffer url = {0};
	const char *host = strstr(target->base, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;

	sp_buffer_add(&url, target->base, path ? (size_t)(path - target->base) : strlen(target->base));
	sp_buffer_puts(&url, "/?");
	if (path && path[1]) {
		sp_buffer_puts(&url, "database=");
		put_encoded(&url, path + 1);
		sp_buffer_puts(&url, "&");
	}
	if (sql) {
		sp_buffer_puts(&url, "query=");
		put_encoded(&url, sql);
	}
	return url.data;
}

static int complain(const struct sp_push_target *target, const struct sp_http_answer *answer)
{
	const char *text = answer->body.length ? answer->body.data : "";
	char first[COMPLAINT_BYTES];

	if (strncmp(text, NO_TABLE, strlen(NO_TABLE)) == 0 && !isdigit((unsigned char)text[strlen(NO_TABLE)])) {
		sp_complain("fleet: %s: there are no tables of profiles; smartprof push %s --init makes them",
			target->text, target->text);
		return 1;
	}
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(text, "\n"), text);
	sp_make_inert(first);
	if (strncmp(text, "Code: ", 6) == 0)
		sp_complain("fleet: %s: it does not answer the question: %s", target->text, first);
	else
		sp_complain("fleet: %s: %s; see whether the server runs there", target->text, answer->why);
	return 1;
}

static void warn_of_clock(const struct sp_push_target *target, int64_t ahead_s)
{
	static bool warned;
	struct sp_buffer text = {0};

	if (!warned && sp_http_clock_is_off(ahead_s, &text)) {
		sp_complain("fleet: %s: warning: %s; --since and --until are by this one", target->text, text.data);
		warned = true;
	}
	sp_buffer_free(&text);
}

int sp_clickhouse_ask(struct sp_http *http, const struct sp_push_target *target, const struct sp_buffer *sql,
	struct sp_buffer *answer)
{
	char *url = sp_clickhouse_url(target, NULL);
	struct sp_http_request request = {
		.method = "POST", .url = url, .body = sql->data, .length = sql->length, .answer_most = ANSWER_MOST};
	struct sp_http_answer got = {0};
	enum sp_http_end end = sp_http_send(http, &request, &got);
	int status = 0;

	warn_of_clock(target, got.ahead_s);
	if (end == SP_HTTP_DONE && got.cut) {
		sp_complain("fleet: %s: its answer is longer than can be read; ask for less", target->text);
		status = 1;
	} else if (end != SP_HTTP_DONE) {
		status = complain(target, &got);
	} else {
		sp_buffer_clear(answer);
		sp_buffer_add(answer, got.body.length ? got.body.data : "", got.body.length);
	}
	sp_buffer_free(&got.body);
	free(url);
	return status;
}
