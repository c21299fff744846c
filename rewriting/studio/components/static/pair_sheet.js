// Pictures before and after, compared in one of four ways. Switching asks nothing of the server.

const VIEWS = [
  ["pairs", "Pairs", "Before and after, side by side"],
  ["slider", "Slider", "Drag a divider over each picture"],
  ["change", "Changes", "Bright where the picture changed"],
  ["after", "After", "Hold or hover to see before"],
];

const grid = find(".grid");

function makePlace(kind) {
  return make("div", { class: `place ${kind}` }, make("img", { alt: "", draggable: "false" }));
}

function makePair() {
  const pair = make("figure", { class: "pair" });
  const wipe = make("input", { type: "range", class: "wipe", min: 0, max: 100, value: 50, oninput: (event) => setSplit(pair, event.target.value) });
  const hold = make("button", { type: "button", class: "hold" });
  holdToCompare(pair, hold);
  const divider = make("span", { class: "divider" }, make("span", { class: "knob" }, icon("halves")));
  const stack = make("div", { class: "stack" }, makePlace("before"), makePlace("after"), makePlace("change"), divider, wipe, hold,
    make("span", { class: "badge", text: "before" }));
  const caption = make("figcaption", {}, make("button", { type: "button", class: "seed", onclick: pick }), make("span", { class: "note" }));
  pair.append(stack, caption);
  return pair;
}

function setSplit(pair, percent) {
  pair.style.setProperty("--split", `${percent}%`);
}

// Mouse: while it is over the picture. Touch: while it is held. Keyboard: while Space or Enter is down.
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
  pair.classList.toggle("mapped", Boolean(change));
  fillPlace(pair, "before", before, `Picture ${seed} before`);
  fillPlace(pair, "after", after, `Picture ${seed} after`);
  fillPlace(pair, "change", change, `What changed in picture ${seed}`);
  find(".wipe", pair).setAttribute("aria-label", `Divider of picture ${seed}: left of it before, right of it after`);
  find(".hold", pair).setAttribute("aria-label", `Picture ${seed} after; hold to see before`);
  find(".note", pair).textContent = note;
  const button = find(".seed", pair);
  button.textContent = shown ? seed : "0";
  button.dataset.seed = seed;
  button.title = `Use picture ${seed}`;
  for (const control of pair.querySelectorAll("button, input")) control.disabled = !shown;
}

function showPairs() {
  const pairs = props.pairs || [];
  refill(grid, pairs, makePair, fillPair);
  const plain = pairs.length > 0 && pairs.every((shown) => !shown.after);
  grid.classList.toggle("plain", plain);
  find(".choice").classList.toggle("idle", plain);
  mark();
}

function pick(event) {
  tell("select", Number(event.currentTarget.dataset.seed));
  mark();
}

function mark() {
  for (const button of grid.querySelectorAll(".seed")) button.setAttribute("aria-pressed", button.dataset.seed !== "" && Number(button.dataset.seed) === props.value);
}

function view(key) {
  grid.dataset.view = key;
}

const markView = choice(find(".choice"), VIEWS, props.view, view);
view(props.view);
follow({
  pairs: showPairs, loading: showPairs, count: showPairs, empty: showPairs, label: showPairs, value: mark,
  view: () => {
    markView(props.view);
    view(props.view);
  },
});
showPairs();
