// A visitor's own pictures: bring one, choose a square of it, compare it with the generator's drawing, remove it.

const MOST_BYTES = 64 * 2 ** 20;
const MOST_ZOOM = 8;
const HINT = "Or drop or paste a picture here. Rules change it like any other picture.";
const DROP = "Drop your picture here";
const list = find(".list");
const crop = find(".crop");
const stage = find(".stage", crop);
const slide = find(".zoom input", crop);
const fromFile = find(".from-file");
const fromCamera = find(".from-camera");
const zone = element.closest("[id^='panel-']") || element;
const removed = removals(showPictures);
const held = new Map(); // pointers on the stage: id -> {x, y}
let picture = null; // ImageBitmap or <img>
let square = { x: 0, y: 0, side: 1 }; // the chosen square: centre and side, in pixels of the picture

// ---- Bringing

function refuse(sentence) {
  const said = find(".refused");
  said.textContent = sentence;
  said.hidden = !sentence;
}

async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    const img = new Image(); // knows formats that bitmaps do not
    img.src = URL.createObjectURL(file);
    try {
      await img.decode();
      return img;
    } catch {
      return null;
    } finally {
      URL.revokeObjectURL(img.src);
    }
  }
}

function sizeOf(one) {
  return { width: one.naturalWidth || one.width, height: one.naturalHeight || one.height };
}

async function bring(file) {
  refuse("");
  if (!file || crop.open) return;
  if ((props.pictures || []).length >= props.most) return refuse(`You have ${props.most} pictures here, which is the most; remove one first.`);
  if (file.size > MOST_BYTES) return refuse(`${file.name} has ${Math.round(file.size / 2 ** 20)} MB; bring a picture of at most 64 MB.`);
  const found = await decoded(file);
  const { width, height } = found ? sizeOf(found) : { width: 0, height: 0 };
  if (!width || !height) {
    const heic = /hei[cf]/i.test(`${file.type} ${file.name}`);
    return refuse(heic ? `This browser cannot read HEIC; save ${file.name} as JPEG.`
      : `${file.name} is not a picture that this browser can read; save it as JPEG or PNG.`);
  }
  picture = found;
  square = { x: width / 2, y: height / 2, side: Math.min(width, height) };
  stage.setAttribute("aria-label", "The chosen square. Drag or use the arrow keys to move it; plus and minus to zoom.");
  crop.showModal();
  stage.focus({ preventScroll: true });
  draw();
}

// ---- The square

function whole() {
  const { width, height } = sizeOf(picture);
  return Math.min(width, height);
}

function settle() {
  const { width, height } = sizeOf(picture);
  square.side = Math.min(whole(), Math.max(whole() / MOST_ZOOM, 1, square.side));
  const half = square.side / 2;
  square.x = Math.min(width - half, Math.max(half, square.x));
  square.y = Math.min(height - half, Math.max(half, square.y));
}

function paint(canvas, size) {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // under transparent parts
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = "high";
  const { x, y, side } = square;
  context.drawImage(picture, x - side / 2, y - side / 2, side, side, 0, 0, size, size);
}

function draw() {
  if (!picture) return;
  settle();
  paint(find("canvas", stage), Math.max(1, Math.round(stage.clientWidth * Math.min(2, devicePixelRatio))));
  slide.value = Math.round((100 * Math.log(whole() / square.side)) / Math.log(MOST_ZOOM));
  slide.style.setProperty("--filled", `${slide.value}%`);
}

// Move the square by pixels of the screen.
function move(dx, dy) {
  const unit = square.side / stage.clientWidth;
  square.x -= dx * unit;
  square.y -= dy * unit;
}

// Enlarge the picture by a factor about a fixed point, in shares of the stage.
function zoom(by, u = 0.5, v = 0.5) {
  const before = square.side;
  square.side /= by;
  settle();
  square.x += (u - 0.5) * (before - square.side);
  square.y += (v - 0.5) * (before - square.side);
}

function shareOf({ x, y }) {
  const box = stage.getBoundingClientRect();
  return [(x - box.left) / box.width, (y - box.top) / box.height];
}

function middle() {
  const [first, second] = [...held.values()];
  return second ? { x: (first.x + second.x) / 2, y: (first.y + second.y) / 2 } : first;
}

function spread() {
  const [first, second] = [...held.values()];
  return second ? Math.hypot(first.x - second.x, first.y - second.y) : 0;
}

function hold(event) {
  stage.setPointerCapture(event.pointerId);
  held.set(event.pointerId, { x: event.clientX, y: event.clientY });
  stage.classList.add("held");
}

function drag(event) {
  if (!held.has(event.pointerId)) return;
  const before = middle();
  const apart = spread();
  held.set(event.pointerId, { x: event.clientX, y: event.clientY });
  const now = middle();
  move(now.x - before.x, now.y - before.y);
  settle();
  if (apart && spread()) zoom(spread() / apart, ...shareOf(now));
  draw();
}

function release(event) {
  held.delete(event.pointerId);
  stage.classList.toggle("held", held.size > 0);
}

