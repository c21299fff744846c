// The rules in force. An action shows at once; Python gets the wanted list and the action.

const LOW = -1;
const HIGH = 2;

const list = find(".rules");
let rows = [];
let renaming = null; // id of the rule with an open name field
let time = 0; // of the last action, in milliseconds; each action has a later one

function tool(kind, name, label, act) {
  return make("button", { type: "button", class: `tool quiet ${kind === "delete" ? "danger" : ""}`, "data-kind": kind, title: label, "aria-label": label, onclick: act }, icon(name));
}

function makeRule(row) {
  const { id } = row;
  const rule = make("li", { class: "rule", "data-id": id });
  const pencil = tool("rename", "pencil", "Rename", () => startRename(rule));
  const what = make("div", { class: "what" },
    make("div", { class: "words" }, make("span", { class: "name", title: "Double-click to rename", ondblclick: () => startRename(rule) }), make("span", { class: "detail" })), pencil);
  const order = make("div", { class: "order" },
    tool("up", "up", "Move up", () => moveRule(id, -1)), tool("down", "down", "Move down", () => moveRule(id, 1)),
    tool("duplicate", "copy", "Duplicate", () => tellAction({ kind: "duplicate", id })), tool("delete", "clear", "Delete", () => deleteRule(id)));
  rule.append(
    make("button", { type: "button", class: "switch", role: "switch", "aria-label": "On", onclick: () => toggle(id) }), what, makeStrength(id),
    make("button", { type: "button", class: "tool reopen", text: "Edit", onclick: () => tellAction({ kind: "reopen", id }) }), order);
  return rule;
}

function makeStrength(id) {
  const limits = { min: LOW, max: HIGH, step: 0.05, title: "Double-click for 1" };
  const slide = make("input", { type: "range", class: "slide", "aria-label": "Strength", ...limits,
    oninput: () => previewStrength(id, slide.value), onchange: () => setStrength(id, slide.value), ondblclick: () => setStrength(id, 1) });
  const amount = make("input", { type: "number", class: "amount", "aria-label": "Strength", ...limits, onchange: () => setStrength(id, amount.value), ondblclick: () => setStrength(id, 1) });
  return make("div", { class: "strength" }, slide, amount);
}

function ruleOf(id) {
  return [...list.children].find((rule) => rule.dataset.id === id);
}

function rowOf(id) {
  return rows.find((row) => row.id === id);
}

// ---- Drawing

function fillRule(rule, row, index) {
  rule.classList.toggle("off", !row.on);
  find(".switch", rule).setAttribute("aria-checked", Boolean(row.on));
  find(".name", rule).textContent = row.name;
  find(".detail", rule).textContent = row.detail || "";
  fillStrength(rule, row.strength);
  find("[data-kind=up]", rule).disabled = index === 0;
  find("[data-kind=down]", rule).disabled = index === rows.length - 1;
  const reopen = find(".reopen", rule);
  reopen.disabled = Boolean(row.locked);
  reopen.title = row.locked || "Open this rule in the canvases";
  rule.setAttribute("aria-label", row.name);
}

// A control in use keeps its value.
function fillStrength(rule, strength) {
  const slide = find(".slide", rule);
  const amount = find(".amount", rule);
  if (!slide.matches(":active")) slide.value = strength;
  slide.style.setProperty("--filled", `${(100 * (slide.value - LOW)) / (HIGH - LOW)}%`);
  if (amount !== document.activeElement) amount.value = Number(strength).toFixed(2);
}

// Existing rows are refilled by id, so that an open name field or a dragged slider survives Python's answer.
function showRules() {
  const focused = document.activeElement;
  const old = new Map([...list.children].map((rule) => [rule.dataset.id, rule]));
  const wanted = rows.map((row) => old.get(row.id) || makeRule(row));
  for (const rule of [...list.children]) if (!wanted.includes(rule)) rule.remove();
  wanted.forEach((rule, i) => {
    if (list.children[i] !== rule) list.insertBefore(rule, list.children[i] || null);
    fillRule(rule, rows[i], i);
  });
  if (list.contains(focused) && focused !== document.activeElement) focused.focus();
  list.setAttribute("aria-label", props.label || "");
  find(".nothing").textContent = props.empty;
  find(".nothing").hidden = rows.length > 0;
}

function load() {
  rows = ((props.value && props.value.rows) || []).map((row) => ({ ...row }));
  showRules();
}

// ---- Actions

function tellAction(action) {
  showRules();
  time = Math.max(time + 1, Date.now());
  tell("input", { rows: rows.map((row) => ({ ...row })), action: { ...action, time } });
}

function toggle(id) {
  const row = rowOf(id);
  row.on = !row.on;
  tellAction({ kind: "toggle", id, on: row.on });
}

function clamp(value) {
  const number = Number.isFinite(Number(value)) && value !== "" ? Number(value) : 1;
  return Math.round(Math.min(HIGH, Math.max(LOW, number)) * 100) / 100;
}

function previewStrength(id, value) {
  fillStrength(ruleOf(id), clamp(value));
}

function setStrength(id, value) {
  const row = rowOf(id);
  if (!row) return; // a number box sends a last change when its rule is removed
  const rule = ruleOf(id);
  const changed = row.strength !== clamp(value);
  row.strength = clamp(value);
  find(".slide", rule).value = row.strength;
  find(".amount", rule).value = row.strength.toFixed(2);
  fillStrength(rule, row.strength);
  if (changed) tellAction({ kind: "strength", id, strength: row.strength });
}

function moveRule(id, by) {
  const from = rows.findIndex((row) => row.id === id);
  const to = from + by;
  if (to < 0 || to >= rows.length) return;
  rows.splice(to, 0, ...rows.splice(from, 1));
  tellAction({ kind: "move", id, by });
}

function deleteRule(id) {
  rows = rows.filter((row) => row.id !== id);
  tellAction({ kind: "delete", id });
}

function startRename(rule) {
  const { id } = rule.dataset;
  if (renaming === id) return;
  renaming = id;
  const input = make("input", { type: "text", maxlength: 80, "aria-label": "Name of the rule" });
  input.value = rowOf(id).name;
  const what = find(".what", rule);
  const [words, pencil] = what.children;
  words.hidden = true;
  pencil.hidden = true;
  what.prepend(input);
  input.focus();
  input.select();
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") finish(true);
    if (event.key === "Escape") finish(false);
  });
  input.addEventListener("blur", () => finish(true));
  function finish(keep) {
    if (renaming !== id) return;
    renaming = null;
    words.hidden = false;
    pencil.hidden = false;
    const name = input.value.trim();
    input.remove();
    if (keep && name) rename(id, name);
  }
}

function rename(id, name) {
  const row = rowOf(id);
  if (!row || row.name === name) return;
  row.name = name;
  tellAction({ kind: "rename", id, name });
}

follow({ value: load, empty: showRules, label: showRules });
load();
