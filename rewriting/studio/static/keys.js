// Keys for the whole page: undo and redo of everything, and Rewrite. A canvas and a field keep their own.
// A slider moved by keys, and a number at Enter, count like a released slider. After painting, leaving the page asks for
// confirmation.
() => {
  if (window.rewritingKeys) return;
  window.rewritingKeys = true;
  const press = (name) => {
    const button = document.querySelector(name);
    if (button && !button.disabled) button.click();
  };
  const title = (name, text) => (document.querySelector(name).title = text);
  title("#undo", "Undo (Ctrl+Z)");
  title("#redo", "Redo (Ctrl+Shift+Z)");
  title("#rewrite", "Rewrite (Ctrl+Enter)");
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const writing = "textarea, input:not([type=range], [type=radio], [type=checkbox], [type=file])";
    if (event.target.closest(writing)) return;
    const key = event.key.toLowerCase();
    const name = { z: event.shiftKey ? "#redo" : "#undo", y: "#redo", enter: "#rewrite" }[key];
    if (!name) return;
    event.preventDefault();
    press(name);
  });

  let resting = 0;
  document.addEventListener("keyup", (event) => {
    const { target, key } = event;
    if (!target.matches(".line input[type=range]") || !/^(Arrow|Page|Home|End)/.test(key)) return;
    clearTimeout(resting);
    resting = setTimeout(() => target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true })), 250);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".line input[type=number]")) event.target.blur();
  });

  // A press may have to wait for its turn; until the server answers, the page shows that it has noted the press.
  const page = document.documentElement;
  const answered = () => page.removeAttribute("data-asked");
  const heard = new MutationObserver(() => document.querySelector("#busy p") && answered());
  let waiting = 0;
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#cards .card, #generator input, #rewrite:not(:disabled), #more")) return;
    page.setAttribute("data-asked", "");
    clearTimeout(waiting);
    waiting = setTimeout(answered, 30000); // in any case
    heard.observe(document.querySelector("#busy"), { childList: true, subtree: true, characterData: true });
  });

  let painted = false;
  document.addEventListener("pointerdown", (event) => {
    painted ||= Boolean(event.target.closest("#copy .stage.ready, #context .stage.ready"));
  }, true);
  window.addEventListener("beforeunload", (event) => painted && event.preventDefault());
};
