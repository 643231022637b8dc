/**
 * The run page: what the journal says, as it is written. It reads and shows; there is nothing that it could start.
 *
 * Everything that comes from the journal is put in as text.
 */

const POLL_MS = 5000;
const TICK_MS = 1000;

const VERDICTS = {
  committed: ["Upgraded", "good"],
  up_to_date: ["Up to date", "good"],
  refused: ["Refused", "warn"],
  rolled_back: ["Rolled back", "warn"],
  needs_operator: ["Needs you", "bad"],
  internal_error: ["Stopped by a bug", "bad"],
};
const WENT_WRONG = new Set(["failed", "timeout", "exhausted"]);

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {any} */ let overview = { runs: [], newest: null };
/** @type {any} */ let shown = null;

listen();
window.addEventListener("hashchange", () => void choose());
window.setInterval(() => shown?.at && showTimeline(shown), TICK_MS);

// Server-sent events; where too many look on already, the same document is asked for now and then.
function listen() {
  const source = new EventSource("/api/runs/live");
  source.onmessage = (event) => {
    tell("live", "Live");
    void take(JSON.parse(event.data));
  };
  source.addEventListener("problem", (event) => tell("lost", JSON.parse(event.data)));
  source.onerror = () => {
    tell("lost", "Not connected; trying again…");
    if (source.readyState !== EventSource.CLOSED) return;
    window.setTimeout(() => void poll().finally(listen), POLL_MS);
  };
}

async function poll() {
  const answer = await fetch("/api/runs").catch(() => null);
  if (!answer?.ok) return;
  await take(await answer.json());
  tell("polled", "Every few seconds");
}

async function take(/** @type {any} */ document) {
  overview = document;
  await choose();
}

async function choose() {
  const wanted = decodeURIComponent(window.location.hash.slice(1));
  const newest = overview.newest;
  if (!wanted || wanted === newest?.id) return show(newest);
  if (shown?.id === wanted && shown.verdict) return show(shown);
  const answer = await fetch(`/api/runs/${encodeURIComponent(wanted)}`).catch(() => null);
  show(answer?.ok ? await answer.json() : newest);
}

function show(/** @type {any} */ run) {
  shown = run;
  showHistory();
  if (!run) return;
  const [words, tone] = verdict(run.verdict);
  const badge = find("verdict");
  badge.hidden = false;
  badge.textContent = words;
  badge.dataset.tone = tone;
  find("run-title").textContent = `Run ${run.id}`;
  find("lead").textContent = headline(run);
  fill("facts", facts(run), (list, pairs) => list.replaceChildren(...pairs.map(fact)));
  fill("reason", run.verdict && run.verdict !== "committed" ? run.reason : "", (place, why) => place.replaceChildren(why));
  fill("next", run.next, (place, steps) => place.querySelector("ol")?.replaceChildren(...steps.map((step) => make("li", step))));
  showTimeline(run);
  showGraph(run);
}

function headline(/** @type {any} */ run) {
  const operation = { upgrade: "Upgrade", rollback: "Rollback", restore: "Restore" }[run.operation] ?? run.operation;
  return [operation, run.from && `from ${run.from}`, run.to && `to ${run.to}`].filter(Boolean).join(" ");
}

function facts(/** @type {any} */ run) {
  const pairs = [["Began", when(run.beganAt)]];
  if (run.endedAt) pairs.push(["Took", duration(between(run.beganAt, run.endedAt))]);
  if (run.outageSeconds !== null) pairs.push(["App was away for", duration(run.outageSeconds)]);
  return pairs;
}

function fact(/** @type {string[]} */ [name, value]) {
  const pair = make("div");
  pair.append(make("dt", name), make("dd", value));
  return pair;
}

function showTimeline(/** @type {any} */ run) {
  const lines = run.states.map((/** @type {any} */ line) =>
    entry(stateOf(line.outcome), line.state, line.outcome, duration(line.seconds), said(run, line.reason)));
  if (run.at) {
    const limit = run.at.deadlineSeconds ? ` of at most ${duration(run.at.deadlineSeconds)}` : "";
    lines.push(entry("active", run.at.state, "under way", duration(between(run.at.since, null)) + limit, ""));
  }
  find("timeline-title").hidden = lines.length === 0;
  find("timeline").replaceChildren(...lines);
}

