// Paint a mask on a picture. The mask itself is one byte per model pixel; what is seen is its outline, drawn as SVG.

const STEPS = 30; // of undo
const UNSEEN_MS = 5000; // a stroke younger than this may have crossed Python's answer on its way

const stage = find(".stage");
const sayChoose = askForPicture(stage);
const settleSize = enlargeable(stage);
const overlay = find(".outline", stage);
const rings = overlay.querySelectorAll(".ring");
const slider = find(".size input");
const spoken = find("[aria-live]");
const buttons = Object.fromEntries([...element.querySelectorAll("[data-do]")].map((b) => [b.dataset.do, b]));

let mask = emptyMask();
let undos = []; // earlier masks, packed
let redos = [];
let stroke = null; // the stroke in progress
let strokes = []; // recent strokes, to be put on top of a mask that Python made without knowing them
let erasing = false;
let cursor = null; // where the brush is, in model pixels
let frame = 0;
let loads = 0;
let elsewhere = { time: 0, target: null, pressed: false, point: null }; // the last thing done outside this canvas

function emptyMask() {
  const { width, height } = props;
  return { width, height, bits: new Uint8Array(width * height) };
}

// ---- The mask

// A straight piece of a stroke: every pixel whose centre is within the brush of the segment from a to b.
function paint(bits, { width, height }, [ax, ay], [bx, by], radius, on) {
  const reach = Math.max(radius, 0.5); // the thinnest brush still paints the pixel under it
  const x0 = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
  const x1 = Math.min(width - 1, Math.ceil(Math.max(ax, bx) + reach));
  const y0 = Math.max(0, Math.floor(Math.min(ay, by) - reach));
  const y1 = Math.min(height - 1, Math.ceil(Math.max(ay, by) + reach));
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy || 1;
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
      const [ex, ey] = [px - along * dx, py - along * dy];
      if (ex * ex + ey * ey <= reach * reach) bits[y * width + x] = on;
    }
  }
}

function paintStroke(bits, { points, radius, erase }) {
  points.forEach((point, i) => paint(bits, mask, points[Math.max(0, i - 1)], point, radius, erase ? 0 : 1));
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
  drawOutline(overlay, mask);
  drawRings();
}

function drawRings() {
  for (const ring of rings) {
    ring.toggleAttribute("hidden", !cursor || !props.image);
    if (!cursor) continue;
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
  draw();
}

// ---- Telling Python

function commit() {
  const selected = mask.bits.reduce((sum, bit) => sum + bit, 0);
  spoken.textContent = `${Math.round((100 * selected) / mask.bits.length)} % of the picture selected`;
  refresh();
  tell("input", toUrl());
}

// ---- Strokes

function radius() {
  return Number(slider.value) / 2;
}

function begin(point, erase, pointer = null) {
  stroke = { points: [point], radius: radius(), erase, time: performance.now(), before: pack(mask.bits), pointer };
  paintStroke(mask.bits, stroke);
  draw();
}

function extend(point) {
  const last = stroke.points[stroke.points.length - 1];
  stroke.points.push(point);
  paint(mask.bits, mask, last, point, stroke.radius, stroke.erase ? 0 : 1);
  draw();
}

function end() {
  if (!stroke) return;
  const done = stroke;
  stroke = null;
  remember(done.before);
  strokes = [...strokes.filter((s) => done.time - s.time < UNSEEN_MS), done];
  commit();
}

function cancel() {
  if (!stroke) return;
  mask.bits = unpack(stroke.before);
  stroke = null;
  refresh();
}

function step(from, to) {
  if (stroke || !from.length) return;
  to.push(pack(mask.bits));
  mask.bits = unpack(from.pop());
  strokes = [];
  commit();
}

function clear() {
  if (stroke || !mask.bits.includes(1)) return;
  remember(pack(mask.bits));
  mask.bits.fill(0);
  strokes = [];
  commit();
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
  slider.max = Math.max(2, Math.round(props.width * 0.4));
  overlay.setAttribute("viewBox", `0 0 ${props.width} ${props.height}`);
}

function showImage() {
  stage.classList.toggle("ready", Boolean(props.image));
  setPicture(find(".picture"), props.image);
  sayChoose();
  settleSize();
  const keys = "Keys: brackets change the brush size, E switches the eraser, Control Z undoes, arrow keys move the brush, Space paints.";
  stage.setAttribute("aria-label", `${props.label || ""}. ${props.image ? keys : props.empty}`);
  if (props.tint) element.style.setProperty("--tint", props.tint);
  else element.style.removeProperty("--tint");
}

// ---- Pointer

function pointOf(event) {
  const box = stage.getBoundingClientRect();
  if (!box.width || !box.height) return cursor || [0, 0]; // it was hidden under the pointer
  return [((event.clientX - box.left) * mask.width) / box.width, ((event.clientY - box.top) * mask.height) / box.height];
}

function isEraser(event) {
  return erasing || (event.buttons & 32) !== 0; // 32: the rubber end of a pen
}

function capture(event) {
  try {
    stage.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is already up again; the stroke ends with what it has.
  }
}

function onDown(event) {
  if (!props.image || stroke || (event.button !== 0 && event.button !== 5)) return;
  event.preventDefault();
  stage.focus({ preventScroll: true });
  capture(event);
  begin(pointOf(event), isEraser(event), event.pointerId);
  moveCursor(pointOf(event));
}

// A stroke may begin outside the picture: the pointer comes in pressed, from somewhere that is no control.
function onEnter(event) {
  if (stroke || !props.image || event.pointerType === "touch" || !(event.buttons & 1) || !elsewhere.pressed) return;
  if (elsewhere.target.closest("button, input, select, textarea, a, label, [tabindex], [draggable=true]")) return;
  getSelection().removeAllRanges();
  capture(event);
  begin(elsewhere.point ? pointOf(elsewhere.point) : pointOf(event), isEraser(event), event.pointerId);
  extend(pointOf(event));
}

function onMove(event) {
  moveCursor(pointOf(event));
  if (!stroke || stroke.pointer !== event.pointerId) return;
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of all.length ? all : [event]) extend(pointOf(each));
}

