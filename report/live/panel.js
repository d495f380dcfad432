"use strict";
{
  // The panel follows the server's events; the report is fetched again when the
  // server says that more cells have ended. All text is set as text.
  const own = document.currentScript.textContent;
  const panel = document.getElementById("live");
  const at = name => panel.querySelector(`[data-live="${name}"]`);
  const say = (name, text) => { const e = at(name); if (e && e.textContent !== text) e.textContent = text; };
  const show = (name, text) => { say(name, text); at(name).hidden = text === ""; };
  let source, timer, points = [], drawn = Number(panel.dataset.ended), over = false;

  const shape = (kind, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  // Each chart shows the last 120 seconds; lines end where a cell does,
  // and where there is nothing to show.
  const chart = (name, unit) => {
    const svg = panel.querySelector(`[data-chart="${name}"]`), n = 120, h = 40;
    const top = Math.max(...points.map(p => p[name] ?? 0), 0);
    say(name + "-top", points.length ? new Intl.NumberFormat("en", {maximumSignificantDigits: 3}).format(top) + unit : "–");
    const x = i => n - points.length + i + 0.5, y = v => top > 0 ? h - 1 - (h - 3) * v / top : h - 1;
    const shapes = [];
    points.forEach((p, i) => {
      if (p.fault) shapes.push(shape("rect", {x: x(i) - 0.5, y: 0, width: 1, height: h}));
      if (i > 0 && p.cell !== points[i - 1].cell) shapes.push(shape("line", {x1: x(i) - 0.5, x2: x(i) - 0.5, y1: 0, y2: h}));
    });
    let line = [];
    const flush = () => { if (line.length) shapes.push(shape("polyline", {points: line.join(" ")})); line = []; };
    points.forEach((p, i) => {
      if (p[name] === null || i > 0 && p.cell !== points[i - 1].cell) flush();
      if (p[name] !== null) line.push(`${x(i)},${y(p[name])}`);
    });
    flush();
    svg.replaceChildren(...shapes);
  };

  // swap puts a new report in the place of the old one. What was unfolded stays so,
  // and what the reader looks at stays where it is.
  const swap = html => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const main = fresh.querySelector("main"), nav = fresh.querySelector("nav"), header = fresh.querySelector("header");
    if (!main || !nav || !header) return;
    const unfolded = new Set([...document.querySelectorAll("main details[open] > summary")].map(s => s.textContent));
    const seen = [...document.querySelectorAll("main > section")].find(s => s.getBoundingClientRect().bottom > 0);
    const before = seen?.getBoundingClientRect().top, scrolled = scrollY > 0;
    for (const s of main.querySelectorAll("details > summary")) if (unfolded.has(s.textContent)) s.parentNode.open = true;
    document.querySelector("main").replaceWith(main);
    document.querySelector("nav").replaceWith(nav);
    const parts = [...header.children].filter(e => e.id !== "live" && !e.classList.contains("verdict"));
    const old = document.querySelector("header");
    for (const e of [...old.children]) if (e !== panel) e.remove();
    panel.before(...parts);
    panel.after(header.querySelector(".verdict"));
    document.title = fresh.title;
    // The report's own scripts bring its tables and figures to life; the policy knows their hashes.
    for (const s of fresh.scripts) {
      if (s.textContent === own || s.type && s.type !== "module" && s.type !== "text/javascript") continue;
      const again = document.createElement("script");
      again.textContent = s.textContent;
      document.body.append(again);
      again.remove();
    }
    const now = seen?.id && document.getElementById(seen.id);
    if (now && scrolled) scrollBy(0, now.getBoundingClientRect().top - before);
  };
  // One report is fetched at a time. Whoever wants one meanwhile gets the next, since
  // the one under way may be from before what he has heard of.
  const fetchReport = async () => {
    const answer = await fetch("./");
    if (answer.ok) swap(await answer.text());
  };
  let current = Promise.resolve(), next = null;
  const draw = () => next ??= current.catch(() => {}).then(() => {
    current = fetchReport();
    next = null;
    return current;
  });

  const end = () => {
    over = true;
    panel.classList.add("over");
    say("state", "The run has ended");
    show("note", "This is its report. It is also kept in the run directory; flowbench serve shows it again.");
    draw().catch(() => {}).finally(() => source.close());
  };
  const take = m => {
    panel.classList.remove("lost");
    say("state", m.quiet ? "Quiet" : "Under way");
    for (const [name, text] of Object.entries(m.text)) if (name !== "note") say(name, text);
    show("note", m.text.note);
    show("faults", m.faults && "In force now: " + m.faults);
    panel.querySelector("progress").value = m.done;
    if (m.points.length) {
      points = [...points, ...m.points].slice(-120);
      chart("ok", "");
      chart("p99", " ms");
    }
    if (m.over) return end();
    if (m.ended !== drawn) { drawn = m.ended; draw().catch(() => {}); }
  };
  const open = () => {
    points = [];
    source = new EventSource("events");
    source.onmessage = e => take(JSON.parse(e.data));
    source.onerror = () => {
      if (over) return;
      panel.classList.add("lost");
      say("state", "Nobody answers: flowbench has ended, or is busy");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      clearTimeout(timer);
      timer = setTimeout(open, 5000);
    };
  };
  // A page that nobody looks at asks for nothing.
  document.addEventListener("visibilitychange", () => {
    if (over) return;
    source?.close();
    clearTimeout(timer);
    if (!document.hidden) open();
  });
  at("draw").hidden = false;
  at("draw").addEventListener("click", () => draw().catch(() => {}));
  open();
}
