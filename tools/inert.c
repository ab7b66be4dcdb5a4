/* Text of others, for a terminal. */
#include "tools/tools.h"

#include <ctype.h>

void sp_make_inert(char *text)
{
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p) || (*p == '\xc2' && (p[1] & 0xe0) == 0x80))
			*p = '?';
}
