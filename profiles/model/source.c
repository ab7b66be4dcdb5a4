/* Reading source files. */
#include "profiles/model/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/model/facts.h"
#include "profiles/model/git_info.h"
#include "profiles/redact/redact.h"

#define FILE_MAX_BYTES (4u << 20)
#define ALL_MAX_BYTES (64u << 20)
#define LINE_MAX_BYTES 160u
#define ROOTS 3u

struct file {
	const char *why; /* it is not shown; NULL: it is */
	char *text;
	char **lines;
	size_t count, capacity;
	struct timespec modified;
};

struct sp_sources {
	const struct sp_profile *profile;
	struct sp_pool pool;
	struct sp_names names;
	struct file *files; /* by name */
	size_t capacity, bytes;
	char roots[ROOTS][PATH_MAX];
	time_t started;
	mode_t readers; /* of what this user writes */
};

static void add_root(struct sp_sources *s, const char *directory)
{
	size_t length = strlen(directory);

	for (size_t i = 0; length > 1 && length < PATH_MAX && i < ROOTS; i++) {
		if (!s->roots[i][0])
			memcpy(s->roots[i], directory, length + 1);
		if (strcmp(s->roots[i], directory) == 0)
			return;
	}
}

static void add_repository(struct sp_sources *s, const char *directory)
{
	char root[PATH_MAX];

	if (sp_git_root(directory, root, sizeof(root)))
		add_root(s, root);
}

/* The executable is the file that is named as the program is. */
static void add_executable(struct sp_sources *s)
{
	const char *program = sp_profile_fact(s->profile, "program");
	char directory[PATH_MAX];

	for (size_t i = 1; program && i < s->profile->module_count; i++) {
		const struct sp_module_info *m = &s->profile->modules[i];
		size_t length = strlen(m->path);

		if (strcmp(m->name, program) != 0 || m->path[0] != '/' || length >= sizeof(directory))
			continue;
		memcpy(directory, m->path, length + 1);
		*strrchr(directory, '/') = '\0';
		add_repository(s, directory);
		return;
	}
}

struct sp_sources *sp_source_open(const struct sp_profile *profile, const char *directory)
{
	const char *environment = sp_profile_fact(profile, "environment");
	struct sp_sources *s;

	if (!environment || strcmp(environment, "production") == 0 || strcmp(environment, SP_SEVERAL) == 0)
		return NULL; /* of several environments one may be production */
	s = sp_alloc(1, sizeof(*s));
	s->profile = profile;
	s->started = (time_t)(sp_facts_start_ns(profile) / 1000000000u); /* 0 unknown */
	s->readers = umask(077);
	umask(s->readers);
	s->readers = 0444 & ~s->readers;
	if (directory && directory[0] == '/') {
		add_root(s, directory);
		add_repository(s, directory);
	}
	add_executable(s);
	return s;
}

void sp_source_free(struct sp_sources *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->capacity; i++)
		free(s->files[i].lines);
	free(s->files);
	sp_names_free(&s->names);
	sp_pool_free(&s->pool);
	free(s);
}

static bool is_source_name(const char *path)
{
	static const char *const ends[] = {"c", "h", "cc", "cpp", "cxx", "c++", "C", "hh", "hpp", "hxx", "h++", "inc",
		"inl", "ipp", "tcc", "def", "y", "yy", "l", "ll", "s", "S", "asm", "rs", "go", "zig", "d", "f", "for",
		"f90", "F90", "f95", "f03", "f08", "m", "mm", "swift", "nim", "pas", "pp", "adb", "ads", "vala", "cu",
		"hs", "ml", "cr", "odin", "v", "jl", "py", "pyx", "js", "ts"};
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

	for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(dot + 1, ends[i]) == 0)
			return true;
	return false;
}

/* The path without "." and "..", absolute. */
static bool normalize(char *out, size_t size, const char *path)
{
	size_t length = 0;

	if (path[0] != '/')
		return false;
	while (*path) {
		size_t n = strcspn(++path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0) {
			while (length && out[--length] != '/')
				;
		} else if (n && !(n == 1 && *path == '.')) {
			if (length + n + 2 > size)
				return false;
			out[length] = '/';
			memcpy(out + length + 1, path, n);
			length += n + 1;
		}
		path += n;
	}
	out[length] = '\0';
	return length > 0;
}

static void split(struct file *f)
{
	for (char *at = f->text; *at;) {
		size_t n = strcspn(at, "\n");
		bool more = at[n] == '\n';

		at[n] = '\0';
		if (n && at[n - 1] == '\r')
			at[n - 1] = '\0';
		sp_grow(&f->lines, &f->capacity, f->count + 1, sizeof(*f->lines));
		f->lines[f->count++] = at;
		at += n + more;
	}
}

