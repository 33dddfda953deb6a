/**
 * The members of a JSON object, whose values are not checked; no members if the text is anything else. For answers of
 * servers that may not be what they should.
 */
export function parseJsonObject<Value = unknown>(text: string): Readonly<Record<string, Value>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, Value>) : {};
  } catch {
    return {};
  }
}
