// Retouch a picture: paint on it, bend it, or open it from another program.
//
// All positions are in pixels of `side`, the picture's own, at most MOST.  The layer is an array of the new colours and
// their opacity; an array is never changed in place, because a step of undo may hold it.

const MOST = 512;
const STEPS = 30; // of undo
const GRID = 65; // points on a side; a bend is interpolated between them
const [STIFF, PINS, FADING, SHARP] = [1e-3, 8, 0.4, 4]; // as in retouch.py and retouches.py
const MANY = 12; // with more points, they are small, and visible only while in use
const HOLD = 12; // pixels on the screen: the radius in which a press takes a point
const TWICE_MS = 350;
const LONGEST = 40000; // characters of strokes; longer ones are stored only as the painted layer
const SWATCHES = ["#dc1e1e", "#f28c28", "#f7d038", "#2e9e4f", "#2f6fde", "#8d4bd6", "#f4a7b9", "#8a5a2b", "#ffffff", "#14162b"];
const TOOLS = {
  paint: [["brush", "Brush (B)"], ["eraser", "Eraser: back to the picture (E)"], ["pick", "Take a colour from the picture (P)"]],
  bend: [],
  file: [["brush", "Add to the change (B)"], ["eraser", "Remove from the change (E)"]],
};
const HINTS = {
  bend: "Drag a point. Press to pin a point. Press a point twice to remove it.",
  file: "Save the picture, retouch it in any program, drop it here",
};
const KEYS = {
  paint: "Keys: brackets change the brush size, B brush, E eraser, P takes a colour, arrow keys move the brush, Space paints, Control Z undoes.",
  bend: "Keys: arrow keys move the cursor, Space takes hold of a point or lets it go, Delete removes it, Control Z undoes.",
  file: "Keys: brackets change the brush size, B adds to the change, E removes from it, Control Z undoes.",
};

const stage = find(".stage");
const sayChoose = askForPicture(stage);
const settleSize = enlargeable(stage);
const overlay = find(".outline", stage);
const rings = overlay.querySelectorAll(".ring");
const pins = find(".pins", overlay);
const canvas = find(".layer", stage);
const context = canvas.getContext("2d", { willReadFrequently: true });
const hint = find(".hint", stage);
const spoken = find("[aria-live]");
const sizes = find(".size input");
const softs = find(".soft input");
const reaches = find(".reach input");
const opener = find(".files input");
const buttons = Object.fromEntries([...element.querySelectorAll("[data-do]")].map((b) => [b.dataset.do, b]));

let side = 256;
let original = null; // ImageData of the picture
let brought = null; // ImageData of the last file opened for this picture
let made = nothing(); // the retouch: {layer, strokes, points, reach}
let undos = [];
let redos = [];
let stroke = null; // the stroke or the drag in progress
let tool = "brush";
let colour = SWATCHES[0];
let cursor = null; // the position of the brush, in pixels of `side`
let held = -1; // the point that the keys move
let holding = null; // the state when it was taken: {snapshot, moved, fresh}
let pressed = { time: 0, at: null };
let told = ""; // the last value sent to Python, as JSON
let frame = 0;
let loads = 0;
let markTool = () => {};

function nothing() {
  return { layer: null, strokes: [], points: [], reach: Number(find(".reach input").value) / 100 };
}

function empty({ layer, points }) {
  return !layer && !points.length;
}

// ---- Painting

// A straight piece of a stroke: its cover of each pixel, merged by the maximum.
function cover(covered, [ax, ay], [bx, by], radius, soft) {
  const inner = Math.max(0, radius * (1 - soft) - 0.5);
  const outer = Math.max(radius, inner) + 0.5;
  const box = boxAround([[ax, ay], [bx, by]], outer);
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy || 1;
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
      const far = Math.hypot(px - along * dx, py - along * dy);
      if (far >= outer) continue;
      const rest = far <= inner ? 1 : (outer - far) / (outer - inner);
      const value = rest * rest * (3 - 2 * rest);
      const i = y * side + x;
      if (value > covered[i]) covered[i] = value;
    }
  }
  return box;
}

