/** The part that is used; the package has no types. */
declare module "react-refresh/runtime" {
  export function injectIntoGlobalHook(target: typeof globalThis): void;
  export function register(component: unknown, name: string): void;
  export function performReactRefresh(): void;
}
