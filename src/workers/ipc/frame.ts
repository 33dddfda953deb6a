/** Largest message as JSON, in bytes. A publish of the largest body that is usual takes a small part of it. */
export const frameLimit: number = 256 * 1024 * 1024;

/** Bytes of the length before each message. */
const headSize = 4;

/**
 * A message as it goes over a channel: its length in four bytes, big-endian, then its JSON.
 * @throws {RangeError} beyond {@link frameLimit}.
 */
export function encodeFrame(message: object): Buffer {
  const text = JSON.stringify(message);
  const length = Buffer.byteLength(text);
  if (length > frameLimit) throw tooLarge(length, frameLimit);
  const frame = Buffer.allocUnsafeSlow(headSize + length);
  frame.writeUInt32BE(length);
  frame.write(text, headSize);
  return frame;
}

/**
 * Puts messages together again, however their bytes were cut; calls back for each. What is returned takes the bytes, and throws
 * `RangeError` for a message that is said to be longer than `limit`, `SyntaxError` for one that is no JSON.
 */
export function createFrameReader(limit: number, onMessage: (message: unknown) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let held = 0;
  /** Of the message whose head was read. */
  let length: number | undefined;

  /** The next bytes, joined at most once. */
  function take(size: number): Buffer {
    const joined = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, held);
    chunks = [joined.subarray(size)];
    held -= size;
    return joined.subarray(0, size);
  }

  return (chunk) => {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= (length ?? headSize)) {
      if (length === undefined) {
        length = take(headSize).readUInt32BE();
        if (length > limit) throw tooLarge(length, limit);
      } else {
        const text = take(length).toString();
        length = undefined;
        onMessage(JSON.parse(text));
      }
    }
  };
}

function tooLarge(length: number, limit: number): RangeError {
  return new RangeError(`a message of ${length} bytes exceeds the limit of ${limit}`);
}
