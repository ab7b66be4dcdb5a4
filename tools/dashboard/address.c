/* Addresses to serve at, and whom requests are for. */
#include "tools/dashboard/serve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Cuts "HOST", "HOST:PORT" or "[HOST]:PORT" in two; *port is NULL without one. False: too long, or neither. */
static bool cut(const char *text, char host[static 64], const char **port)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
	size_t length;

	if (text[0] == '[') {
		if (!end || (end[1] && end[1] != ':'))
			return false;
		text++;
	}
	length = end ? (size_t)(end - text) : strlen(text);
	if (length >= 64)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (end && *end == ']')
		end = end[1] ? end + 1 : NULL;
	*port = end ? end + 1 : NULL;
	return true;
}

/* -1: not a port */
static long port_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 5 && !text[digits] && atol(text) <= 65535 ? atol(text) : -1;
}

static bool set_host(struct sp_serve_address *address, const char *host, long port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&address->socket;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address->socket;

	if (strcasecmp(host, "localhost") == 0 || !*host)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		address->loopback = ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
		return true;
	}
	if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
		return false;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	address->loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
	return true;
}

bool sp_serve_parse(struct sp_serve_address *address, const char *text)
{
	char host[64] = "";
	const char *port = NULL;
	long number = SP_SERVE_PORT;

	memset(address, 0, sizeof(*address));
	if (text && port_of(text) >= 0)
		port = text;
	else if (text && !cut(text, host, &port))
		return false;
	if (port)
		number = port_of(port);
	return number >= 0 && set_host(address, host, number);
}

bool sp_serve_host_is_own(const char *host)
{
	char name[64];
	const char *port;
	struct in6_addr address;

	if (!host || !*host || !cut(host, name, &port) || (port && port_of(port) < 0))
		return false;
	return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &address) == 1 ||
		(host[0] == '[' && inet_pton(AF_INET6, name, &address) == 1);
}
