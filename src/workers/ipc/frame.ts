/** The largest size of a message as JSON, in bytes: far more than a publish request with the usual body limit takes. */
export const frameLimit: number = 256 * 1024 * 1024;

/** The size of the length field before each message, in bytes. */
const headSize = 4;

/**
 * Encodes a message for a channel: its length in four bytes, big-endian, then its JSON.
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
 * Creates a decoder for messages that arrive in arbitrary chunks. The returned function accepts a chunk and calls back
 * for each complete message. It throws a `RangeError` for a message longer than `limit`, and a `SyntaxError` for
 * invalid JSON.
 */
export function createFrameReader(limit: number, onMessage: (message: unknown) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let held = 0;
  /** The length of the message whose length field has been read. */
  let length: number | undefined;

  /** Removes and returns the next bytes. Joins the chunks at most once. */
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
