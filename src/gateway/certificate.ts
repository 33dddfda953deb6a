import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import type { TlsOptions } from "./options.ts";

/** A certificate and its key as PEM texts. */
export type CertificatePair = TlsOptions;

/** Keeps a server's certificate up to date with its files. */
export interface CertificateWatch {
  /** Reads the files now. Resolves in any case: what cannot be used is logged, and the pair before stays. */
  reload(): Promise<void>;
  close(): void;
}

/** How often the files are read, in ms. Their changes are not always announced, nor seen by their times: secrets are mounted by links. */
const interval = 2000;

/**
 * Reads a pair and makes sure that it belongs together.
 * @throws {SpillwayError} `config-invalid`, with no part of the key.
 */
export async function loadCertificate(tls: TlsOptions): Promise<CertificatePair> {
  const pair = await readPair(tls);
  verify(pair);
  return pair;
}

async function readPair(tls: TlsOptions): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([readPem("tls.cert", tls.cert), readPem("tls.key", tls.key)]);
  return { cert, key };
}

function verify(pair: CertificatePair): void {
  try {
    createSecureContext(pair);
  } catch (cause) {
    const reason = (cause as { readonly reason?: string }).reason ?? (cause as Error).message;
    throw new SpillwayError("config-invalid", `tls: the certificate or its key cannot be used: ${reason}`, {
      field: "tls",
      expected: "a PEM certificate and the key that belongs to it",
    });
  }
}

/** Calls `use` with every new pair that the files come to hold. */
export function watchCertificate(
  tls: TlsOptions,
  first: CertificatePair,
  { use, logger }: { use(pair: CertificatePair): void; readonly logger: Logger },
): CertificateWatch {
  let current = first;
  let failure: string | undefined;
  let running: Promise<void> | undefined;
  const inFiles = !isPem(tls.cert) || !isPem(tls.key);
  const timer = inFiles ? setInterval(() => void reload(), interval).unref() : undefined;

  async function read(): Promise<void> {
    try {
      const pair = await readPair(tls);
      if (pair.cert !== current.cert || pair.key !== current.key) {
        verify(pair);
        use(pair);
        current = pair;
        logger.info(describeCertificate(pair), "certificate replaced");
      }
      failure = undefined;
    } catch (error) {
      const reason = (error as Error).message;
      if (reason !== failure) logger.error({ reason }, "the new certificate cannot be used, the one before stays");
      failure = reason;
    }
  }

  /** One reading at a time. */
  function reload(): Promise<void> {
    running ??= read().finally(() => {
      running = undefined;
    });
    return running;
  }

  return { reload, close: () => clearInterval(timer) };
}

/** What a log may say of it. */
export function describeCertificate({ cert }: CertificatePair): object {
  const { fingerprint256, validTo } = new X509Certificate(cert);
  return { fingerprint: fingerprint256, validTo };
}

function isPem(value: string): boolean {
  return value.includes("-----BEGIN");
}

async function readPem(field: string, value: string): Promise<string> {
  if (isPem(value)) return value;
  const expected = "a PEM file that can be read";
  let text: string;
  try {
    text = await readFile(value, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SpillwayError("config-invalid", `${field} cannot be read (${code})`, { field, expected, got: code });
  }
  // An empty file would be taken for none at all, and the server would be left without a key.
  if (!isPem(text)) throw new SpillwayError("config-invalid", `${field} is no PEM file`, { field, expected });
  return text;
}
