// Put a cut-out patch where it belongs in a picture, and scale, turn and mirror it: with the pointer, keys and numbers.

const SETTLE_MS = 150; // after the last key, before Python is told
const SCALES = [0.25, 4];
const UNCHANGED = { scale: 1, turn: 0, mirror: false };
const STEM = 26; // pixels on the screen between the box and the knob
const EDGE = 10; // pixels on the screen that handles keep from the edge
const [SMALL_TURN, LARGE_TURN, SMALL_SCALE, LARGE_SCALE] = [1, 15, 0.01, 0.1]; // of keys, without and with Shift

const stage = find(".stage");
const sayChoose = askForPicture(stage);
const settleSize = enlargeable(stage);
const patch = find(".patch");
const goal = find(".goal");
const overlay = find(".outline");
const spoken = find("[aria-live]");
const fields = { scale: find(".scale"), turn: find(".turn") };
const view = zoomable(stage, [find(".picture"), patch, goal], overlay, () => drag && takeBack(), () => draw());

let place = null; // {x, y, scale, turn, mirror}: the centre of the patch in model pixels, see PlacementCanvas
let size = null; // of the patch: {width, height}, known once it is loaded
let outline = ""; // of the patch, in its own pixels
let hull = []; // corners of its first and last pixel in each row, from its middle
let drag = null; // of {pointer, second, act, before, held, point}; act: what a pointer at a point does; held: by a finger on the patch
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
  const visible = ready() && at;
  patch.toggleAttribute("hidden", !visible);
  overlay.toggleAttribute("hidden", !visible);
  stage.classList.toggle("movable", ready());
  stage.classList.toggle("dragging", Boolean(drag));
  patch.classList.toggle("ghost", !place);
  find(".hint").textContent = ready() && !place && !ghost ? "Click to place the object" : "";
  find(".hint").toggleAttribute("hidden", !find(".hint").textContent);
  if (visible) putPatch(at);
  drawFrame();
  sayChange();
}

function putPatch(at) {
  const [x, y] = pivotOf(at);
  const [left, top] = [x - size.width / 2, y - size.height / 2];
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  patch.style.left = percent(left, props.width);
  patch.style.top = percent(top, props.height);
  patch.style.width = percent(size.width, props.width);
  patch.style.height = percent(size.height, props.height);
  const flip = at.mirror ? -at.scale : at.scale;
  patch.style.transform = isUnchanged(at) ? "" : `rotate(${at.turn}deg) scale(${flip}, ${at.scale})`;
  for (const path of overlay.querySelectorAll(".shape path")) {
    path.setAttribute("d", outline);
    path.setAttribute("transform", `translate(${x} ${y}) rotate(${at.turn}) scale(${flip} ${at.scale}) translate(${-size.width / 2} ${-size.height / 2})`);
  }
}

function drawFrame() {
  const frame = find(".frame");
  const shown = ready() && place && stage.clientWidth > 0;
  frame.toggleAttribute("hidden", !shown);
  if (!shown) return;
  const { corners, edge, knob } = handles();
  const dots = (points) => points.map((point) => `M${point.join(" ")}h0.001`).join("");
  const lines = `M${corners.map((point) => point.join(" ")).join("L")}ZM${edge.join(" ")}L${knob.join(" ")}`;
  for (const path of frame.querySelectorAll(".dark, .light")) path.setAttribute("d", lines);
  for (const path of frame.querySelectorAll(".corners")) path.setAttribute("d", dots(corners.map(seen)));
  for (const path of frame.querySelectorAll(".knob")) path.setAttribute("d", dots([knob]));
}

function sayNumber(name) {
  const { scale, turn } = place || UNCHANGED;
  fields[name].value = name === "scale" ? Math.round(100 * scale) : turn;
}

function sayChange() {
  const off = !ready() || !place;
  for (const name of Object.keys(fields)) if (document.activeElement !== fields[name]) sayNumber(name);
  find(".mirror").setAttribute("aria-pressed", Boolean(place && place.mirror));
  for (const node of element.querySelectorAll(".field, .mirror, .reset")) node.toggleAttribute("hidden", off);
  find(".reset").disabled = off || isUnchanged(place);
}

// ---- Geometry, in model pixels

function isUnchanged({ scale, turn, mirror }) {
  return scale === 1 && turn === 0 && !mirror;
}

