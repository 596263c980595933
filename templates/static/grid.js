// Grids and choices with a script: an answer goes out in the background while the next question is
// looked at, and its reply brings the one after that. Requests run one after another, answers first, so that the
// server never gives back a grid that was answered here. An answer stays in sessionStorage until the
// server has spoken; sending the same answer twice is safe, because the server repeats its reply.

const stage = document.getElementById("stage");
const line = document.getElementById("word");
const meter = document.getElementById("meter");
const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
const projectName = document.querySelector(".crumb").textContent;
const issueUrl = stage.firstElementChild.dataset.issue;

const TIMEOUT = 15_000; // ms until a silent server counts as out of reach
const DOUBLE_CLICK = 400; // ms in which an empty answer is taken for the second half of a click

const stored = (name, otherwise) =>
  JSON.parse(sessionStorage.getItem(issueUrl + name)) ?? otherwise;
const store = (name, value) => sessionStorage.setItem(issueUrl + name, JSON.stringify(value));

let outbox = stored("outbox", []); // [{id, url, selected, reported, reason}], as they were sent;
// what is selected are places of a grid, or of a choice the one class
let visit = stored("visit", 0); // pictures judged since this tab was opened
let current = stage.querySelector("[data-grid]");
let ahead = null; // the next grid, or the reason why there is none
let shownAt = -DOUBLE_CLICK; // when the grid on the screen took the place of another
let busy = false;
let failures = 0;
let retry = 0;

class Unreachable extends Error {}
class TooOld extends Error {}

function say(text, tone = "") {
  line.textContent = text;
  line.className = `word ${tone && `word-${tone}`}`;
}

async function post(url, fields) {
  const body = new URLSearchParams([["csrfmiddlewaretoken", token], ...fields]);
  let reply;
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    reply = await fetch(url, { method: "POST", body, signal, headers: { "X-Requested-With": "fetch" } });
    reply.text_ = await reply.text();
  } catch {
    throw new Unreachable(line.dataset.offline);
  }
  if (reply.status >= 500 || reply.status === 429) throw new Unreachable(line.dataset.busy);
  return reply;
}

function sectionIn(markup) {
  const template = document.createElement("template");
  template.innerHTML = markup;
  const section = template.content.querySelector("[data-grid], [data-state]");
  if (!section) throw new TooOld();
  return section;
}

function sectionOf(reply) {
  if (!reply.headers.get("Content-Type").startsWith("text/html")) throw new TooOld();
  return sectionIn(reply.text_);
}

// What the server said to an answer. A hotel's login page is a 200 too, and takes no answers.
function spokenIn(reply) {
  let said = null;
  try {
    said = JSON.parse(reply.text_);
  } catch {} // judged below, as is JSON that is no reply of ours
  if (typeof said?.judged !== "number") throw new Unreachable(line.dataset.offline);
  return said;
}

// One answer (or skip) to the end: kept until the server has said yes or no to it.
async function deliver(item) {
  const fields = item.selected.map((place) => ["selected", place]);
  if (item.reported?.length) fields.push(["reason", item.reason], ...item.reported.map((place) => ["reported", place]));
  // The last answer brings the next grid; an earlier one could bring back what waits to be sent.
  if (!ahead && outbox.length === 1) fields.push(["keep", current?.dataset.grid ?? ""]);
  const reply = await post(item.url, fields);
  const state = reply.ok ? null : sectionOf(reply);
  const said = reply.status === 200 ? spokenIn(reply) : null;
  outbox.shift();
  store("outbox", outbox);
  if (state) {
    say(`${state.querySelector("h1").textContent}. ${state.querySelector(".state-text").textContent}`, "warn");
    if (reply.status === 410) await replaceStale();
  } else if (said) {
    visit += said.judged;
    store("visit", visit);
    meter.value = said.settled;
    if (said.next && !ahead) getReady(sectionIn(said.next));
    say(`${said.word} ${line.dataset.visit.replace("#", visit)}`, said.right === said.known ? "good" : "");
  }
}

// Grids fetched beside one that expired are as old: show a fresh one instead.
async function replaceStale() {
  ahead = null;
  const fresh = sectionOf(await post(issueUrl, []));
  if (fresh.dataset.grid !== current?.dataset.grid) show(fresh);
}

async function fetchAhead() {
  getReady(sectionOf(await post(issueUrl, current ? [["keep", current.dataset.grid]] : [])));
}

function getReady(section) {
  ahead = section;
  if (ahead.dataset.sheet) new Image().src = ahead.dataset.sheet;
}

async function work() {
  if (busy) return;
  busy = true;
  clearTimeout(retry);
  try {
    while (outbox.length || !ahead) {
      if (outbox.length) await deliver(outbox[0]);
      else await fetchAhead();
      failures = 0;
      if (!current && ahead) show(ahead);
      if (!outbox.length && stage.querySelector("[data-state]")) break;
    }
  } catch (error) {
    if (error instanceof Unreachable) {
      if (outbox.length || !current) say(error.message.replace("#", outbox.length), "warn");
      retry = setTimeout(work, 1000 * Math.min(30, 2 ** failures++));
    } else if (error instanceof TooOld) say(line.dataset.old, "warn");
    else throw error;
  } finally {
    busy = false;
  }
}

