/* The page's frame: the template, filled in. */
#include "profiles/html/page.h"

#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"

/* profiles/html/files.S; each ends with a NUL. */
extern const char sp_page_html[], sp_page_css[], sp_page_js[], sp_page_licence[], sp_page_d3[];

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

/* What stands for "@@name@@" in the template. */
static void put_part(struct sp_buffer *out, const char *name, size_t length, const char *title, const char *nonce,
	const struct sp_buffer *data)
{
	const struct {
		const char *name, *text;
	} parts[] = {{"css", sp_page_css}, {"js", sp_page_js}, {"licence", sp_page_licence}, {"d3", sp_page_d3},
		{"nonce", nonce}, {"data", data->data}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strlen(parts[i].name) == length && memcmp(parts[i].name, name, length) == 0)
			sp_buffer_puts(out, parts[i].text);
	if (length == strlen("title") && memcmp(name, "title", length) == 0)
		put_text(out, title);
}

/* All text is inert as it is; should any not be, the browser runs only what bears the page's number. That is made of the
 * data, so that the same input gives the same page. */
void sp_page_write(struct sp_buffer *out, const char *title, json_t *data)
{
	struct sp_buffer text = {0}, plain = {0};
	const char *at = sp_page_html;
	char nonce[20];

	sp_json_put(&text, data, true);
	snprintf(nonce, sizeof(nonce), "%016llx", (unsigned long long)sp_hash_bytes(text.data, text.length));
	sp_escape(&plain, SP_ESCAPE_PLAIN, title, strlen(title));
	for (;;) {
		const char *mark = strstr(at, "@@"), *end = mark ? strstr(mark + 2, "@@") : NULL;

		if (!end)
			break;
		sp_buffer_add(out, at, (size_t)(mark - at));
		put_part(out, mark + 2, (size_t)(end - mark - 2), plain.data ? plain.data : "", nonce, &text);
		at = end + 2;
	}
	sp_buffer_puts(out, at);
	sp_buffer_free(&text);
	sp_buffer_free(&plain);
}
