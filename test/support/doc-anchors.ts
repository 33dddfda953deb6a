/** The fragments of a page's headings, in order, as code hosts make them: a repeated one gets a number. */
export function anchorsOf(text: string): string[] {
  const withoutBlocks = text.replaceAll(/^( *)(`{3,}).*\n[^]*?^\1\2$/gm, "");
  const counts = new Map<string, number>();
  return Array.from(withoutBlocks.matchAll(/^#+ (.+)$/gm), ([, title = ""]) => {
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    const count = counts.get(anchor) ?? 0;
    counts.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}
