// Keeps the page as it stands: the server says that something changed, and the page is asked for again
// in its own language. Without this script the page has a link that does the same by hand.
"use strict";
(() => {
  const main = document.querySelector("main");
  const byId = (page, id) => page.getElementById(id);
  const source = new EventSource(main.dataset.events);

  const show = (page) => {
    const fresh = page.querySelector("main");
    // A page that says there is nothing to see has no revision.
    if (!fresh || !fresh.dataset.revision) return location.reload();
    main.dataset.revision = fresh.dataset.revision;
    document.title = page.title;
    byId(document, "tone").className = byId(page, "tone").className;
    for (const id of ["heading", "usual", "answer"]) {
      const [old, text] = [byId(document, id), byId(page, id).textContent];
      // What is said aloud changes only when it says something else.
      if (old.textContent !== text) old.textContent = text;
    }
    byId(document, "detail").replaceChildren(...byId(page, "detail").childNodes);
  };

  let asked = Promise.resolve();
  source.addEventListener("transfer", (event) => {
    asked = asked.then(async () => {
      if (JSON.parse(event.data).revision === main.dataset.revision) return;
      const answer = await fetch(location.href, { cache: "no-store" });
      const html = await answer.text();
      show(new DOMParser().parseFromString(html, "text/html"));
    }).catch(() => {});
  });
  source.addEventListener("end", () => source.close());
})();
