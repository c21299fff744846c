// Shared by all components: this file runs before each component's own script, in the same scope.
// gradio hands in: element, props (what Python shows, and the value), trigger(event) and watch(props, callback).
// Text comes from people, so it becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const ICONS = {
  brush: ["M9.5 14.5 19 5a2.1 2.1 0 0 0-3-3L6.5 11.5", "M7 13c-2.2 0-3.5 1.6-3.5 3.6 0 2-1 2.9-2 3.4 2 1.6 8 1.8 8-3.4C9.5 14.4 8.5 13 7 13Z"],
  eraser: ["m7 21-4.3-4.3a2 2 0 0 1 0-2.8l9.6-9.6a2 2 0 0 1 2.8 0l5.6 5.6a2 2 0 0 1 0 2.8L13 21", "M21 21H7", "m6 11 8 8"],
  select: ["M14.5 9.5 4 20", "M15 3v3", "M15 12v3", "M9.5 6.5 8 5", "M20.5 5 19 6.5", "M19 11.5l1.5 1.5", "M21.5 9h-3"],
  lasso: ["M8 15.5c-3-.8-5-2.8-5-5.3C3 6.5 7 4 12 4s9 2.5 9 6.2-4 6.3-9 6.3", "M9.5 20.5c-1.8 0-3-1.2-3-2.5s1.2-2.5 2.7-2.5 2.8 1 2.8 2.3c0 2-1.5 3.2-3.5 3.7"],
  fill: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z", "M12 8v8", "M8 12h8"],
  invert: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z", "M12 3v18", "M16 5v14", "M19.5 8v8"],
  mirror: ["M12 3v18", "M8.5 7v10H3Z", "M15.5 7v10H21Z"],
  grid: ["M3 3h18v18H3Z", "M3 9h18", "M3 15h18", "M9 3v18", "M15 3v18"],
  pick: ["M14 3.5 20.5 10 18 12.5 11.5 6Z", "M13 8 4 17v3h3l9-9"],
  undo: ["M9 14 4 9l5-5", "M4 9h10a6 6 0 0 1 0 12h-3"],
  redo: ["m15 14 5-5-5-5", "M20 9H10a6 6 0 0 0 0 12h3"],
  clear: ["M3 6h18", "M8 6V4h8v2", "m6 6 1 15h10l1-15", "M10 11v6", "M14 11v6"],
  pencil: ["M17 3a2.8 2.8 0 0 1 4 4L8 20l-5 1 1-5Z", "m14.5 5.5 4 4"],
  copy: ["M9 9h11v12H9Z", "M5 15H4V3h11v2"],
  up: ["m6 14 6-6 6 6"],
  down: ["m6 10 6 6 6-6"],
  left: ["m14 6-6 6 6 6"],
  right: ["m10 6 6 6-6 6"],
  expand: ["M14 4h6v6", "M10 20H4v-6", "M20 4l-6.5 6.5", "M4 20l6.5-6.5"],
  cross: ["M6 6l12 12", "M18 6 6 18"],
  plus: ["M12 5v14", "M5 12h14"],
  pictures: ["M3 3h8v8H3Z", "M13 3h8v8h-8Z", "M3 13h8v8H3Z", "M13 13h8v8h-8Z"],
  camera: ["M3 8h4l2-3h6l2 3h4v11H3Z", "M12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z"],
  halves: ["m9 8-4 4 4 4", "m15 8 4 4-4 4"],
};

function find(selector, root = element) {
  return root.querySelector(selector);
}

// make("button", {class: "tool", onclick: f, text: name}, child, ...)
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

function makeSvg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function icon(name) {
  const strokes = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" };
  const paths = ICONS[name].map((d) => makeSvg("path", { d }));
  return makeSvg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", ...strokes }, ...paths);
}

function addIcons(root = element) {
  for (const node of root.querySelectorAll("[data-icon]")) node.prepend(icon(node.dataset.icon));
}