// The reason of a run stands above already.
function said(/** @type {any} */ run, /** @type {string} */ reason) {
  return run.verdict && reason === run.reason ? "" : reason;
}

function entry(state, name, outcome, took, why) {
  const line = make("li");
  line.dataset.state = state;
  const title = make("span", name, "name");
  title.append(make("span", outcome, "outcome"));
  line.append(title, make("span", took, "took"));
  if (why) line.append(make("span", why, "why"));
  return line;
}

function showGraph(/** @type {any} */ run) {
  const path = run.states.map((/** @type {any} */ line) => line.state);
  const last = run.at?.state ?? run.endState;
  const taken = new Set([...path, last].filter(Boolean).map((name, step, all) => `${all[step - 1]} ${name}`));
  for (const line of document.querySelectorAll("[data-line]")) {
    line.classList.toggle("taken", taken.has(/** @type {SVGElement} */ (line).dataset.line ?? ""));
  }
  const outcomes = new Map(run.states.map((/** @type {any} */ line) => [line.state, stateOf(line.outcome)]));
  for (const node of /** @type {NodeListOf<SVGElement>} */ (document.querySelectorAll("[data-node]"))) {
    const name = node.dataset.node ?? "";
    const state = name === run.at?.state ? "active" : outcomes.get(name) ?? (name === run.endState ? endTone(run.verdict) : "");
    if (state) node.dataset.state = state;
    else delete node.dataset.state;
  }
}

function showHistory() {
  if (overview.runs.length === 0) return;
  find("history").replaceChildren(...overview.runs.map(row));
}

function row(/** @type {any} */ run) {
  const line = make("tr");
  if (run.id === shown?.id) line.setAttribute("aria-current", "true");
  const [words, tone] = verdict(run.verdict);
  const badge = make("span", words, "badge");
  badge.dataset.tone = tone;
  const button = make("button", run.id);
  button.setAttribute("aria-label", `Show run ${run.id}`);
  button.addEventListener("click", () => { window.location.hash = encodeURIComponent(run.id); });
  const took = run.endedAt ? duration(between(run.beganAt, run.endedAt)) : "";
  const versions = [run.from, run.to].filter(Boolean).join(" → ");
  const outage = run.outageSeconds === null ? "none" : duration(run.outageSeconds);
  for (const content of [when(run.beganAt), run.operation, versions, badge, took, run.verdict ? outage : "", button]) {
    const cell = make("td");
    cell.append(content);
    line.append(cell);
  }
  return line;
}

function stateOf(/** @type {string} */ outcome) {
  return WENT_WRONG.has(outcome) ? "failed" : "done";
}

function endTone(/** @type {string} */ verdictName) {
  return { good: "done", warn: "warn", bad: "failed" }[verdict(verdictName)[1]] ?? "";
}

function verdict(/** @type {string|null} */ name) {
  return name ? (VERDICTS[/** @type {keyof typeof VERDICTS} */ (name)] ?? [name, ""]) : ["Under way", "busy"];
}

function fill(id, content, draw) {
  const place = find(id);
  place.hidden = !content || content.length === 0;
  if (!place.hidden) draw(place, content);
}

function make(/** @type {string} */ tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function tell(/** @type {string} */ state, /** @type {string} */ words) {
  const link = find("link");
  link.dataset.state = state;
  if (link.textContent !== words) link.textContent = words;
}

function when(/** @type {string} */ moment) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(moment));
}

function between(/** @type {string} */ from, /** @type {string|null} */ to) {
  return Math.max(0, ((to ? new Date(to).getTime() : Date.now()) - new Date(from).getTime()) / 1000);
}

function duration(/** @type {number} */ seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes ? `${minutes} min ${String(rest).padStart(2, "0")} s` : `${rest} s`;
}