function onUp(event) {
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

function setBrush(size) {
  slider.value = size;
  slider.style.setProperty("--filled", `${(100 * (slider.value - 1)) / (slider.max - 1)}%`);
  drawRings();
}

function growBrush(direction) {
  const size = Number(slider.value);
  setBrush(size + direction * Math.max(1, Math.round(size * 0.15)));
}

function setErasing(on) {
  erasing = on;
  overlay.classList.toggle("erasing", on);
  markTool(on ? "eraser" : "brush");
}

function onKey(event) {
  const command = (event.ctrlKey || event.metaKey) && !event.altKey; // AltGr, which types brackets, is both
  const key = event.key.toLowerCase();
  const act = command
    ? { z: () => (event.shiftKey ? step(redos, undos) : step(undos, redos)), y: () => step(redos, undos) }[key]
    : { "[": () => growBrush(-1), "]": () => growBrush(1), e: () => setErasing(!erasing), escape: stroke && cancel }[key];
  const done = act || (event.target === stage && props.image && brushByKeys(event));
  if (!done) return;
  event.preventDefault();
  event.stopPropagation();
  if (act) act();
}

// Arrow keys move the brush, Space paints where it is: true if the key was one of these.
function brushByKeys(event) {
  const move = arrow(event);
  if (!move && event.key !== " ") return false;
  const [x, y] = cursor || [mask.width / 2, mask.height / 2];
  const far = event.shiftKey ? 8 : 1;
  const [dx, dy] = move || [0, 0];
  moveCursor([Math.min(mask.width, Math.max(0, x + far * dx)), Math.min(mask.height, Math.max(0, y + far * dy))]);
  if (!move && !stroke) {
    begin(cursor, erasing);
    end();
  }
  return true;
}

// ---- Start

addIcons();
const toolGroup = find(".choice");
const markTool = choice(toolGroup, [["brush", "", "Brush"], ["eraser", "", "Eraser (E)"]], "brush", (key) => setErasing(key === "eraser"));
for (const button of toolGroup.children) button.append(icon(button.dataset.key));
for (const [name, act] of Object.entries({ undo: () => step(undos, redos), redo: () => step(redos, undos), clear })) {
  buttons[name].addEventListener("click", act);
}
slider.addEventListener("input", () => setBrush(slider.value));
for (const [name, act] of Object.entries({
  pointerdown: onDown, pointerenter: onEnter, pointermove: onMove, pointerup: onUp, pointercancel: onUp, lostpointercapture: onUp, pointerleave: onLeave,
})) stage.addEventListener(name, act);
element.addEventListener("keydown", onKey);
for (const name of ["pointerdown", "pointermove", "pointerup", "keydown"]) document.addEventListener(name, watchElsewhere, true);
follow({ value: load, width: load, height: load, image: showImage, tint: showImage, empty: showImage, label: showImage });
resize();
showImage();
load();
