// Replay: asks for the stages of each lane's picture in its network, draws them, and lets them light
// up one after the other.

import { sheet, unpack } from "./replay_drawing.js";

const $ = (id) => document.getElementById(id);
const lanes = $("lanes");
const series = JSON.parse($("series")?.textContent ?? "{}");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const SHARES = ["softmax", "opinion"];
const MOST_BARS = 12;
const TRIES = 3;

// --- Asking ------------------------------------------------------------------------------------

async function ask(lane, tries = TRIES) {
  const version = lane.querySelector(".lane-version").value;
  const own = lane.own;
  let answer;
  if (own) {
    const form = new FormData();
    form.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    form.append("version", version);
    form.append("picture", own);
    answer = await fetch(lanes.dataset.url, { method: "POST", body: form });
  } else {
    const image = lane.querySelector(".pick input:checked").value;
    answer = await fetch(`${lanes.dataset.url}?${new URLSearchParams({ image, version })}`);
  }
  if (answer.status === 503 && tries > 1) {
    trouble(lane, lanes.dataset.tries);
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    return ask(lane, tries - 1);
  }
  const kind = answer.headers.get("Content-Type") ?? "";
  if (answer.ok && kind === "application/octet-stream") return unpack(await answer.arrayBuffer());
  throw new Error(kind.startsWith("text/plain") ? await answer.text() : "");
}

// --- Words and bars ----------------------------------------------------------------------------

function bars(list, shares, classes) {
  const order = [...shares.keys()].sort((one, other) => shares[other] - shares[one]);
  const kept = new Set(order.slice(0, MOST_BARS));
  list.replaceChildren(
    ...classes.flatMap(({ id, name }, place) => {
      if (!kept.has(place)) return [];
      const row = document.createElement("li");
      row.className = series[id] ?? "";
      const parts = ["word-name may-be-long", "word-track", "word-share"].map((kind) => {
        const part = document.createElement("span");
        part.className = kind;
        return part;
      });
      parts[0].textContent = name;
      parts[1].append(Object.assign(document.createElement("div"), { className: "word-bar" }));
      row.append(...parts);
      row.place = place;
      return [row];
    }),
  );
  settle(list, shares);
}

// The bars grow to their shares; before the softmax is reached they wait at nothing.
function settle(list, shares) {
  for (const row of list.children) {
    const share = shares ? shares[row.place] : 0;
    row.querySelector(".word-bar").style.width = `${100 * share}%`;
    row.querySelector(".word-share").textContent = shares ? percent(share) : "–";
  }
}

const percent = (share) => `${share > 0.995 && share < 1 ? "> 99" : Math.round(100 * share)} %`;

function described(stage) {
  const words = [stage.kind, stage.shape.join(" × ")];
  if (stage.left_out) words.push(lanes.dataset.leftOut.replace("#", stage.left_out));
  if (stage.pooled > 1) words.push(lanes.dataset.pooled.replace("#", `${stage.pooled} × ${stage.pooled}`));
  if (stage.counts !== null) words.push(lanes.dataset.counts.replace("#", stage.counts.toFixed(2)));
  return words.join(", ");
}

function step(stage, classes) {
  const item = document.createElement("li");
  item.className = "step";
  const words = document.createElement("div");
  const title = Object.assign(document.createElement("h3"), { textContent: stage.name });
  const about = Object.assign(document.createElement("p"), { className: "small soft", textContent: described(stage) });
  words.append(title, about);
  if (SHARES.includes(stage.kind)) {
    const list = Object.assign(document.createElement("ol"), { className: "word-bars" });
    bars(list, stage.raw, classes);
    item.append(words, list);
  } else {
    const drawn = sheet(stage);
    drawn.setAttribute("aria-label", `${stage.name}: ${about.textContent}`);
    item.append(words, drawn);
  }
  return item;
}

// --- A lane -------------------------------------------------------------------------------------

function trouble(lane, words) {
  const notice = lane.querySelector(".lane-trouble");
  notice.textContent = words;
  notice.hidden = !words;
}

async function show(lane) {
  const turn = (lane.turn = (lane.turn ?? 0) + 1);
  lane.setAttribute("aria-busy", "true");
  try {
    const replay = await ask(lane);
    if (turn !== lane.turn) return; // another picture was chosen meanwhile
    trouble(lane, "");
    lane.replay = replay;
    draw(lane);
    play();
  } catch (error) {
    if (turn !== lane.turn) return;
    lane.replay = null;
    lane.querySelector(".path").replaceChildren();
    lane.querySelector(".word-bars").replaceChildren();
    lane.querySelector(".lane-says").textContent = "–";
    trouble(lane, (!(error instanceof TypeError) && error.message) || lanes.dataset.away);
  } finally {
    if (turn === lane.turn) lane.removeAttribute("aria-busy");
  }
}

