/** The media type in a `Content-Type`, in lower case and without parameters (RFC 9110 §8.3.1). */
export function mediaType(contentType = ""): string {
  return contentType.split(";")[0]!.trim().toLowerCase();
}
