/**
 * The look that the components share. A page changes it with custom properties and `::part()`; light or dark follows the
 * page's own `color-scheme`. A constructed sheet, because a strict Content-Security-Policy lets no inline style in.
 */

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host {
  --_font: var(--version-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  --_mono: var(--version-mono, ui-monospace, SFMono-Regular, Menlo, Consolas, monospace);
  --_text: var(--version-text, light-dark(#1c2024, #edeef0));
  --_muted: var(--version-muted, light-dark(#5b626b, #a9b0ba));
  --_surface: var(--version-surface, light-dark(#ffffff, #17191c));
  --_sunken: var(--version-sunken, light-dark(#f4f5f7, #22262b));
  --_border: var(--version-border, light-dark(#d9dce1, #363b42));
  --_accent: var(--version-accent, light-dark(#2456d6, #8fb0ff));
  --_on-accent: var(--version-on-accent, light-dark(#ffffff, #0d1530));
  --_tint: var(--version-tint, light-dark(#eef3ff, #1a2238));
  --_good: var(--version-good, light-dark(#18723c, #74d69a));
  --_good-tint: var(--version-good-tint, light-dark(#e5f6eb, #14291d));
  --_warn: var(--version-warn, light-dark(#8a4b00, #f3b35f));
  --_warn-tint: var(--version-warn-tint, light-dark(#fff4e0, #2d2110));
  --_radius: var(--version-radius, 12px);
  display: block;
  font: 400 0.9375rem/1.5 var(--_font);
  color: var(--_text);
  text-align: start;
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
h2, p, dl, dd { margin: 0; }
code { font: 0.875em/1.4 var(--_mono); }
svg { width: 1rem; height: 1rem; flex: none; fill: none; stroke: currentcolor; stroke-width: 1.75;
  stroke-linecap: round; stroke-linejoin: round; }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.5rem; min-height: 2.25rem;
  padding: 0.375rem 0.875rem; border: 1px solid var(--_border); border-radius: calc(var(--_radius) * 0.66);
  background: var(--_surface); color: var(--_text); font: 500 0.875rem/1.25 var(--_font); text-decoration: none;
  white-space: nowrap; cursor: pointer; transition: background-color 120ms, border-color 120ms;
}
button:hover, .button:hover { background: var(--_sunken); border-color: var(--_muted); }
button[aria-disabled="true"] { cursor: progress; color: var(--_muted); }
.primary { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); }
.primary:hover { background: color-mix(in oklab, var(--_accent) 88%, var(--_text)); border-color: transparent; }
.icon { min-height: 2rem; width: 2rem; padding: 0; border-color: transparent; background: transparent;
  color: var(--_muted); }
.icon:hover { color: var(--_text); background: color-mix(in oklab, var(--_text) 8%, transparent);
  border-color: transparent; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { .primary { border-color: ButtonBorder; } }
`);

/** Icons as markup of our own; nothing from outside ever comes near them. */
export const icons = {
  up: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M10 16V4.5M5 9l5-5 5 5"/></svg>',
  close: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M5 5l10 10M15 5L5 15"/></svg>',
  copy: '<svg viewBox="0 0 20 20" aria-hidden="true"><rect x="7" y="7" width="9" height="9" rx="2"/>'
    + '<path d="M13 7V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v5a2 2 0 0 0 2 2h1"/></svg>',
  done: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M4.5 10.5l3.5 3.5 7.5-8"/></svg>',
  out: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M8 5H5v10h10v-3M11 4h5v5M16 4l-7 7"/></svg>',
  again: '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M16 6v4h-4M15.6 10a6 6 0 1 0-1.5 4.3"/></svg>',
};
