/** Dark, light, or as the system is. */
import { Store } from './store.js';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'sockchart.theme';

/** A file that was opened from disk may have no storage; a theme is no reason to fail. */
function stored(): Theme {
  try {
    const name = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === name) ?? 'auto';
  } catch {
    return 'auto';
  }
}

export const theme = new Store<Theme>(stored());

const MEDIA: Readonly<Record<Theme, string>> = { auto: '(prefers-color-scheme: dark)', light: 'not all', dark: 'all' };
const darkRules: CSSMediaRule[] = [];

function apply(): void {
  document.documentElement.dataset.theme = theme.value;
  for (const rule of darkRules) rule.media.mediaText = MEDIA[theme.value];
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // It is for this visit only, then.
  }
}

theme.follow(apply);
apply();

/** Adopts a style sheet whose dark rules ask the system: from now on they ask this page. */
export function adopt(css: string): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  for (const rule of sheet.cssRules) if (rule instanceof CSSMediaRule) darkRules.push(rule);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  apply();
}
