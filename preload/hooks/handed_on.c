/* The environment that the next program gets. */
#include "preload/hooks/handed_on.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"
#include "preload/process.h"
#include "sampler/agent.h"
#include "sampler/sys.h"

#define HEADERS_MOST 64u
#define LOADER_BYTES 64u
#define FOUND_BYTES 512u
#define BEGIN_BYTES 1024u /* in which linkers put the program's headers and its loader's name */

static bool has_loader; /* atomic: one was found; where there is none, one may come */

/* Elsewhere than on machines that have such a loader, no program need be looked at. */
static bool has_other_loaders(void)
{
	static const char *const loaders[] = {SP_OTHER_LOADERS};
	size_t i;

	if (sp_load(&has_loader))
		return true;
	for (i = 0; i < sizeof loaders / sizeof *loaders; i++) {
		if (sp_sys(SYS_faccessat, AT_FDCWD, loaders[i], F_OK) != 0)
			continue;
		sp_store(&has_loader, true);
		return true;
	}
	return false;
}

void sp_handed_on_expect(void)
{
	static bool looked;

	if (looked)
		return;
	if (!sp_agent.sealed)
		has_other_loaders();
	looked = true;
}

/* What of a file is looked at. */
struct program {
	long fd, bytes; /* of its beginning: */
	char begin[BEGIN_BYTES];
};

static bool read_at(const struct program *p, uint64_t at, void *to, size_t bytes)
{
	if (at > (uint64_t)p->bytes || bytes > (uint64_t)p->bytes - at)
		return sp_sys(SYS_pread64, p->fd, to, bytes, at) == (long)bytes;
	memcpy(to, p->begin + at, bytes);
	return true;
}

static bool is_musls(const struct program *p, const Elf64_Ehdr *header)
{
	char loader[LOADER_BYTES];
	Elf64_Phdr segment;
	size_t bytes;
	unsigned i;

	for (i = 0; i < header->e_phnum && i < HEADERS_MOST; i++) {
		if (!read_at(p, header->e_phoff + i * sizeof segment, &segment, sizeof segment))
			return false;
		if (segment.p_type != PT_INTERP)
			continue;
		bytes = segment.p_filesz < LOADER_BYTES ? segment.p_filesz : LOADER_BYTES - 1;
		loader[bytes] = 0;
		return read_at(p, segment.p_offset, loader, bytes) && strstr(loader, "/ld-musl-") != NULL;
	}
	return false;
}

static bool is_foreign(long fd)
{
	struct program p;
	Elf64_Ehdr header;

	p.fd = fd;
	p.bytes = sp_sys(SYS_pread64, fd, p.begin, sizeof p.begin, 0);
	if (p.bytes < (long)sizeof header || memcmp(p.begin, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&header, p.begin, sizeof header);
	return header.e_ident[EI_CLASS] == ELFCLASS32 || is_musls(&p, &header);
}

/* Programs that were looked at and may have us, by what tells a file and its contents from others. Only in a process that goes on
 * after it has started one, a vfork's parent: its child writes into its memory. */
#define PLAIN_PROGRAMS 16u
#define SETTLED_SECONDS 2
static struct {
	bool used;
	uint64_t keys[PLAIN_PROGRAMS]; /* atomic; 0: none */
} plain;

void sp_handed_on_goes_on(void)
{
	plain.used = true;
}

static uint64_t mix(uint64_t key, uint64_t more)
{
	key = (key ^ more) * 0x9e3779b97f4a7c15ULL;
	return key ^ key >> 29;
}

/* 0: there is no such file. Its last change is the kernel's word: no program can set it. */
static uint64_t key_of(int directory, const char *path, struct stat *st)
{
	if (sp_sys(SYS_newfstatat, directory, path, st, 0) != 0)
		return 0;
	return mix(mix(mix(mix(mix(1, st->st_dev), st->st_ino), (uint64_t)st->st_size), (uint64_t)st->st_ctim.tv_sec),
		       (uint64_t)st->st_ctim.tv_nsec) |
		1;
}

/* A file may change again and have the same time: kernels before 6.13 stamp by ticks, some file systems by two seconds. */
static bool has_settled(const struct stat *st)
{
	return (int64_t)(sp_clock_read_ns(CLOCK_REALTIME) / 1000000000u) - st->st_ctim.tv_sec > SETTLED_SECONDS;
}

static bool is_foreign_at(int directory, const char *path)
{
	struct stat st;
	uint64_t key = plain.used ? key_of(directory, path, &st) : 0;
	uint64_t *known = &plain.keys[key >> 1 & (PLAIN_PROGRAMS - 1)];
	bool foreign;
	long fd;

	if (key && sp_load(known) == key)
		return false;
	fd = sp_sys(SYS_openat, directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	foreign = is_foreign(fd);
	sp_sys(SYS_close, fd);
	if (key && !foreign && has_settled(&st))
		sp_store(known, key);
	return foreign;
}

/* Behind a seccomp filter of the program's nothing is asked for any more. */
static bool may_look(void)
{
	return !sp_agent.sealed && *sp_process.library;
}

static bool is_library_gone(void)
{
	return sp_sys(SYS_faccessat, AT_FDCWD, sp_process.library, F_OK) != 0;
}

bool sp_must_go_without_us(int directory, const char *path)
{
	return may_look() && (is_library_gone() || (has_other_loaders() && is_foreign_at(directory, path)));
}

bool sp_opened_must_go_without_us(int fd)
{
	return may_look() && (is_library_gone() || (has_other_loaders() && is_foreign(fd)));
}

/* `path` has room for one byte more. */
static bool is_directory(char *path)
{
	size_t length = strlen(path);
	bool is;

	memcpy(path + length, "/", 2);
	is = sp_sys(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
	path[length] = 0;
	return is;
}

/* As execvp(3) looks for it. */
static bool is_found_foreign(const char *name)
{
	const char *from = sp_environ_get(__environ, "PATH"), *end;
	size_t length = strlen(name);
	char path[FOUND_BYTES];

	for (; from; from = *end ? end + 1 : NULL) {
		size_t bytes;

		end = from + strcspn(from, ":");
		bytes = (size_t)(end - from);
		if (bytes + length + 3 > sizeof path)
			continue;
		memcpy(path, from, bytes);
		path[bytes] = '/';
		memcpy(path + bytes + (bytes > 0), name, length + 1);
		if (sp_sys(SYS_faccessat, AT_FDCWD, path, X_OK) == 0 && !is_directory(path))
			return is_foreign_at(AT_FDCWD, path);
	}
	return false;
}

bool sp_found_must_go_without_us(const char *name)
{
	if (strchr(name, '/'))
		return sp_must_go_without_us(AT_FDCWD, name);
	return may_look() && (is_library_gone() || (has_other_loaders() && is_found_foreign(name)));
}

size_t sp_count_variables(char *const envp[])
{
	size_t n = 0;

	while (envp && envp[n])
		n++;
	return n;
}

static bool names_us(const char *variable)
{
	return !strncmp(variable, "LD_PRELOAD=", 11) && strlen(variable) < SP_PRELOAD_TEXT_BYTES &&
		strstr(variable, sp_process.library);
}

char *const *sp_without_us(char *const envp[], char **out, char *text)
{
	size_t i, n = 0;

	for (i = 0; envp && envp[i]; i++) {
		char *from = envp[i], *found;

		if (names_us(from)) {
			found = strstr(from, sp_process.library);
			memcpy(text, from, (size_t)(found - from));
			strcpy(text + (found - from), found + strlen(sp_process.library));
			from = text;
		}
		out[n++] = from;
	}
	out[n] = NULL;
	return out;
}