// Follow what Python changes: {prop: handler, ...}. One handler named twice runs once per update.
function follow(handlers) {
  const byHandler = new Map();
  for (const [prop, handler] of Object.entries(handlers)) byHandler.set(handler, [...(byHandler.get(handler) || []), prop]);
  for (const [handler, names] of byHandler) watch(names, handler);
}

// The name of a picture: its number, or a name like "own-1" for a visitor's own picture.
function isOwn(seed) {
  return typeof seed === "string" && seed.startsWith("own-");
}

function nameOf(seed) {
  return isOwn(seed) ? `Your picture ${seed.slice(4)}` : `Picture ${seed}`;
}

function shortName(seed) {
  return isOwn(seed) ? `Yours ${seed.slice(4)}` : seed;
}

function seedOf(text) {
  return isOwn(text) ? text : Number(text);
}

// A person's action: send the value with the event.
function tell(event, value) {
  props.value = value;
  trigger(event);
}

// Items that a person has removed: hidden at once, and shown again if Python still lists them after a while, because an
// undo came before the answer.
function removals(show) {
  const gone = new Set();
  return {
    add(id) {
      gone.add(id);
      setTimeout(() => gone.delete(id) && show(), 1500);
    },
    left(items) {
      for (const id of gone) if (!items.some((shown) => shown.id === id)) gone.delete(id);
      return items.filter((shown) => !gone.has(shown.id));
    },
  };
}

// The button that asks for a picture: the whole canvas before it has one, then a corner.
function askForPicture(stage) {
  const button = make("button", { type: "button", class: "choose", onclick: () => trigger("choose") }, icon("pictures"), make("span"));
  for (const name of ["pointerdown", "pointerup", "keydown"]) button.addEventListener(name, (event) => event.stopPropagation());
  stage.append(button);
  return function say() {
    const words = props.image ? "Choose another picture" : props.empty;
    find("span", button).textContent = words;
    button.title = words;
    stage.tabIndex = props.image ? 0 : -1; // without a picture the button fills the canvas
    stage.setAttribute("role", props.image ? "application" : "group");
  };
}

// [x, y], one step in the direction of an arrow key; undefined for other keys.
function arrow(event) {
  return { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
}

// Enlarge a canvas to the window. The same canvas moves there and back, so nothing is lost.
function enlargeable(stage) {
  const easel = find(".easel");
  const button = find(".enlarge", easel);
  function say() {
    const words = easel.open ? "Done" : "Enlarge";
    button.replaceChildren(easel.open ? words : icon("expand"));
    button.title = easel.open ? "Back to the page (Escape)" : words;
    button.setAttribute("aria-label", words);
    easel.setAttribute("role", easel.open ? "dialog" : "group");
    easel.setAttribute("aria-label", props.label || "");
  }
  function open() {
    element.style.minHeight = `${element.offsetHeight}px`; // so that the page behind does not move
    easel.showModal();
    stage.focus({ preventScroll: true });
    say();
  }
  button.addEventListener("click", () => (easel.open ? easel.close() : open()));
  easel.addEventListener("pointerdown", ({ clientX: x, clientY: y }) => {
    const { left, top, right, bottom } = easel.getBoundingClientRect();
    if (easel.open && (x < left || x > right || y < top || y > bottom)) easel.close(); // beside it
  });
  easel.addEventListener("close", () => {
    element.style.minHeight = "";
    say();
    button.focus({ preventScroll: true });
  });
  say();
  return function settle() {
    button.hidden = !props.image;
    if (easel.open && !props.image) easel.close();
  };
}

// A row of buttons, one of which is on: arrow keys move, as in any radio group.
function choice(group, options, current, onPick) {
  const buttons = options.map(([key, label, hint]) =>
    make("button", { type: "button", role: "radio", "data-key": key, text: label, title: hint, "aria-label": hint, onclick: () => pick(key) }));
  function mark(key) {
    for (const button of buttons) {
      const on = button.dataset.key === key;
      button.setAttribute("aria-checked", on);
      button.tabIndex = on ? 0 : -1;
    }
  }
  function pick(key) {
    mark(key);
    onPick(key);
  }
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    pick(next.dataset.key);
  });
  group.replaceChildren(...buttons);
  mark(current);
  return mark;
}

