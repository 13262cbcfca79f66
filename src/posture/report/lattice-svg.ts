import { SECURITY_POSTURE } from '../descriptor.ts';
import { escapeMarkup } from './escape.ts';
import { type Arrow, BOX_WIDTH, type Box, type Drawing, SECRET_X, WIDTH } from './lattice-layout.ts';

const HEAD = 40;
const NAME_CHARACTERS = 32;

/**
 * A drawing as SVG, for a page whose style sheet has its classes: no style, script or reference of its own, so that
 * it stands under any content security policy. `id` is unique in the page.
 */
export function latticeSvg(drawing: Drawing, id: string, title: string): string {
  const { bands, boxes, arrows, height } = drawing;
  const refused = arrows.filter(({ conforms }) => !conforms);
  const described =
    `Secrets stand on the left at the maturity they demand, workloads on the right at the maturity they have. ` +
    `${arrows.length - refused.length} flows permitted, ${refused.length} refused. ` +
    `${arrows.map(({ label }) => label).join('; ')}.`;
  return [
    `<svg class="lattice" viewBox="0 0 ${WIDTH} ${height + HEAD}" role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${escapeMarkup(title)}</title>`,
    `<desc id="${id}-desc">${escapeMarkup(described)}</desc>`,
    '<defs>',
    marker(`${id}-ok`, 'ok'),
    marker(`${id}-no`, 'no'),
    '</defs>',
    `<text class="column" x="${SECRET_X}" y="22">secrets, at what they demand</text>`,
    `<text class="column end" x="${WIDTH - 16}" y="22">workloads, at what they are</text>`,
    `<g transform="translate(0 ${HEAD})">`,
    ...bands.map(({ level, y, height: tall }, index) => {
      const row = SECURITY_POSTURE.levels.find((candidate) => candidate.id === level);
      const [phase = '', more = ''] = (row?.phase ?? '').split(', ');
      const middle = y + tall / 2;
      return [
        `<rect class="band${index % 2 === 0 ? ' even' : ''}" x="0" y="${y}" width="${WIDTH}" height="${tall}"/>`,
        `<text class="level" x="18" y="${middle + 8}">${level}</text>`,
        `<text class="phase" x="66" y="${middle - 3}">${escapeMarkup(phase)}</text>`,
        `<text class="phase" x="66" y="${middle + 12}">${escapeMarkup(more)}</text>`,
      ].join('');
    }),
    ...arrows.map((arrow) => arrowSvg(arrow, id)),
    ...boxes.map(boxSvg),
    ...refused.map(crossSvg),
    '</g>',
    '</svg>',
  ].join('\n');
}

function marker(id: string, kind: string): string {
  return `<marker id="${id}" class="${kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 10 5 0 10z"/></marker>`;
}

function arrowSvg({ conforms, label, from, to }: Arrow, id: string): string {
  const kind = conforms ? 'ok' : 'no';
  const bend = (to.x - from.x) * 0.45;
  const path = `M${from.x} ${from.y}C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}`;
  return `<g class="flow ${kind}"><title>${escapeMarkup(label)}</title><path d="${path}" marker-end="url(#${id}-${kind})"/></g>`;
}

/** Colour alone tells nobody anything: a refused flow has dashes and a cross at its middle too. */
function crossSvg({ from, to }: Arrow): string {
  const x = (from.x + to.x) / 2;
  const y = (from.y + to.y) / 2;
  return `<g class="cross" transform="translate(${x} ${y})"><circle r="9"/><path d="M-4-4 4 4M4-4-4 4"/></g>`;
}

function boxSvg({ kind, name, note, foreign, x, y, height }: Box): string {
  const shown = name.length > NAME_CHARACTERS ? `${name.slice(0, NAME_CHARACTERS - 1)}…` : name;
  return [
    `<g class="box ${kind}${foreign ? ' foreign' : ''}"><title>${escapeMarkup(name)}</title>`,
    `<rect x="${x}" y="${y}" width="${BOX_WIDTH}" height="${height}" rx="${kind === 'secret' ? 6 : height / 2}"/>`,
    `<text class="name" x="${x + 20}" y="${y + 20}">${escapeMarkup(shown)}</text>`,
    `<text class="note" x="${x + 20}" y="${y + 36}">${escapeMarkup(note)}</text></g>`,
  ].join('');
}
