import type { Sample } from './slope.ts';

const WIDTH = 720;
const HEIGHT = 260;
const LEFT = 56;
const BOTTOM = 36;
const TOP = 28;

/** Resident memory over time, as an SVG that needs nothing else. */
export function graph(samples: readonly Sample[], title: string): string {
  const lastMinute = samples.at(-1)?.minute ?? 1;
  const most = Math.ceil((Math.max(...samples.map(({ residentMiB }) => residentMiB)) * 1.15) / 20) * 20;
  const x = (minute: number): string => (LEFT + (minute / lastMinute) * (WIDTH - LEFT - 16)).toFixed(1);
  const y = (mebibytes: number): string => (HEIGHT - BOTTOM - (mebibytes / most) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const line = samples.map(({ minute, residentMiB }) => `${x(minute)},${y(residentMiB)}`).join(' ');
  const across = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const value = Math.round(most * part);
    return `<line x1="${LEFT}" x2="${WIDTH - 16}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/><text x="${LEFT - 8}" y="${y(value)}" text-anchor="end" dominant-baseline="middle">${value}</text>`;
  });
  const along = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const minute = lastMinute * part;
    return `<text x="${x(minute)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${minute.toFixed(0)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="16">${title}</text>
${across.join('\n')}
${along.join('\n')}
<text x="${WIDTH - 16}" y="${HEIGHT - 6}" text-anchor="end">minutes</text>
<text x="6" y="16">MiB</text>
<polyline points="${line}" fill="none" stroke="#2563a8" stroke-width="1.5"/>
</svg>
`;
}
