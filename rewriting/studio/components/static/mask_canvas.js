// Paint a mask on a picture. The mask itself is one byte per model pixel; what is seen is its outline, drawn as SVG.

const STEPS = 30; // of undo
const UNSEEN_MS = 5000; // a stroke younger than this may have crossed Python's answer on its way
const SETTLED_MS = 250; // after the last change of a region's size, before Python is told
const LAST_LEVEL = 254; // of a region's size
const UNANSWERED_MS = 15000; // time limit of a press
const NOTCH = 6; // levels for one key or one notch of the wheel
const GROWS = 16; // levels for a second press
const TOOLS = [["brush", "Brush (B)"], ["eraser", "Eraser (E)"], ["select", "Select: press on an object (S)"], ["lasso", "Lasso: draw around an object (L)"]];
const HOWS = [["new", "New", "Replace the selection"], ["add", "Add", "Add to the selection (Shift)"], ["erase", "Subtract", "Subtract from the selection (Alt)"]];

const stage = find(".stage");
const sayChoose = askForPicture(stage);
const settleSize = enlargeable(stage);
const overlay = find(".outline", stage);
const view = zoomable(stage, [find(".picture", stage)], overlay, giveUp);
const rope = find(".rope", overlay);
const cells = find(".cells", overlay);
const rings = overlay.querySelectorAll(".ring");
const slider = find(".size input");
const spoken = find("[aria-live]");
const buttons = Object.fromEntries([...element.querySelectorAll("[data-do]")].map((b) => [b.dataset.do, b]));

let mask = emptyMask();
let undos = []; // earlier masks, packed
let redos = [];
let stroke = null; // the stroke in progress
let strokes = []; // recent strokes, to be put on top of a mask that Python made without knowing them
let tool = "brush";
let how = "new"; // the effect of a press or a lasso on the selection
let brush = 1; // diameter in model pixels
let from = null; // the end of the last stroke, where a straight line begins
let presses = 0;
let pressed = null; // {n, how, late}: the press that waits for Python's answer
let queued = []; // [point, how] of later presses
let region = null; // the stroke of the last press, as long as it can grow and shrink
let settling = 0;
let seesGrid = false;
let touched = null; // {pointer, point, how}: a press before its release
let cursor = null; // where the brush is, in model pixels
let frame = 0;
let loads = 0;
let elsewhere = { time: 0, target: null, pressed: false, point: null }; // the last thing done outside this canvas

function emptyMask() {
  const { width, height } = props;
  return { width, height, bits: new Uint8Array(width * height) };
}

// ---- The mask

function paintStroke(bits, stroke) {
  const { points, radius, erase, lasso, levels } = stroke;
  if (levels) fillRegion(bits, stroke);
  else if (lasso) paintLasso(bits, stroke);
  else points.forEach((point, i) => paint(bits, mask, points[Math.max(0, i - 1)], point, radius, erase ? 0 : 1));
}

function paintLasso(bits, { points, how, closed }) {
  if (!closed) return;
  if (how === "new") bits.fill(0);
  fillLasso(bits, mask, points, how === "erase" ? 0 : 1);
}

// Eight pixels to a byte: thirty steps of undo of a large mask are a few megabytes.
function pack(bits) {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  for (let i = 0; i < bits.length; i++) packed[i >> 3] |= bits[i] << (i & 7);
  return packed;
}

function unpack(packed) {
  const bits = new Uint8Array(mask.width * mask.height);
  for (let i = 0; i < bits.length; i++) bits[i] = (packed[i >> 3] >> (i & 7)) & 1;
  return bits;
}

