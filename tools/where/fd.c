/* What a descriptor of another process is. */
#include "tools/where/where.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/escape.h"

/* "0100007F:1538", as /proc/net/tcp has it: words in the machine's order. */
static bool put_address(struct sp_buffer *out, const char *text)
{
	uint32_t words[4] = {0};
	char shown[INET6_ADDRSTRLEN];
	size_t digits = strcspn(text, ":"), count = digits / 8;
	unsigned port;

	if (text[digits] != ':' || (count != 1 && count != 4))
		return false;
	for (size_t i = 0; i < count; i++)
		if (sscanf(text + 8 * i, "%8x", &words[i]) != 1)
			return false;
	if (sscanf(text + digits + 1, "%4x", &port) != 1 ||
		!inet_ntop(count == 1 ? AF_INET : AF_INET6, words, shown, sizeof(shown)))
		return false;
	sp_buffer_printf(out, count == 1 ? "%s:%u" : "[%s]:%u", shown, port);
	return true;
}

/* A line of /proc/net/{tcp,tcp6,udp,udp6}: "sl local remote state … inode". */
static bool take_inet(struct sp_buffer *out, char *line, const char *kind, unsigned long inode)
{
	char local[48], remote[48];
	unsigned long got;
	unsigned state;

	if (sscanf(line, " %*d: %47s %47s %x %*s %*s %*s %*u %*d %lu", local, remote, &state, &got) != 4 ||
		got != inode)
		return false;
	sp_buffer_printf(out, "%s ", kind);
	put_address(out, local);
	if (strspn(remote, "0:") == strlen(remote)) {
		sp_buffer_puts(out, state == 10 ? ", listening" : "");
		return true;
	}
	sp_buffer_puts(out, " to ");
	put_address(out, remote);
	return true;
}

/* "Num RefCount Protocol Flags Type St Inode [Path]". */
static bool take_unix(struct sp_buffer *out, char *line, const char *kind, unsigned long inode)
{
	unsigned long got;
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %n", &got, &at) != 1 || got != inode)
		return false;
	line[strcspn(line, "\n")] = '\0';
	sp_buffer_puts(out, kind);
	if (at && line[at]) {
		sp_buffer_puts(out, " ");
		sp_escape_name(out, SP_ESCAPE_PLAIN, line + at);
	}
	return true;
}

static bool put_socket(struct sp_buffer *out, int pid, unsigned long inode)
{
	static const struct {
		const char *file, *kind;
		bool (*take)(struct sp_buffer *, char *, const char *, unsigned long);
	} tables[] = {{"tcp", "TCP", take_inet}, {"tcp6", "TCP", take_inet}, {"unix", "Unix socket", take_unix},
		{"udp", "UDP", take_inet}, {"udp6", "UDP", take_inet}};
	char path[64], line[512];
	bool found = false;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !found; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, tables[i].file);
		file = fopen(path, "re");
		while (file && !found && fgets(line, sizeof(line), file))
			found = tables[i].take(out, line, tables[i].kind, inode);
		if (file)
			fclose(file);
	}
	return found;
}

void sp_where_fd(char *to, size_t size, int pid, int fd)
{
	char path[64], target[PATH_MAX];
	struct sp_buffer out = {0};
	unsigned long inode;
	ssize_t got;

	*to = '\0';
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	got = readlink(path, target, sizeof(target) - 1);
	if (got <= 0)
		return;
	target[got] = '\0';
	sp_buffer_puts(&out, "");
	if (sscanf(target, "socket:[%lu]", &inode) != 1 || !put_socket(&out, pid, inode))
		sp_escape_name(&out, SP_ESCAPE_PLAIN, target);
	snprintf(to, size, "%s", out.data);
	sp_buffer_free(&out);
}
