/* Calls much of the C library, without end. */
#include <iconv.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

static char texts[256][32];
static regex_t pattern;

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void numbers(void)
{
	for (int i = 0; i < 256; i++) {
		volatile double value;

		snprintf(texts[i], sizeof(texts[i]), "%d %g %s", rand(), sin(rand()) * 1e9, "x");
		value = strtod(texts[i], NULL);
		(void)value;
		regexec(&pattern, texts[i], 0, NULL, 0);
		free(malloc((size_t)(rand() % 100000)));
		free(strdup(texts[i]));
	}
	qsort(texts, 256, sizeof(texts[0]), compare);
}

static void words(time_t now)
{
	char text[64], out[256], *from = text, *to = out;
	size_t left, room = sizeof(out);
	iconv_t convert = iconv_open("UTF-16", "UTF-8");
	wchar_t wide[64];
	struct tm parts;
	FILE *file = fopen("/dev/null", "w");

	localtime_r(&now, &parts);
	strftime(text, sizeof(text), "%c", &parts);
	mktime(&parts);
	fprintf(file, "%s %ld\n", text, (long)now);
	fclose(file);
	mbstowcs(wide, text, 64);
	left = strlen(text);
	iconv(convert, &from, &left, &to, &room);
	iconv_close(convert);
	memmove(texts[3], texts[4], 6000);
	strstr(texts[0], "zz");
}

int main(void)
{
	regcomp(&pattern, "(a|b)*[0-9]+c", REG_EXTENDED);
	for (time_t now = time(NULL);; now++) {
		numbers();
		words(now);
	}
}
