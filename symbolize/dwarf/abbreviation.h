/* Tables of abbreviations, which say what DIEs of a unit are made of, and the forms of their values (DWARF 2 to 5;
 * chapter 7.5 of the DWARF 5 standard). What is read may be damaged or hostile. */
#ifndef SP_SYMBOLIZE_DWARF_ABBREVIATION_H
#define SP_SYMBOLIZE_DWARF_ABBREVIATION_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolize/base/input.h"

/* What the length of some forms depends on. */
struct sp_unit_format {
	uint16_t version;
	uint8_t address_bytes, offset_bytes;
};

/* Reads an abbreviation as far as its list of attributes. False behind the last one, and at damage. */
bool sp_abbreviation_take(struct sp_input *in, uint64_t *code, uint64_t *tag, bool *children);

/* Reads the next of its attributes. False behind the last one, and at damage. */
bool sp_attribute_take(struct sp_input *in, uint64_t *name, uint64_t *form);

/* Bytes of a value of the form; SP_FORM_VARIABLE: the value itself tells, or the form is unknown. */
#define SP_FORM_VARIABLE (-1)
int sp_form_bytes(const struct sp_unit_format *format, unsigned form);

/* Passes by a value; in->bad when its form is unknown. */
void sp_form_skip(const struct sp_unit_format *format, struct sp_input *in, unsigned form);

#endif
