/** The part of the package that the tests use; it has no types. */
declare module "launchdarkly-eventsource" {
  export class EventSource {
    constructor(
      url: string,
      options: {
        readonly initialRetryDelayMillis: number;
        errorFilter(error: { readonly status?: number }): boolean;
        readonly headers?: Readonly<Record<string, string>>;
        readonly maxBackoffMillis?: number;
        readonly jitterRatio?: number;
        readonly readTimeoutMillis?: number;
      },
    );
    addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
    close(): void;
  }
}
