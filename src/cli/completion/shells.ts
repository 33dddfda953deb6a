/** The completion scripts. They only contain what {@link Level} says, so that completing starts no Node process. */
import type { Flag, Level, Word } from "./levels.ts";

/** The script of each shell. */
export const shells: Readonly<Record<string, (levels: readonly Level[]) => string>> = { bash, zsh, fish };

function bash(levels: readonly Level[]): string {
  const values = eachValue(levels, (places, value) => {
    if (value === "file") return `    ${places}) _spillway_files; return ;;`;
    const words = value === "text" ? "" : ` COMPREPLY=($(compgen -W ${quote(value.join(" "))} -- "$current"));`;
    return `    ${places})${words} return ;;`;
  });
  const words = levels.map(({ path, words: subs, flags, files }) => {
    const all = [...subs.map(({ name }) => name), ...flags.flatMap(namesOf)].join(" ");
    const orFiles = files ? ` [[ $current == -* ]] || _spillway_files;` : "";
    return `    ${quote(path.join(" "))}) COMPREPLY=($(compgen -W ${quote(all)} -- "$current"));${orFiles} ;;`;
  });
  return `# Completion of spillway in bash. Put this line into ~/.bashrc: source <(spillway completion bash)
_spillway_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -- "$current"))
}

_spillway() {
  local current=\${COMP_WORDS[COMP_CWORD]} place= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$place $word" in
      ${steps(levels)}) place="\${place:+$place }$word" ;;
    esac
  done
  COMPREPLY=()
  case "$place \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join("\n")}
  esac
  case "$place" in
${words.join("\n")}
  esac
}

complete -F _spillway spillway
`;
}

function zsh(levels: readonly Level[]): string {
  const describe = (all: readonly Word[]): string =>
    all.map(({ name, description }) => quote(`${name.replaceAll(":", "\\:")}:${description}`)).join(" ");
  const values = eachValue(levels, (places, value) => {
    if (value === "file") return `    ${places}) _files; return ;;`;
    return `    ${places})${value === "text" ? "" : ` compadd -- ${value.map(quote).join(" ")};`} return ;;`;
  });
  const words = levels.map(({ path, words: subs, flags, files }) =>
    [
      `    ${quote(path.join(" "))})`,
      ...(subs.length === 0 ? [] : [`      entries=(${describe(subs)})`, "      _describe word entries"]),
      ...(files ? ["      _files"] : []),
      `      entries=(${describe(flags.flatMap((flag) => namesOf(flag).map((name) => wordOf(name, flag))))})`,
      "      _describe -o flag entries ;;",
    ].join("\n"),
  );
  return `#compdef spillway
# Completion of spillway in zsh. Put this line into ~/.zshrc, after compinit: source <(spillway completion zsh)
_spillway() {
  local place= word
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
      ${steps(levels)}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${values.join("\n")}
  esac
  case "$place" in
${words.join("\n")}
  esac
}

if [ "\${funcstack[1]}" = _spillway ]; then _spillway "$@"; else compdef _spillway spillway; fi
`;
}

function fish(levels: readonly Level[]): string {
  const lines = levels.flatMap(({ path, words, flags, files }) => {
    const start = `complete -c spillway -n ${quoteForFish(["__spillway_at", ...path].join(" "))}`;
    return [
      ...words.map(({ name, description }) => `${start} -a ${name} -d ${quoteForFish(description)}`),
      ...flags.map(({ long, short, description, value }) => {
        const names = [`-l ${long.slice(2)}`, ...(short === undefined ? [] : [`-s ${short.slice(1)}`])];
        return `${start} ${names.join(" ")}${fishValue(value)} -d ${quoteForFish(description)}`;
      }),
      ...(files ? [`${start} -F`] : []),
    ];
  });
  const known = levels.filter(({ path }) => path.length > 0).map(stepOf);
  return `# Completion of spillway in fish: spillway completion fish > ~/.config/fish/completions/spillway.fish
function __spillway_at
    set -l place
    set -l words (commandline -opc)
    for word in $words[2..-1]
        switch "$place $word"
            case ${known.map(quoteForFish).join(" ")}
                set place (string trim "$place $word")
        end
    end
    test "$place" = "$argv"
end

complete -c spillway -f
${lines.join("\n")}
`;
}

function fishValue(value: Flag["value"]): string {
  if (value === "none") return "";
  if (value === "file") return " -r -F";
  return value === "text" ? " -x" : ` -x -a ${quoteForFish(value.join(" "))}`;
}

/** The branches of a `case` for what follows a flag: one for all flags that take the same. */
function eachValue(
  levels: readonly Level[],
  branch: (places: string, value: Exclude<Flag["value"], "none">) => string,
): string[] {
  const places = new Map<string, string[]>();
  for (const { path, flags } of levels) {
    for (const flag of flags) {
      const key = JSON.stringify(flag.value);
      places.set(key, [...(places.get(key) ?? []), ...namesOf(flag).map((name) => quote(`${path.join(" ")} ${name}`))]);
    }
  }
  places.delete(JSON.stringify("none"));
  return Array.from(places, ([key, all]) => branch(all.join(" | "), JSON.parse(key) as Exclude<Flag["value"], "none">));
}

/** The pattern of a `case` for a word that leads from one command to the next. */
function steps(levels: readonly Level[]): string {
  return levels
    .filter(({ path }) => path.length > 0)
    .map((level) => quote(stepOf(level)))
    .join(" | ");
}

/** A command after the ones before it, as the scripts write both: `key new`, and ` key` at the start. */
function stepOf({ path }: Level): string {
  return `${path.slice(0, -1).join(" ")} ${path.at(-1)}`;
}

function wordOf(name: string, { description }: Flag): Word {
  return { name, description };
}

function namesOf({ short, long }: Flag): string[] {
  return short === undefined ? [long] : [short, long];
}

/** In quotes for bash and zsh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function quoteForFish(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
