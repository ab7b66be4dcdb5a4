/* Secret-looking values in command lines. */
#include "profiles/redact/redact.h"

#include <ctype.h>
#include <string.h>

#include "profiles/redact/parts.h"

#define NAME_LOOK 96 /* of a name before = or : */
#define VALUE_LOOK 512

/* What the next argument is to be. */
enum expected { EXPECT_NOTHING, EXPECT_ABOUT, EXPECT_WEAK, EXPECT_SECRET, EXPECT_USER, EXPECT_MAYBE };

struct walk {
	struct sp_buffer *out;
	const struct sp_redact_program *program; /* whose flags they are */
	enum expected expected;
	char quote; /* a hidden value's, that is still open */
	bool pem;   /* inside a key's BEGIN and END */
	size_t arguments;
	const struct sp_redact_operands *takes_secrets; /* the program, if its operands may be some */
	size_t operands;                                /* of those so far */
	enum sp_secrecy named;                          /* what the last "name" was the name of */
	const char *start, *stop;                       /* the argument */
	const char *done;                               /* written up to here */
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *skip_spaces(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

static void write_up_to(struct walk *w, const char *p)
{
	if (p <= w->done)
		return;
	sp_redact_put(w->out, w->done, p); /* what is not hidden by its place may still be a token */
	w->done = p;
}

/* Hides [from, to). */
static void hide(struct walk *w, const char *from, const char *to)
{
	if (from < w->done)
		from = w->done;
	if (from >= to)
		return;
	write_up_to(w, from);
	sp_buffer_puts(w->out, SP_REDACTED);
	w->done = to;
}

static enum expected expected_of(enum sp_secrecy secrecy)
{
	static const enum expected next[] = {[SP_OPEN] = EXPECT_NOTHING,
		[SP_ABOUT] = EXPECT_ABOUT,
		[SP_WEAK] = EXPECT_WEAK,
		[SP_SECRET] = EXPECT_SECRET};

	return next[secrecy];
}

static size_t word_length(const char *p, const char *stop)
{
	size_t n = 0;

	while (p + n < stop && !is_space(p[n]))
		n++;
	return n;
}

/* Of a value, as much as tells what it is: names may come by thousands in one argument. */
static size_t value_length(const char *p, const char *stop)
{
	return word_length(p, stop - p > VALUE_LOOK ? p + VALUE_LOOK : stop);
}

/* The value goes to the argument's end. What it leaves open: a quote, a key's block, a header's scheme without its
 * secret. */
static void hide_rest(struct walk *w, const char *value)
{
	const char *p = skip_spaces(value, w->stop);
	size_t word = word_length(p, w->stop), left = (size_t)(w->stop - p);

	w->expected = EXPECT_MAYBE;
	if (left > 1 && p[0] == '\\')
		p++, left--;
	if (left && (*p == '\'' || *p == '"') && !memchr(p + 1, *p, left - 1))
		w->quote = *p;
	w->pem = left && memmem(p, left, "-----BEGIN", 10) && !memmem(p, left, "-----END", 8);
	if (word == (size_t)(w->stop - p) && sp_redact_is_scheme(p, word))
		w->expected = EXPECT_SECRET;
	hide(w, skip_spaces(value, w->stop), w->stop);
}

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == '$';
}

/* The name that ends at `end`, in quotes or not; from = its start. Of "%3Ftoken" that is the token. */
static enum sp_secrecy name_before(const char *start, const char *end, const char **from)
{
	const char *p;

	while (end > start && (is_space(end[-1]) || strchr("\"'\\]", end[-1])) && end[-1])
		end--;
	for (p = end; p > start && end - p < NAME_LOOK && is_name_byte(p[-1]);)
		p--;
	if (p > start && p[-1] == '%' && end - p > 2)
		p += 2;
	*from = p;
	return sp_redact_name(p, (size_t)(end - p));
}

/* --- users with their passwords */

static bool is_user_flag(const char *word, size_t length)
{
	static const char *const flags[] = {
		"--user", "--userpwd", "--proxy-user", "--login", "-user", "-login", "--cert", "--proxy-cert"};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strlen(flags[i]) == length && memcmp(word, flags[i], length) == 0)
			return true;
	return false;
}

static bool all_digits(const char *p, const char *end)
{
	while (p < end && isdigit((unsigned char)*p))
		p++;
	return p == end;
}

/* user:password behind -u; for some programs user%password or user,password. No port, and no numbers of a user and a
 * group. True when there was one: the rest of the argument is done. */
