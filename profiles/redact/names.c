/* Names that say that a secret follows. */
#include <ctype.h>
#include <string.h>

#include "profiles/redact/parts.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define NAME_MAX_BYTES 96

/* In themselves, and wherever they are part of a longer word. */
static const char *const secret_parts[] = {"password", "passwd", "passphrase", "passcode", "secret", "apikey", "token",
	"credential", "authorization", "privatekey", "accesskey", "authkey", "accountkey", "sharedkey", "signingkey",
	"encryptionkey", "sessionkey", "masterkey", "requirepass", "masterauth", "passwort", "kennwort", "motdepasse",
	"seedphrase", "unlockcode", "recoverycode", "recoverykey", "licensekey", "licencekey"};

/* What such a part must not go on with: secretary, tokenizer, passwordless. */
static const char *const other_words[] = {"ary", "aries", "arial", "ariat", "ion", "ive", "iz", "is", "less"};

static const char *const secret_words[] = {
	"bearer", "jwt", "cookie", "cookies", "pin", "pincode", "otp", "totp", "psk", "hmac", "pw", "mnemonic"};
static const char *const weak_words[] = {
	"pwd", "auth", "pass", "key", "keys", "session", "sessionid", "sas", "sig", "signature", "cred", "creds"};
static const char *const weak_ends[] = {"pass", "pwd", "pw"};
static const char *const no_weak_ends[] = {"bypass", "compass", "encompass", "trespass", "surpass", "overpass",
	"underpass", "multipass", "singlepass", "twopass", "onepass", "lowpass", "highpass", "bandpass", "allpass",
	"renderpass", "subpass"};

/* Last words of names that are about a secret. */
static const char *const about[] = {"limit", "size", "count", "length", "len", "max", "min", "timeout", "ttl", "type",
	"method", "mode", "name", "file", "files", "path", "dir", "directory", "url", "uri", "host", "port", "ring",
	"board", "through", "fd", "prompt", "stdin", "policy", "format", "style", "algorithm", "alg", "bits", "version",
	"provider", "store", "manager", "helper", "expiry", "age", "lifetime", "prefix", "header", "server", "enabled",
	"required", "jar", "budget", "rate", "backend", "plugin", "issuer", "audience", "endpoint", "source", "agent",
	"map", "tab"};
static const char *const switches[] = {"no", "without", "disable", "ask", "prompt", "require", "enable", "allow",
	"skip", "use", "max", "min", "num", "show", "hide", "public", "pub", "primary", "foreign", "sort", "partition"};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool ends_with_one_of(const char *word, const char *const *list, size_t count)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < count; i++) {
		size_t end = strlen(list[i]);

		if (length > end && strcmp(word + length - end, list[i]) == 0)
			return true;
	}
	return false;
}

/* A name's letters and digits in small letters, and where its words begin: at signs and at capitals. */
struct words {
	char text[NAME_MAX_BYTES + 1];
	bool begins[NAME_MAX_BYTES + 1];
	size_t length;
};

static void split(struct words *w, const char *name, size_t length)
{
	bool next = true;

	w->length = 0;
	if (length > NAME_MAX_BYTES) {
		name += length - NAME_MAX_BYTES;
		length = NAME_MAX_BYTES;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (!isalnum(c)) {
			next = true;
			continue;
		}
		if (i && isupper(c) && islower((unsigned char)name[i - 1]))
			next = true;
		w->begins[w->length] = next;
		w->text[w->length++] = (char)tolower(c);
		next = false;
	}
	w->text[w->length] = '\0';
	w->begins[w->length] = true;
}

/* Whether what stands at `start` is a part of one word or begins one, and the word does not go on as another. */
static bool is_part(const struct words *w, size_t start, size_t length)
{
	const char *after = w->text + start + length;

	for (size_t i = start + 1; i < start + length && !w->begins[start]; i++)
		if (w->begins[i])
			return false;
	for (size_t i = 0; i < COUNT(other_words) && !w->begins[start + length]; i++)
		if (strncmp(after, other_words[i], strlen(other_words[i])) == 0)
			return false;
	return true;
}

/* Tokens, many of them, are counted. */
static enum sp_secrecy part_secrecy(const struct words *w)
{
	enum sp_secrecy secrecy = SP_OPEN;

	for (size_t i = 0; i < COUNT(secret_parts); i++) {
		size_t length = strlen(secret_parts[i]);

		for (const char *at = w->text; (at = strstr(at, secret_parts[i])); at++) {
			if (!is_part(w, (size_t)(at - w->text), length))
				continue;
			if (strncmp(at, "tokens", 6) != 0)
				return SP_SECRET;
			secrecy = SP_ABOUT;
		}
	}
	return secrecy;
}

static enum sp_secrecy word_secrecy(const char *word)
{
	if (is_one_of(word, secret_words, COUNT(secret_words)))
		return SP_SECRET;
	if (is_one_of(word, weak_words, COUNT(weak_words)))
		return SP_WEAK;
	return ends_with_one_of(word, weak_ends, COUNT(weak_ends)) &&
			!is_one_of(word, no_weak_ends, COUNT(no_weak_ends))
		? SP_WEAK
		: SP_OPEN;
}

enum sp_secrecy sp_redact_name(const char *name, size_t length)
{
	enum sp_secrecy secrecy;
	bool is_about = false;
	struct words w;
	size_t end;