function same(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function remember(packed) {
  undos.push(packed);
  if (undos.length > STEPS) undos.shift();
  redos = [];
}

function toUrl() {
  if (!mask.bits.includes(1)) return "";
  const canvas = document.createElement("canvas");
  canvas.width = mask.width;
  canvas.height = mask.height;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(mask.width, mask.height);
  new Uint32Array(pixels.data.buffer).forEach((_, i, all) => (all[i] = mask.bits[i] ? 0xffffffff : 0xff000000));
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png");
}

// ---- What is seen

function draw() {
  if (!frame) frame = requestAnimationFrame(drawNow);
}

function drawNow() {
  frame = 0;
  const d = outlinePath(mask);
  for (const path of overlay.querySelectorAll(".fill, .dark:not(.ring), .light:not(.ring)")) path.setAttribute("d", d);
  rope.setAttribute("d", stroke && stroke.lasso ? `M${stroke.points.join("L")}` : "");
  drawGrid();
  drawRings();
}

// The layer's grid: the painted share of each cell.
function drawGrid() {
  cells.toggleAttribute("hidden", !seesGrid || !props.grid);
  if (!seesGrid || !props.grid) return cells.replaceChildren();
  const [w, h] = [mask.width / props.grid, mask.height / props.grid];
  const drawn = [];
  shares(mask, props.grid).forEach((share, i) => {
    if (share < 0.004) return;
    const place = { x: (i % props.grid) * w, y: Math.floor(i / props.grid) * h, width: w, height: h };
    drawn.push(makeSvg("rect", { ...place, "fill-opacity": (0.75 * share).toFixed(2) }));
  });
  cells.replaceChildren(...drawn);
}

function drawRings() {
  const seen = cursor && props.image && tool !== "lasso";
  for (const ring of rings) {
    ring.toggleAttribute("hidden", !seen);
    if (!seen) continue;
    ring.setAttribute("cx", cursor[0]);
    ring.setAttribute("cy", cursor[1]);
    ring.setAttribute("rx", radius());
    ring.setAttribute("ry", radius());
  }
}

function moveCursor(point) {
  cursor = point;
  if (!frame) drawRings();
}

function refresh() {
  buttons.undo.disabled = !undos.length;
  buttons.redo.disabled = !redos.length;
  buttons.clear.disabled = !mask.bits.includes(1);
  buttons.fill.disabled = buttons.clear.disabled;
  sayTool();
  draw();
}

// ---- Telling Python

function commit() {
  clearTimeout(settling);
  settling = 0;
  const selected = mask.bits.reduce((sum, bit) => sum + bit, 0);
  spoken.textContent = `${Math.round((100 * selected) / mask.bits.length)} % of the picture selected`;
  refresh();
  tell("input", toUrl());
}

// ---- Strokes

function radius() {
  return tool === "select" ? 1.5 : brush / 2;
}

// straight: from the end of the last stroke.
function begin(point, erase, pointer = null, straight = false) {
  settle();
  region = null;
  const points = straight && from ? [from, point] : [point];
  stroke = { points, radius: radius(), erase, time: performance.now(), before: pack(mask.bits), pointer };
  paintStroke(mask.bits, stroke);
  draw();
}

function beginLasso(point, how, pointer) {
  settle();
  region = null;
  stroke = { points: [point], lasso: true, how, time: performance.now(), before: pack(mask.bits), pointer };
  draw();
}

function extend(point) {
  const last = stroke.points[stroke.points.length - 1];
  stroke.points.push(point);
  if (stroke.lasso) return draw();
  paint(mask.bits, mask, last, point, stroke.radius, stroke.erase ? 0 : 1);
  draw();
}

function end() {
  if (!stroke) return;
  const done = stroke;
  stroke = null;
  if (done.lasso) {
    if (done.points.length < 3) return draw();
    done.closed = true;
    paintStroke(mask.bits, done);
  } else from = done.points[done.points.length - 1];
  keep(done);
  commit();
}

function keep(done) {
  remember(done.before);
  strokes = [...strokes.filter((s) => done.time - s.time < UNSEEN_MS), done];
}

function cancel() {
  if (!stroke) return;
  mask.bits = unpack(stroke.before);
  stroke = null;
  refresh();
}

// A second finger cancels the stroke of the first.
function giveUp() {
  cancel();
  moveCursor(null);
}

function step(from, to) {
  if (stroke || !from.length) return;
  settle();
  region = null;
  to.push(pack(mask.bits));
  mask.bits = unpack(from.pop());
  strokes = [];
  commit();
}

// Change the whole mask.
function change(act) {
  if (stroke || !props.image) return;
  settle();
  const before = pack(mask.bits);
  act(mask.bits);
  if (same(before, pack(mask.bits))) return;
  region = null;
  remember(before);
  strokes = [];
  commit();
}

function clear() {
  change((bits) => bits.fill(0));
}

function invert() {
  change((bits) => bits.forEach((bit, i) => (bits[i] = 1 - bit)));
}

// ---- Press to select

// A second press on the last selected region makes it grow.
function press(point, how) {
  if (pressed) return queued.push([point, how]);
  const [x, y] = point.map((v, i) => Math.min([mask.width, mask.height][i] - 1, Math.max(0, Math.floor(v))));
  if (region && how === "new" && region.levels[y * mask.width + x] <= region.size) return resizeRegion(region.size + GROWS);
  settle();
  pressed = { n: ++presses, how, late: setTimeout(nextPress, UNANSWERED_MS) };
  stage.classList.add("asking");
  tell("press", { x: (x + 0.5) / mask.width, y: (y + 0.5) / mask.height, n: pressed.n });
}

async function showReach() {
  const found = props.reach;
  if (!pressed || !found || found.n !== pressed.n) return;
  const { n, how } = pressed;
  const pixels = await readPixels(found.levels, mask.width, mask.height);
  if (!pressed || pressed.n !== n) return;
  if (!pixels || stroke) return nextPress();
  const levels = Uint8Array.from({ length: mask.bits.length }, (_, i) => pixels.data[4 * i]);
  region = { levels, size: found.size, how, time: performance.now(), before: pack(mask.bits) };
  paintStroke(mask.bits, region);
  keep(region);
  commit();
  nextPress();
}

function nextPress() {
  if (pressed) clearTimeout(pressed.late);
  pressed = null;
  stage.classList.remove("asking");
  if (queued.length) press(...queued.shift());
}

function forgetPresses() {
  queued = [];
  nextPress();
}

function resizeRegion(size) {
  region.size = Math.min(LAST_LEVEL, Math.max(0, size));
  region.time = performance.now();
  mask.bits = unpack(region.before);
  paintStroke(mask.bits, region);
  clearTimeout(settling);
  settling = setTimeout(commit, SETTLED_MS);
  sayTool();
  draw();
}

// Send a pending change at once.
function settle() {
  if (!settling) return;
  clearTimeout(settling);
  settling = 0;
  if (region) commit();
}

// ---- What Python sets

// Strokes that Python did not know when it made a mask: those begun after the last thing done elsewhere on the page,
// for that, or something before it, is what Python answers.
function unseen() {
  if (!props.image) return []; // what was painted on a picture goes with it
  const now = performance.now();
  const recent = strokes.filter((s) => s.time > elsewhere.time && now - s.time < UNSEEN_MS);
  return stroke ? [...recent, stroke] : recent;
}

// Python may answer a stroke with the very mask it got while the next stroke is already drawn: nothing new in that.
function isEcho(bits) {
  if (!props.image) return false;
  const packed = pack(bits);
  if (same(packed, pack(stroke ? unpack(stroke.before) : mask.bits))) return true;
  return strokes.some((s) => s.time > elsewhere.time && same(packed, s.before));
}

async function load() {
  const turn = ++loads;
  const url = props.value || "";
  if (mask.width !== props.width || mask.height !== props.height) resize();
  const pixels = url ? await readPixels(url, mask.width, mask.height) : null;
  if (turn !== loads) return;
  const bits = pixels ? maskOf(pixels).bits : new Uint8Array(mask.width * mask.height);
  if (isEcho(bits)) return keepOurs(url);
  adopt(bits);
}

function keepOurs(url) {
  if (!stroke && props.value === url) props.value = toUrl();
}

function adopt(bits) {
  const late = unseen();
  if (!late.includes(region)) region = null;
  mask.bits = bits;
  undos = [];
  redos = [];
  for (const s of late) {
    s.before = pack(mask.bits);
    if (s !== stroke) remember(s.before);
    paintStroke(mask.bits, s);
  }
  strokes = late.filter((s) => s !== stroke);
  if (strokes.length) commit();
  else refresh();
}

function resize() {
  stroke = null;
  region = null;
  from = null;
  strokes = [];
  undos = [];
  redos = [];
  mask = emptyMask();
  layOut();
  setBrush(props.brush || Math.round(props.width / 10));
  refresh();
}

function layOut() {
  stage.style.aspectRatio = `${props.width} / ${props.height}`;
  view.whole();
}

function mostBrush() {
  return Math.max(2, Math.round(props.width * 0.4));
}

function showImage() {
  stage.classList.toggle("ready", Boolean(props.image));
  if (find(".picture").dataset.url !== (props.image || "")) forgetPresses();
  setPicture(find(".picture"), props.image);
  sayChoose();
  settleSize();
  const keys = "Keys: B brush, E eraser, S select, L lasso; arrow keys move the brush, Space paints or presses, brackets change the size, plus and minus zoom, Control Z undoes.";
  stage.setAttribute("aria-label", `${props.label || ""}. ${props.image ? keys : props.empty}`);
  if (props.tint) element.style.setProperty("--tint", props.tint);
  else element.style.removeProperty("--tint");
}

// ---- Pointer

function pointOf(event) {
  return view.pointOf(event) || cursor || [0, 0];
}

function isEraser(event) {
  return tool === "eraser" || (event.buttons & 32) !== 0; // 32: the rubber end of a pen
}

function howOf(event) {
  if (event.altKey || event.buttons & 32) return "erase";
  return event.shiftKey ? "add" : how;
}

function capture(event) {
  try {
    stage.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is already up again; the stroke ends with what it has.
  }
}

function onDown(event) {
  if (view.down(event) || !props.image || stroke || (event.button !== 0 && event.button !== 5)) return;
  event.preventDefault();
  stage.focus({ preventScroll: true });
  capture(event);
  const point = pointOf(event);
  if (tool === "select") touched = { pointer: event.pointerId, point, how: howOf(event) };
  else if (tool === "lasso") beginLasso(point, howOf(event), event.pointerId);
  else begin(point, isEraser(event), event.pointerId, event.shiftKey);
  moveCursor(point);
}

// A stroke may begin outside the picture: the pointer comes in pressed, from somewhere that is no control.
function onEnter(event) {
  if (stroke || tool === "select" || !props.image || event.pointerType === "touch" || !(event.buttons & 1) || !elsewhere.pressed) return;
  if (elsewhere.target.closest("button, input, select, textarea, a, label, [tabindex], [draggable=true]")) return;
  getSelection().removeAllRanges();
  capture(event);
  const point = pointOf(elsewhere.point || event);
  if (tool === "lasso") beginLasso(point, howOf(event), event.pointerId);
  else begin(point, isEraser(event), event.pointerId);
  extend(pointOf(event));
}

function onMove(event) {
  if (view.move(event)) return;
  moveCursor(pointOf(event));
  if (!stroke || stroke.pointer !== event.pointerId) return;
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of all.length ? all : [event]) extend(pointOf(each));
}

