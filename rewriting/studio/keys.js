// Keys for the whole page: undo and redo of everything, and Rewrite. A canvas and a field keep their own.
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
};