	split(&w, name, length);
	secrecy = part_secrecy(&w);
	for (size_t start = 0; start < w.length; start = end) {
		char word[NAME_MAX_BYTES + 1] = {0};

		for (end = start + 1; !w.begins[end]; end++)
			;
		memcpy(word, w.text + start, end - start);
		if (word_secrecy(word) > secrecy)
			secrecy = word_secrecy(word);
		is_about = is_about || (end == w.length && start && is_one_of(word, about, COUNT(about))) ||
			(!start && is_one_of(word, switches, COUNT(switches)));
	}
	return secrecy && is_about ? SP_ABOUT : secrecy;
}

static bool is_word(const char *word, size_t length, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == length && strncasecmp(word, list[i], length) == 0)
			return true;
	return false;
}

bool sp_redact_is_scheme(const char *word, size_t length)
{
	static const char *const schemes[] = {"bearer", "basic", "token", "digest", "negotiate", "ntlm", "hawk",
		"apikey", "api-key", "aws4-hmac-sha256", "sharedkey", "key", "oauth", "by"};

	return is_word(word, length, schemes, COUNT(schemes));
}

bool sp_redact_is_bare_name(const char *word, size_t length)
{
	static const char *const names[] = {"password", "passwd", "passphrase", "requirepass", "masterauth", "bearer",
		"psk", "identified", "authorization", "aws_secret_access_key", "aws_session_token"};

	return is_word(word, length, names, COUNT(names));
}

/* Those whose flags the general rule gets wrong, one way or the other. */
static const struct sp_redact_program programs[] = {{"mysql", "p", "", ""}, {"mysqldump", "p", "", ""},
	{"mysqladmin", "p", "", ""}, {"mysqlimport", "p", "", ""}, {"mysqlsh", "p", "", ""}, {"mariadb", "p", "", ""},
	{"mariadb-dump", "p", "", ""}, {"mariadb-admin", "p", "", ""}, {"mongo", "p", "", ""}, {"mongosh", "p", "", ""},
	{"mongodump", "p", "", ""}, {"mongorestore", "p", "", ""}, {"sshpass", "p", "", ""}, {"cqlsh", "p", "", ""},
	{"redis-cli", "a", "", ""}, {"valkey-cli", "a", "", ""}, {"keydb-cli", "a", "", ""}, {"curl", "b", "uUE", "p"},
	{"wget", "", "", "aPp"}, {"http", "", "a", "p"}, {"https", "", "a", "p"}, {"ldapsearch", "w", "", ""},
	{"ldapmodify", "w", "", ""}, {"ldapadd", "w", "", ""}, {"ldapwhoami", "w", "", ""}, {"smbclient", "", "U", ""},
	{"lftp", "", "u", "p"}, {"sqlcmd", "P", "", ""}, {"bcp", "P", "", ""}, {"isql", "P", "", ""},
	{"ipmitool", "P", "", ""}, {"mosquitto_pub", "P", "", "p"}, {"mosquitto_sub", "P", "", "p"},
	{"zip", "P", "", ""}, {"unzip", "P", "", ""}, {"7z", "p", "", ""}, {"7za", "p", "", ""}, {"rar", "p", "", ""},
	{"unrar", "p", "", ""}, {"useradd", "p", "", ""}, {"usermod", "p", "", "a"}, {"snmpget", "cAX", "", ""},
	{"snmpwalk", "cAX", "", ""}, {"openssl", "kK", "", ""}, {"mkdir", "", "", "pa"}, {"cp", "", "", "pa"},
	{"tar", "", "", "pa"}, {"ps", "", "", "pau"}, {"scp", "", "", "pa"}, {"sftp", "", "", "pa"},
	{"rsync", "", "", "pa"}, {"ls", "", "", "pa"}, {"git", "", "", "pa"}, {"gcc", "", "", "pa"},
	{"g++", "", "", "pa"}, {"cc", "", "", "pa"}, {"clang", "", "", "pa"}, {"patch", "", "", "p"},
	{"diff", "", "", "pa"}, {"pytest", "", "", "p"}, {"virtualenv", "", "", "pa"}, {"install", "", "", "pa"},
	{"touch", "", "", "pa"}, {"grep", "", "", "pa"}, {"lsof", "", "", "pau"}, {"top", "", "", "pu"},
	{"ffmpeg", "", "", "pa"}, {"cmake", "", "", "pa"}, {"tee", "", "", "pa"}};

static const struct sp_redact_operands operands[] = {{"htpasswd", NULL, 3, "n"}, {"wpa_passphrase", NULL, 2, ""},
	{"mkpasswd", NULL, 1, ""}, {"smbpasswd", NULL, 2, ""}, {"vault", "login", 0, ""}, {"openssl", "passwd", 0, ""},
	{"expect", "send", 0, ""}};

static const char *without_directory(const char *name, size_t *length)
{
	const char *slash = memrchr(name, '/', *length);

	if (!slash)
		return name;
	*length -= (size_t)(slash + 1 - name);
	return slash + 1;
}

const struct sp_redact_program *sp_redact_program(const char *name, size_t length)
{
	name = without_directory(name, &length);
	for (size_t i = 0; i < COUNT(programs); i++)
		if (strlen(programs[i].name) == length && memcmp(programs[i].name, name, length) == 0)
			return &programs[i];
	return NULL;
}

const struct sp_redact_operands *sp_redact_operands(const char *name, size_t length)
{
	name = without_directory(name, &length);
	for (size_t i = 0; i < COUNT(operands); i++)
		if (strlen(operands[i].name) == length && memcmp(operands[i].name, name, length) == 0)
			return &operands[i];
	return NULL;
}