static bool hide_user(struct walk *w, const char *text, const char *end)
{
	bool other = w->program && *w->program->user;

	for (const char *p = text; p < end; p++) {
		if (*p != ':' && !(other && (*p == '%' || *p == ',')))
			continue;
		if (p + 1 == end || (p[1] == '/' && p + 2 < end && p[2] == '/') ||
			(all_digits(p + 1, end) &&
				(isdigit((unsigned char)*text) || memchr(text, '.', (size_t)(p - text)))))
			return false;
		hide_rest(w, p + 1);
		return true;
	}
	return false;
}

/* --- separators: name=value, name: value */

/* The separator's length at p: =, :, the > of <password>, and %3D, %3A of a URL inside a URL. */
static size_t separator(const char *p, const char *end)
{
	if (*p == '=' || *p == '>')
		return 1;
	if (*p == ':')
		return p + 1 < end && p[1] == ':' ? 0 : 1;
	return end - p >= 3 && (strncasecmp(p, "%3d", 3) == 0 || strncasecmp(p, "%3a", 3) == 0) ? 3 : 0;
}

/* In {"name": "TOKEN", "value": "..."} the first pair says what "value" is. */
static enum sp_secrecy told_before(struct walk *w, const char *name, size_t length, const char *value)
{
	enum sp_secrecy told = w->named;
	size_t n = 0;

	if (length == 5 && strncasecmp(name, "value", 5) == 0) {
		w->named = SP_OPEN;
		return told;
	}
	if (length != 4 || strncasecmp(name, "name", 4) != 0)
		return SP_OPEN;
	while (value < w->stop && (is_space(*value) || *value == '"' || *value == '\''))
		value++;
	while (value + n < w->stop && n < NAME_LOOK && is_name_byte(value[n]))
		n++;
	w->named = sp_redact_name(value, n);
	return SP_OPEN;
}

/* A host's port (auth:8080), a volume's place (/run/secrets:/x), a namespace (token::x), a scheme (key://). */
static bool is_other_colon(const char *start, const char *name, const char *colon, const char *end)
{
	const char *p = colon + 1;

	if (*colon != ':')
		return false;
	if ((colon > start && colon[-1] == ':') || (end - p >= 2 && p[0] == '/' && p[1] == '/'))
		return true;
	if (name > start && name[-1] == '/' && (name - start > 1 || p == end || *p == '/'))
		return true;
	while (p < end && isdigit((unsigned char)*p))
		p++;
	return p > colon + 1 && p - colon <= 6 && (p == end || *p == '/') &&
		sp_redact_name(name, (size_t)(colon - name)) == SP_WEAK;
}

/* A value in a URL's query ends at the next one's name. */
static const char *query_end(const struct walk *w, bool url, const char *name, const char *value, const char *end)
{
	if (!url || name == w->start || !strchr("?&;", name[-1]))
		return w->stop;
	while (value < end && *value != '&')
		value++;
	return value;
}

static size_t name_length(const char *name, const char *sep)
{
	size_t n = 0;

	while (name + n < sep && is_name_byte(name[n]))
		n++;
	return n;
}

/* True when the rest of the argument is done. */
static bool take_separator(struct walk *w, bool url, const char *sep, size_t width, const char *end)
{
	const char *name, *value = sep + width, *text = skip_spaces(value, w->stop), *stop;
	enum sp_secrecy secrecy = name_before(w->start, sep, &name);

	if (*sep == '=' && is_user_flag(name, (size_t)(sep - name)))
		return hide_user(w, value, end);
	if (*sep == '>' && (name == w->start || name[-1] != '<'))
		return false;
	if (secrecy == SP_OPEN)
		secrecy = told_before(w, name, name_length(name, sep), value);
	if (secrecy == SP_OPEN || is_other_colon(w->start, name, sep, end))
		return false;
	if (text == w->stop) {
		w->expected = expected_of(secrecy);
		return false;
	}
	if (!sp_redact_hides(secrecy, text, value_length(text, w->stop)))
		return false;
	stop = query_end(w, url, name, value, end);
	if (stop == w->stop)
		hide_rest(w, value);
	else
		hide(w, value, stop);
	return stop == w->stop;
}

/* --- passwords before an @ */

static bool is_plain_user(const char *user, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!islower((unsigned char)user[i]) && user[i] != '-' && user[i] != '_')
			return false;
	return length <= 20;
}

/* What is between "scheme://" and the @ that ends it. A password may have an @, / or # in it; the next URL begins
 * another. */