function show(section) {
  const hadFocus = stage.contains(document.activeElement) || document.activeElement === document.body;
  if (section === ahead) ahead = null;
  section.classList.add("arriving");
  stage.replaceChildren(section);
  shownAt = performance.now();
  current = section.dataset.grid ? section : null;
  if (current) {
    history.replaceState(null, "", section.dataset.page);
    document.title = `${section.querySelector("h1").textContent} · ${projectName}`;
  }
  if (hadFocus) (section.querySelector(".tile-box, .choice") ?? section.querySelector("h1")).focus({ preventScroll: true });
}

// ``pressed`` is the button: that of a class says which one.
function send(form, pressed) {
  const skipping = pressed?.matches(".skip");
  const filled = new FormData(form, pressed);
  const selected = skipping ? [] : filled.getAll("selected");
  const [reported, reason] = [filled.getAll("reported"), filled.get("reason")];
  const url = skipping ? pressed.formAction : form.action;
  outbox.push({ id: current.dataset.grid, url, selected, reported, reason });
  store("outbox", outbox);
  pressed?.classList.add("choice-pressed");
  const answered = current;
  current = null;
  if (ahead) show(ahead);
  else wait(answered);
  work();
}

function wait(answered) {
  answered.classList.add("waiting");
  answered.inert = true;
  say(line.dataset.waiting);
}

const report = () => current?.querySelector(".report");
// What a click on each square would change: its report while squares are being reported, and where
// it is reported already; else its pick.
const boxes = () => [...(current?.querySelectorAll(".tile") ?? [])].map((tile) => {
  const [bad, pick] = [tile.querySelector(".report-box"), tile.querySelector(".tile-box")];
  return bad.checked || report().open ? bad : pick;
});
// The buttons of a choice; none in a grid.
const classes = () => [...(current?.querySelectorAll(".choice") ?? [])];
const inFirstRow = (all) => all.filter((one) => one.offsetTop === all[0].offsetTop).length;
// The next class after the one in focus whose name starts with the letter, as in any list.
const startingWith = (letter, all, here) => [...all.slice(here + 1), ...all.slice(0, here + 1)].find(
  (one) => one.querySelector(".choice-name").textContent.toLowerCase().startsWith(letter.toLowerCase()),
);
const count = () => {
  const number = current?.querySelectorAll(".report-box:not(:checked) + .tile-pick .tile-box:checked").length;
  current?.querySelector(".send-count")?.replaceChildren(number || "");
  return number;
};

stage.addEventListener("submit", (event) => {
  if (!event.target.matches(".grid-form")) return;
  event.preventDefault();
  if (report()?.open && !event.submitter?.matches(".report-send")) return stopReporting();
  if (!current || (!count() && performance.now() - shownAt < DOUBLE_CLICK)) return;
  send(event.target, event.submitter);
});
// Back to the question; whoever was on a square stays there.
function stopReporting() {
  const here = boxes().indexOf(document.activeElement);
  report().open = false;
  (boxes()[here] ?? report().querySelector("summary")).focus();
}

stage.addEventListener("change", count);
stage.addEventListener("reset", () => setTimeout(count));
stage.addEventListener("error", (event) => {
  if (event.target.matches(".tile-picture, .choice-picture")) say(line.dataset.broken, "warn");
}, true);

document.addEventListener("keydown", (event) => {
  if (!current || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && report().open) return stopReporting();
  if (event.target.matches("select")) return;
  const choosing = classes().length > 0;
  if (choosing && report().open) return;
  const all = choosing ? classes() : boxes();
  const edge = choosing ? inFirstRow(all) : Number(current.className.match(/grid-(\d)/)[1]);
  const here = all.indexOf(document.activeElement);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -edge, ArrowDown: edge }[event.key];
  if (step) {
    event.preventDefault();
    const last = step > 1 && choosing ? all.at(-1) : all[here]; // the last row of a choice is one wide
    (all[here < 0 ? 0 : here + step] ?? last).focus();
  } else if (/^\d$/.test(event.key)) {
    if (event.repeat) return; // a held key answers one question, not all that follow
    (choosing ? all.find((one) => one.ariaKeyShortcuts === event.key) : all[event.key - 1])?.click();
  } else if (choosing && here >= 0 && /^\p{L}$/u.test(event.key)) startingWith(event.key, all, here)?.focus();
  else if (event.key === "Enter") {
    // A held key sends one grid, not all that follow.
    if (event.repeat) event.preventDefault();
    else if (document.activeElement === document.body) current.querySelector("form").requestSubmit();
  }
});
window.addEventListener("online", work);

if (current && outbox.some((item) => item.id === current.dataset.grid)) {
  const answered = current; // sent before the reload: wait for the word on it
  current = null;
  wait(answered);
}
count();
work();
