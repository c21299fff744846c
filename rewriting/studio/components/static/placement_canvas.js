// Put a cut-out patch where it belongs in a picture: drag, click or arrow keys.

const SETTLE_MS = 150; // after the last arrow key, before Python is told

const stage = find(".stage");
const sayChoose = askForPicture(stage);
const settleSize = enlargeable(stage);
const patch = find(".patch");
const goal = find(".goal");
const overlay = find(".outline");
const spoken = find("[aria-live]");
const view = zoomable(stage, [find(".picture"), patch, goal], overlay, () => drag && takeBack());

let place = null; // {x, y}: centre of the patch in model pixels
let size = null; // of the patch: {width, height}, known once it is loaded
let outline = ""; // of the patch, in its own pixels
let drag = null; // {pointer, grip: [dx, dy], before, moved}
let ghost = null; // where the patch would go, while it has no place
let settling = 0;
let loads = 0;

function ready() {
  return Boolean(props.image && size);
}

function inside({ x, y }) {
  return {
    x: Math.min(props.width - 1, Math.max(0, Math.round(x))),
    y: Math.min(props.height - 1, Math.max(0, Math.round(y))),
  };
}

// ---- What is seen

function draw() {
  const at = place || ghost;
  const seen = ready() && at;
  patch.toggleAttribute("hidden", !seen);
  overlay.toggleAttribute("hidden", !seen);
  stage.classList.toggle("movable", ready());
  stage.classList.toggle("dragging", Boolean(drag));
  patch.classList.toggle("ghost", !place);
  find(".hint").textContent = ready() && !place && !ghost ? "Click to place the object" : "";
  find(".hint").toggleAttribute("hidden", !find(".hint").textContent);
  if (seen) putPatch(at);
}

function putPatch(at) {
  const left = at.x - Math.floor(size.width / 2);
  const top = at.y - Math.floor(size.height / 2);
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  patch.style.left = percent(left, props.width);
  patch.style.top = percent(top, props.height);
  patch.style.width = percent(size.width, props.width);
  patch.style.height = percent(size.height, props.height);
  for (const path of overlay.querySelectorAll("path")) {
    path.setAttribute("d", outline);
    path.setAttribute("transform", `translate(${left} ${top})`);
  }
}

function hideGoal() {
  goal.classList.remove("fresh");
}

// The composite from Python appears when it is complete, unless the patch is being moved away from it.
async function showGoal() {
  const url = props.goal || "";
  if (!url) return hideGoal();
  setPicture(goal, url);
  try {
    await goal.decode();
  } catch {
    return;
  }
  if (url === props.goal && !drag && !settling) goal.classList.add("fresh");
}

function showImage() {
  stage.style.aspectRatio = `${props.width} / ${props.height}`;
  view.draw();
  stage.classList.toggle("ready", Boolean(props.image));
  sayChoose();
  settleSize();
  const keys = "Arrow keys move the patch, with Shift by eight pixels; plus and minus zoom; Escape cancels a drag.";
  stage.setAttribute("aria-label", `${props.label || ""}. ${props.image ? keys : props.empty}`);
  if (find(".picture").dataset.url !== (props.image || "")) hideGoal();
  setPicture(find(".picture"), props.image);
  showGoal();
  draw();
}

async function loadPatch() {
  const turn = ++loads;
  const pixels = props.patch ? await readPixels(props.patch) : null;
  if (turn !== loads) return;
  size = pixels && { width: pixels.width, height: pixels.height };
  outline = pixels ? outlinePath(maskOf(pixels, true)) : "";
  setPicture(patch, props.patch);
  draw();
}

function loadPlace() {
  if (drag) return; // the hand on the patch is newer than Python's answer
  place = props.value && Number.isFinite(props.value.x) ? inside(props.value) : null;
  draw();
}

// ---- Moving

function move(to) {
  place = inside(to);
  hideGoal();
  draw();
}

function commit() {
  clearTimeout(settling);
  settling = 0;
  if (!place) return;
  spoken.textContent = `Patch centred at ${place.x}, ${place.y}`;
  tell("input", { ...place });
}

function pointOf(event) {
  return view.pointOf(event) || [0, 0];
}

// Taken by hand the patch keeps its distance to the pointer; a press beside it calls it there.
function gripOf([x, y]) {
  if (!place) return [0, 0];
  const [dx, dy] = [place.x - x, place.y - y];
  const on = Math.abs(dx) <= size.width / 2 && Math.abs(dy) <= size.height / 2;
  return on ? [dx, dy] : [0, 0];
}

function onDown(event) {
  if (view.down(event) || !ready() || drag || event.button !== 0) return;
  event.preventDefault();
  stage.focus({ preventScroll: true });
  try {
    stage.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is already up again; the press still counts as a click.
  }
  const point = pointOf(event);
  drag = { pointer: event.pointerId, grip: gripOf(point), before: place };
  follows(event);
}

function follows(event) {
  const [x, y] = pointOf(event);
  const [dx, dy] = drag.grip;
  move({ x: x + dx, y: y + dy });
}

function onMove(event) {
  if (view.move(event)) return;
  if (drag && drag.pointer === event.pointerId) return follows(event);
  if (!ready() || place || event.pointerType === "touch") return;
  const [x, y] = pointOf(event);
  ghost = inside({ x, y });
  draw();
}

function onUp(event) {
  if (view.up(event)) return;
  if (!drag || drag.pointer !== event.pointerId) return;
  const { before } = drag;
  drag = null;
  draw();
  if (before && before.x === place.x && before.y === place.y) showGoal();
  else commit();
}

function onLeave() {
  ghost = null;
  if (!drag) draw();
}

function takeBack() {
  place = drag.before;
  drag = null;
  draw();
  showGoal();
}

function onKey(event) {
  if (event.key === "Escape" && drag) {
    event.preventDefault();
    return takeBack();
  }
  if (event.key === " " && props.image) {
    event.preventDefault();
    return view.holdSpace();
  }
  const act = view.key(event, place ? [place.x, place.y] : [props.width / 2, props.height / 2]);
  if (act && props.image) {
    event.preventDefault();
    return act();
  }
  const way = arrow(event);
  if (!way || drag || !ready()) return;
  event.preventDefault();
  const far = event.shiftKey ? 8 : 1;
  const from = place || { x: Math.floor(props.width / 2), y: Math.floor(props.height / 2) };
  move({ x: from.x + far * way[0], y: from.y + far * way[1] });
  clearTimeout(settling);
  settling = setTimeout(commit, SETTLE_MS);
}

// ---- Start

for (const [name, act] of Object.entries({
  pointerdown: onDown, pointermove: onMove, pointerup: onUp, pointercancel: onUp, lostpointercapture: onUp, pointerleave: onLeave, keydown: onKey,
})) stage.addEventListener(name, act);
stage.addEventListener("keyup", (event) => event.key === " " && view.releaseSpace());
stage.addEventListener("blur", () => view.releaseSpace());
stage.addEventListener("blur", () => settling && commit());
follow({ value: loadPlace, patch: loadPatch, goal: showGoal, image: showImage, width: showImage, height: showImage, empty: showImage, label: showImage });
loadPlace();
showImage();
loadPatch();