static void hide_userinfo(struct walk *w, const char *scheme, const char *host, const char *end)
{
	const char *next = memmem(host, (size_t)(end - host), "://", 3), *stop = next ? next : end, *slash = host, *at,
		   *colon;
	bool web = host - scheme >= 7 && memmem(scheme, (size_t)(host - scheme), "http", 4);

	while (slash < stop && !strchr("/?#", *slash))
		slash++;
	at = memrchr(host, '@', (size_t)(slash - host));
	colon = memchr(host, ':', (size_t)((at ? at : slash) - host));
	if (host == end || (*host == '[' && !at))
		return;
	if (colon && (at || !(all_digits(colon + 1, slash) && (web || colon + 1 == slash || colon[1] == '/'))))
		at = memrchr(host, '@', (size_t)(stop - host));
	if (!at || (!colon && is_plain_user(host, (size_t)(at - host))))
		return;
	hide(w, host, at);
}

/* user:password@host without a scheme: not name:version@digest, and not git@host:path. */
static void hide_password(struct walk *w, const char *word, const char *colon, const char *end)
{
	const char *at = memchr(colon, '@', (size_t)(end - colon));

	if (!at || at == colon + 1 || at + 1 == end || memchr(word, '@', (size_t)(colon - word)) ||
		isdigit((unsigned char)at[1]) || (end - at > 7 && memcmp(at, "@sha256", 7) == 0))
		return;
	hide(w, colon + 1, at);
}

/* --- flags */

static bool has_flag(const char *flags, char flag)
{
	return flag && strchr(flags, flag) != NULL;
}

/* -pSECRET, -p SECRET, -u user:SECRET. True when the rest of the argument is done. */
static bool take_short_flag(struct walk *w, const char *word, const char *end)
{
	static const struct sp_redact_program unknown = {"", "", "uU", ""};
	const struct sp_redact_program *program = w->program ? w->program : &unknown;
	const char flag = word[1], *value = word + 2;
	bool secret = has_flag(program->secret, flag), open = has_flag(program->open, flag);
	bool user = has_flag(program->user, flag) || (has_flag(unknown.user, flag) && !open);

	if (user && value < end)
		return hide_user(w, value, end);
	if (value == end) {
		if (secret || user)
			w->expected = secret ? EXPECT_SECRET : EXPECT_USER;
		else if (has_flag("paPW", flag) && !open)
			w->expected = EXPECT_MAYBE;
		return false;
	}
	if (!secret &&
		(flag != 'p' || open || !sp_redact_looks_secret(value, (size_t)(end - value)) ||
			(end - word == 7 && memcmp(word, "-print0", 7) == 0)))
		return false;
	hide_rest(w, value);
	return true;
}

/* What a word says of what follows it. */
static void expect_after(struct walk *w, const char *word, const char *end)
{
	size_t length = (size_t)(end - word);

	if (*word == '-' && is_user_flag(word, length))
		w->expected = EXPECT_USER;
	else if (*word == '-' && !memchr(word, '=', length) && !memchr(word, ':', length))
		w->expected = expected_of(sp_redact_name(word, length));
	else if (sp_redact_is_bare_name(word, length))
		w->expected = EXPECT_SECRET;
}

/* --- words and arguments */

/* True when the rest of the argument is done. */
static bool take_signs(struct walk *w, const char *word, const char *end)
{
	const char *scheme = word;
	bool colon = false, url = false;

	for (const char *p = word; p < end; p++) {
		size_t width = separator(p, end);

		if (end - p > 3 && memcmp(p, "://", 3) == 0) {
			hide_userinfo(w, scheme, p + 3, end);
			scheme = p + 3;
			colon = url = true;
			p = w->done > p + 2 ? w->done - 1 : p + 2;
			continue;
		}
		if (!width)
			continue;
		if (p >= w->done && take_separator(w, url, p, width, end))
			return true;
		if (*p == ':' && !colon && p >= w->done)
			hide_password(w, word, p, end);
		colon = colon || *p == ':';
		p = w->done > p ? w->done - 1 : p;
	}
	return false;
}

/* True when the rest of the argument is done. */
static bool take_word(struct walk *w, const char *word, const char *end)
{
	const char *begin = memmem(word, (size_t)(end - word), "-----BEGIN", 10);

	if (begin && (size_t)(w->stop - begin) >= 10) {
		hide_rest(w, begin);
		return true;
	}
	if (end - word >= 2 && word[0] == '-' && word[1] != '-' && take_short_flag(w, word, end))
		return true;
	if (end - word > 3 && memcmp(word, "/p:", 3) == 0) {
		hide_rest(w, word + 3);
		return true;
	}
	if (take_signs(w, word, end))
		return true;
	if (w->expected == EXPECT_NOTHING)
		expect_after(w, word, end);
	return false;
}

