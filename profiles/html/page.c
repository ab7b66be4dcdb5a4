/* The page's frame: the template, filled in. */
#include "profiles/html/page.h"

#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"

/* profiles/html/files.S; each ends with a NUL. */
extern const char sp_frame_html[];
extern const char sp_page_html[], sp_page_css[], sp_page_js[], sp_page_licence[], sp_page_d3[];
extern const char sp_board_html[], sp_board_css[], sp_board_js[];

#define PAGE_HEADING "<h1 id=\"title\"></h1>"
#define BOARD_HEADING "<h1>Performance <small id=\"place\" class=\"soft\"></small></h1>"
#define BOARD_BUTTONS "\t\t<button id=\"csv\" type=\"button\" title=\"Save what is shown as CSV\">CSV</button>\n"

/* What stands in a template, "@@name@@". */
struct part {
	const char *name, *text;
};

static void put_text(struct sp_buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			sp_buffer_puts(out, "&lt;");
		else if (*text == '>')
			sp_buffer_puts(out, "&gt;");
		else if (*text == '&')
			sp_buffer_puts(out, "&amp;");
		else
			sp_buffer_add(out, text, 1);
	}
}

static void put_part(struct sp_buffer *out, const char *name, size_t length, const struct part *parts)
{
	for (; parts->name; parts++)
		if (strlen(parts->name) == length && memcmp(parts->name, name, length) == 0)
			sp_buffer_puts(out, parts->text);
}

static void fill(struct sp_buffer *out, const char *template, const struct part *parts)
{
	const char *at = template;

	for (;;) {
		const char *mark = strstr(at, "@@"), *end = mark ? strstr(mark + 2, "@@") : NULL;

		if (!end)
			break;
		sp_buffer_add(out, at, (size_t)(mark - at));
		put_part(out, mark + 2, (size_t)(end - mark - 2), parts);
		at = end + 2;
	}
	sp_buffer_puts(out, at);
}

/* All text is inert as it is; should any not be, the browser runs only what bears the page's number. That is made of the
 * data, so that the same input gives the same page. */
struct nonce {
	char text[20];
};

static struct nonce nonce_of(const struct sp_buffer *data)
{
	struct nonce nonce;

	snprintf(nonce.text, sizeof(nonce.text), "%016llx",
		(unsigned long long)sp_hash_bytes(data->data, data->length));
	return nonce;
}

void sp_page_write(struct sp_buffer *out, const char *title, json_t *data)
{
	struct sp_buffer text = {0}, plain = {0}, inert = {0};
	struct nonce nonce;

	sp_json_put(&text, data, true);
	nonce = nonce_of(&text);
	sp_escape(&plain, SP_ESCAPE_PLAIN, title, strlen(title));
	sp_buffer_puts(&inert, "");
	put_text(&inert, plain.data ? plain.data : "");
	fill(out, sp_frame_html,
		(const struct part[]){{"css", sp_page_css}, {"js", sp_page_js}, {"licence", sp_page_licence},
			{"d3", sp_page_d3}, {"nonce", nonce.text}, {"data", text.data}, {"title", inert.data},
			{"heading", PAGE_HEADING}, {"main", sp_page_html}, {NULL, NULL}});
	sp_buffer_free(&text);
	sp_buffer_free(&plain);
	sp_buffer_free(&inert);
}

void sp_html_board(struct sp_buffer *out, const struct sp_buffer *data, unsigned refresh_s)
{
	struct nonce nonce = nonce_of(data);
	char refresh[48];

	snprintf(refresh, sizeof(refresh), " data-refresh=\"%u\"", refresh_s);
	fill(out, sp_frame_html,
		(const struct part[]){{"css", sp_page_css}, {"more_css", sp_board_css}, {"js", sp_board_js},
			{"licence", sp_page_licence}, {"d3", sp_page_d3}, {"nonce", nonce.text}, {"data", data->data},
			{"title", "Performance"}, {"heading", BOARD_HEADING}, {"buttons", BOARD_BUTTONS},
			{"main", sp_board_html}, {"refresh", refresh_s ? refresh : ""},
			{"connect", refresh_s ? "; connect-src 'self'" : ""}, {NULL, NULL}});
}