function boxAround(points, reach) {
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const within = (n) => Math.min(side, Math.max(0, n));
  return {
    left: within(Math.floor(Math.min(...xs) - reach)), right: within(Math.ceil(Math.max(...xs) + reach)),
    top: within(Math.floor(Math.min(...ys) - reach)), bottom: within(Math.ceil(Math.max(...ys) + reach)),
  };
}

// Lay a stroke over the previous layer.
function lay({ covered, before, layer, ink, erase, source }, box) {
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const i = y * side + x;
      const [at, much] = [4 * i, covered[i]];
      if (!much) continue;
      const under = before ? before[at + 3] / 255 : 0;
      const seen = erase ? under * (1 - much) : much + under * (1 - much);
      for (let c = 0; c < 3; c++) {
        const old = before ? before[at + c] : 0;
        const fresh = source ? source[at + c] : ink[c];
        layer[at + c] = erase || !seen ? old : (much * fresh + under * (1 - much) * old) / seen;
      }
      layer[at + 3] = Math.round(255 * seen);
    }
  }
}

function inkOf(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function beginStroke(point, erase, pointer = null) {
  const file = props.kind === "file";
  if (file && !made.layer) return; // no file was opened yet, as the hint says
  if (file && !brought && !erase) return say("Open the file again to add to the change; the eraser removes from it.");
  const before = made.layer;
  const soft = file ? 0 : Number(softs.value) / 100;
  const layer = before ? before.slice() : new Uint8ClampedArray(4 * side * side);
  const source = file && !erase ? brought.data : null;
  stroke = { pointer, points: [point], radius: radius(), soft, erase, before, layer, source, ink: inkOf(colour), covered: new Float32Array(side * side), snapshot: made };
  made = { ...made, layer };
  extendStroke(point);
}

function extendStroke(point) {
  const last = stroke.points[stroke.points.length - 1];
  stroke.points.push(point);
  const box = cover(stroke.covered, last, point, stroke.radius, stroke.soft);
  lay(stroke, box);
  show(box);
}

function endStroke() {
  const { points, radius: size, soft, erase, snapshot } = stroke;
  const share = (n) => Math.round((1000 * n) / side) / 1000;
  const kept = points.slice(1).filter((_, i, all) => i % Math.ceil(all.length / 60) === 0 || i === all.length - 1);
  const done = { size: share(2 * size), soft, points: kept.map((point) => point.map(share)), ...(erase ? {} : { colour }) };
  stroke = null;
  made = { ...made, strokes: props.kind === "paint" ? [...made.strokes, done] : [] };
  if (JSON.stringify(made.strokes).length > LONGEST || made.strokes.length > 300) made.strokes = [];
  if (!visible(made.layer)) made = { ...nothing(), reach: made.reach };
  remember(snapshot);
  commit();
}

function visible(layer) {
  for (let i = 3; layer && i < layer.length; i += 4) if (layer[i]) return true;
  return false;
}

// ---- Bending: as `displacement`, `pinned` and `reached` in retouch.py

function displacement(all, x, y) {
  const n = all.length;
  let [total, cx, cy, gx, gy] = [0, 0, 0, 0, 0];
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x - all[i][2], y - all[i][3]];
    const near = 1 / (dx * dx + dy * dy + STIFF * side);
    total += weights[i] = near * near;
  }
  for (let i = 0; i < n; i++) {
    const w = (weights[i] /= total);
    cx += w * all[i][2];
    cy += w * all[i][3];
    gx += w * all[i][0];
    gy += w * all[i][1];
  }
  let [a, b, d, p, q, r, s] = [0.5, 0, 0.5, 0.5, 0, 0, 0.5];
  for (let i = 0; i < n; i++) {
    const [w, ax, ay, hx, hy] = [weights[i], all[i][2] - cx, all[i][3] - cy, all[i][0] - gx, all[i][1] - gy];
    a += w * ax * ax;
    b += w * ax * ay;
    d += w * ay * ay;
    p += w * ax * hx;
    q += w * ax * hy;
    r += w * ay * hx;
    s += w * ay * hy;
  }
  const det = a * d - b * b;
  const [u, v] = [x - cx, y - cy];
  const [m, k] = [(u * d - v * b) / det, (v * a - u * b) / det]; // (u, v) times the inverse of the spread
  return [m * p + k * r + gx - x, m * q + k * s + gy - y];
}