function draw(lane) {
  const { stages, classes } = lane.replay;
  lane.querySelector(".path").replaceChildren(...stages.map((stage) => step(stage, classes)));
  bars(lane.querySelector(".word-bars"), stages.at(-1).raw, classes);
  if (!lane.own) return;
  lane.querySelector(".lane-picture canvas")?.remove();
  lane.querySelector(".lane-picture").prepend(sheet(stages[0]));
}

function chosen(lane, input) {
  const picture = lane.querySelector(".lane-picture img");
  const link = lane.querySelector(".lane-picture a");
  lane.own = input.files?.[0] ?? null;
  picture.hidden = Boolean(lane.own); // its input stage stands there instead
  lane.querySelector(".lane-picture canvas")?.remove();
  if (lane.own) {
    for (const other of lane.querySelectorAll(".pick input:checked")) other.checked = false;
    link.textContent = lane.own.name;
    link.removeAttribute("href");
  } else {
    lane.querySelector(".lane-own").value = "";
    picture.src = input.dataset.picture;
    picture.className = input.dataset.small ? "small-pixels" : "";
    link.textContent = picture.alt = input.nextElementSibling.alt;
    link.href = input.dataset.url;
  }
}

lanes?.addEventListener("change", ({ target }) => {
  const lane = target.closest(".lane");
  if (target.closest(".pick")) {
    if (target.files && !target.files.length) return;
    chosen(lane, target);
  }
  remember();
  show(lane);
});

// The address says what is shown, for whoever it is sent to.
function remember() {
  const address = new URL(location);
  address.search = "";
  all().forEach((lane, place) => {
    const image = lane.querySelector(".pick input:checked")?.value;
    if (place) address.searchParams.set("beside", "1");
    if (image) address.searchParams.set(`${place ? "beside_" : ""}image`, image);
    address.searchParams.set(`${place ? "beside_" : ""}version`, lane.querySelector(".lane-version").value);
  });
  history.replaceState(null, "", address);
}

// --- The timeline -------------------------------------------------------------------------------

const all = () => [...lanes.querySelectorAll(".lane")];
const longest = () => Math.max(1, ...all().map((lane) => lane.replay?.stages.length ?? 0)) - 1;
let timer = null;
let pressed = false;

function seek(to) {
  const last = longest();
  const now = Math.min(Math.max(to, 0), last);
  $("time").max = last;
  $("time").value = now;
  for (const lane of all().filter((one) => one.replay)) {
    const { stages, classes } = lane.replay;
    const at = last ? Math.round((now / last) * (stages.length - 1)) : 0;
    [...lane.querySelector(".path").children].forEach((item, place) => {
      item.classList.toggle("step-reached", place <= at);
      item.classList.toggle("step-now", place === at);
    });
    const shares = at === stages.length - 1 ? stages[at].raw : null;
    settle(lane.querySelector(".lane-word .word-bars"), shares);
    const best = shares ? shares.indexOf(Math.max(...shares)) : -1;
    lane.querySelector(".lane-says").textContent = shares ? `${classes[best].name}, ${percent(shares[best])}` : `${stages[at].name}…`;
    $("time").setAttribute("aria-valuetext", stages[at].name);
  }
}

const here = () => Number($("time").value);

function pause() {
  clearInterval(timer);
  timer = null;
  $("play").textContent = $("play").dataset.play;
}

// From the pixels to the word; under reduced motion at once, and the arrows still go step by step.
function play() {
  pause();
  if (still.matches) {
    seek(longest());
    return;
  }
  seek(0);
  go();
}

// Whoever pressed Play sees the stage that lights up, also on a page longer than the screen.
function follow() {
  all()[0].querySelector(".step-now")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function go() {
  $("play").textContent = $("play").dataset.pause;
  timer = setInterval(() => {
    seek(here() + 1);
    if (pressed) follow();
    if (here() >= longest()) pause();
  }, Number($("speed").value));
}

function press() {
  pressed = true;
  if (timer) pause();
  else if (here() >= longest()) play();
  else go();
}

function move(by) {
  pause();
  seek(here() + by);
}

function toggle() {
  const [, second] = all();
  if (second) second.remove();
  else lanes.append($("second").content.cloneNode(true));
  $("beside").setAttribute("aria-pressed", String(!second));
  remember();
  if (second) play();
  else show(all()[1]);
}

if (lanes) {
  $("play").addEventListener("click", press);
  $("back").addEventListener("click", () => move(-1));
  $("on").addEventListener("click", () => move(1));
  $("time").addEventListener("input", () => move(0));
  $("speed").addEventListener("change", () => timer && (pause(), go()));
  $("beside").addEventListener("click", toggle);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, select, textarea, a")) return;
    const does = { ArrowLeft: () => move(-1), ArrowRight: () => move(1), " ": press }[event.key];
    if (!does || (event.key === " " && event.target.closest("button"))) return;
    event.preventDefault();
    does();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const lane of all().filter((one) => one.replay)) draw(lane);
    seek(here());
  });
  all().forEach(show);
}
