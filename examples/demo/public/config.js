/** Shows the gateway's configuration, and marks the lines that belong to the name in the address. */

const text = await (await fetch("/spillway.yaml")).text();
const list = document.getElementById("lines");

/** The lines from the comment with `[name]` to the next empty line or the next name. */
function mark() {
  const name = location.hash.slice(1);
  let isMarked = false;
  let first;
  for (const line of list.children) {
    const [, begins] = /^\s*# \[(\w+)\]/.exec(line.textContent) ?? [];
    if (begins) isMarked = begins === name;
    else if (line.textContent === "") isMarked = false;
    line.classList.toggle("marked", isMarked);
    if (isMarked) first ??= line;
  }
  first?.scrollIntoView({ block: "center" });
}

for (const line of text.trimEnd().split("\n")) {
  const item = document.createElement("li");
  const code = document.createElement("code");
  code.textContent = line;
  item.append(code);
  list.append(item);
}
addEventListener("hashchange", mark);
mark();
