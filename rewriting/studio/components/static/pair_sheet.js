// Pictures before and after, in one of four views. Switching the view needs no server.

const VIEWS = [
  ["pairs", "Pairs", "Before and after, side by side"],
  ["slider", "Slider", "Drag a divider over each picture"],
  ["change", "Changes", "Bright and coloured where the picture changed, dark elsewhere"],
  ["after", "After", "Hold or hover to see before"],
];

const grid = find(".grid");
const lens = find(".lens");
let looked = 0; // the pair in the lens
let asked = ""; // the pair requested in full size

function makePlace(kind) {
  return make("div", { class: `place ${kind}` }, make("img", { alt: "", draggable: "false" }));
}

function makePair() {
  const pair = make("figure", { class: "pair" });
  const wipe = make("input", { type: "range", class: "wipe", min: 0, max: 100, value: 50, oninput: (event) => setSplit(pair, event.target.value) });
  const hold = make("button", { type: "button", class: "hold" });
  holdToCompare(pair, hold);
  const divider = make("span", { class: "divider" }, make("span", { class: "knob" }, icon("halves")));
  const zoom = make("button", { type: "button", class: "zoom", title: "Look closer", onclick: () => look([...grid.children].indexOf(pair)) }, icon("expand"));
  const stack = make("div", { class: "stack", onclick: press }, makePlace("before"), makePlace("after"), makePlace("change"), divider, wipe, hold,
    make("span", { class: "badge", text: "before" }), zoom);
  const caption = make("figcaption", {}, make("button", { type: "button", class: "seed", onclick: pick }), make("span", { class: "note" }));
  pair.append(stack, caption);
  return pair;
}

// A press on a picture: a single picture is picked, a pair is enlarged.
function press(event) {
  const pair = event.currentTarget.closest(".pair");
  if (!event.target.closest(".place") || pair.classList.contains("waiting")) return;
  if (grid.classList.contains("plain")) find(".seed", pair).click();
  else look([...grid.children].indexOf(pair));
}

// ---- The lens: one pair, as large as the window allows

function look(index) {
  const pairs = props.pairs || [];
  if (!pairs.length) return lens.close();
  looked = (index + pairs.length) % pairs.length;
  const { seed } = pairs[looked];
  const closer = (props.closer || []).find((one) => one.seed === seed);
  const { before, after } = closer || pairs[looked];
  setPicture(find(".was", lens), before);
  setPicture(find(".is", lens), after);
  find(".was", lens).alt = `${nameOf(seed)} before`;
  find(".is", lens).alt = after ? `${nameOf(seed)} after` : "";
  find(".then", lens).hidden = !after;
  find(".which", lens).textContent = `${nameOf(seed)}`;
  if (!lens.open) lens.showModal();
  if (props.detail && !closer && asked !== before + after) {
    asked = before + after;
    tell("enlarge", seed);
  }
}

function use() {
  lens.close();
  find(".seed", grid.children[looked]).click();
}

function startLens() {
  const acts = { previous: () => look(looked - 1), next: () => look(looked + 1), use, close: () => lens.close() };
  for (const button of lens.querySelectorAll("[data-lens]")) button.addEventListener("click", acts[button.dataset.lens]);
  lens.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) look(looked + by);
  });
  lens.addEventListener("click", (event) => event.target === lens && lens.close()); // beside it
  lens.addEventListener("close", () => find(".zoom", grid.children[looked])?.focus({ preventScroll: true }));
}

function setSplit(pair, percent) {
  pair.style.setProperty("--split", `${percent}%`);
}

// Shown while the mouse is over the picture, a touch is held, or Space or Enter is down.
function holdToCompare(pair, hold) {
  const back = (on) => () => pair.classList.toggle("back", on);
  const forKeys = (act) => (event) => (event.key === " " || event.key === "Enter") && act();
  for (const name of ["pointerenter", "pointerdown"]) hold.addEventListener(name, back(true));
  for (const name of ["pointerleave", "pointercancel", "blur"]) hold.addEventListener(name, back(false));
  hold.addEventListener("pointerup", (event) => event.pointerType !== "mouse" && back(false)());
  hold.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch is a look, not a menu
  hold.addEventListener("keydown", forKeys(back(true)));
  hold.addEventListener("keyup", forKeys(back(false)));
}

function fillPlace(pair, kind, url, alt) {
  const place = find(`.place.${kind}`, pair);
  const img = find("img", place);
  setPicture(img, url);
  img.alt = url ? alt : "";
  breathe(place, !url && kind !== "change" && props.loading);
}

function fillPair(pair, shown) {
  const { seed = "", before = "", after = "", change = "", note = "" } = shown || {};
  pair.classList.toggle("waiting", !shown);
  pair.classList.toggle("half", !after);
  pair.classList.toggle("own", isOwn(seed));
  pair.classList.toggle("mapped", Boolean(change));
  fillPlace(pair, "before", before, `${nameOf(seed)} before`);
  fillPlace(pair, "after", after, `${nameOf(seed)} after`);
  fillPlace(pair, "change", change, `What changed in ${nameOf(seed).toLowerCase()}`);
  find(".wipe", pair).setAttribute("aria-label", `Divider of ${nameOf(seed).toLowerCase()}: left of it before, right of it after`);
  find(".hold", pair).setAttribute("aria-label", `${nameOf(seed)} after; hold to see before`);
  find(".note", pair).textContent = note;
  const button = find(".seed", pair);
  button.textContent = shown ? shortName(seed) : "0";
  button.dataset.seed = seed;
  button.title = `Use ${nameOf(seed).toLowerCase()}`;
  find(".zoom", pair).setAttribute("aria-label", `Look closer at ${nameOf(seed).toLowerCase()}`);
  for (const control of pair.querySelectorAll("button, input")) control.disabled = !shown;
}

function showPairs() {
  const pairs = props.pairs || [];
  refill(grid, pairs, makePair, fillPair);
  const plain = pairs.length > 0 && pairs.every((shown) => !shown.after);
  grid.classList.toggle("plain", plain);
  find(".choice").classList.toggle("idle", plain);
  if (lens.open) look(looked);
  mark();
}

function pick(event) {
  tell("select", seedOf(event.currentTarget.dataset.seed));
  mark();
}

function mark() {
  for (const button of grid.querySelectorAll(".seed")) button.setAttribute("aria-pressed", button.dataset.seed !== "" && seedOf(button.dataset.seed) === props.value);
}

function view(key) {
  grid.dataset.view = key;
}

addIcons(lens);
startLens();
const markView = choice(find(".choice"), VIEWS, props.view, view);
view(props.view);
follow({
  closer: () => lens.open && look(looked),
  pairs: showPairs, loading: showPairs, count: showPairs, empty: showPairs, label: showPairs, value: mark,
  view: () => {
    markView(props.view);
    view(props.view);
  },
});
showPairs();
