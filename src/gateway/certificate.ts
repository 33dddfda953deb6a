import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import type { TlsOptions } from "./options.ts";

/** A certificate and its key as PEM texts. */
export type CertificatePair = TlsOptions;

/** Reloads a server's certificate when its files change. */
export interface CertificateWatch {
  /** Reads the files now. Never rejects: an unusable pair is logged, and the previous pair stays in use. */
  reload(): Promise<void>;
  close(): void;
}

/**
 * How often the files are read, in ms. Neither file events nor modification times are reliable: secrets are often
 * mounted as symbolic links.
 */
const interval = 2000;

/**
 * Reads a certificate and its key, and checks that they match.
 * @throws {SpillwayError} `config-invalid`; the message contains no part of the key.
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

/** Watches the files and calls `use` with each new valid pair. */
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
      if (reason !== failure)
        logger.error({ reason }, "the new certificate cannot be used; the previous one stays in use");
      failure = reason;
    }
  }

  /** Calls during a read share it. */
  function reload(): Promise<void> {
    running ??= read().finally(() => {
      running = undefined;
    });
    return running;
  }

  return { reload, close: () => clearInterval(timer) };
}

/** The fields of a certificate to log: its fingerprint and the end of its validity. */
export function describeCertificate({ cert }: CertificatePair): object {
  const { fingerprint256, validTo } = new X509Certificate(cert);
  return { fingerprint: fingerprint256, validTo };
}

function isPem(value: string): boolean {
  return value.includes("-----BEGIN");
}

async function readPem(field: string, value: string): Promise<string> {
  if (isPem(value)) return value;
  const expected = "a readable PEM file";
  let text: string;
  try {
    text = await readFile(value, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SpillwayError("config-invalid", `${field} cannot be read (${code})`, { field, expected, got: code });
  }
  // Node treats an empty file as no key at all, which would leave the server without one.
  if (!isPem(text)) throw new SpillwayError("config-invalid", `${field} is not a PEM file`, { field, expected });
  return text;
}
