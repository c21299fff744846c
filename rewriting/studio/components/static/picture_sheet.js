// A grid of pictures to choose from.

const grid = find(".grid");
const settle = rove(grid, ".tile:not(.waiting)");
let selected = null; // a seed, or the name of an own picture

function makeTile() {
  const place = make("div", { class: "place" }, make("img", { alt: "", loading: "lazy", draggable: "false" }));
  const line = make("div", { class: "line" }, make("b"), make("span", { class: "note" }));
  return make("button", { type: "button", class: "tile", role: "option", tabindex: "-1", onclick: pick }, place, line);
}

function fillTile(tile, picture) {
  tile.classList.toggle("waiting", !picture);
  tile.toggleAttribute("disabled", !picture);
  tile.dataset.seed = picture ? picture.seed : "";
  tile.classList.toggle("own", isOwn(picture && picture.seed));
  tile.setAttribute("aria-label", picture ? `${nameOf(picture.seed)}${picture.note ? `, ${picture.note}` : ""}` : "Picture is loading");
  find("b", tile).textContent = picture ? shortName(picture.seed) : "0";
  find(".note", tile).textContent = (picture && picture.note) || "";
  const place = find(".place", tile);
  setPicture(find("img", tile), picture ? picture.image : "");
  setOutline(place, picture && picture.outline);
  breathe(place, !picture && props.loading);
}

function pick(event) {
  const tile = event.currentTarget;
  selected = seedOf(tile.dataset.seed);
  mark();
  tell("select", selected);
}

function mark() {
  for (const tile of grid.children) tile.setAttribute("aria-selected", tile.dataset.seed !== "" && seedOf(tile.dataset.seed) === selected);
}

function showPictures() {
  const pictures = props.pictures || [];
  refill(grid, pictures, makeTile, fillTile);
  find(".count").textContent = pictures.length ? `${pictures.length} pictures` : "";
  mark();
  settle();
}

function showSelected() {
  selected = Number.isInteger(props.value) || isOwn(props.value) ? props.value : null;
  mark();
}

function scale(name) {
  grid.dataset.scale = name;
}

const sizes = [["small", "S", "Small pictures"], ["medium", "M", "Medium pictures"], ["large", "L", "Large pictures"]];
const markSize = choice(find(".choice"), sizes, props.size, scale);
scale(props.size);
follow({
  pictures: showPictures, loading: showPictures, count: showPictures, empty: showPictures, label: showPictures, value: showSelected,
  size: () => {
    markSize(props.size);
    scale(props.size);
  },
});
showPictures();
showSelected();
