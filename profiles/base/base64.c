/* Three bytes are four letters. */
#include "profiles/base/base64.h"

#include <string.h>

void sp_base64(struct sp_buffer *out, const char *data, size_t length, bool in_path)
{
	char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *)data;

	if (in_path)
		memcpy(letters + 62, "-_", 2);
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		unsigned three = (unsigned)from[i] << 16 | (left > 1 ? (unsigned)from[i + 1] << 8 : 0) |
			(left > 2 ? from[i + 2] : 0);
		char four[4] = {letters[three >> 18], letters[three >> 12 & 63],
			left > 1 ? letters[three >> 6 & 63] : '=', left > 2 ? letters[three & 63] : '='};

		sp_buffer_add(out, four, in_path && left < 3 ? left + 1 : 4);
	}
}
