import type { JSX } from "preact";

/** The longest text that is parsed, and the most members of an object or list that are shown. */
const longest = 100_000;
const mostMembers = 200;

/** The data of an event: JSON that can be unfolded, or plain text. */
export function Data({ text }: { readonly text: string }): JSX.Element {
  const value = text.length <= longest && /^\s*[[{]/.test(text) ? parse(text) : undefined;
  if (value === undefined || typeof value !== "object" || value === null)
    return <span class="data">{text.slice(0, longest)}</span>;
  return (
    <details class="data">
      <summary>{shorten(text)}</summary>
      <Members value={value} />
    </details>
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** The members of an object or a list; nested ones are made when they are unfolded. */
function Members({ value }: { readonly value: object }): JSX.Element {
  const members = Object.entries(value);
  return (
    <ul class="members">
      {members.slice(0, mostMembers).map(([name, member]) => (
        <li key={name}>
          <Member name={name} value={member as unknown} />
        </li>
      ))}
      {members.length > mostMembers && <li>… and {members.length - mostMembers} more</li>}
    </ul>
  );
}

function Member({ name, value }: { readonly name: string; readonly value: unknown }): JSX.Element {
  const isBranch = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  if (!isBranch) {
    return (
      <>
        <span class="name">{name}:</span> {JSON.stringify(value)}
      </>
    );
  }
  return (
    <details open>
      <summary>
        <span class="name">{name}:</span> {Array.isArray(value) ? `[${value.length}]` : "{…}"}
      </summary>
      <Members value={value} />
    </details>
  );
}