// One tab stop for a whole grid or row of tiles; arrow keys go by position on the screen, Home and End to the ends.
function rove(container, selector) {
  const tiles = () => [...container.querySelectorAll(selector)];
  function rest(tile) {
    for (const other of tiles()) other.tabIndex = other === tile ? 0 : -1;
  }
  function columns(all) {
    const top = all[0].offsetTop;
    const wrap = all.findIndex((tile) => tile.offsetTop > top);
    return wrap < 0 ? all.length : wrap;
  }
  container.addEventListener("focusin", (event) => {
    const tile = event.target.closest(selector);
    if (tile) rest(tile);
  });
  container.addEventListener("keydown", (event) => {
    const all = tiles();
    const at = all.indexOf(event.target);
    if (at < 0) return;
    const to = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns(all), ArrowUp: at - columns(all), Home: 0, End: all.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = all[to];
    if (next) next.focus();
  });
  return function settle(preferred) {
    const all = tiles();
    if (!all.some((tile) => tile.tabIndex === 0) || preferred) rest(preferred || all[0]);
  };
}

// Set a picture without a flash of the wrong one; the empty string takes it away.
function setPicture(img, url) {
  if (img.dataset.url === url) return;
  img.dataset.url = url || "";
  if (url) img.src = url;
  else img.removeAttribute("src");
}

// Places breathe a little while they wait, unless motion is unwanted.
function breathe(node, waiting) {
  if (!waiting && node.breath) {
    node.breath.cancel();
    node.breath = null;
  } else if (waiting && !node.breath && !calm.matches) {
    node.breath = node.animate({ opacity: [1, 0.55, 1] }, { duration: 1600, iterations: Infinity, easing: "ease-in-out" });
  }
}

// Show a list on a sheet, or empty places for it. Existing places are refilled, so that neither focus nor scrolling
// jumps when the pictures change.
function refill(grid, list, makeOne, fillOne) {
  const room = list.length || props.count;
  while (grid.children.length > room) grid.lastChild.remove();
  while (grid.children.length < room) grid.append(makeOne());
  [...grid.children].forEach((one, i) => fillOne(one, list[i]));
  grid.setAttribute("aria-busy", Boolean(props.loading));
  grid.setAttribute("aria-label", props.label || "");
  sayNothing(list.length);
}

// A note over the places of a sheet that has no pictures and waits for none.
function sayNothing(count) {
  const idle = !count && !props.loading;
  find(".nothing").textContent = props.empty;
  find(".nothing").hidden = !idle;
  find(".room").classList.toggle("idle", idle);
}

// Draw the pixels of a picture URL at a size of w x h (its own if not given): ImageData, or null if it is no picture.
async function readPixels(url, w, h) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  const canvas = document.createElement("canvas");
  canvas.width = w || image.naturalWidth;
  canvas.height = h || image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// {width, height, bits}: by alpha if the picture is transparent anywhere, else by brightness, as in masks.py.
// A cut-out is read by its alpha even if it fills its box.
function maskOf(pixels, clear = false) {
  const { width, height, data } = pixels;
  for (let i = 3; i < data.length && !clear; i += 4) clear = data[i] < 255;
  const bits = new Uint8Array(width * height);
  for (let i = 0; i < bits.length; i++) bits[i] = (clear ? data[4 * i + 3] : data[4 * i]) > 127 ? 1 : 0;
  return { width, height, bits };
}

// Marching squares: directed pieces [from, to] of the outline in a cell, by which of its corners are inside
// (top left 1, top right 2, bottom right 4, bottom left 8); the inside is on the left. 0 top, 1 right, 2 bottom, 3 left.
const PIECES = [[], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 1], [2, 3]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], []];

