/* Requests by libcurl. */
#include "tools/push/http.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define CURL_DISABLE_TYPECHECK /* it checks calls by the function's own name */
#include <curl/curl.h>

#include "profiles/base/base64.h"
#include "profiles/base/gzip.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

#define LIBRARY "libcurl.so.4"
#define ANSWER_SHOWN 160u
#define HEADERS_MOST 262144u
#define VALUE_MOST 64u

/* What is used of libcurl. */
static struct {
	typeof(curl_global_init) *start;
	typeof(curl_easy_init) *open;
	typeof(curl_easy_cleanup) *close;
	typeof(curl_easy_reset) *reset;
	typeof(curl_easy_setopt) *set;
	typeof(curl_easy_getinfo) *get;
	typeof(curl_easy_perform) *perform;
} curl;

struct sp_http {
	struct sp_http_options options;
	CURL *easy;
};

static bool load(void)
{
	const struct {
		void *to;
		const char *name;
	} names[] = {{&curl.start, "curl_global_init"}, {&curl.open, "curl_easy_init"},
		{&curl.close, "curl_easy_cleanup"}, {&curl.reset, "curl_easy_reset"}, {&curl.set, "curl_easy_setopt"},
		{&curl.get, "curl_easy_getinfo"}, {&curl.perform, "curl_easy_perform"}};
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* stays for the process's life */

	if (!handle)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *function = dlsym(handle, names[i].name);

		if (!function)
			return false;
		memcpy(names[i].to, &function, sizeof(function));
	}
	return curl.start(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct sp_http *sp_http_open(const struct sp_http_options *options, const char **why)
{
	static bool loaded;
	struct sp_http *http;

	*why = LIBRARY " cannot be loaded; install libcurl4";
	if (!loaded && !load())
		return NULL;
	loaded = true;
	signal(SIGPIPE, SIG_IGN);
	http = sp_alloc(1, sizeof(*http));
	http->options = *options;
	http->easy = curl.open();
	if (http->easy)
		return http;
	*why = "libcurl does not work";
	free(http);
	return NULL;
}

void sp_http_close(struct sp_http *http)
{
	if (!http)
		return;
	curl.close(http->easy);
	free(http);
}

/* --- addresses */

/* Where the host stands, without a port; IPv6 in its brackets. */
static const char *host_of(const char *url, size_t *length)
{
	const char *host = strstr(url, "://"), *at;

	if (!host)
		return NULL;
	host += 3;
	at = memchr(host, '@', strcspn(host, "/?#"));
	host = at ? at + 1 : host;
	*length = *host == '[' ? strcspn(host, "]/?#") + (host[strcspn(host, "]/?#")] == ']') : strcspn(host, ":/?#");
	return host;
}

static bool is_this_machine(const char *url)
{
	size_t length = 0;
	const char *host = host_of(url, &length);

	if (!host)
		return false;
	if (length == 5 && memcmp(host, "[::1]", 5) == 0)
		return true;
	if (length == 9 && strncasecmp(host, "localhost", 9) == 0)
		return true;
	return length > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == length;
}

const char *sp_http_objection(const char *url)
{
	size_t length = 0;
	const char *host = host_of(url, &length), *at;

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return "it is neither http:// nor https://";
	for (const char *c = url; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return "there are spaces, control or other characters in it that no address has";
	if (!length)
		return "there is no host in it";
	at = strstr(url, "://") + 3;
	if (host > at && memchr(at, ':', (size_t)(host - at)))
		return "a password in it would be seen by others; put it into a file, see --token-file";
	return NULL;
}

/* --- an answer */

struct reading {
	struct sp_http_answer *answer;
	size_t most, header_bytes;
	char retry_after[VALUE_MOST], date[VALUE_MOST];
};

static size_t take_body(char *data, size_t one, size_t count, void *context)
{
	struct reading *r = context;
	size_t bytes = one * count, left = r->most - r->answer->body.length;

	sp_buffer_add(&r->answer->body, data, bytes < left ? bytes : left);
	r->answer->cut |= bytes > left;
	return bytes <= left ? bytes : 0; /* which ends the transfer: who sends for ever is not read for ever */
}

static void take_value(char value[static VALUE_MOST], const char *name, const char *line, size_t bytes)
{
	size_t n = strlen(name), length = bytes > n ? bytes - n : 0;

	if (length && strncasecmp(line, name, n) == 0)
		snprintf(value, VALUE_MOST, "%.*s", (int)(length < VALUE_MOST ? length : VALUE_MOST - 1), line + n);
}

static size_t take_header(char *data, size_t one, size_t count, void *context)
{
	struct reading *r = context;
	size_t bytes = one * count;

	r->header_bytes += bytes;
	if (r->header_bytes > HEADERS_MOST)
		return 0;
	take_value(r->retry_after, "retry-after:", data, bytes);
	take_value(r->date, "date:", data, bytes);
	return bytes;
}

/* By its own clock, where it tells that. */
static void note_times(struct sp_http_answer *answer, const struct reading *r)
{
	int64_t now_s = time(NULL), its_s;

	if (!sp_http_date(r->date, &its_s))
		its_s = now_s;
	answer->ahead_s = now_s - its_s;
	answer->retry_after_ms = *r->retry_after ? sp_http_retry_after_ms(r->retry_after, its_s) : 0;
}

static enum sp_http_end judge(long status)
{
	if (status >= 200 && status < 300)
		return SP_HTTP_DONE;
	if (status >= 500 || status == 408 || status == 425 || status == 429)
		return SP_HTTP_LATER;
	if (status < 400 || status == 401 || status == 403 || status == 404 || status == 405 || status == 407)
		return SP_HTTP_DENIED;
	return SP_HTTP_REFUSED;
}

static void hide(char *at, size_t length, const char *secret)
{
	size_t bytes = strlen(secret);
	char *end = at + length;

	for (; bytes && (at = memmem(at, (size_t)(end - at), secret, bytes)); at += bytes)
		memset(at, '*', bytes);
}

void sp_http_hide_token(const struct sp_http *http, char *text, size_t length)
{
	const struct sp_http_options *o = &http->options;
	struct sp_buffer sent = {0};
	char *pair;

	if (!o->token || !length)
		return;
	hide(text, length, o->token);
	if (!o->user)
		return;
	pair = sp_text("%s:%s", o->user, o->token);
	sp_base64(&sent, pair, strlen(pair), false);
	hide(text, length, sent.data);
	explicit_bzero(pair, strlen(pair));
	explicit_bzero(sent.data, sent.length);
	free(pair);
	sp_buffer_free(&sent);
}

/* What the engine says of it may be anything. */
static void tell_status(struct sp_http_answer *answer)
{
	size_t shown = answer->body.length < ANSWER_SHOWN ? answer->body.length : ANSWER_SHOWN;
	const char *what = answer->status == 401 || answer->status == 403
		? ", the token is missing or not the right one"
		: answer->status >= 300 && answer->status < 400 ? ", which is not followed: name that address"
								: "";

	snprintf(answer->why, sizeof(answer->why), "HTTP %ld%s%s%.*s", answer->status, what, shown ? ": " : "",
		(int)shown, shown ? answer->body.data : "");
	for (char *c = answer->why; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	for (size_t n = strlen(answer->why); n && answer->why[n - 1] == ' ';)
		answer->why[--n] = '\0';
	sp_make_inert(answer->why);
}

/* --- a request */

/* In front of the list; takes the text. */
static void add_header(struct curl_slist **list, char *text)
{
	struct curl_slist *one = sp_alloc(1, sizeof(*one));

	*one = (struct curl_slist){text, *list};
	*list = one;
}

static void free_headers(struct curl_slist *list)
{
	while (list) {
		struct curl_slist *next = list->next;

		explicit_bzero(list->data, strlen(list->data));
		free(list->data);
		free(list);
		list = next;
	}
}

static struct curl_slist *list_headers(const struct sp_http *http, const struct sp_http_request *request, bool zipped)
{
	struct curl_slist *list = NULL;

	add_header(&list, sp_copy_text("Expect:")); /* or a large body waits for a word of the engine */
	if (zipped)
		add_header(&list, sp_copy_text("Content-Encoding: gzip"));
	if (http->options.token && !http->options.user)
		add_header(&list, sp_text("Authorization: Bearer %s", http->options.token));
	for (size_t i = 0; request->headers && request->headers[i]; i++)
		add_header(&list, sp_copy_text(request->headers[i]));
	return list;
}

static void set_body(CURL *easy, const struct sp_http_request *request, const struct sp_buffer *zipped)
{
	if (request->body) {
		curl.set(easy, CURLOPT_POSTFIELDS, zipped->data ? zipped->data : request->body);
		curl.set(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)(zipped->data ? zipped->length : request->length));
	}
	curl.set(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(struct sp_http *http, const struct sp_http_request *request, struct reading *reading)
{
	const struct sp_http_options *o = &http->options;
	CURL *easy = http->easy;

	curl.set(easy, CURLOPT_URL, request->url);
	if (is_this_machine(request->url))
		curl.set(easy, CURLOPT_NOPROXY, "*"); /* it would see the token */
	curl.set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.set(easy, CURLOPT_NOSIGNAL, 1L);
	curl.set(easy, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
	curl.set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl.set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl.set(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca_file)
		curl.set(easy, CURLOPT_CAINFO, o->ca_file);
	if (o->user) {
		curl.set(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl.set(easy, CURLOPT_USERNAME, o->user);
		curl.set(easy, CURLOPT_PASSWORD, o->token ? o->token : "");
	}
	curl.set(easy, CURLOPT_USERAGENT, "smartprof/" SP_VERSION);
	curl.set(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl.set(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl.set(easy, CURLOPT_WRITEDATA, reading);
	curl.set(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl.set(easy, CURLOPT_HEADERDATA, reading);
}

static enum sp_http_end fail(struct sp_http_answer *answer, enum sp_http_end end, const char *why)
{
	snprintf(answer->why, sizeof(answer->why), "%s", why);
	sp_make_inert(answer->why);
	return end;
}

static enum sp_http_end perform(struct sp_http *http, struct sp_http_answer *answer)
{
	char said[CURL_ERROR_SIZE] = "";
	CURLcode code;

	curl.set(http->easy, CURLOPT_ERRORBUFFER, said);
	code = curl.perform(http->easy);
	curl.set(http->easy, CURLOPT_ERRORBUFFER, NULL);
	curl.get(http->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && answer->cut)) {
		if (judge(answer->status) != SP_HTTP_DONE) {
			sp_http_hide_token(http, answer->body.data, answer->body.length);
			tell_status(answer);
		}
		return judge(answer->status);
	}
	answer->status = 0;
	return fail(answer,
		code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
				code == CURLE_URL_MALFORMAT
			? SP_HTTP_DENIED
			: SP_HTTP_LATER,
		*said ? said : "no answer");
}

enum sp_http_end sp_http_send(struct sp_http *http, const struct sp_http_request *request,
	struct sp_http_answer *answer)
{
	struct reading reading = {.answer = answer, .most = request->answer_most};
	const char *objection = sp_http_objection(request->url);
	struct sp_buffer zipped = {0};
	struct curl_slist *headers;
	enum sp_http_end end;

	sp_buffer_free(&answer->body);
	*answer = (struct sp_http_answer){0};
	if (objection)
		return fail(answer, SP_HTTP_DENIED, objection);
	if (http->options.token && strncmp(request->url, "https://", 8) != 0 && !is_this_machine(request->url))
		return fail(answer, SP_HTTP_DENIED,
			"a token is sent by https:// only, which nobody on the way can read");
	if (request->body && request->gzip)
		sp_gzip(&zipped, request->body, request->length);
	headers = list_headers(http, request, zipped.data != NULL);
	curl.reset(http->easy);
	set_options(http, request, &reading);
	curl.set(http->easy, CURLOPT_HTTPHEADER, headers);
	set_body(http->easy, request, &zipped);
	end = perform(http, answer);
	note_times(answer, &reading);
	curl.reset(http->easy); /* which keeps connections, and forgets what is freed now */
	free_headers(headers);
	sp_buffer_free(&zipped);
	return end;
}
