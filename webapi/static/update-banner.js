/**
 * <update-banner>: says that a newer version is there, and how to get it; nothing otherwise.
 *
 * Attributes: `endpoint` ("/api/version"), `command` ("./upgrade.sh").
 * Events: `update-shown`, `update-dismissed`, both with `detail.version`.
 * Parts: banner, icon, title, text, command, copy, link, dismiss.
 */

import { clientFor, secureUrl, withV } from "./version-client.js";
import { icons, sheet } from "./version-style.js";

const KEY = "update-banner.dismissed";
const COPIED_MS = 2500;

const own = new CSSStyleSheet();
own.replaceSync(`
.banner {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.75rem 1rem; padding: 0.75rem 0.75rem 0.75rem 1rem;
  border: 1px solid color-mix(in oklab, var(--_accent) 32%, transparent); border-radius: var(--_radius);
  background: var(--_tint); animation: arrive 180ms ease-out;
}
@keyframes arrive { from { opacity: 0; transform: translateY(-4px); } }
.mark { display: grid; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%; flex: none;
  background: var(--_accent); color: var(--_on-accent); }
.words { flex: 1 1 14rem; min-width: 0; }
.title { font-weight: 600; }
.text { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.375rem; color: var(--_muted); font-size: 0.875rem; }
.command { padding: 0.0625rem 0.375rem; border: 1px solid var(--_border); border-radius: 6px;
  background: var(--_surface); color: var(--_text); overflow-wrap: anywhere; }
.copy { width: 1.75rem; min-height: 1.75rem; }
.actions { display: flex; align-items: center; gap: 0.5rem; margin-inline-start: auto; }
`);

const TEMPLATE = `
<section class="banner" part="banner" aria-labelledby="title" hidden>
  <span class="mark" part="icon">${icons.up}</span>
  <div class="words">
    <p class="title" part="title" id="title"></p>
    <p class="text" part="text">
      <span>Run</span> <code class="command" part="command"></code>
      <button class="icon copy" part="copy" type="button" aria-label="Copy the command">${icons.copy}</button>
      <span>to update</span>
    </p>
  </div>
  <div class="actions">
    <a class="button" part="link" target="_blank" rel="noopener noreferrer">View Release ${icons.out}</a>
    <button class="icon dismiss" part="dismiss" type="button" aria-label="Dismiss until the next version">${icons.close}</button>
  </div>
</section>
<p class="unseen" role="status"></p>
`;

export class UpdateBanner extends HTMLElement {
  static observedAttributes = ["endpoint", "command"];

  #root = this.attachShadow({ mode: "open" });
  #stop = () => {};
  #shown = "";
  #dismissedHere = "";

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet, own];
    this.#root.innerHTML = TEMPLATE;
    this.#find(".dismiss").addEventListener("click", () => this.dismiss());
    this.#find(".copy").addEventListener("click", () => this.#copy());
  }

  connectedCallback() {
    this.#find(".command").textContent = this.getAttribute("command") ?? "./upgrade.sh";
    this.#stop = clientFor(this.getAttribute("endpoint") ?? "/api/version").listen((known) => this.#show(known.version));
    window.addEventListener("storage", this.#elsewhere);
  }

  disconnectedCallback() {
    this.#stop();
    window.removeEventListener("storage", this.#elsewhere);
  }

  attributeChangedCallback() {
    if (!this.isConnected) return;
    this.disconnectedCallback();
    this.connectedCallback();
  }

  /** Hide what is shown until a newer version is there, also after a reload and in other tabs. */
  dismiss() {
    const version = this.#shown;
    if (!version) return;
    this.#dismissedHere = version;
    write(version);
    this.#hide();
    this.#tell("update-dismissed", version);
  }

  #show(/** @type {import("./version-client.js").Version|null} */ version) {
    const latest = version?.updateAvailable ? version.latest : null;
    if (!latest || latest === this.#dismissedHere || latest === read()) return this.#hide();
    const url = secureUrl(version?.releaseUrl);
    const link = /** @type {HTMLAnchorElement} */ (this.#find("a"));
    link.hidden = !url;
    if (url) link.href = url;
    else link.removeAttribute("href");
    const title = `Update available: ${withV(latest)}`;
    this.#find(".title").textContent = title;
    this.#find(".banner").hidden = false;
    if (this.#shown === latest) return;
    this.#shown = latest;
    this.#find("[role=status]").textContent = title;
    this.#tell("update-shown", latest);
  }

  #hide() {
    this.#find(".banner").hidden = true;
    this.#find("[role=status]").textContent = "";
    this.#shown = "";
  }

  async #copy() {
    const button = this.#find(".copy");
    const done = await copy(this.#find(".command"));
    this.#find("[role=status]").textContent = done ? "Copied." : "Could not copy; the command is selected.";
    if (!done) return;
    button.innerHTML = icons.done;
    window.setTimeout(() => { button.innerHTML = icons.copy; }, COPIED_MS);
  }

  #tell(/** @type {string} */ name, /** @type {string} */ version) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, detail: { version } }));
  }

  #elsewhere = (/** @type {StorageEvent} */ event) => {
    if (event.key === KEY && event.newValue === this.#shown) this.#hide();
  };

  #find(/** @type {string} */ selector) {
    return /** @type {HTMLElement} */ (this.#root.querySelector(selector));
  }
}

// A browser may keep nothing for this page; then what was dismissed comes back with the next page.
function read() {
  try {
    return window.localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function write(/** @type {string} */ version) {
  try {
    window.localStorage.setItem(KEY, version);
  } catch {
    return;
  }
}

// The clipboard is there on https and on this machine only; elsewhere the selection is copied the old way.
async function copy(/** @type {HTMLElement} */ element) {
  try {
    await navigator.clipboard.writeText(element.textContent ?? "");
    return true;
  } catch {
    window.getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}

if (!customElements.get("update-banner")) customElements.define("update-banner", UpdateBanner);