// The points, and pins on a circle around each moving point; in shares of the side.
function pinned(points, reach) {
  const moving = points.filter(moves);
  const pins = [];
  for (const [x, y, toX, toY] of moving) {
    for (const [ex, ey] of [[x, y], [toX, toY]]) {
      for (let i = 0; i < PINS; i++) {
        const turn = (2 * Math.PI * i) / PINS;
        const pin = [ex + reach * Math.cos(turn), ey + reach * Math.sin(turn)];
        if (away(moving, ...pin) > 0.95 * reach) pins.push([...pin, ...pin]);
      }
    }
  }
  return [...points, ...pins].slice(0, 256);
}

function moves([x, y, toX, toY]) {
  return x !== toX || y !== toY;
}

// The distance of a place from the nearest path of a point.
function away(moving, x, y) {
  let nearest = Infinity;
  for (const [sx, sy, ex, ey] of moving) {
    const [dx, dy] = [ex - sx, ey - sy];
    const along = Math.min(1, Math.max(0, ((x - sx) * dx + (y - sy) * dy) / (dx * dx + dy * dy)));
    nearest = Math.min(nearest, Math.hypot(x - sx - along * dx, y - sy - along * dy));
  }
  return nearest;
}

function reached(moving, reach, x, y) {
  const rest = Math.min(1, Math.max(0, (1 - away(moving, x, y) / reach) / FADING));
  return rest * rest * (3 - 2 * rest);
}

function bentLayer({ points, reach }) {
  const moving = points.filter(moves);
  if (!original || !moving.length) return null;
  const layer = new Uint8ClampedArray(4 * side * side);
  const inPixels = pinned(points, reach).map((move) => move.map((n) => n * side - 0.5));
  const cell = (side - 1) / (GRID - 1);
  const shifts = new Float32Array(2 * GRID * GRID);
  const box = boxAround(moving.flatMap((m) => [[m[0] * side, m[1] * side], [m[2] * side, m[3] * side]]), reach * side + 2);
  const [first, last] = [(n) => Math.max(0, Math.floor(n / cell)), (n) => Math.min(GRID - 1, Math.ceil(n / cell))];
  for (let row = first(box.top); row <= last(box.bottom); row++) {
    for (let column = first(box.left); column <= last(box.right); column++) {
      shifts.set(displacement(inPixels, column * cell, row * cell), 2 * (row * GRID + column));
    }
  }
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const seen = reached(moving, reach, (x + 0.5) / side, (y + 0.5) / side);
      if (seen <= 0) continue;
      const [column, row] = [Math.min(GRID - 2, Math.floor(x / cell)), Math.min(GRID - 2, Math.floor(y / cell))];
      const [fx, fy] = [x / cell - column, y / cell - row];
      const at = 2 * (row * GRID + column);
      const between = (c) => {
        const upper = shifts[at + c] * (1 - fx) + shifts[at + 2 + c] * fx;
        const lower = shifts[at + 2 * GRID + c] * (1 - fx) + shifts[at + 2 * GRID + 2 + c] * fx;
        return seen * (upper * (1 - fy) + lower * fy);
      };
      copyFrom(x + between(0), y + between(1), layer, 4 * (y * side + x));
      layer[4 * (y * side + x) + 3] = Math.round(255 * Math.min(1, SHARP * seen));
    }
  }
  return layer;
}

// The colour of the picture at a position, interpolated; edges are repeated.
function copyFrom(x, y, layer, to) {
  [x, y] = [Math.min(side - 1, Math.max(0, x)), Math.min(side - 1, Math.max(0, y))];
  const [left, top] = [Math.min(side - 2, Math.floor(x)), Math.min(side - 2, Math.floor(y))];
  const [fx, fy, at, { data }] = [x - left, y - top, 4 * (top * side + left), original];
  for (let c = 0; c < 3; c++) {
    const upper = data[at + c] * (1 - fx) + data[at + 4 + c] * fx;
    const lower = data[at + 4 * side + c] * (1 - fx) + data[at + 4 * side + 4 + c] * fx;
    layer[to + c] = upper * (1 - fy) + lower * fy;
  }
}

