/** What the default theme of VitePress lacks for readers with assistive technology: changes of its components, by their file. */
const fixes = {
  "VPHome.vue": [
    ['<div \n    class="VPHome"', '<main\n    class="VPHome"'],
    ["</VPHomeContent>\n    <Content v-else />\n  </div>", "</VPHomeContent>\n    <Content v-else />\n  </main>"],
  ],
  // The key is no part of the button's name: style.css shows it.
  "VPNavBarSearchButton.vue": [
    ['<kbd class="DocSearch-Button-Key">K</kbd>', '<kbd class="DocSearch-Button-Key letter"></kbd>'],
  ],
  // The whole title of a section is a button: the caret in it is none.
  "VPSidebarItem.vue": [
    ['role="button"\n        aria-label="toggle section"', 'aria-hidden="true"'],
    ['@keydown.enter="onCaretClick"\n        tabindex="0"', ""],
    [':role="itemRole"', ':role="itemRole"\n      :aria-expanded="item.items && !collapsed"'],
  ],
};

/** A plugin for Vite. It fails if a release of VitePress has changed what is to be changed here. */
export const themeFixes = {
  name: "theme-fixes",
  enforce: "pre",
  transform(code, id) {
    const [, file] = /\/theme-default\/components\/(\w+\.vue)$/.exec(id) ?? [];
    return (fixes[file] ?? []).reduce((text, [before, after]) => {
      if (!text.includes(before)) throw new Error(`${file} of VitePress has no ${before}`);
      return text.replace(before, after);
    }, code);
  },
};

/** Makes empty cells of a table's head, which head nothing, cells like others. */
export function plainEmptyHeads(md) {
  md.core.ruler.push("empty-heads", ({ tokens }) => {
    for (const [index, token] of tokens.entries())
      if (token.type === "th_open" && tokens[index + 1].content === "") token.tag = tokens[index + 2].tag = "td";
  });
}
