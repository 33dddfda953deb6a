/** What a connection received. */
export interface Message {
  readonly type: string;
  readonly raw: string;
  /** The position after it. */
  readonly id: string;
  /** Not an event of the stream: one of the server itself, such as `spillway.gap`, or only an id. */
  readonly control: boolean;
}
