/** The frame of all views: navigation, and who the user is. */
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { keyless, logout, openSession, session, type Session } from "./api.ts";
import { Login } from "./login.tsx";
import { linkTo, place } from "./router.ts";
import { ThemeSwitch } from "./theme.tsx";
import { Failure } from "./ui.tsx";
import { Cluster } from "./views/cluster.tsx";
import { Configuration } from "./views/configuration.tsx";
import { Deliveries } from "./views/deliveries.tsx";
import { Doctor } from "./views/doctor.tsx";
import { Overview } from "./views/overview.tsx";
import { Publish } from "./views/publish.tsx";
import { Routes } from "./views/routes.tsx";
import { Stream } from "./views/stream.tsx";
import { Subscribers } from "./views/subscribers.tsx";
import { Upstreams } from "./views/upstreams.tsx";

interface View {
  readonly title: string;
  readonly render: (rest: readonly string[]) => ComponentChildren;
}

/** The views by the first part of their URL; the first one is shown at the root. */
const views: Readonly<Record<string, View>> = {
  streams: {
    title: "Streams",
    render: ([name]) => (name === undefined ? <Overview /> : <Stream key={name} name={name} />),
  },
  subscribers: { title: "Subscribers", render: () => <Subscribers /> },
  publish: { title: "Publish", render: () => <Publish /> },
  sources: { title: "Sources", render: () => <Upstreams /> },
  routes: { title: "Routes", render: () => <Routes /> },
  deliveries: { title: "Deliveries", render: () => <Deliveries /> },
  cluster: { title: "Cluster", render: () => <Cluster /> },
  doctor: { title: "Doctor", render: () => <Doctor /> },
  config: { title: "Configuration", render: () => <Configuration /> },
};

const failure = signal<Error | undefined>(undefined);

export function App(): JSX.Element {
  useEffect(() => void openSession().catch((error: unknown) => (failure.value = error as Error)), []);
  const current = session.value;
  if (current === undefined)
    return <Frame>{failure.value ? <Failure error={failure.value} /> : <p>Loading…</p>}</Frame>;
  if (current === "denied") return <Frame>{keyless.value ? <Closed /> : <Login />}</Frame>;
  const [name = "streams", ...rest] = place.value.parts;
  const view = views[name];
  return (
    <Frame current={name} user={current}>
      {view ? view.render(rest) : <p>There is no such page. Choose one above.</p>}
    </Frame>
  );
}

function Frame({ current, user, children }: FrameProps): JSX.Element {
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header>
        <strong class="brand">Spillway</strong>
        {user && (
          <nav aria-label="Views">
            {Object.entries(views).map(([name, { title }]) => (
              <a key={name} href={linkTo(name)} aria-current={name === current ? "page" : undefined}>
                {title}
              </a>
            ))}
          </nav>
        )}
        <span class="tools">
          <ThemeSwitch />
          {user?.session && (
            <>
              <span class="subject">{user.subject}</span>
              <button type="button" onClick={() => void logout()}>
                Log out
              </button>
            </>
          )}
        </span>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

interface FrameProps {
  readonly current?: string;
  readonly user?: Session;
  readonly children: ComponentChildren;
}

/** The hash is the view's, so the link must not change it. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector("main")?.focus();
}

function Closed(): JSX.Element {
  return (
    <section class="narrow">
      <h1>Nobody may use this dashboard yet</h1>
      <p>
        The dashboard needs the right <code>admin</code>, and the configuration gives it to no one. Create a key with{" "}
        <code>spillway key new --name ops --can admin,inspect</code>, add its entry to <code>access.keys</code>, and
        reload the gateway.
      </p>
      <p>
        On a machine that only you use, you can instead give the right to every local program, with{" "}
        <code>access: {"{ anonymous: [subscribe, admin] }"}</code>.
      </p>
    </section>
  );
}