function onUp(event) {
  if (view.up(event)) return (touched = null);
  if (touched && touched.pointer === event.pointerId) {
    const { point, how } = touched;
    touched = null;
    if (event.type === "pointerup") press(point, how);
  }
  if (!stroke || stroke.pointer !== event.pointerId) return;
  end();
  if (event.pointerType === "touch") moveCursor(null);
}

function onLeave() {
  if (!stroke) moveCursor(null);
}

// Listens on the whole page, and leaves it when the canvas does.
function watchElsewhere(event) {
  if (!element.isConnected) {
    for (const name of ["pointerdown", "pointermove", "pointerup", "keydown"]) document.removeEventListener(name, watchElsewhere, true);
    return;
  }
  if (element.contains(event.target)) {
    if (event.type === "pointerup") elsewhere.pressed = false;
    return;
  }
  if (event.type === "pointermove") elsewhere.point = event;
  else if (event.type === "pointerup") elsewhere.pressed = false;
  else elsewhere = { time: performance.now(), target: event.target, pressed: event.type === "pointerdown", point: event.type === "pointerdown" ? event : null };
}

// ---- Keys and tools

// The slider sets the brush's diameter, or the size of the last selected region.
function sayTool() {
  const selecting = tool === "select";
  const [least, most, value] = selecting ? [0, LAST_LEVEL, region ? region.size : 0] : [1, mostBrush(), brush];
  slider.min = least;
  slider.max = most;
  slider.value = value;
  slider.disabled = tool === "lasso" || (selecting && !region);
  const words = selecting ? "Size of the selected region" : "Brush size";
  slider.setAttribute("aria-label", words);
  slider.parentElement.title = `${words} ([ and ])`;
  slider.style.setProperty("--filled", `${(100 * (value - least)) / (most - least)}%`);
  find(".hows").hidden = !selecting && tool !== "lasso";
  buttons.grid.hidden = !props.grid;
}

