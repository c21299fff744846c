// The dialogs "How it works" and "Keys", opened by a button or ?.  On a first visit, the page shows one line on them.
() => {
  const help = document.querySelector("#help");
  if (help.dataset.ready) return;
  help.dataset.ready = "yes";
  for (const button of help.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
  }
  for (const dialog of help.querySelectorAll("dialog")) {
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  document.addEventListener("keydown", (event) => {
    const writing = "textarea, input:not([type=range], [type=radio], [type=checkbox], [type=file])";
    if (event.key !== "?" || event.target.closest(writing) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    document.querySelector("#keys-help").showModal();
  });
  try {
    document.querySelector("#newcomer").hidden = localStorage.rewritingVisited === "yes";
    localStorage.rewritingVisited = "yes";
  } catch {
    // without storage in the browser, there is no line
  }
}
