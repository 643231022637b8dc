/**
 * <version-settings>: which version runs, which one is the newest, and what it brings.
 *
 * Attribute: `endpoint` ("/api/version").
 * Parts: card, title, row, badge, notice, check, changelog, dialog, notes, close, link.
 */

import { clientFor, secureUrl, withV } from "./version-client.js";
import { icons, sheet } from "./version-style.js";

const REFRESH_MS = 20 * 1000;
const UNITS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["day", 86400], ["hour", 3600], ["minute", 60]]);

const own = new CSSStyleSheet();
own.replaceSync(`
.card { border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_surface); }
h2 { font-size: 1.0625rem; line-height: 1.3; font-weight: 600; }
.card > h2 { padding: 1rem 1.25rem 0.5rem; }
dl { padding: 0 1.25rem; }
.row { display: grid; grid-template-columns: clamp(6.5rem, 30%, 9rem) minmax(0, 1fr); gap: 0 0.75rem; padding: 0.625rem 0; }
.row + .row { border-top: 1px solid var(--_border); }
dt { color: var(--_muted); }
dd { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.625rem; min-height: 1.5rem;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.badge { padding: 0.0625rem 0.5rem; border-radius: 1rem; font-size: 0.8125rem; font-weight: 500; white-space: nowrap;
  background: var(--_good-tint); color: var(--_good); }
.badge.newer { background: var(--_tint); color: var(--_accent); }
.wait { width: 4.5rem; height: 0.875rem; border-radius: 4px; background: var(--_sunken); animation: breathe 1.2s infinite alternate; }
@keyframes breathe { to { opacity: 0.45; } }
.notice { margin: 0.25rem 1.25rem 0; padding: 0.5rem 0.75rem; border-radius: calc(var(--_radius) * 0.66);
  background: var(--_warn-tint); color: var(--_warn); font-size: 0.875rem; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; padding: 0.75rem 1.25rem 1.125rem; }
.said { color: var(--_muted); font-size: 0.875rem; }
[aria-busy="true"] svg { animation: turn 0.9s linear infinite; }
@keyframes turn { to { transform: rotate(1turn); } }
dialog { width: min(42rem, calc(100vw - 2rem)); max-height: min(44rem, calc(100dvh - 2rem)); padding: 0; overflow: hidden;
  border: 1px solid var(--_border); border-radius: calc(var(--_radius) * 1.25); background: var(--_surface);
  color: var(--_text); box-shadow: 0 24px 64px rgb(0 0 0 / 0.28); }
dialog[open] { display: flex; flex-direction: column; animation: rise 160ms ease-out; }
@keyframes rise { from { opacity: 0; transform: translateY(8px); } }
dialog::backdrop { background: rgb(10 12 16 / 0.5); }
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: 1rem 1rem 1rem 1.5rem;
  border-bottom: 1px solid var(--_border); }
footer { display: flex; justify-content: flex-end; gap: 0.5rem; padding: 0.875rem 1.5rem; border-top: 1px solid var(--_border); }
footer:not(:has(a:not([hidden]))) { display: none; }
.notes { flex: 1; overflow: auto; padding: 1rem 1.5rem 1.25rem; overflow-wrap: anywhere; }
.notes:focus-visible { outline-offset: -3px; border-radius: calc(var(--_radius) * 0.66); }
.notes > :first-child { margin-top: 0; }
.notes h3 { margin: 1.25rem 0 0.375rem; font-size: 1rem; }
.notes h4 { margin: 1rem 0 0.25rem; font-size: 0.9375rem; }
.notes p, .notes ul, .notes ol, .notes pre, .notes table, .notes blockquote { margin: 0.5rem 0; }
.notes ul, .notes ol { padding-inline-start: 1.375rem; }
.notes li + li { margin-top: 0.25rem; }
.notes a { color: var(--_accent); text-underline-offset: 0.15em; }
.notes code { padding: 0.0625rem 0.3125rem; border-radius: 5px; background: var(--_sunken); }
.notes pre { padding: 0.75rem 1rem; border-radius: 8px; background: var(--_sunken); white-space: pre-wrap; }
.notes pre code { padding: 0; background: none; }
.notes blockquote { padding-inline-start: 0.875rem; border-inline-start: 3px solid var(--_border); color: var(--_muted); }
.notes table { border-collapse: collapse; }
.notes th, .notes td { padding: 0.3125rem 0.625rem; border: 1px solid var(--_border); text-align: start; }
.from { color: var(--_muted); font-size: 0.8125rem; }
`);

const TEMPLATE = `
<section class="card" part="card" aria-labelledby="heading">
  <h2 part="title" id="heading">Version</h2>
  <dl>
    <div class="row" part="row"><dt>Current</dt><dd class="current"></dd></div>
    <div class="row" part="row"><dt>Latest</dt><dd class="latest"></dd></div>
    <div class="row" part="row"><dt>Last checked</dt><dd class="checked"></dd></div>
  </dl>
  <p class="notice" part="notice" hidden></p>
  <div class="actions">
    <button class="check" part="check" type="button">${icons.again}<span>Check Now</span></button>
    <button class="changelog" part="changelog" type="button" aria-haspopup="dialog" hidden>View Changelog</button>
    <span class="said" role="status"></span>
  </div>
</section>
<dialog part="dialog" aria-labelledby="news">
  <header>
    <div><h2 id="news"></h2><p class="from">From the release’s author</p></div>
    <button class="icon close" part="close" type="button" aria-label="Close">${icons.close}</button>
  </header>
  <div class="notes" part="notes" tabindex="0" role="region" aria-labelledby="news"></div>
  <footer><a class="button" part="link" target="_blank" rel="noopener noreferrer">View Release ${icons.out}</a></footer>
</dialog>
`;