function bendAgain(changes) {
  made = { ...made, ...changes };
  made.layer = bentLayer(made);
  draw();
}

// The point under the pointer, or -1.
function pointAt([x, y]) {
  const reach = (HOLD * side) / (stage.getBoundingClientRect().width || side);
  const far = made.points.map((move) => Math.hypot(move[2] * side - x, move[3] * side - y));
  const nearest = far.indexOf(Math.min(...far));
  return nearest >= 0 && far[nearest] <= reach ? nearest : -1;
}

// A share of the side, rounded as it is sent, so that a point looks the same when it comes back.
function shareOf(point) {
  return point.map((n) => Math.round((10000 * Math.min(side, Math.max(0, n))) / side) / 10000);
}

function beginDrag(point, pointer = null) {
  const at = pointAt(point);
  const share = shareOf(point);
  const points = at < 0 ? [...made.points, [...share, ...share]] : made.points;
  if (points.length > 64) return say("There are 64 points, which is the most; remove one first.");
  stroke = { pointer, index: at < 0 ? points.length - 1 : at, fresh: at < 0, start: point, moved: false, snapshot: made };
  bendAgain({ points });
}

function drag(point) {
  if (!stroke.moved && Math.hypot(point[0] - stroke.start[0], point[1] - stroke.start[1]) < 1.5) return;
  stroke.moved = true;
  const { index } = stroke;
  const to = shareOf(point);
  bendAgain({ points: made.points.map((move, i) => (i === index ? [move[0], move[1], ...to] : move)) });
}

function endDrag() {
  const { index, fresh, moved, snapshot, start } = stroke;
  stroke = null;
  const now = performance.now();
  const twice = !moved && !fresh && now - pressed.time < TWICE_MS && pressed.at === index;
  pressed = { time: now, at: index };
  if (twice) return removePoint(index);
  if (!moved && !fresh) return draw();
  remember(snapshot);
  commit();
}

function removePoint(index) {
  if (index < 0) return;
  remember(made);
  held = -1;
  bendAgain({ points: made.points.filter((_, i) => i !== index) });
  commit();
}

// ---- Drawing

function draw() {
  if (!frame) frame = requestAnimationFrame(drawNow);
}

function drawNow() {
  frame = 0;
  show();
  const file = props.kind === "file";
  const bits = file && made.layer && new Uint8Array(side * side).map((_, i) => (made.layer[4 * i + 3] > 127 ? 1 : 0));
  overlay.setAttribute("viewBox", `0 0 ${side} ${side}`);
  drawOutline(overlay, bits ? { width: side, height: side, bits } : null);
  drawPins();
  drawRings();
  const text = stroke || !original ? "" : props.kind === "bend" ? (empty(made) ? HINTS.bend : "") : file && !made.layer ? HINTS.file : "";
  hint.textContent = waiting() || text;
}

function waiting() {
  return props.kind === "file" && stage.classList.contains("waiting") ? "Looking for the change…" : "";
}

function show(box = { left: 0, top: 0, right: side, bottom: side }) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  if (!made.layer) return context.clearRect(0, 0, side, side);
  const image = new ImageData(made.layer, side, side);
  context.putImageData(image, 0, 0, box.left, box.top, box.right - box.left, box.bottom - box.top);
}

