// The contested pictures with a script: a decision stays on the page, and a keyboard is enough.
// Arrows go from picture to picture; what a key does is said by its button, in data-key.

const told = document.getElementById("told");
const trouble = document.getElementById("trouble");
const keys = document.getElementById("keys");
const next = document.querySelector("a[rel=next]");
const following = next?.href;
let byKey = false;
let last = null; // the id of the picture that was decided on last

if (keys) keys.hidden = false;

const cards = () => [...document.querySelectorAll(".contested")];
const here = () => document.activeElement.closest(".contested");
const button = (card, key) => card?.querySelector(`[data-key="${CSS.escape(key)}"]`);

function enter(card) {
  const first = card?.querySelector("button:enabled") ?? card?.querySelector("a");
  first?.focus({ preventScroll: !byKey });
  if (byKey) card?.scrollIntoView({ block: "nearest" });
}

// --- Keys --------------------------------------------------------------------------------------

function step(by) {
  const all = cards();
  const at = all.indexOf(here());
  enter(all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]);
}

const KEYS = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  u: () => button(here(), "u") ?? button(document.getElementById(last), "u"),
};

document.addEventListener("keydown", (event) => {
  byKey = true;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const pressed = KEYS[key] ? KEYS[key]() : button(here(), key);
  pressed?.click();
  if (pressed || key.startsWith("Arrow")) event.preventDefault();
});
document.addEventListener("pointerdown", () => (byKey = false));

// --- Decisions ---------------------------------------------------------------------------------

// What was decided is told, and the next picture that is open is at hand.
document.body.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (!elt.classList.contains("contested")) return;
  trouble.hidden = true;
  told.textContent = elt.dataset.told;
  // What was decided leaves its page, and as many of the next one move up to it.
  if (next) next.href = document.querySelector(".contested-done") ? location.href : following;
  if (!elt.classList.contains("contested-done")) {
    enter(elt);
    return;
  }
  last = elt.id;
  const open = cards().filter((card) => !card.classList.contains("contested-done"));
  const after = open.find((card) => elt.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING);
  enter(after ?? open[0] ?? elt);
});

function refused() {
  trouble.hidden = false;
  trouble.scrollIntoView({ block: "nearest" });
}
document.body.addEventListener("htmx:sendError", refused);
document.body.addEventListener("htmx:responseError", refused);
