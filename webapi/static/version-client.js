/**
 * What every component on a page knows of the version: one request for all of them, repeated now and then.
 *
 * @typedef {object} Version  the document of GET /api/version
 * @property {string} current
 * @property {string|null} latest
 * @property {boolean} updateAvailable
 * @property {string|null} releaseUrl
 * @property {string} releaseNotes
 * @property {string} lastChecked
 * @property {boolean} [stale]
 * @property {string} [reason]
 *
 * @typedef {object} Known
 * @property {Version|null} version  the last answer
 * @property {string} current  what runs, as far as any answer has said
 * @property {string} problem  why there is no newer answer, as a sentence; empty where there is one
 * @property {boolean} busy  whether an answer is awaited
 * @property {boolean} limited  whether a forced request was answered from the cache
 */

const REPEAT_MS = 60 * 60 * 1000;
const TIMEOUT_MS = 20 * 1000;

const REASONS = {
  unreachable: "the release source did not answer",
  slow: "the release source has not answered yet",
  rate_limited: "the release source wants a pause",
  denied: "the release source refuses access",
  not_found: "the release source does not know this app",
  hostile: "the release source sent something unusable",
  internal: "the release source could not be asked",
};

/** @type {Map<string, VersionClient>} */
const clients = new Map();

/** The client of an endpoint; components with the same endpoint share it. */
export function clientFor(/** @type {string} */ endpoint) {
  const address = new URL(endpoint, document.baseURI).href;
  let client = clients.get(address);
  if (!client) {
    client = new VersionClient(address);
    clients.set(address, client);
  }
  return client;
}

export class VersionClient {
  #address;
  #listeners = new Set();
  #timer = 0;
  #asking = null;
  /** @type {Known} */
  known = { version: null, current: "", problem: "", busy: false, limited: false };

  constructor(/** @type {string} */ address) {
    this.#address = address;
  }

  /** Be told of every change, at once of what is known; returns what ends it. */
  listen(/** @type {(known: Known) => void} */ listener) {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#wake();
    if (this.known.version || this.known.problem || this.known.busy) listener(this.known);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#sleep();
    };
  }

  /** Ask the endpoint; with `force` it asks the release source. Callers at the same time share an answer. */
  check({ force = false } = {}) {
    if (this.#asking && !force) return this.#asking;
    const asking = this.#ask(force).finally(() => {
      if (this.#asking === asking) this.#asking = null;
    });
    this.#asking = asking;
    return asking;
  }

  /** The newest release's notes, as HTML that the server has sanitized. */
  async notes() {
    const url = new URL(this.#address);
    url.pathname = url.pathname.replace(/\/$/, "") + "/notes";
    const answer = await request(url);
    if (!answer.ok) throw new Error(await explain(answer));
    return /** @type {{version: string|null, html: string}} */ (await answer.json());
  }

  async #ask(/** @type {boolean} */ force) {
    this.#tell({ busy: true, limited: false });
    try {
      const url = new URL(this.#address);
      if (force) url.searchParams.set("force", "true");
      const answer = await request(url);
      if (answer.ok) {
        const version = /** @type {Version} */ (await answer.json());
        const problem = version.stale ? sentence(version.reason) : "";
        const limited = force && answer.headers.get("X-Forced") === "false";
        this.#tell({ version, current: version.current, problem, limited, busy: false });
      } else {
        const said = await answer.clone().json().catch(() => ({}));
        this.#tell({ problem: await explain(answer), current: said.current ?? this.known.current, busy: false });
      }
    } catch {
      this.#tell({ problem: navigator.onLine ? "This app did not answer." : "You are offline.", busy: false });
    }
    return this.known;
  }

  #tell(/** @type {Partial<Known>} */ change) {
    this.known = { ...this.known, ...change };
    for (const listener of [...this.#listeners]) listener(this.known);
  }

  #wake() {
    this.#timer = window.setInterval(() => this.check(), REPEAT_MS);
    window.addEventListener("online", this.#again);
    if (!this.known.version) this.check();
  }

  #sleep() {
    window.clearInterval(this.#timer);
    window.removeEventListener("online", this.#again);
  }

  #again = () => void this.check();
}

/** A version as people write it; a build that has none is named as it names itself. */
export function withV(/** @type {string|null} */ version) {
  return version && /^\d/.test(version) ? `v${version}` : (version ?? "");
}

/** Only an https address may become a link. */
export function secureUrl(/** @type {string|null|undefined} */ url) {
  return url && URL.canParse(url) && new URL(url).protocol === "https:" ? url : null;
}

function request(/** @type {URL} */ url) {
  return fetch(url, {
    headers: { Accept: "application/json" },
    credentials: "same-origin",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

async function explain(/** @type {Response} */ answer) {
  if (answer.status === 401 || answer.status === 403) return "You may not see this; log in first.";
  const said = await answer.clone().json().catch(() => ({}));
  return sentence(said.reason);
}

function sentence(/** @type {string|undefined} */ reason) {
  const words = REASONS[/** @type {keyof typeof REASONS} */ (reason ?? "")] ?? "this app could not tell";
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}
