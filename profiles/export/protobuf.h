/* Writing protocol buffers: the little of the wire format that pprof's and OTLP's files need
 * (protobuf.dev/programming-guides/encoding). Fields with the value 0 are left out, as proto3 has it. */
#ifndef SP_PROFILES_PROTOBUF_H
#define SP_PROFILES_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

void sp_pb_number(struct sp_buffer *out, unsigned field, uint64_t value);
void sp_pb_fixed64(struct sp_buffer *out, unsigned field, uint64_t value);
void sp_pb_bytes(struct sp_buffer *out, unsigned field, const void *data, size_t length);

/* Takes the message's bytes: *message is empty afterwards. */
void sp_pb_message(struct sp_buffer *out, unsigned field, struct sp_buffer *message);

/* Repeated numbers, zeros kept. */
void sp_pb_packed(struct sp_buffer *out, unsigned field, const uint64_t *values, size_t count);

#endif