function drawPins() {
  const wide = stage.getBoundingClientRect().width || side;
  const unit = side / wide; // a pixel of the screen
  const dot = (x, y, r) => makeSvg("circle", { cx: x * side, cy: y * side, r: r * unit });
  const many = made.points.length > MANY; // from a program
  pins.classList.toggle("many", many);
  pins.replaceChildren(...(props.kind === "bend" ? made.points : []).flatMap(([x, y, tx, ty], i) => {
    const moved = x !== tx || y !== ty;
    const ends = { x1: x * side, y1: y * side, x2: tx * side, y2: ty * side };
    const at = makeSvg("g", { class: `${moved ? "to" : "pin"}${i === held || (stroke && i === stroke.index) ? " held" : ""}` }, dot(tx, ty, many ? 3 : 6));
    if (!moved) return [at];
    return [makeSvg("line", { class: "under", ...ends }), makeSvg("line", ends), makeSvg("g", { class: "from" }, dot(x, y, many ? 1.5 : 3)), at];
  }));
}

function drawRings() {
  const brushes = props.kind !== "bend" && (props.kind === "paint" || made.layer);
  for (const ring of rings) {
    ring.toggleAttribute("hidden", !cursor || !props.image || (!brushes && !keyboard()));
    if (!cursor) continue;
    ring.setAttribute("cx", cursor[0]);
    ring.setAttribute("cy", cursor[1]);
    ring.setAttribute("rx", brushes ? radius() : side / 40);
    ring.setAttribute("ry", brushes ? radius() : side / 40);
  }
}

function keyboard() {
  return stage.matches(":focus-visible");
}

function moveCursor(point) {
  cursor = point;
  if (!frame) drawRings();
}

function refresh() {
  buttons.undo.disabled = !undos.length;
  buttons.redo.disabled = !redos.length;
  buttons.clear.disabled = empty(made);
  stage.classList.toggle("found", Boolean(made.layer));
  find(".choice").hidden = !TOOLS[props.kind].length || (props.kind === "file" && !made.layer);
  find(".size").hidden = find(".choice").hidden;
  draw();
}

function say(words) {
  spoken.textContent = words;
  hint.textContent = words;
}

// ---- Values to Python

function value() {
  if (props.kind === "bend") return made.points.some(moves) ? { kind: "bend", points: made.points, reach: made.reach } : null;
  if (!made.layer) return null;
  return props.kind === "paint" ? { kind: "paint", layer: layerUrl(), strokes: made.strokes } : { kind: "file", layer: layerUrl() };
}

function layerUrl() {
  show();
  return canvas.toDataURL("image/png");
}

function commit() {
  refresh();
  const now = value();
  spoken.textContent = now ? "The picture is retouched" : "The picture is as it was";
  told = JSON.stringify(now);
  tell("input", now);
}

function remember(snapshot) {
  undos.push(snapshot);
  if (undos.length > STEPS) undos.shift();
  redos = [];
}

function step(from, to) {
  if (stroke || !from.length) return;
  to.push(made);
  made = from.pop();
  if (props.kind === "bend") setReach(100 * made.reach);
  held = -1;
  commit();
}

function clear() {
  if (stroke || empty(made)) return;
  remember(made);
  made = nothing();
  held = -1;
  commit();
}

function cancel() {
  made = stroke.snapshot;
  stroke = null;
  refresh();
}

// ---- Values from Python

// The value and the picture arrive together or one after the other; a value is shown only with its own picture.
async function load() {
  const turn = ++loads;
  const url = props.image || "";
  const shown = props.value;
  if (url && (!original || original.url !== url)) {
    const pixels = await readPicture(url);
    if (turn !== loads) return;
    side = pixels ? pixels.width : 256;
    original = pixels && Object.assign(pixels, { url });
    [brought, told] = [null, ""];
    [made, undos, redos, stroke, held] = [nothing(), [], [], null, -1];
    layOutBrush();
  } else if (!url) {
    original = null;
  }
  stage.classList.remove("waiting");
  const written = JSON.stringify(shown || null);
  if (told !== "" && written === told) return refresh();
  const mine = shown && shown.kind === props.kind ? shown : null;
  const layer = mine && mine.layer ? await readPixels(mine.layer, side, side) : null;
  if (turn !== loads) return;
  const before = made;
  stroke = null;
  held = -1;
  made = { ...nothing(), strokes: (mine && mine.strokes) || [], points: (mine && mine.points) || [], reach: (mine && mine.reach) || made.reach };
  made.layer = layer ? layer.data : bentLayer(made);
  if (props.kind === "bend") setReach(100 * made.reach);
  if (told !== written) [undos, redos] = [brought && !before.layer ? undos : [], []];
  told = written;
  refresh();
}

