// Thumbnails of painted places: edit, remove, add.

const tray = find(".tray");
const removed = removals(showItems);

function makeItem(shown, index) {
  const name = shown.label || `Place ${index + 1}`;
  const place = make("span", { class: "place" }, make("img", { alt: "", src: shown.image || null, draggable: "false" }));
  if (shown.tint) place.style.setProperty("--tint", shown.tint);
  setOutline(place, shown.outline);
  const item = make("div", { class: "item" },
    make("button", { type: "button", class: "open", title: `Edit ${name}`, "aria-label": `Edit ${name}`, onclick: () => act("edit", shown, item) }, place),
    make("button", { type: "button", class: "drop", title: `Remove ${name}`, "aria-label": `Remove ${name}`, onclick: () => act("remove", shown, item) }, icon("cross")));
  return item;
}

function act(kind, shown, item) {
  const index = [...tray.querySelectorAll(".item")].indexOf(item);
  const action = shown.id === undefined ? { kind, index } : { kind, index, id: shown.id };
  if (kind === "remove") takeAway(shown, item);
  tell(kind, action);
}

// Remove the item at once, so that a quick second press does not hit the next one by mistake.
function takeAway(shown, item) {
  if (shown.id !== undefined) removed.add(shown.id);
  const neighbour = item.nextElementSibling;
  item.remove();
  find("button", neighbour.matches(".more") ? tray : neighbour).focus();
}

function makeMore() {
  return make("button", { type: "button", class: "more", onclick: () => tell("add", { kind: "add" }) }, icon("plus"), make("span", { text: props.hint }));
}

function showItems() {
  tray.setAttribute("aria-label", props.label || "");
  tray.replaceChildren(...removed.left(props.items || []).map(makeItem), makeMore());
}

follow({ items: showItems, hint: showItems, label: showItems });
showItems();
