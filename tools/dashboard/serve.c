/* The server. libmicrohttpd is loaded when it is wanted: it brings a dozen libraries, and this command also renders
 * profiles at the end of every process, where a start counts. */
#include "tools/dashboard/serve.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "profiles/html/html.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

#define LIBRARY "libmicrohttpd.so.12"
#define REFRESH_S 10u
#define CONNECTIONS_MOST 32u
#define TIMEOUT_S 10u

#define FUNCTIONS(each) \
	each(start_daemon) each(stop_daemon) each(get_daemon_info) each(create_response_from_buffer) \
		each(add_response_header) each(queue_response) each(destroy_response) each(lookup_connection_value)

struct library {
#define MEMBER(name) __typeof__(MHD_##name) *name;
	FUNCTIONS(MEMBER)
#undef MEMBER
};

struct server {
	struct library http;
	sp_serve_data_fn *data;
	void *context;
};

static bool load(struct library *http)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	bool all = handle != NULL;

#define FIND(name) \
	http->name = handle ? (__typeof__(MHD_##name) *)dlsym(handle, "MHD_" #name) : NULL; \
	all = all && http->name;
	FUNCTIONS(FIND)
#undef FIND
	return all;
}

static enum MHD_Result answer(const struct server *s, struct MHD_Connection *connection, unsigned status,
	const char *type, const char *tag, const char *text, size_t length)
{
	static const char *const headers[][2] = {{"X-Content-Type-Options", "nosniff"}, {"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"}, {"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"}, {"Cache-Control", "no-cache, private"}};
	struct MHD_Response *response =
		s->http.create_response_from_buffer(length, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		s->http.add_response_header(response, headers[i][0], headers[i][1]);
	s->http.add_response_header(response, "Content-Type", type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		s->http.add_response_header(response, "Allow", "GET, HEAD");
	if (tag)
		s->http.add_response_header(response, "ETag", tag);
	result = s->http.queue_response(connection, status, response);
	s->http.destroy_response(response);
	return result;
}

static enum MHD_Result refuse(const struct server *s, struct MHD_Connection *connection, unsigned status,
	const char *text)
{
	return answer(s, connection, status, "text/plain; charset=utf-8", NULL, text, strlen(text));
}

/* Of the page, whose tag changes with the command that made it, or of what stands in it alone. */
static enum MHD_Result answer_data(const struct server *s, struct MHD_Connection *connection, bool page)
{
	const char *known = s->http.lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
	const struct sp_buffer *data = s->data(s->context);
	struct sp_buffer text = {0};
	enum MHD_Result result;
	char tag[64];

	if (!data)
		return refuse(s, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "The history cannot be read now.\n");
	snprintf(tag, sizeof(tag), "\"%s-%s-%016llx\"", page ? "page" : "data", SP_VERSION,
		(unsigned long long)sp_hash_bytes(data->data, data->length));
	if (known && strcmp(known, tag) == 0)
		return answer(s, connection, MHD_HTTP_NOT_MODIFIED, "text/plain", tag, "", 0);
	if (!page)
		return answer(s, connection, MHD_HTTP_OK, "application/json", tag, data->data, data->length);
	sp_html_board(&text, data, REFRESH_S);
	result = answer(s, connection, MHD_HTTP_OK, "text/html; charset=utf-8", tag, text.data, text.length);
	sp_buffer_free(&text);
	return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **request)
{
	struct server *s = context;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (!sp_serve_host_is_own(s->http.lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
		return refuse(s, connection, MHD_HTTP_MISDIRECTED_REQUEST,
			"Ask for this by its address or as localhost: other names are not answered.\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return refuse(s, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "This can only be read.\n");
	if (strcmp(url, "/") == 0 || strcmp(url, "/data.json") == 0)
		return answer_data(s, connection, url[1] == '\0');
	return refuse(s, connection, MHD_HTTP_NOT_FOUND, "There is / and /data.json.\n");
}

static void print_address(const struct server *s, struct MHD_Daemon *daemon, const struct sp_serve_address *address)
{
	const union MHD_DaemonInfo *info = s->http.get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->socket;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&address->socket;
	bool is_six = address->socket.ss_family == AF_INET6;
	unsigned port = info ? info->port : ntohs(is_six ? six->sin6_port : four->sin_port);
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(address->socket.ss_family, is_six ? (const void *)&six->sin6_addr : &four->sin_addr, text,
		sizeof(text));
	printf("dashboard: http://%s%s%s:%u/ until Ctrl-C\n", is_six ? "[" : "", text, is_six ? "]" : "", port);
	fflush(stdout);
}

int sp_serve(const struct sp_serve_address *address, sp_serve_data_fn *data, void *context)
{
	struct server s = {.data = data, .context = context};
	struct MHD_Daemon *daemon;
	sigset_t ends;
	int got;

	if (!load(&s.http)) {
		sp_complain("dashboard: --serve needs " LIBRARY
			    "; install libmicrohttpd12, or write a file with --output");
		return 1;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL); /* of the server's thread, too */
	signal(SIGPIPE, SIG_IGN);
	errno = 0;
	daemon = s.http.start_daemon(MHD_USE_INTERNAL_POLLING_THREAD |
			(address->socket.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0),
		0, NULL, NULL, on_request, &s, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&address->socket,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MOST, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
		MHD_OPTION_END);
	if (!daemon) {
		sp_complain("dashboard: --serve: %s; name another address or port, 0 for any that is free",
			errno ? strerror(errno) : "the server does not start");
		return 1;
	}
	print_address(&s, daemon, address);
	while (sigwait(&ends, &got) != 0)
		;
	s.http.stop_daemon(daemon);
	return 0;
}