// A picture's pixels, at most MOST a side.
async function readPicture(url) {
  const whole = await readPixels(url);
  return whole && whole.width > MOST ? readPixels(url, MOST, MOST) : whole;
}

function showImage() {
  stage.classList.toggle("ready", Boolean(props.image));
  setPicture(find(".picture"), props.image);
  sayChoose();
  settleSize();
  stage.setAttribute("aria-label", `${props.label || ""}. ${props.image ? KEYS[props.kind] : props.empty}`);
  load();
}

function showKind() {
  const { kind } = props;
  for (const one of ["paint", "bend", "file"]) stage.classList.toggle(one, one === kind);
  const group = find(".choice");
  markTool = choice(group, TOOLS[kind].map(([key, label]) => [key, "", label]), "brush", setTool);
  for (const button of group.children) button.append(icon(button.dataset.key));
  find(".colours").hidden = find(".soft").hidden = kind !== "paint";
  find(".reach").hidden = kind !== "bend";
  find(".files").hidden = kind !== "file";
  [undos, redos, told, made] = [[], [], "", nothing()];
  setTool("brush");
  showImage();
}

function showDrawn() {
  find(".drawn").hidden = !props.drawn;
  setPicture(find(".drawn img"), props.drawn);
}

function showNote() {
  find(".note").textContent = props.note || "";
  find(".note").hidden = !props.note;
}

// ---- Files

