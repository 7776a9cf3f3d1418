/** Colours and signs of the pictures, for light and dark. Every rule is scoped, so that a page can inline them. */
import { LABEL_SIZE, NAME_SIZE } from './type.js';

export const DESCRIPTION_SIZE = 12.5;

/** The length of an arrow's head. */
export const HEAD = 9;

const LIGHT = {
  card: '#ffffff',
  cardLine: '#d0d7de',
  box: '#ffffff',
  tint: '#4f6b95',
  line: '#64748b',
  pill: '#eef2f7',
  pillLine: '#d5dce6',
  strong: '#16202c',
  text: '#3b4755',
  own: '#0a58a8',
  guard: '#7440b0',
  timer: '#a05a00',
  socket: '#0d7a56',
};

const DARK = {
  card: '#12171e',
  cardLine: '#303a46',
  box: '#1c242e',
  tint: '#86a5d6',
  line: '#8795a8',
  pill: '#242e3a',
  pillLine: '#394757',
  strong: '#edf2f8',
  text: '#c0cad6',
  own: '#79b8ff',
  guard: '#cba6f7',
  timer: '#e5a64a',
  socket: '#4cc99b',
};

// Written out twice, since not every program that shows SVG knows variables.
const coloured = (colours: typeof LIGHT): [string, string][] => [
  ['.card', `fill:${colours.card};stroke:${colours.cardLine}`],
  ['.name', `fill:${colours.strong}`],
  ['.heading', `fill:${colours.strong}`],
  ['.description', `fill:${colours.text}`],
  ['.label', `fill:${colours.text}`],
  ['.own', `fill:${colours.own}`],
  ['.guard', `fill:${colours.guard}`],
  ['.state rect', `fill:${colours.box};stroke:${colours.line}`],
  ['.compound rect', `fill:${colours.tint};stroke:${colours.line}`],
  ['.edge path', `stroke:${colours.line}`],
  ['.initial path', `stroke:${colours.line}`],
  ['.initial circle', `fill:${colours.line}`],
  ['.head', `fill:${colours.line};fill:context-stroke`],
  ['.edge rect', `fill:${colours.pill};stroke:${colours.pillLine}`],
  ['.clock', `stroke:${colours.timer}`],
  ['.plug', `fill:${colours.socket};stroke:${colours.socket}`],
  ['.noPlug', `stroke:${colours.socket}`],
  ['.thick', `stroke:${colours.line}`],
];

const SHAPES: [string, string][] = [
  ['text', 'font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'],
  ['.name', `font-size:${NAME_SIZE}px;font-weight:600`],
  ['.heading', 'font-size:20px;font-weight:600'],
  ['.description', `font-size:${DESCRIPTION_SIZE}px`],
  ['.label,.own,.guard', `font-size:${LABEL_SIZE}px`],
  ['.own', 'font-weight:600'],
  ['.state rect', 'stroke-width:1.2'],
  ['.compound rect', 'fill-opacity:.08;stroke-opacity:.6'],
  ['.final .inner', 'fill:none'],
  ['.edge path,.initial path', 'fill:none;stroke-width:1.3'],
  ['.gathered path', 'stroke-width:2.6'],
  ['.clock,.plug,.noPlug,.thick', 'stroke-width:1.2;stroke-linecap:round;stroke-linejoin:round'],
  ['.clock,.noPlug', 'fill:none'],
  ['.thick', 'stroke-width:2.6'],
];

const css = (rules: [string, string][]): string =>
  rules
    .map(([selectors, declarations]) => {
      const scoped = selectors.split(',').map((selector) => `.statechart ${selector}`);
      return `${scoped.join(',')}{${declarations}}`;
    })
    .join('\n');

export const STYLE = `
${css(coloured(LIGHT))}
@media (prefers-color-scheme:dark){
${css(coloured(DARK))}
}
${css(SHAPES)}
`;

const PLUG = 'M3.2 .4V2.6M6.8 .4V2.6M1.4 2.9H8.6V5A3.6 3.4 0 0 1 1.4 5ZM5 8.4V10.6';

/**
 * The signs. They take their colours from where they are used, and their ids stay unique where a page inlines several
 * pictures.
 */
export const definitions = (id: string): string =>
  `<defs>
<marker id="${id}-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="${HEAD}" markerHeight="${HEAD}" markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 1L10 5L0 9z"/></marker>
<path id="${id}-clock" d="M9.5 5A4.5 4.5 0 1 1 .5 5A4.5 4.5 0 1 1 9.5 5M5 2.4V5.2L6.8 6.3"/>
<path id="${id}-plug" d="${PLUG}"/>
<path id="${id}-noPlug" d="${PLUG}M.4 .8L9.6 10.2"/>
<path id="${id}-thick" d="M0 5H10"/>
</defs>`;
