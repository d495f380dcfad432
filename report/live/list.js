"use strict";
{
  // The list is asked for again when the server says that it has changed.
  let source, timer;
  const main = () => document.getElementById("runs");
  const refresh = async () => {
    const answer = await fetch("./");
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("runs");
    if (!fresh) return;
    const focused = document.activeElement?.getAttribute("href");
    main().replaceWith(fresh);
    if (focused) [...fresh.querySelectorAll("a")].find(a => a.getAttribute("href") === focused)?.focus();
  };
  const open = () => {
    source = new EventSource("events");
    source.onmessage = e => { if (JSON.parse(e.data).list !== main().dataset.mark) refresh().catch(() => {}); };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(open, 5000);
    };
  };
  document.addEventListener("visibilitychange", () => {
    source?.close();
    clearTimeout(timer);
    if (!document.hidden) open();
  });
  open();
}