// The pieces of the whole outline as a map from point to next point. Points lie on a grid of half pixels whose rows have
// `stride` points and whose first row and column are half a pixel outside the picture.
function outlinePieces({ width, height, bits }) {
  const stride = 2 * width + 3;
  const next = new Map();
  const middleOf = (x, y, side) =>
    [2 * y * stride + 2 * x + 1, (2 * y + 1) * stride + 2 * x + 2, (2 * y + 2) * stride + 2 * x + 1, (2 * y + 1) * stride + 2 * x][side];
  for (let y = 0; y <= height; y++) {
    let left = 0; // the corners on the left: 1 for the top one, 8 for the bottom one
    for (let x = 0; x <= width; x++) {
      const inside = x < width;
      const top = inside && y > 0 && bits[(y - 1) * width + x] ? 1 : 0;
      const bottom = inside && y < height && bits[y * width + x] ? 1 : 0;
      const cell = left | (top << 1) | (bottom << 2);
      for (const [from, to] of PIECES[cell]) next.set(middleOf(x, y, from), middleOf(x, y, to));
      left = top | (bottom << 3);
    }
  }
  return { next, stride };
}

// Each closed line of the outline as a list of [x, y] in pixels.
function outlineLoops(mask) {
  const { next, stride } = outlinePieces(mask);
  const loops = [];
  while (next.size) {
    const loop = [];
    let point = next.keys().next().value;
    while (next.has(point)) {
      loop.push([((point % stride) - 1) / 2, (Math.floor(point / stride) - 1) / 2]);
      const following = next.get(point);
      next.delete(point);
      point = following;
    }
    loops.push(loop);
  }
  return loops;
}

// Round off the staircase of pixels without moving the line by more than a fraction of one.
function soften(loop) {
  const n = loop.length;
  return loop.map((here, i) => {
    const before = loop[(i + n - 1) % n];
    const after = loop[(i + 1) % n];
    return [0, 1].map((axis) => (before[axis] + 2 * here[axis] + after[axis]) / 4);
  });
}

// The outline of a mask as the data of an SVG path in mask pixels.
function outlinePath(mask) {
  const scale = Math.ceil(Math.max(mask.width, mask.height) / 512); // finer is invisible, and slow under a moving brush
  const lines = outlineLoops(scale > 1 ? coarser(mask, scale) : mask).map((loop) => soften(soften(loop)));
  const write = ([x, y]) => `${+(x * scale).toFixed(2)} ${+(y * scale).toFixed(2)}`;
  return lines.map((line) => `M${line.map(write).join("L")}Z`).join("");
}

function coarser({ width, height, bits }, scale) {
  const small = { width: Math.ceil(width / scale), height: Math.ceil(height / scale) };
  small.bits = new Uint8Array(small.width * small.height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / scale) * small.width;
    for (let x = 0; x < width; x++) if (bits[y * width + x]) small.bits[row + Math.floor(x / scale)] = 1;
  }
  return small;
}

// An outline visible on light and dark: a tint inside, a white line within a dark one.
function outlineSvg() {
  const paths = ["fill", "dark", "light"].map((name) => makeSvg("path", { class: name }));
  return makeSvg("svg", { class: "outline", preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
}

function drawOutline(svg, mask) {
  const d = mask ? outlinePath(mask) : "";
  if (mask) svg.setAttribute("viewBox", `0 0 ${mask.width} ${mask.height}`);
  for (const path of svg.querySelectorAll("path")) path.setAttribute("d", d);
}

// Show the outline of a mask URL over a picture's place; the empty string takes it away.
async function setOutline(place, url) {
  let svg = find(".outline", place);
  if ((svg ? svg.dataset.url : "") === (url || "")) return;
  if (!svg) place.append((svg = outlineSvg()));
  svg.dataset.url = url || "";
  const pixels = url ? await readPixels(url) : null;
  if (svg.dataset.url === (url || "")) drawOutline(svg, pixels && maskOf(pixels));
}

