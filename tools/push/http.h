/* HTTP, for the engines that profiles are sent to and asked of.
 *
 * libcurl is loaded when it is first needed: it brings a good part of the network stack with it, and every renderer would
 * have to wait for that. Certificates are verified, redirects are not followed (a token would go with them), nothing but
 * http and https is spoken, and proxies are those of the environment (https_proxy, no_proxy), none for this machine. */
#ifndef SP_TOOLS_PUSH_HTTP_H
#define SP_TOOLS_PUSH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

/* All-zero but for timeout_ms: nobody in particular, the system's certificates. Strings must outlive the connection. */
struct sp_http_options {
	const char *
		token; /* sent as a bearer's, or with `user` as that one's password; only by https, or to this machine */
	const char *user;    /* NULL: none */
	const char *ca_file; /* certificates to trust, instead of the system's */
	unsigned timeout_ms; /* for all of a request */
};

/* Connections that are kept from one request to the next. Ignores SIGPIPE from here on. NULL: there can be none, for the
 * reason in *why. */
struct sp_http;
struct sp_http *sp_http_open(const struct sp_http_options *options, const char **why);
void sp_http_close(struct sp_http *http);

struct sp_http_request {
	const char *method, *url;
	const char *const *headers; /* "Name: value", the last one NULL; NULL: none */
	const char *body;           /* NULL: none */
	size_t length;
	bool gzip;          /* send the body compressed */
	size_t answer_most; /* bytes of the answer that are wanted */
};

enum sp_http_end {
	SP_HTTP_DONE,    /* 2xx */
	SP_HTTP_LATER,   /* nobody answered, or not in time, or says it cannot now: the same may succeed later */
	SP_HTTP_DENIED,  /* certificate, token or address are not right: not before somebody has mended that */
	SP_HTTP_REFUSED, /* this body will never be taken */
};

struct sp_http_answer {
	long status;             /* 0: there was none */
	struct sp_buffer body;   /* sp_buffer_free it */
	bool cut;                /* there was more than was wanted */
	uint64_t retry_after_ms; /* what the answer asked for; 0: nothing */
	int64_t ahead_s;         /* of our clock to the engine's; 0 where that is not known */
	char why[320];           /* where it is not done: a phrase, without control characters */
};

/* Blocks for timeout_ms at the most. What *answer held is freed. */
enum sp_http_end sp_http_send(struct sp_http *http, const struct sp_http_request *request,
	struct sp_http_answer *answer);

/* Stars the token out, also as it is sent with a user: some engines repeat what they were sent, and what they say is shown and kept.
 * It was done in an answer that is not SP_HTTP_DONE. */
void sp_http_hide_token(const struct sp_http *http, char *text, size_t length);

/* What speaks against an address, a phrase, or NULL. The user may stand in it, a password may not. */
const char *sp_http_objection(const char *url);

/* The value of a Retry-After header, seconds or a date; at most a day, 0 for what is neither. now: since 1970. */
uint64_t sp_http_retry_after_ms(const char *value, int64_t now_seconds);

/* A date of a header's, since 1970: RFC 9110, 5.6.7, in the form that is to be sent: "Sun, 06 Nov 1994 08:49:37 GMT". */
bool sp_http_date(const char *text, int64_t *seconds);

/* Whether our clock and the engine's differ by two minutes or more; appends a sentence without its full stop. */
bool sp_http_clock_is_off(int64_t ahead_s, struct sp_buffer *out);

/* How long to wait after so many failures in a row: twice as long after each, up to five minutes, and between half of that
 * and all of it by chance, so that many do not come back at once; never less than was asked for. */
uint64_t sp_http_backoff_ms(unsigned failures, uint64_t retry_after_ms);

/* A secret from a file, or from the variable where `file` is NULL: what stands before the first line end. NULL with *why:
 * it cannot be read; an empty one: there is none. To be freed. */
char *sp_http_token(const char *file, const char *variable, const char **why);

#endif