function savePicture() {
  if (!original) return;
  const sheet = make("canvas");
  const whole = find(".picture", stage);
  sheet.width = sheet.height = whole.naturalWidth;
  sheet.getContext("2d").drawImage(whole, 0, 0);
  sheet.toBlob((blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: props.file_name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

// Read any picture that the browser can show, upright, and send it as PNG in its own size.
async function openFile(file) {
  if (!file || !original) return;
  const url = URL.createObjectURL(file);
  const [whole, small] = [await readPixels(url), await readPixels(url, side, side)];
  URL.revokeObjectURL(url);
  if (!whole) return say("This browser cannot read the file as a picture; save it as PNG.");
  if (Math.abs(whole.width / whole.height - 1) > 0.02) return say(`The picture is ${whole.width} x ${whole.height}; keep it square, as it was saved.`);
  const sheet = make("canvas");
  const natural = find(".picture", stage).naturalWidth;
  sheet.width = sheet.height = natural;
  const scaled = whole.width === natural ? whole : await readSmooth(file, natural);
  sheet.getContext("2d").putImageData(scaled, 0, 0);
  brought = small;
  remember(made);
  stage.classList.add("waiting");
  hint.textContent = waiting();
  told = "";
  tell("input", { kind: "file", picture: sheet.toDataURL("image/png") });
}

async function readSmooth(file, size) {
  const picture = await createImageBitmap(file, { resizeWidth: size, resizeHeight: size, resizeQuality: "high" });
  const sheet = make("canvas");
  sheet.width = sheet.height = size;
  const drawing = sheet.getContext("2d");
  drawing.drawImage(picture, 0, 0);
  return drawing.getImageData(0, 0, size, size);
}

// ---- Pointer

function pointOf(event) {
  const box = stage.getBoundingClientRect();
  if (!box.width || !box.height) return cursor || [0, 0]; // it was hidden under the pointer
  return [((event.clientX - box.left) * side) / box.width, ((event.clientY - box.top) * side) / box.height];
}

function capture(event) {
  try {
    stage.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is already up again; the stroke ends here.
  }
}

function onDown(event) {
  if (!original || stroke || (event.button !== 0 && event.button !== 5)) return;
  event.preventDefault();
  stage.focus({ preventScroll: true });
  const point = pointOf(event);
  if (props.kind === "paint" && (tool === "pick" || event.altKey)) return pickColour(point);
  capture(event);
  held = -1;
  if (props.kind === "bend") beginDrag(point, event.pointerId);
  else beginStroke(point, tool === "eraser" || (event.buttons & 32) !== 0, event.pointerId);
  moveCursor(point);
}

function onMove(event) {
  moveCursor(pointOf(event));
  if (!stroke || stroke.pointer !== event.pointerId) return;
  if (props.kind === "bend") return drag(pointOf(event));
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of all.length ? all : [event]) extendStroke(pointOf(each));
}

function onUp(event) {
  if (!stroke || stroke.pointer !== event.pointerId) return;
  if (props.kind === "bend") endDrag();
  else endStroke();
  if (event.pointerType === "touch") moveCursor(null);
}

function onLeave() {
  if (!stroke) moveCursor(null);
}

// ---- Keys and tools

function radius() {
  return (Number(sizes.value) * side) / 512; // the slider counts in pixels of a picture of 256
}

function setSize(size) {
  sizes.value = size;
  fillSlider(sizes);
  drawRings();
}

function growBrush(direction) {
  const size = Number(sizes.value);
  setSize(size + direction * Math.max(1, Math.round(size * 0.15)));
}

function setReach(percent) {
  reaches.value = percent;
  fillSlider(reaches);
}

function fillSlider(slider) {
  slider.style.setProperty("--filled", `${(100 * (slider.value - slider.min)) / (slider.max - slider.min)}%`);
}

function layOutBrush() {
  overlay.setAttribute("viewBox", `0 0 ${side} ${side}`);
}

function setTool(name) {
  tool = name;
  stage.classList.toggle("erasing", name === "eraser");
  stage.classList.toggle("picking", name === "pick");
  markTool(name);
}

function setColour(hex) {
  colour = hex;
  const known = SWATCHES.includes(hex);
  for (const one of find(".colours").children) {
    const on = one.dataset.colour ? one.dataset.colour === hex : !known;
    one.setAttribute("aria-checked", on);
    if (one.dataset.colour) one.tabIndex = on || (!known && one.dataset.colour === SWATCHES[0]) ? 0 : -1;
  }
  const own = find(".colours label");
  if (!known) own.style.setProperty("--own", hex);
  find("input", own).value = hex;
  if (tool !== "brush") setTool("brush");
}

function pickColour([x, y]) {
  const at = 4 * (Math.min(side - 1, Math.max(0, Math.floor(y))) * side + Math.min(side - 1, Math.max(0, Math.floor(x))));
  const seen = made.layer ? made.layer[at + 3] / 255 : 0;
  const mixed = [0, 1, 2].map((c) => Math.round((1 - seen) * original.data[at + c] + seen * (made.layer ? made.layer[at + c] : 0)));
  setColour(`#${mixed.map((n) => n.toString(16).padStart(2, "0")).join("")}`);
  spoken.textContent = `The brush paints in ${colour}`;
}

function makeColours() {
  const group = find(".colours");
  const swatch = (hex) => make("button", { type: "button", role: "radio", class: "swatch", "data-colour": hex, style: `--own: ${hex}`, title: hex, "aria-label": hex, onclick: () => setColour(hex) });
  const own = make("input", { type: "color", "aria-label": "Any other colour", oninput: (event) => setColour(event.target.value) });
  group.replaceChildren(...SWATCHES.map(swatch), make("label", { role: "radio", title: "Any other colour" }, own));
  group.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = SWATCHES.indexOf(event.target.dataset.colour);
    if (!by || at < 0) return;
    event.preventDefault();
    const next = SWATCHES[(at + by + SWATCHES.length) % SWATCHES.length];
    setColour(next);
    find(`[data-colour="${next}"]`, group).focus();
  });
  setColour(colour);
}