function setBrush(size) {
  brush = Math.min(mostBrush(), Math.max(1, Number(size)));
  sayTool();
  drawRings();
}

function setSize(value) {
  if (tool !== "select") setBrush(value);
  else if (region) resizeRegion(Number(value));
}

function growBy(direction) {
  if (tool === "select") setSize(region ? region.size + direction * NOTCH : 0);
  else setBrush(brush + direction * Math.max(1, Math.round(brush * 0.15)));
}

function onWheel(event) {
  if (tool !== "select" || !region || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  resizeRegion(region.size - Math.sign(event.deltaY) * NOTCH);
}

function setTool(name) {
  if (stroke) return;
  settle();
  tool = name;
  overlay.classList.toggle("erasing", name === "eraser");
  stage.classList.toggle("pointing", name === "lasso");
  markTool(name);
  sayTool();
  drawRings();
}

function showGrid(on) {
  seesGrid = on && Boolean(props.grid);
  buttons.grid.setAttribute("aria-pressed", seesGrid);
  draw();
}

function onKey(event) {
  const command = (event.ctrlKey || event.metaKey) && !event.altKey; // AltGr, which types brackets, is both
  const key = event.key.toLowerCase();
  const act = command
    ? { z: () => (event.shiftKey ? step(redos, undos) : step(undos, redos)), y: () => step(redos, undos) }[key]
    : {
      "[": () => growBy(-1), "]": () => growBy(1), b: () => setTool("brush"), e: () => setTool(tool === "eraser" ? "brush" : "eraser"),
      s: () => setTool("select"), l: () => setTool("lasso"), f: () => change((bits) => fillHoles(bits, mask.width, mask.height)), i: invert,
      g: props.grid && (() => showGrid(!seesGrid)), escape: stroke && cancel,
    }[event.altKey ? "" : key] || view.key(event, cursor || [mask.width / 2, mask.height / 2]);
  const done = act || (event.target === stage && props.image && brushByKeys(event));
  if (!done) return;
  event.preventDefault();
  event.stopPropagation();
  if (act) act();
}

// Arrow keys move the brush, Space paints or presses where it is: true if the key was one of these.
function brushByKeys(event) {
  const move = arrow(event);
  if (!move && event.key !== " ") return false;
  const [x, y] = cursor || [mask.width / 2, mask.height / 2];
  const far = event.shiftKey ? 8 : 1;
  const [dx, dy] = move || [0, 0];
  moveCursor([Math.min(mask.width, Math.max(0, x + far * dx)), Math.min(mask.height, Math.max(0, y + far * dy))]);
  if (move) view.reveal(cursor);
  else if (!event.repeat) view.holdSpace();
  return true;
}

// Space acts at the brush, unless it has moved the picture.
function onKeyUp(event) {
  if (event.key !== " " || event.target !== stage) return;
  if (!view.releaseSpace() || stroke || !props.image || !cursor) return;
  if (tool === "select") press(cursor, howOf(event));
  else if (tool !== "lasso") {
    begin(cursor, tool === "eraser", null, event.shiftKey);
    end();
  }
}

// ---- Start

addIcons();
const toolGroup = find(".choice");
const markTool = choice(toolGroup, TOOLS.map(([key, hint]) => [key, "", hint]), "brush", setTool);
for (const button of toolGroup.children) button.append(icon(button.dataset.key));
choice(find(".hows"), HOWS, "new", (key) => (how = key));
for (const [name, act] of Object.entries({ undo: () => step(undos, redos), redo: () => step(redos, undos), clear, invert, fill: () => change((bits) => fillHoles(bits, mask.width, mask.height)), grid: () => showGrid(!seesGrid) })) {
  buttons[name].addEventListener("click", act);
}
slider.addEventListener("input", () => setSize(slider.value));
stage.addEventListener("wheel", onWheel, { passive: false });
stage.addEventListener("keyup", onKeyUp);
stage.addEventListener("blur", () => view.releaseSpace());
for (const [name, act] of Object.entries({
  pointerdown: onDown, pointerenter: onEnter, pointermove: onMove, pointerup: onUp, pointercancel: onUp, lostpointercapture: onUp, pointerleave: onLeave,
})) stage.addEventListener(name, act);
element.addEventListener("keydown", onKey);
for (const name of ["pointerdown", "pointermove", "pointerup", "keydown"]) document.addEventListener(name, watchElsewhere, true);
follow({ reach: showReach, grid: refresh, value: load, width: load, height: load, image: showImage, tint: showImage, empty: showImage, label: showImage });
resize();
showImage();
load();