/* --long-flag, --long-flag=..., -v: what stands where a value was expected, and is none. */
static bool is_flag(const char *text, const char *end)
{
	const char *p = text + 2;

	if (end - text == 2 && text[0] == '-')
		return isalpha((unsigned char)text[1]);
	if (end - text < 4 || text[0] != '-' || text[1] != '-' || !islower((unsigned char)*p))
		return false;
	while (p < end && (islower((unsigned char)*p) || *p == '-'))
		p++;
	return p == end || *p == '=';
}

/* What was expected is at p. True when it was, and the rest of the argument is done. */
static bool take_expected(struct walk *w, const char *p, const char *end)
{
	static const enum sp_secrecy secrecy[] = {
		[EXPECT_ABOUT] = SP_ABOUT, [EXPECT_WEAK] = SP_WEAK, [EXPECT_SECRET] = SP_SECRET};
	enum expected expected = w->expected;
	const size_t length = (size_t)(end - p);

	if ((*p == '=' || *p == ':') && length == 1)
		return false;
	w->expected = EXPECT_NOTHING;
	if (is_flag(p, end))
		return false;
	if (expected == EXPECT_USER)
		return hide_user(w, p, end);
	if (expected == EXPECT_MAYBE ? sp_redact_looks_secret(p, length) && !memmem(p, length, "://", 3)
				     : sp_redact_hides(secrecy[expected], p, length)) {
		hide_rest(w, p);
		return true;
	}
	return false;
}

/* A hidden value goes on in this argument. */
static bool take_open(struct walk *w, const char *arg)
{
	size_t length = (size_t)(w->stop - arg);

	if (w->quote && memchr(arg, w->quote, length))
		w->quote = '\0';
	else if (w->pem && memmem(arg, length, "-----END", 8))
		w->pem = false;
	else if (!w->quote && !w->pem)
		return false;
	hide(w, arg, w->stop);
	return true;
}

/* Flags of a program that is named anywhere may mean more; that they mean less is believed at the start of a command
 * only. */
static void note_program(struct walk *w, const char *word, const char *end, bool first)
{
	const struct sp_redact_program *program = sp_redact_program(word, (size_t)(end - word));

	if (program && (*program->secret || *program->user || (first && (!w->arguments || end < w->stop))))
		w->program = program;
}

/* A secret that is known by its place among a program's operands: true when [word, end) is one. */
static bool is_secret_operand(struct walk *w, const char *word, const char *end)
{
	const struct sp_redact_operands *program = sp_redact_operands(word, (size_t)(end - word));
	size_t length = (size_t)(end - word);
	bool named = w->operands > 0;

	if (program || !w->takes_secrets) {
		w->takes_secrets = program;
		w->operands = 0;
		return false;
	}
	program = w->takes_secrets;
	if (*word == '-') {
		for (const char *p = word + 1; p < end && word[1] != '-'; p++)
			w->operands += has_flag(program->counts, *p);
		return false;
	}
	if (!program->after)
		return ++w->operands >= program->from; /* a flag's value counts as one */
	w->operands = length == strlen(program->after) && memcmp(word, program->after, length) == 0;
	return named && !memchr(word, '=', length);
}

static void add_argument(struct walk *w, const char *arg, size_t length)
{
	w->done = w->start = arg;
	w->stop = arg + length;
	if (take_open(w, arg))
		return;
	for (const char *p = skip_spaces(arg, w->stop); p < w->stop;) {
		const char *end = p + word_length(p, w->stop);

		if (w->expected != EXPECT_NOTHING && take_expected(w, p, end))
			return;
		if (is_secret_operand(w, p, end)) {
			hide_rest(w, p);
			return;
		}
		if (*p != '-')
			note_program(w, p, end, p == arg);
		if (take_word(w, p, end))
			return;
		p = skip_spaces(end, w->stop);
	}
	write_up_to(w, w->stop);
	w->arguments++;
}

void sp_redact_command(struct sp_buffer *out, const char *args, size_t size)
{
	struct walk w = {.out = out};

	for (size_t at = 0; at + 1 < size;) {
		size_t length = strnlen(args + at, size - at);

		if (at + length >= size)
			break;
		if (at)
			sp_buffer_puts(out, " ");
		if (length)
			add_argument(&w, args + at, length);
		else
			sp_buffer_puts(out, "''");
		at += length + 1;
	}
}

void sp_redact_text(struct sp_buffer *out, const char *text, size_t length)
{
	struct walk w = {.out = out};

	sp_buffer_puts(out, "");
	add_argument(&w, text, length);
}
