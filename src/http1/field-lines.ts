/** RFC 9110 §5.1. */
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 9110 §5.5, without obsolete folding. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Whether a text may be the name of a field. */
export function isFieldName(text: string): boolean {
  return fieldName.test(text);
}

/** Whether a text, a character for each byte, may be the value of a field. */
export function isFieldValue(text: string): boolean {
  return fieldValue.test(text);
}

/**
 * Reads the lines of a header or trailer section (RFC 9112 §5).
 * @param lines without their line breaks; a character for each byte
 * @param start the first line that is a field
 * @returns names and values in turn, names as received; `undefined` if a line is malformed or folded
 */
export function readFieldLines(lines: readonly string[], start = 0): string[] | undefined {
  const fields: string[] = [];
  for (let i = start; i < lines.length; i++) {
    const line = lines[i]!;
    const name = line.slice(0, Math.max(line.indexOf(":"), 0));
    if (!isFieldName(name) || !isFieldValue(line)) return undefined;
    fields.push(name, withoutBlanks(line, name.length + 1));
  }
  return fields;
}

/**
 * The rest of a line. Not `trim`, which removes more than HTTP's blanks, nor a regular expression, which is slow on a
 * long run of blanks.
 */
function withoutBlanks(text: string, from: number): string {
  let start = from;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