static const char *read_text(struct sp_sources *s, struct file *f, int fd)
{
	struct stat st;
	size_t done = 0;
	ssize_t got;
	char *text;

	if (fstat(fd, &st) < 0 || (st.st_mode & s->readers) != s->readers)
		return "its source is not readable by all who may read profiles";
	if (st.st_size > FILE_MAX_BYTES || s->bytes + (size_t)st.st_size > ALL_MAX_BYTES)
		return "its source is too large";
	f->modified = st.st_mtim;
	text = sp_alloc((size_t)st.st_size + 1, 1);
	while (done < (size_t)st.st_size && (got = read(fd, text + done, (size_t)st.st_size - done)) > 0)
		done += (size_t)got;
	s->bytes += done;
	f->text = memchr(text, '\0', done) ? NULL : sp_pool_copy(&s->pool, text, done);
	free(text);
	if (!f->text)
		return "its source is not text";
	split(f);
	return NULL;
}

static const char *load(struct sp_sources *s, struct file *f, const char *path)
{
	char clean[PATH_MAX];
	const char *why = "its source is not below the directories the program belongs to";

	if (!is_source_name(path))
		return "its file is not named as source files are";
	if (!normalize(clean, sizeof(clean), path))
		return "it is not known where its source is";
	for (size_t i = 0; i < ROOTS && s->roots[i][0]; i++) {
		size_t length = strlen(s->roots[i]);
		int fd;

		if (strncmp(clean, s->roots[i], length) != 0 || clean[length] != '/')
			continue;
		fd = strstr(clean + length, "/.") ? -EACCES /* hidden files are no sources */
						  : sp_regular_open_below(s->roots[i], clean + length + 1);
		why = fd < 0 ? "its source is not there, or cannot be read" : read_text(s, f, fd);
		if (fd >= 0)
			close(fd);
		if (!why)
			break;
	}
	return why;
}

static struct file *file_of(struct sp_sources *s, const char *path)
{
	uint32_t id = sp_names_id(&s->names, path);
	size_t before = s->capacity;

	if (id >= s->capacity) {
		sp_grow(&s->files, &s->capacity, id + 1, sizeof(*s->files));
		memset(s->files + before, 0, (s->capacity - before) * sizeof(*s->files));
	}
	if (!s->files[id].text && !s->files[id].why)
		s->files[id].why = load(s, &s->files[id], path);
	return &s->files[id];
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* A module that was built anew after the program's start is not what ran. */
static const char *misfit(const struct sp_sources *s, uint32_t module, const struct file *f)
{
	const struct sp_module_info *m = &s->profile->modules[module];
	struct stat st;

	if (m->path[0] != '/' || sp_module_is_gone(m) || stat(m->path, &st) < 0)
		return "the program's file is not there any more";
	if (s->started && st.st_mtime > s->started + 1)
		return "the program's file is newer than the run";
	return is_later(&f->modified, &st.st_mtim) ? "its source is newer than the program's file" : NULL;
}

/* As it is shown: cut, and not at all when it looks like a secret. */
static char *shown(struct sp_sources *s, char *line)
{
	struct sp_buffer clean = {0};
	size_t length = strlen(line);
	char *text = line;

	sp_redact_text(&clean, line, length);
	if (clean.length != length || (length && memcmp(clean.data, line, length) != 0))
		text = sp_pool_copy(&s->pool, SP_REDACTED, strlen(SP_REDACTED));
	sp_buffer_free(&clean);
	if (strlen(text) > LINE_MAX_BYTES) {
		length = LINE_MAX_BYTES;
		while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
		text[length] = '\0';
	}
	return text;
}

const char *sp_source_line(struct sp_sources *source, uint32_t module, const char *file, unsigned line,
	const char **why)
{
	struct file *f;
	const char *reason;

	if (!source) {
		reason = "the source text of what ran in production is not shown";
	} else {
		f = file_of(source, file);
		reason = f->why ? f->why : misfit(source, module, f);
		if (!reason && line && line <= f->count)
			return f->lines[line - 1] = shown(source, f->lines[line - 1]);
		if (!reason)
			reason = "its source has no such line";
	}
	if (why)
		*why = reason;
	return NULL;
}

static size_t indent_of(const char *line)
{
	return strspn(line, " \t");
}

/* What ends a block that began at this indentation. */
static bool is_end(const char *line, size_t indent)
{
	const char *text = line + indent_of(line);

	return indent_of(line) <= indent && (*text == '}' || strncmp(text, "end", 3) == 0);
}

unsigned sp_source_end(struct sp_sources *source, uint32_t module, const char *file, unsigned first, unsigned last)
{
	const char *line = sp_source_line(source, module, file, first, NULL);
	size_t indent = line ? indent_of(line) : 0;

	for (unsigned at = last; at < first + SP_SOURCE_LINES_MAX; at++) {
		line = sp_source_line(source, module, file, at, NULL);
		if (!line)
			break;
		if (is_end(line, indent))
			return at;
		if (at > last && line[indent_of(line)] && indent_of(line) <= indent)
			break;
	}
	return last;
}
