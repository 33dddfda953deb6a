import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** The ids of the connections of a process. */
export interface ClientIds {
  /** The id of the connection with this number. */
  idOf(number: number): string;
  /** The number of the connection; `undefined` if the id is not one of this process. */
  numberOf(id: string): number | undefined;
}

const blockBytes = 16;
/** The rest of the block is zero, which recognizes the ids of this process. */
const numberBytes = 6;

/**
 * Creates the ids of a process: encrypted numbers, under a key of the process. They cannot be guessed, do not show how
 * many connections there are, and take no memory.
 */
export function createClientIds(): ClientIds {
  const key = randomBytes(blockBytes);
  // Every id is a single block, which is why neither chaining nor padding is needed.
  const encrypt = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  const decrypt = createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return {
    idOf(number) {
      const block = Buffer.alloc(blockBytes);
      block.writeUIntBE(number, blockBytes - numberBytes, numberBytes);
      return encrypt.update(block).toString("base64url");
    },
    numberOf(id) {
      const bytes = Buffer.from(id, "base64url");
      if (bytes.length !== blockBytes) return undefined;
      const block = decrypt.update(bytes);
      const isOwn = block.subarray(0, blockBytes - numberBytes).every((byte) => byte === 0);
      return isOwn ? block.readUIntBE(blockBytes - numberBytes, numberBytes) : undefined;
    },
  };
}
