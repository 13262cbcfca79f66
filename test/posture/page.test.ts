import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { warden } from '../support/cli.ts';
import { example } from './support.ts';

const WIDTH = 1120;
const HEIGHT = 1800;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'warden-page-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The page in a real browser. `extra` says what to do with it. */
function chromium(page: string, ...extra: string[]): { stdout: string; stderr: string } {
  const profile = mkdtempSync(join(folder, 'profile-'));
  const flags = [
    ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--hide-scrollbars'],
    ['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    [`--user-data-dir=${profile}`, `--window-size=${WIDTH},${HEIGHT}`, '--virtual-time-budget=2000'],
  ].flat();
  const done = spawnSync('chromium', [...flags, ...extra, `file://${page}`], { encoding: 'utf8', timeout: 50_000 });
  expect(done.error).toBeUndefined();
  expect(done.status).toBe(0);
  return done;
}

/** Size of a PNG, the colour of its first pixel, and how many different rows its picture has. */
function pictureOf(file: string): { width: number; height: number; corner: string; rows: number } {
  const bytes = readFileSync(file);
  const parts: Buffer[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const pixels = inflateSync(Buffer.concat(parts));
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const stride = pixels.length / height;
  const rows = new Set(
    Array.from({ length: height }, (_, y) => pixels.toString('latin1', y * stride, (y + 1) * stride)),
  );
  // Behind the first row's filter byte; no filter changes the very first pixel.
  return { width, height, corner: `#${pixels.toString('hex', 1, 4)}`, rows: rows.size };
}

async function pageOf(name: string, manifest: string, code: number): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  const page = join(folder, `${name}.html`);
  writeFileSync(file, manifest);
  const result = await warden(['posture', 'check', file, '--at', '2026-11-01', '--html', page, '--quiet'], {
    cwd: folder,
  });
  expect(result).toMatchObject({ code, stderr: '' });
  return page;
}

const REFUSED = example([
  'flows:\n',
  'flows:\n  - { secret: records-database, workload: build }\n  - { secret: npm-auth-token, workload: integration-tests }\n',
]);

describe('the page of warden posture check --html, in headless Chromium', () => {
  test('is named where it was written', async () => {
    const page = join(folder, 'named.html');
    const file = join(folder, 'named.yaml');
    writeFileSync(file, REFUSED);
    const { code, stdout, stderr } = await warden(['posture', 'check', file, '--at', '2026-11-01', '--html', page]);
    expect([code, `${stdout}${stderr}`.trimEnd().split('\n').at(-1)]).toEqual([1, `page in ${page}`]);
  });

  test('draws every flow, and tells each in words too', async () => {
    const page = await pageOf('refused', REFUSED, 1);
    const { stdout: dom } = chromium(page, '--dump-dom');
    expect(dom).toContain('<title>Posture of');
    expect(dom.match(/<svg class="lattice"/g)).toHaveLength(3);
    expect(dom.match(/<g class="flow ok"><title>/g)).toHaveLength(7);
    expect(dom.match(/<g class="flow no"><title>/g)).toHaveLength(2);
    expect(dom.match(/<g class="cross"/g)).toHaveLength(2);
    expect(dom).toContain('records-database to build: refused');
    // The workload of another environment has its dashed frame.
    expect(dom).toMatch(/class="box workload foreign"><title>integration-tests</);
    // What is drawn is told in words too.
    expect(dom).toMatch(
      /<desc id="lattice-2-desc">.*4 flows permitted, 2 refused\..*records-database to build: refused/,
    );
  });

  test('is light or dark as the reader has it, by the one style sheet that its policy admits', async () => {
    const page = await pageOf('styled', REFUSED, 1);
    const shot = (name: string, source: string, scheme: 0 | 1) => {
      const file = join(folder, `${name}.png`);
      chromium(source, `--blink-settings=preferredColorScheme=${scheme}`, `--screenshot=${file}`);
      return pictureOf(file);
    };
    const size = { width: WIDTH, height: HEIGHT };
    const light = shot('light', page, 1);
    expect(light).toMatchObject({ ...size, corner: '#f6f7f9' });
    expect(light.rows).toBeGreaterThan(300);
    expect(shot('dark', page, 0)).toMatchObject({ ...size, corner: '#10141b' });
    // The policy is in force as well: a style sheet of other bytes is not applied.
    const changed = join(folder, 'changed.html');
    writeFileSync(changed, readFileSync(page, 'utf8').replace('--bg:#f6f7f9', '--bg:#ff0000'));
    expect(shot('changed', changed, 1)).toMatchObject({ ...size, corner: '#ffffff' });
  });

  test('a page about an unusable manifest says where, and not what', async () => {
    const page = await pageOf('unusable', example(['flows:', 'password: hunter-two\nflows:']), 2);
    const { stdout: dom } = chromium(page, '--dump-dom');
    expect(dom).toContain('unusable: 1 problem');
    expect(dom).toContain('<th scope="row">49:1</th>');
    expect(dom).not.toContain('hunter');
    expect(dom).not.toContain('<svg class="lattice"');
  });
});
