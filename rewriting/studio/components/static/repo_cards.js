// Published rules: each card shows the same pictures before and after, as strips that the browser fetches by itself.

const cards = find(".cards");
const settle = rove(cards, ".repo");

function strip(url, what) {
  if (!url) return null;
  const image = make("img", { src: url, alt: what, loading: "lazy", draggable: "false", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove());
  return image;
}

function makeCard(shown) {
  const strips = make("span", { class: "strips" }, strip(shown.before, "before"), strip(shown.after, "after"));
  return make("button", { type: "button", class: "repo", role: "option", tabindex: "-1", "data-id": shown.id, onclick: () => pick(shown.id) },
    strips, make("span", { class: "title", text: shown.title }), make("span", { class: "detail", text: shown.detail }));
}

function pick(id) {
  tell("select", id);
  mark();
}

function mark() {
  for (const card of cards.children) card.setAttribute("aria-selected", card.dataset.id === props.value);
}

function showCards() {
  cards.setAttribute("aria-label", props.label || "");
  cards.replaceChildren(...(props.cards || []).map(makeCard));
  mark();
  settle();
}

follow({ cards: showCards, label: showCards, value: mark });
showCards();
