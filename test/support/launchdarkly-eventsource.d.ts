/** The part of the package that the tests use; it has no types. */
declare module "launchdarkly-eventsource" {
  export class EventSource {
    constructor(
      url: string,
      options: { readonly initialRetryDelayMillis: number; errorFilter(error: unknown): boolean },
    );
    addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
    close(): void;
  }
}
