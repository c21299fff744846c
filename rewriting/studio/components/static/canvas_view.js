// Zoom and pan of a canvas: the wheel with Ctrl, two fingers, a drag with Space or the middle button, and the keys + - 0.

const CLOSEST = 16;
const ZOOM_STEP = 1.5;

// pictures: images that fill the canvas, or lie in it.  overlay: an SVG in model pixels, which stays crisp.
// giveUp: cancels the stroke of one finger when a second one comes.  onChange: runs after each change of the view.
function zoomable(stage, pictures, overlay, giveUp, onChange = () => {}) {
  const world = make("div", { class: "world" });
  stage.prepend(world);
  world.append(...pictures);
  const badge = make("button", { type: "button", class: "zoomed", title: "Show the whole picture (0)", hidden: true, onclick: () => show(1, 0, 0) });
  for (const name of ["pointerdown", "pointerup", "keydown"]) badge.addEventListener(name, (event) => event.stopPropagation());
  stage.append(badge);
  const fingers = new Map(); // pointer -> its position on the screen
  let zoom = 1;
  let corner = [0, 0]; // the top left corner of the visible part, in model pixels
  let space = null; // whether the space bar, while it is held, has moved the picture
  let pan = null; // {pointer, at}: a drag that moves the picture
  let pinching = false;

  function show(nearer, x, y) {
    zoom = Math.min(CLOSEST, Math.max(1, nearer));
    const most = [props.width, props.height].map((side) => side - side / zoom);
    corner = [x, y].map((v, i) => Math.min(most[i], Math.max(0, v)));
    draw();
  }

  function draw() {
    const [x, y] = corner;
    overlay.setAttribute("viewBox", `${x} ${y} ${props.width / zoom} ${props.height / zoom}`);
    world.style.transform = zoom === 1 ? "" : `scale(${zoom}) translate(${(-100 * x) / props.width}%, ${(-100 * y) / props.height}%)`;
    badge.hidden = zoom === 1;
    badge.textContent = `${Math.round(100 * zoom)} %`;
    badge.setAttribute("aria-label", `${badge.textContent}: show the whole picture`);
    onChange();
  }

  // The position on the screen in model pixels.
  function pointOf({ clientX, clientY }) {
    const box = stage.getBoundingClientRect();
    if (!box.width || !box.height) return null; // hidden under the pointer
    const across = (clientX - box.left) / box.width / zoom;
    const down = (clientY - box.top) / box.height / zoom;
    return [corner[0] + across * props.width, corner[1] + down * props.height];
  }

  // Zoom about a fixed place on the screen.
  function zoomAt(nearer, place) {
    const here = pointOf(place);
    if (!here) return;
    const factor = zoom / Math.min(CLOSEST, Math.max(1, nearer));
    show(nearer, here[0] - (here[0] - corner[0]) * factor, here[1] - (here[1] - corner[1]) * factor);
  }

  function zoomAround([x, y], nearer) {
    const [w, h] = [props.width / nearer, props.height / nearer];
    show(nearer, x - w / 2, y - h / 2);
  }

  function moveBy(dx, dy) {
    const box = stage.getBoundingClientRect();
    show(zoom, corner[0] - (dx / box.width / zoom) * props.width, corner[1] - (dy / box.height / zoom) * props.height);
  }

  // Each of these returns whether the event was for the view, and not for a tool.
  function down(event) {
    if (!props.image) return false;
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, event);
      if (fingers.size === 2 && !pinching) {
        pinching = true;
        giveUp();
      }
      return pinching;
    }
    if (event.button !== 1 && !(event.button === 0 && space !== null)) return false;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    pan = { pointer: event.pointerId, at: event };
    stage.classList.add("panning");
    return true;
  }

  function move(event) {
    if (pan && pan.pointer === event.pointerId) {
      if (space !== null) space = true;
      moveBy(event.clientX - pan.at.clientX, event.clientY - pan.at.clientY);
      pan.at = event;
      return true;
    }
    if (!fingers.has(event.pointerId)) return false;
    if (pinching && fingers.size === 2) pinch(event);
    fingers.set(event.pointerId, event);
    return pinching;
  }

  function pinch(event) {
    const other = [...fingers].find(([pointer]) => pointer !== event.pointerId)[1];
    const before = fingers.get(event.pointerId);
    const far = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const middle = (one) => ({ clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 });
    const [from, to] = [middle(before), middle(event)];
    moveBy(to.clientX - from.clientX, to.clientY - from.clientY);
    zoomAt((zoom * far(event)) / far(before), to);
  }

  function up(event) {
    if (pan && pan.pointer === event.pointerId) {
      pan = null;
      stage.classList.remove("panning");
      return true;
    }
    if (!fingers.delete(event.pointerId)) return false;
    const ours = pinching;
    if (!fingers.size) pinching = false;
    return ours;
  }

  stage.addEventListener("wheel", (event) => {
    if (!props.image || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    zoomAt(zoom * Math.exp(-event.deltaY * (event.deltaMode ? 0.06 : 0.004)), event);
  }, { passive: false });
  stage.addEventListener("auxclick", (event) => event.preventDefault());

  return {
    draw,
    pointOf,
    down,
    move,
    up,
    whole: () => show(1, 0, 0),
    // The action of a key of the view, if it is one.  around: the fixed place, in model pixels.
    key(event, around) {
      if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
      const nearer = () => zoomAround(around, Math.min(CLOSEST, zoom * ZOOM_STEP));
      return { "+": nearer, "=": nearer, "-": () => zoomAround(around, Math.max(1, zoom / ZOOM_STEP)), 0: () => show(1, 0, 0) }[event.key];
    },
    // Move the picture until a place is visible.
    reveal([x, y]) {
      const [w, h] = [props.width / zoom, props.height / zoom];
      const [left, top] = corner;
      if (x < left || x > left + w || y < top || y > top + h) show(zoom, x - w / 2, y - h / 2);
    },
    holdSpace() {
      if (space === null) space = false;
      stage.classList.add("grabbable");
    },
    // Whether the space bar was pressed without moving the picture.
    releaseSpace() {
      const still = space === false;
      space = null;
      stage.classList.remove("grabbable");
      return still;
    },
  };
}