export class VersionSettings extends HTMLElement {
  static observedAttributes = ["endpoint"];

  #root = this.attachShadow({ mode: "open" });
  #client = clientFor("/api/version");
  #stop = () => {};
  #timer = 0;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet, own];
    this.#root.innerHTML = TEMPLATE;
    this.#find(".check").addEventListener("click", () => this.#check());
    this.#find(".changelog").addEventListener("click", () => this.#open());
    this.#find(".close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // the backdrop; what is inside has a target of its own
    });
  }

  connectedCallback() {
    this.#client = clientFor(this.getAttribute("endpoint") ?? "/api/version");
    this.#stop = this.#client.listen((known) => this.#show(known));
    this.#timer = window.setInterval(() => this.#showAge(), REFRESH_MS);
    document.addEventListener("visibilitychange", this.#showAgeNow);
  }

  disconnectedCallback() {
    this.#stop();
    window.clearInterval(this.#timer);
    document.removeEventListener("visibilitychange", this.#showAgeNow);
  }

  attributeChangedCallback() {
    if (!this.isConnected) return;
    this.disconnectedCallback();
    this.connectedCallback();
  }

  #show(/** @type {import("./version-client.js").Known} */ known) {
    const { version, problem, busy } = known;
    const check = this.#find(".check");
    check.setAttribute("aria-busy", String(busy));
    check.setAttribute("aria-disabled", String(busy)); // it keeps the focus, which `disabled` would throw away
    this.#find(".check span").textContent = busy ? "Checking…" : "Check Now";
    this.#find(".card").setAttribute("aria-busy", String(busy && !version));
    this.#showCurrent(known.current, busy);
    this.#showLatest(version, busy);
    this.#find(".changelog").hidden = !version?.releaseNotes;
    this.#showAge();
    const notice = this.#find(".notice");
    notice.hidden = !problem || busy;
    if (!notice.hidden) notice.textContent = `${version ? "The last check failed." : "Could not check for updates."} ${problem}`;
  }

  #showCurrent(/** @type {string} */ current, /** @type {boolean} */ busy) {
    const known = current === "dev" ? "Development build" : withV(current);
    this.#find(".current").replaceChildren(known || placeholder(busy));
  }

  #showLatest(/** @type {import("./version-client.js").Version|null} */ version, /** @type {boolean} */ busy) {
    const parts = version?.latest ? [text(withV(version.latest))] : [version ? text("No release yet") : placeholder(busy)];
    if (version?.updateAvailable) parts.push(badge("Update available", true));
    else if (version?.latest && version.latest === version.current) parts.push(badge("Up to date", false));
    this.#find(".latest").replaceChildren(...parts);
  }

  #showAge() {
    const { version, busy } = this.#client.known;
    const place = this.#find(".checked");
    if (!version) return place.replaceChildren(placeholder(busy));
    const moment = new Date(version.lastChecked);
    const shown = place.querySelector("time") ?? document.createElement("time");
    shown.dateTime = version.lastChecked;
    shown.title = moment.toLocaleString();
    shown.textContent = describeAge(Math.min(0, (moment.getTime() - Date.now()) / 1000));
    if (!shown.isConnected) place.replaceChildren(shown);
  }

  #showAgeNow = () => this.#showAge();

  async #check() {
    if (this.#client.known.busy) return;
    const said = this.#find("[role=status]");
    said.textContent = "";
    const known = await this.#client.check({ force: true });
    if (known.limited) said.textContent = "Checked less than a minute ago.";
    else if (!known.problem) said.textContent = known.version?.updateAvailable ? "An update is available." : "Nothing newer.";
  }

  async #open() {
    const version = this.#client.known.version;
    const url = secureUrl(version?.releaseUrl);
    const link = /** @type {HTMLAnchorElement} */ (this.#find("footer a"));
    link.hidden = !url;
    if (url) link.href = url;
    this.#find("#news").textContent = `What’s new in ${withV(version?.latest ?? "")}`;
    const notes = this.#find(".notes");
    notes.replaceChildren(placeholder(true));
    this.#dialog.showModal();
    try {
      notes.innerHTML = (await this.#client.notes()).html; // sanitized by the server, which knows no scripts or styles
    } catch (error) {
      notes.textContent = `The changelog could not be loaded. ${error instanceof Error ? error.message : ""}`;
    }
  }

  get #dialog() {
    return /** @type {HTMLDialogElement} */ (this.#root.querySelector("dialog"));
  }

  #find(/** @type {string} */ selector) {
    return /** @type {HTMLElement} */ (this.#root.querySelector(selector));
  }
}

function describeAge(/** @type {number} */ seconds) {
  const format = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return unit === "second" ? "Just now" : format.format(Math.trunc(seconds / size), unit);
}

function placeholder(/** @type {boolean} */ busy) {
  if (!busy) return text("Unknown");
  const bar = document.createElement("span");
  bar.className = "wait";
  return bar;
}

function badge(/** @type {string} */ words, /** @type {boolean} */ newer) {
  const shown = document.createElement("span");
  shown.className = newer ? "badge newer" : "badge";
  shown.setAttribute("part", "badge");
  shown.textContent = words;
  return shown;
}

function text(/** @type {string} */ words) {
  return document.createTextNode(words);
}

if (!customElements.get("version-settings")) customElements.define("version-settings", VersionSettings);