function key(event) {
  const step = event.shiftKey ? 40 : 8;
  const by = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
  if (by) move(...by);
  else if (event.key === "+" || event.key === "=") zoom(1.1);
  else if (event.key === "-") zoom(1 / 1.1);
  else if (event.key === "Enter") return use();
  else return;
  event.preventDefault();
  draw();
}

function use() {
  const size = Math.max(1, Math.min(props.side, Math.round(square.side)));
  const sheet = document.createElement("canvas");
  paint(sheet, size);
  crop.close();
  tell("bring", { kind: "bring", image: size > 512 ? sheet.toDataURL("image/jpeg", 0.95) : sheet.toDataURL("image/png") });
}

stage.addEventListener("pointerdown", hold);
stage.addEventListener("pointermove", drag);
for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, release);
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 500), ...shareOf({ x: event.clientX, y: event.clientY }));
  draw();
}, { passive: false });
stage.addEventListener("keydown", key);
slide.addEventListener("input", () => {
  square.side = whole() / MOST_ZOOM ** (slide.value / 100);
  draw();
});
crop.addEventListener("close", () => {
  if (picture && picture.close) picture.close();
  picture = null;
  held.clear();
});

// ---- Ways to bring one

const acts = { file: () => fromFile.click(), camera: () => fromCamera.click(), cancel: () => crop.close(), use };
for (const button of element.querySelectorAll("[data-do]")) button.addEventListener("click", () => acts[button.dataset.do]());
for (const input of [fromFile, fromCamera])
  input.addEventListener("change", () => {
    bring(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });

function carries(transfer) {
  return transfer && [...transfer.types].includes("Files");
}

function hover(on) {
  zone.classList.toggle("takes-file", on);
  find(".hint").textContent = on ? DROP : HINT;
}

zone.addEventListener("dragover", (event) => {
  if (!carries(event.dataTransfer) || !element.checkVisibility()) return;
  event.preventDefault();
  hover(true);
});
zone.addEventListener("dragleave", (event) => zone.contains(event.relatedTarget) || hover(false));
zone.addEventListener("drop", (event) => {
  if (!carries(event.dataTransfer) || !element.checkVisibility()) return;
  event.preventDefault();
  hover(false);
  bring(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...((event.clipboardData && event.clipboardData.files) || [])].find((one) => one.type.startsWith("image/"));
  if (!file || !element.isConnected || !element.checkVisibility() || event.target.matches?.("input, textarea")) return;
  event.preventDefault();
  bring(file);
});

// ---- The list of pictures

function makeOwn() {
  const two = make("div", { class: "two" }, ...["yours", "drawn"].map((kind) => make("div", { class: `place ${kind}` }, make("img", { alt: "", draggable: "false" }))));
  const about = make("div", { class: "about" }, make("p", { class: "label" }), make("p", { class: "words" }), make("button", { type: "button", class: "tool draw", onclick: ask }));
  const remove = make("button", { type: "button", class: "tool quiet danger remove", onclick: takeAway }, icon("cross"));
  return make("li", { class: "own" }, two, about, remove, make("span", { class: "bar" }));
}

function fillOwn(item, shown) {
  item.dataset.id = shown.id;
  item.classList.toggle("settled", shown.kind !== "bad" && shown.share === undefined && !shown.draw);
  setPicture(find(".yours img", item), shown.image);
  setPicture(find(".drawn img", item), shown.drawn);
  find(".yours img", item).alt = `${shown.label} as you brought it`;
  find(".drawn img", item).alt = shown.drawn ? `${shown.label} as the generator draws it` : "";
  breathe(find(".drawn", item), shown.share !== undefined && !shown.drawn);
  find(".label", item).textContent = shown.label;
  const words = find(".words", item);
  words.textContent = shown.words;
  words.className = `words ${shown.kind}`;
  const button = find(".draw", item);
  button.hidden = !shown.draw;
  button.textContent = shown.draw || "";
  const remove = find(".remove", item);
  remove.title = `Remove ${shown.label.toLowerCase()}`;
  remove.setAttribute("aria-label", remove.title);
  const bar = find(".bar", item);
  bar.hidden = shown.share === undefined;
  bar.style.width = `${100 * (shown.share || 0)}%`;
}

function ask(event) {
  tell("draw", { kind: "draw", id: event.currentTarget.closest(".own").dataset.id });
}

function takeAway(event) {
  const item = event.currentTarget.closest(".own");
  removed.add(item.dataset.id);
  tell("remove", { kind: "remove", id: item.dataset.id });
  showPictures();
  find("[data-do=file]").focus({ preventScroll: true });
}

function showPictures() {
  const kept = removed.left(props.pictures || []);
  while (list.children.length > kept.length) list.lastChild.remove();
  while (list.children.length < kept.length) list.append(makeOwn());
  kept.forEach((shown, i) => fillOwn(list.children[i], shown));
  list.setAttribute("aria-label", props.label || "");
}

addIcons();
hover(false);
follow({ pictures: showPictures, label: showPictures });
showPictures();
