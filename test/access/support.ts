import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeCaKey } from '../support/ca-key.ts';
import { type DaemonFiles, type House, makeHouse } from '../support/daemon.ts';

export const uid = process.getuid?.() ?? 0;

/** Workloads of several maturities for whoever runs the tests, and one of somebody else. */
export const INVENTORY = `version: 1
actors:
  - { name: agt-m0, type: agt, principals: [p], maturity: M0, callers: [{ uid: ${uid} }] }
  - { name: agt-m1, type: agt, principals: [p], maturity: M1, callers: [{ uid: ${uid} }] }
  - { name: agt-m3, type: agt, principals: [p], maturity: M3, callers: [{ uid: ${uid} }] }
  - { name: agt-foreign, type: agt, principals: [p], maturity: M3, callers: [{ uid: ${uid + 4242} }] }
`;

export const ROUTES = `version: 1
routes:
  - id: npm-publish
    title: npm token of the release pipeline
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M1, data_class: internal }
    location:
      prod: { mount: platform, path: workloads/ci/npm, fields: [token] }
      test: { mount: platform-test, path: workloads/ci/npm, fields: [token] }
    fetch_capable: true
    actors: [agt-m0, agt-m1, agt-m3]
  - id: registry-login
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M1, data_class: confidential }
    location:
      prod: { mount: platform, path: workloads/ci/registry, fields: [user, word] }
      test: { mount: platform-test, path: workloads/ci/registry, fields: [user, word] }
    fetch_capable: true
    actors: [agt-m1, agt-m3]
  - id: exec-only
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { test: { mount: platform-test, path: workloads/x, fields: [v] } }
    exec_capable: true
    actors: [agt-m3]
  - id: of-another
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { test: { mount: platform-test, path: workloads/y, fields: [v] } }
    fetch_capable: true
    actors: [agt-foreign]
  - id: kc-login
    owner: key-cape
    lane: tool
    tool: { argv: [key-cape, login, --json], output: { format: json, field: id_token } }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    actors: [agt-m3]
  - id: npm-by-tool
    owner: openbao
    lane: tool
    tool: { argv: [bao, kv, get, -field=token, -mount=platform, workloads/ci/npm] }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    actors: [agt-m3]
`;

/** A house with a catalogue; beyond dev its CA must not be labelled synthetic. */
export function houseWith(files: DaemonFiles & { readonly routes?: string; readonly beyondDev?: boolean }): House {
  const house = makeHouse({ inventory: INVENTORY, ...files });
  writeFileSync(join(house.config, 'routes.yaml'), files.routes ?? ROUTES, { mode: 0o600 });
  if (files.beyondDev === true) {
    const key = join(house.config, 'ca_ed25519');
    rmSync(key);
    makeCaKey(key, 'ca-of-this-test');
  }
  return house;
}

export function recordsOf(house: House): Record<string, unknown>[] {
  const text = readFileSync(join(house.state, 'signatures.log'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function lastRecord(house: House): Record<string, unknown> {
  return recordsOf(house).at(-1) ?? {};
}

/** A folder of its own for one test, gone after it. */
export function tempFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'warden-access-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
