const maxNameLength = 256;

/** What {@link isName} accepts, in words. */
export const nameRule: string = `1 to ${maxNameLength} characters without comma or control characters`;

/** Whether a text is a valid name of a channel or an event type. */
export function isName(text: string): boolean {
  return text.length > 0 && text.length <= maxNameLength && !/[\u0000-\u001f\u007f,]/.test(text);
}
