// A row of cards to scroll through; one can be selected.

const row = find(".row");
const settle = rove(row, ".card");
const pages = [[find(".page.before"), -1], [find(".page.after"), 1]];

function makeCard(shown) {
  const pictures = ["before", "after"].map((kind) => make("span", { class: "place" }, make("img", { alt: "", src: shown[kind] || null, draggable: "false" })));
  return make("button", { type: "button", class: "card", role: "option", tabindex: "-1", "data-name": shown.name, onclick: () => pick(shown.name) },
    make("span", { class: "two" }, ...pictures), make("span", { class: "title", text: shown.title }),
    shown.group && make("span", { class: "group", text: shown.group }));
}

function pick(name) {
  tell("select", name);
  mark();
}

function mark() {
  let chosen = null;
  for (const card of row.children) {
    const on = card.dataset.name === props.value;
    card.setAttribute("aria-selected", on);
    if (on) chosen = card;
  }
  settle(chosen);
  if (chosen) bringIntoView(chosen);
}

// Sideways only: scrollIntoView would also move the page.
function bringIntoView(card) {
  const left = card.offsetLeft - row.offsetLeft;
  const hidden = left < row.scrollLeft || left + card.offsetWidth > row.scrollLeft + row.clientWidth;
  if (hidden) row.scrollTo({ left: left - 24, behavior: calm.matches ? "auto" : "smooth" });
}

function showPages() {
  const room = row.scrollWidth - row.clientWidth;
  pages[0][0].hidden = row.scrollLeft < 8;
  pages[1][0].hidden = row.scrollLeft > room - 8;
}

// One line of title is enough if all titles fit in it.
function fitTitles() {
  row.classList.add("short");
  const tall = [...row.querySelectorAll(".title")].some((title) => title.offsetHeight > 24);
  row.classList.toggle("short", !tall);
}

// The cards of the first group, then the others, each in their order.
function sorted() {
  const cards = props.cards || [];
  const own = cards.filter((shown) => shown.group && shown.group === props.first);
  return [...own, ...cards.filter((shown) => !own.includes(shown))];
}

let order = "";

function showFirst() {
  const wanted = JSON.stringify(sorted().map((shown) => shown.name));
  if (wanted === order) return;
  const focused = document.activeElement?.closest(".card")?.dataset.name;
  showCards();
  row.scrollTo({ left: 0 });
  if (focused) [...row.children].find((card) => card.dataset.name === focused)?.focus({ preventScroll: true });
}

function showCards() {
  row.setAttribute("aria-label", props.label || "");
  order = JSON.stringify(sorted().map((shown) => shown.name));
  row.replaceChildren(...sorted().map(makeCard));
  fitTitles();
  mark();
  showPages();
}

addIcons();
for (const [button, direction] of pages) {
  button.addEventListener("click", () => row.scrollBy({ left: 0.8 * direction * row.clientWidth, behavior: calm.matches ? "auto" : "smooth" }));
}
row.addEventListener("scroll", showPages, { passive: true });
new ResizeObserver(() => {
  fitTitles();
  showPages();
}).observe(row);
follow({ cards: showCards, label: showCards, first: showFirst, value: mark });
showCards();
