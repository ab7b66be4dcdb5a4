/* The wire format of protocol buffers, written. */
#include "profiles/export/protobuf.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

static void put_varint(struct sp_buffer *out, uint64_t value)
{
	char bytes[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (char)(value | 0x80);
	bytes[n++] = (char)value;
	sp_buffer_add(out, bytes, n);
}

void sp_pb_number(struct sp_buffer *out, unsigned field, uint64_t value)
{
	if (!value)
		return;
	put_varint(out, field << 3 | WIRE_VARINT);
	put_varint(out, value);
}

void sp_pb_fixed64(struct sp_buffer *out, unsigned field, uint64_t value)
{
	if (!value)
		return;
	put_varint(out, field << 3 | WIRE_FIXED64);
	sp_buffer_add(out, (const char *)&value, sizeof(value));
}

void sp_pb_bytes(struct sp_buffer *out, unsigned field, const void *data, size_t length)
{
	put_varint(out, field << 3 | WIRE_BYTES);
	put_varint(out, length);
	sp_buffer_add(out, data, length);
}

void sp_pb_message(struct sp_buffer *out, unsigned field, struct sp_buffer *message)
{
	sp_pb_bytes(out, field, message->data, message->length);
	sp_buffer_clear(message);
}

void sp_pb_packed(struct sp_buffer *out, unsigned field, const uint64_t *values, size_t count)
{
	struct sp_buffer packed = {0};

	for (size_t i = 0; i < count; i++)
		put_varint(&packed, values[i]);
	sp_pb_message(out, field, &packed);
	sp_buffer_free(&packed);
}
