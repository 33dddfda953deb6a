import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createMysqlStore } from "../../../src/log/mysql/index.ts";
import { queryMysql, startMysql } from "../../support/mysql.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { openStore } from "./stores.ts";

test.each([
  "postgres://user:secret@127.0.0.1/test",
  "mysql://user:secret@127.0.0.1/",
  "mysql://user:secret@127.0.0.1/a/b",
  "mysql://user:secret@127.0.0.1:70000/test",
  "mysql://user:secret%@127.0.0.1/test",
  "mysql://user:secret@127.0.0.1/test?prefix=a-b",
  "mysql://user:secret@127.0.0.1/test?max=0",
  "mysql://user:secret@127.0.0.1/test?ssl-mode=maybe",
  "mysql://user:secret@127.0.0.1/test?ssl-mode=required&ssl-ca=/nowhere.pem",
])("an invalid URL is refused without being repeated: %s", async (url) => {
  const error: unknown = await createMysqlStore({ url, node: "a" }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "config-invalid", field: "store" });
  expect(JSON.stringify(error) + String(error)).not.toContain("secret");
});

test.each([
  ["mysql://user:secret@127.0.0.1:9/test", "127.0.0.1:9"],
  ["mariadb://nobody:secret@127.0.0.1/test", "Access denied"],
])("a server that rejects the store is store-unavailable, without showing a secret: %s", async (url, reason) => {
  const error: unknown = await createMysqlStore({ url, node: "a" }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "store-unavailable" });
  expect(String(error)).toContain(reason);
  expect(JSON.stringify(error) + String(error)).not.toContain("secret");
});

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-mysql-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  return folder;
}

test("a connection is encrypted, and the server's name is checked, as the URL says", async () => {
  const folder = await makeFolder();
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const certificate = selfSigned();
  await writeFile(key, certificate.key, { mode: 0o644 });
  await writeFile(cert, certificate.cert);
  const server = await startMysql([`ssl-key=${key}`, `ssl-cert=${cert}`]);
  onTestFinished(() => server.remove());
  await queryMysql(server.url, "CREATE USER app REQUIRE SSL");
  await queryMysql(server.url, "GRANT ALL ON test.* TO app");
  const url = server.url.replace("root@", "app@");
  const refused = { code: "store-unavailable" };
  await expect(createMysqlStore({ url, node: "a" })).rejects.toMatchObject(refused);
  await expect(createMysqlStore({ url: `${url}?ssl-mode=verify_identity`, node: "a" })).rejects.toMatchObject(refused);
  await openStore(`${url}?ssl-mode=required`);
  await openStore(`${url}?ssl-mode=verify_identity&ssl-ca=${encodeURIComponent(cert)}`);
  await openStore(url, { client: { ssl: { ca: certificate.cert } } });
  await expect(createMysqlStore({ url, node: "a", client: { ssl: {} } })).rejects.toMatchObject(refused);
});