// An offset from the patch's middle, as it lies in the picture.
function turned([dx, dy], { scale, turn, mirror }) {
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const [x, y] = [scale * (mirror ? -dx : dx), scale * dy];
  return [x * cos - y * sin, x * sin + y * cos];
}

// Where the patch's middle lies, from the place that Python knows: the centre of the box of what is opaque.
function offsetOf(at) {
  if (isUnchanged(at)) return [size.width, size.height].map((side) => side / 2 - Math.floor(side / 2));
  const ends = hull.map((corner) => turned(corner, at));
  return [0, 1].map((i) => {
    const along = ends.map((end) => end[i]);
    return 0.25 - (Math.min(...along) + Math.max(...along)) / 2;
  });
}

function pivotOf(at) {
  const [dx, dy] = offsetOf(at);
  return [at.x + dx, at.y + dy];
}

function hullOf({ width, height, bits }) {
  const corners = [];
  for (let y = 0; y < height; y++) {
    const row = bits.subarray(y * width, (y + 1) * width);
    const [first, last] = [row.indexOf(1), row.lastIndexOf(1)];
    if (first >= 0) for (const x of [first, last + 1]) corners.push([x - width / 2, y - height / 2], [x - width / 2, y + 1 - height / 2]);
  }
  return corners;
}

// A pixel of the screen.
function pixel() {
  return overlay.viewBox.baseVal.width / stage.clientWidth;
}

function isSeen([x, y]) {
  const box = overlay.viewBox.baseVal;
  const rim = EDGE * pixel();
  return x >= box.x + rim && x <= box.x + box.width - rim && y >= box.y + rim && y <= box.y + box.height - rim;
}

// The nearest position that is seen.
function seen([x, y]) {
  const box = overlay.viewBox.baseVal;
  const rim = EDGE * pixel();
  return [Math.min(box.x + box.width - rim, Math.max(box.x + rim, x)), Math.min(box.y + box.height - rim, Math.max(box.y + rim, y))];
}

// The corners of the box, and the knob with the middle of the edge on which it sits: the upper one, if it is seen there.
function handles() {
  const [x, y] = pivotOf(place);
  const put = (offset) => turned(offset, { ...place, mirror: false }).map((v, i) => v + [x, y][i]);
  const [w, h] = [size.width / 2, size.height / 2];
  const stem = (STEM * pixel()) / place.scale;
  const sides = [[[0, -h], [0, -h - stem]], [[0, h], [0, h + stem]], [[w, 0], [w + stem, 0]], [[-w, 0], [-w - stem, 0]]].map((ends) => ends.map(put));
  const [edge, knob] = sides.find(([, end]) => isSeen(end)) || [sides[0][0], seen(sides[0][1])];
  return { corners: [[-w, -h], [w, -h], [w, h], [-w, h]].map(put), edge, knob };
}

// The handle under the pointer: "turn" or "scale", and which way a line through it and the middle runs.
function handleAt(event) {
  if (!ready() || !place || !stage.clientWidth) return null;
  const point = pointOf(event);
  const far = ([x, y]) => Math.hypot(x - point[0], y - point[1]) / pixel();
  const { corners, knob } = handles();
  const reach = event.pointerType === "touch" ? 24 : 12;
  if (far(knob) <= reach) return { kind: "turn", over: "turn" };
  // on a small patch, most of the inside is left for moving
  const within = isOn(point) ? Math.max(5, (Math.min(size.width, size.height) * place.scale) / 4 / pixel()) : reach;
  const corner = corners.map(seen).find((one) => far(one) <= Math.min(reach, within));
  if (!corner) return null;
  const [x, y] = pivotOf(place);
  return { kind: "scale", over: (corner[0] - x) * (corner[1] - y) > 0 ? "falling" : "rising" };
}

// Whether a position lies in the patch's box.
function isOn([px, py]) {
  const [x, y] = pivotOf(place);
  const [dx, dy] = turned([px - x, py - y], { scale: 1 / place.scale, turn: -place.turn, mirror: false });
  return Math.abs(dx) <= size.width / 2 && Math.abs(dy) <= size.height / 2;
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
  const keys = "Arrow keys move the object, with Shift by eight pixels; brackets scale it, L and R turn it, with Shift further; M mirrors; plus and minus zoom; Escape cancels a drag.";
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
  hull = pixels ? hullOf(maskOf(pixels, true)) : [];
  setPicture(patch, props.patch);
  draw();
}