function onKey(event) {
  if (event.target.type === "color") return;
  const command = (event.ctrlKey || event.metaKey) && !event.altKey;
  const key = event.key.toLowerCase();
  const brushes = props.kind !== "bend";
  const act = command
    ? { z: () => (event.shiftKey ? step(redos, undos) : step(undos, redos)), y: () => step(redos, undos) }[key]
    : {
        "[": brushes && (() => growBrush(-1)), "]": brushes && (() => growBrush(1)), b: brushes && (() => setTool("brush")), e: brushes && (() => setTool("eraser")),
        p: props.kind === "paint" && (() => setTool("pick")), escape: (stroke && cancel) || (held >= 0 && (() => takeHold(-1))),
        delete: props.kind === "bend" && (() => removePoint(held >= 0 ? held : cursor ? pointAt(cursor) : -1)),
      }[key];
  const done = act || (event.target === stage && original && moveByKeys(event));
  if (!done) return;
  event.preventDefault();
  event.stopPropagation();
  if (act) act();
}

// Arrow keys move the brush or the held point; Space paints, or takes a point. Returns true for one of these keys.
function moveByKeys(event) {
  const move = arrow(event);
  if (!move && event.key !== " ") return false;
  if (stroke) return true;
  const far = (event.shiftKey ? 8 : 1) * (side / 256);
  const [x, y] = cursor || [side / 2, side / 2];
  const [dx, dy] = move || [0, 0];
  moveCursor([Math.min(side, Math.max(0, x + far * dx)), Math.min(side, Math.max(0, y + far * dy))]);
  if (props.kind === "bend") bendByKeys(Boolean(move));
  else if (!move && tool === "pick") pickColour(cursor);
  else if (!move) {
    beginStroke(cursor, tool === "eraser");
    if (stroke) endStroke();
  }
  return true;
}

function bendByKeys(moved) {
  if (!moved) return takeHold(held >= 0 ? -1 : pointAt(cursor), held < 0);
  if (held < 0) return;
  const to = shareOf(cursor);
  bendAgain({ points: made.points.map((move, i) => (i === held ? [move[0], move[1], ...to] : move)) });
  holding.moved = true;
}

// Take a point by its index, or a new one, with the keys; or release the held point, and keep its move.
function takeHold(index, fresh = false) {
  if (held >= 0 && (holding.moved || holding.fresh)) {
    remember(holding.snapshot);
    held = -1;
    return commit();
  }
  holding = { snapshot: made, moved: false, fresh: fresh && index < 0 };
  if (fresh && index < 0) {
    const share = shareOf(cursor);
    bendAgain({ points: [...made.points, [...share, ...share]] });
    index = made.points.length - 1;
  }
  held = index;
  if (held >= 0) cursor = [made.points[held][2] * side, made.points[held][3] * side];
  spoken.textContent = held >= 0 ? `Point ${held + 1} is held; arrow keys move it, Space lets it go` : "No point is held";
  draw();
}

// ---- Start

addIcons();
makeColours();
sizes.max = 100;
setSize(26);
for (const slider of [softs, reaches]) fillSlider(slider);
sizes.addEventListener("input", () => setSize(sizes.value));
softs.addEventListener("input", () => fillSlider(softs));
reaches.addEventListener("input", () => {
  fillSlider(reaches);
  bendAgain({ reach: reaches.value / 100 });
});
reaches.addEventListener("change", () => made.points.length && commit());
for (const [name, act] of Object.entries({ undo: () => step(undos, redos), redo: () => step(redos, undos), clear })) {
  buttons[name].addEventListener("click", act);
}
find(".save").addEventListener("click", savePicture);
find(".open").addEventListener("click", () => opener.click());
opener.addEventListener("change", () => {
  openFile(opener.files[0]);
  opener.value = "";
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  stage.addEventListener(name, (event) => {
    if (props.kind !== "file") return;
    event.preventDefault();
    stage.classList.toggle("over", over);
    if (name === "drop") openFile(event.dataTransfer.files[0]);
  });
}
for (const [name, act] of Object.entries({
  pointerdown: onDown, pointermove: onMove, pointerup: onUp, pointercancel: onUp, lostpointercapture: onUp, pointerleave: onLeave, blur: () => held >= 0 && takeHold(-1),
})) stage.addEventListener(name, act);
element.addEventListener("keydown", onKey);
new ResizeObserver(() => draw()).observe(stage);
follow({ value: load, image: showImage, empty: showImage, label: showImage, kind: showKind, drawn: showDrawn, note: showNote });
showDrawn();
showNote();
showKind();