function loadPlace() {
  if (drag) return; // the hand on the patch is newer than Python's answer
  const told = props.value && Number.isFinite(props.value.x) ? { ...UNCHANGED, ...props.value, ...inside(props.value) } : null;
  if (told && place && isEcho(told)) return;
  place = told;
  draw();
}

// Python answers in whole pixels; while somebody turns the patch, its middle stays where it is.
function isEcho(told) {
  const same = Object.keys(UNCHANGED).every((name) => told[name] === place[name]);
  return same && Math.abs(told.x - place.x) < 1 && Math.abs(told.y - place.y) < 1;
}

// ---- Moving and turning

function move(to) {
  place = { ...UNCHANGED, ...place, ...inside(to) };
  hideGoal();
  draw();
}

// Scale, turn or mirror about the middle of the patch.
function change(changes) {
  const pivot = pivotOf(place);
  const next = { ...place, ...changes };
  const scale = Math.min(SCALES[1], Math.max(SCALES[0], Math.round(100 * next.scale) / 100));
  const around = Math.round(10 * (next.turn - 360 * Math.ceil((next.turn - 180) / 360))) / 10;
  const [dx, dy] = offsetOf({ ...next, scale, turn: around });
  place = { x: pivot[0] - dx, y: pivot[1] - dy, scale, turn: around || 0, mirror: next.mirror };
  hideGoal();
  draw();
}

function commit() {
  clearTimeout(settling);
  settling = 0;
  if (!place) return;
  const told = inside(place);
  const [{ scale, turn, mirror }, words] = [place, [`Object centred at ${told.x}, ${told.y}`]];
  if (scale !== 1) words.push(`${Math.round(100 * scale)} percent`), (told.scale = scale);
  if (turn) words.push(`turned by ${turn} degrees`), (told.turn = turn);
  if (mirror) words.push("mirrored"), (told.mirror = true);
  if (isKnown(told)) return showGoal();
  spoken.textContent = words.join(", ");
  tell("input", told);
}

// Whether Python knows the place already.
function isKnown(told) {
  const [known, ours] = [props.value, told].map((value) => ({ ...UNCHANGED, ...value }));
  return Object.keys(ours).every((name) => known[name] === ours[name]);
}

function commitSoon() {
  clearTimeout(settling);
  settling = setTimeout(commit, SETTLE_MS);
}

function pointOf(event) {
  return view.pointOf(event) || [0, 0];
}

// Taken by hand the patch keeps its distance to the pointer; a press beside it calls it there.
function moving([x, y]) {
  const on = place && isOn([x, y]);
  const [dx, dy] = on ? [place.x - x, place.y - y] : [0, 0];
  return ([px, py]) => move({ x: px + dx, y: py + dy });
}

function scaling([x, y]) {
  const [{ scale }, [px, py]] = [place, pivotOf(place)];
  const away = (point) => Math.hypot(point[0] - px, point[1] - py);
  const start = Math.max(away([x, y]), pixel());
  return (point) => change({ scale: (scale * away(point)) / start });
}

function turning([x, y]) {
  const [{ turn }, [px, py]] = [place, pivotOf(place)];
  const angle = (point) => (180 * Math.atan2(point[1] - py, point[0] - px)) / Math.PI;
  const start = angle([x, y]);
  return (point, event) => {
    const step = event.shiftKey ? LARGE_TURN : SMALL_TURN;
    change({ turn: step * Math.round((turn + angle(point) - start) / step) });
  };
}

// Two fingers move, scale and turn the patch, as if it stuck to them.
function stretching(first, second, added) {
  const points = new Map([[drag.pointer, first], [added, second]]);
  const line = () => {
    const [[ax, ay], [bx, by]] = points.values();
    return { long: Math.hypot(bx - ax, by - ay), angle: Math.atan2(by - ay, bx - ax), middle: [(ax + bx) / 2, (ay + by) / 2] };
  };
  const [start, { scale, turn }, pivot] = [line(), place, pivotOf(place)];
  return (point, { pointerId }) => {
    points.set(pointerId, point);
    const now = line();
    change({
      scale: (scale * now.long) / Math.max(start.long, pixel()),
      turn: Math.round(turn + (180 * (now.angle - start.angle)) / Math.PI),
    });
    const [x, y] = pivotOf(place);
    move({ x: place.x + pivot[0] + now.middle[0] - start.middle[0] - x, y: place.y + pivot[1] + now.middle[1] - start.middle[1] - y });
  };
}

function holdWithSecond(event) {
  event.preventDefault();
  drag = { ...drag, second: event.pointerId, act: stretching(drag.point, pointOf(event), event.pointerId) };
}

function onDown(event) {
  if (drag && drag.held && !drag.second && event.pointerType === "touch") return holdWithSecond(event);
  if (view.down(event) || !ready() || drag || event.button !== 0) return;
  event.preventDefault();
  stage.focus({ preventScroll: true });
  try {
    stage.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is already up again; the press still counts as a click.
  }
  const point = pointOf(event);
  const handle = handleAt(event);
  const act = (handle ? { turn: turning, scale: scaling }[handle.kind] : moving)(point);
  const held = event.pointerType === "touch" && !handle && Boolean(place) && isOn(point);
  drag = { pointer: event.pointerId, act, before: place, held, point };
  if (handle) draw();
  else act(point);
}

function isDragged({ pointerId }) {
  return Boolean(drag) && [drag.pointer, drag.second].includes(pointerId);
}

function onMove(event) {
  if (view.move(event)) return;
  if (isDragged(event)) {
    if (drag.pointer === event.pointerId) drag.point = pointOf(event);
    return drag.act(pointOf(event), event);
  }
  if (!ready() || event.pointerType === "touch") return;
  stage.dataset.over = (handleAt(event) || { over: "" }).over;
  if (place) return;
  const [x, y] = pointOf(event);
  ghost = { ...UNCHANGED, ...inside({ x, y }) };
  draw();
}

function onUp(event) {
  if (view.up(event)) return;
  if (!isDragged(event)) return;
  drag = null;
  draw();
  commit();
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
  const act = view.key(event, place ? pivotOf(place) : [props.width / 2, props.height / 2]);
  if (act && props.image) {
    event.preventDefault();
    return act();
  }
  if (drag || !ready()) return;
  const changes = place && changesOf(event);
  const way = arrow(event);
  if (!changes && !way) return;
  event.preventDefault();
  if (changes) change(changes);
  else {
    const far = event.shiftKey ? 8 : 1;
    const from = place || { x: Math.floor(props.width / 2), y: Math.floor(props.height / 2) };
    move({ x: from.x + far * way[0], y: from.y + far * way[1] });
  }
  commitSoon();
}

// What a key changes of the patch, if anything. AltGr types brackets on some keyboards.
function changesOf(event) {
  if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return null;
  const degrees = event.shiftKey ? LARGE_TURN : SMALL_TURN;
  const { scale, turn, mirror } = place;
  return {
    "[": { scale: scale - SMALL_SCALE }, "]": { scale: scale + SMALL_SCALE }, "{": { scale: scale - LARGE_SCALE }, "}": { scale: scale + LARGE_SCALE },
    l: { turn: turn - degrees }, r: { turn: turn + degrees }, m: { mirror: !mirror },
  }[event.key.toLowerCase()];
}

// A number that is typed shows at once, and counts when it is complete.
function onNumber(name, done) {
  const typed = fields[name].valueAsNumber;
  if (ready() && place && Number.isFinite(typed)) change(name === "scale" ? { scale: typed / 100 } : { turn: Math.min(180, Math.max(-180, typed)) });
  if (!done) return;
  sayNumber(name);
  commit();
}

function onButton(changes) {
  if (!ready() || !place || drag) return;
  change(changes(place));
  commit();
}

// ---- Start

for (const [name, act] of Object.entries({
  pointerdown: onDown, pointermove: onMove, pointerup: onUp, pointercancel: onUp, lostpointercapture: onUp, pointerleave: onLeave, keydown: onKey,
})) stage.addEventListener(name, act);
stage.addEventListener("keyup", (event) => event.key === " " && view.releaseSpace());
stage.addEventListener("blur", () => view.releaseSpace());
stage.addEventListener("blur", () => settling && commit());
for (const [name, field] of Object.entries(fields)) {
  field.addEventListener("input", () => onNumber(name, false));
  field.addEventListener("change", () => onNumber(name, true));
}
find(".mirror").addEventListener("click", () => onButton(({ mirror }) => ({ mirror: !mirror })));
find(".reset").addEventListener("click", () => onButton(() => UNCHANGED));
new ResizeObserver(drawFrame).observe(stage);
addIcons();
follow({ value: loadPlace, patch: loadPatch, goal: showGoal, image: showImage, width: showImage, height: showImage, empty: showImage, label: showImage });
loadPlace();
showImage();
loadPatch();
