// Charts that can be explored: each figure of the page brings what it shows as data, and
// is drawn again from it as wide as there is room for. The drawing that came with the
// page stays for printing, and for those who run no scripts.
(() => {
const holder = document.getElementById("cells");
if (!holder) return;
const page = JSON.parse(holder.textContent), off = new Set(), charts = [];
const namespace = document.querySelector("svg")?.namespaceURI;
let zoom = null; // from and to, in seconds, of all charts over time

const element = (name, attributes = {}, ...children) => {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
};
const draw = (parent, name, attributes = {}, text) => {
  const e = document.createElementNS(namespace, name);
  for (const [k, v] of Object.entries(attributes)) if (v !== undefined) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return parent.appendChild(e);
};
const ink = name => `var(--fig-${name})`;
const clamp = (v, lo, hi) => Math.max(lo, Math.min(hi, v));
const measure = document.createElement("canvas").getContext("2d");
const font = (size, bold) => `${bold ? "bold " : ""}${size}px "Liberation Sans", Arial, Helvetica, "DejaVu Sans Condensed", sans-serif`;
const widthOf = (s, size = 12, bold = false) => { measure.font = font(size, bold); return measure.measureText(s).width; };
const fit = (s, room, size = 12, bold = false) => {
  for (let n = s.length, t = s; ; t = s.slice(0, Math.ceil(n / 2)) + "…" + s.slice(s.length - Math.floor(n / 2))) {
    if (n < 2 || widthOf(t, size, bold) <= room) return t;
    n--;
  }
};

// Numbers as the rest of the page has them.
const count = n => Math.round(n).toLocaleString("en-US");
const digits = v => {
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a >= 999.5) return count(v);
  return a >= 99.95 ? v.toFixed(0) : a >= 9.995 ? v.toFixed(1) : a >= 0.9995 ? v.toFixed(2) : String(+v.toPrecision(3));
};
const latency = us => us === 0 ? "0 µs" : Math.abs(us) < 999.5 ? digits(us) + " µs" :
  Math.abs(us / 1e3) < 999.5 ? digits(us / 1e3) + " ms" : digits(us / 1e6) + " s";
const short = us => us >= 1e6 ? +(us / 1e6).toPrecision(4) + " s" : us >= 1e3 ? +(us / 1e3).toPrecision(4) + " ms" :
  +us.toPrecision(4) + " µs";
const percent = q => {
  const s = (100 * q).toFixed(q > 0.9999 ? 4 : q > 0.999 ? 3 : q > 0.99 ? 2 : 1);
  return "p" + s.replace(/\.?0+$/, "");
};
const name = q => q >= 1 ? "max" : percent(q);
const resolved = (n, q) => q >= 1 || n * (1 - q) >= 10 - 1e-6;
const quantile = (us, n, q) => us <= 0 ? "–" : resolved(n, q) ? latency(us) : `(${latency(us)})`;
const share = v => v === 0 ? "0 %" : v < 0.001 ? "< 0.1 %" : (100 * v).toFixed(1) + " %";
const seconds = (a, b) => `${+a.toFixed(2)} to ${+b.toFixed(2)} s`;

// Scales map values to 0..1 and know where they have marks.
const round125 = (v, up) => {
  const d = 10 ** Math.floor(Math.log10(v) + 1e-9);
  return up ? [1, 2, 5, 10].find(s => s * d >= v * 0.9999) * d : [5, 2, 1].find(s => s * d <= v * 1.0001) * d;
};
const size = b => b >= 2 ** 20 ? +(b / 2 ** 20).toPrecision(4) + " MiB" : b >= 1024 ? +(b / 1024).toPrecision(4) + " KiB" : b + " B";
const format = {us: short, s: v => String(+v.toFixed(3)), per_s: v => v < 1 ? digits(v) : count(v), n: count, bytes: size, times: v => +v.toPrecision(4) + " ×"};
const scaleOf = (kind, min, max, unit) => {
  const log = kind !== "linear", f = log ? Math.log : v => v, lo = f(min), hi = f(max);
  return {
    kind, min, max,
    to: v => (f(clamp(v, min, max)) - lo) / (hi - lo),
    from: t => log ? Math.exp(lo + t * (hi - lo)) : lo + t * (hi - lo),
    marks(room) { // the most detailed ones that are room apart, where all together have length 1
      if (kind === "nines") {
        const all = [[2, "50 %"], [10, "90 %"], [100, "99 %"], [1e3, "99.9 %"], [1e4, "99.99 %"], [1e5, "99.999 %"],
          [1e6, "99.9999 %"]];
        return all.filter(m => m[0] <= max);
      }
      const steps = [];
      if (unit === "bytes") {
        for (const power of [2, 4, 6, 8, 10]) {
          const marks = [];
          for (let v = 1; v <= max * 1.001; v *= 2 ** power) if (v >= min * 0.999) marks.push(v);
          steps.push(marks);
        }
      } else if (log) {
        for (const part of [[1, 2, 5], [1]]) {
          const marks = [];
          for (let d = Math.floor(Math.log10(min) + 1e-9); d <= Math.ceil(Math.log10(max)); d++) {
            for (const s of part) {
              const v = s * 10 ** d;
              if (v >= min * 0.999 && v <= max * 1.001) marks.push(v);
            }
          }
          steps.push(marks);
        }
      } else {
        for (let step = round125(Math.max((max - min) / 20, 1e-9), true); step < (max - min) * 1.01; step = round125(step * 1.5, true)) {
          const marks = [];
          for (let i = Math.ceil(min / step - 1e-9); i * step <= max * (1 + 1e-9); i++) marks.push(i * step + 0);
          steps.push(marks);
        }
      }
      const apart = m => m.every((v, i) => i === 0 || this.to(v) - this.to(m[i - 1]) >= room);
      return (steps.find(m => m.length > 1 && apart(m)) ?? steps.at(-1)?.slice(0, 1) ?? []).map(v => [v, format[unit](v)]);
    },
  };
};

const heatDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// unpacked returns a chart whose lists of numbers are lists; see pack.go.
const unpacked = chart => {
  const list = packed => {
    if (Array.isArray(packed)) return packed;
    const end = packed.indexOf(":"), base = +packed.slice(1, end), pairs = packed.slice(end + 1).match(/../g) ?? [];
    return pairs.map(pair => {
      const n = heatDigits.indexOf(pair[0]) * 64 + heatDigits.indexOf(pair[1]);
      if (packed[0] === "w") return base + n;
      if (n === 0) return 0;
      const power = base + Math.floor((n - 1) / 900), mantissa = 100 + (n - 1) % 900;
      return power < 0 ? mantissa / 10 ** -power : mantissa * 10 ** power;
    });
  };
  for (const s of chart.series) if (s.values) s.values = s.values.map(list);
  return chart;
};
const overTime = kind => kind === "time" || kind === "flow" || kind === "heat";
const markers = ["dot", "ring", "bar"];
const hollow = "o", cross = "x", faint = "~"; // what is in the marks of points of lines

class Chart {
  constructor(figure, data) {
    this.model = data;
    this.figure = figure;
    this.still = figure.querySelector("svg.figure");
    this.pictures = [...this.still.querySelectorAll("image")].map(i => i.getAttribute("href"));
    this.linear = data.kind === "bars" || data.kind === "flow"; // of the scale that can be changed
    this.cursor = null;
    this.hidden = new Set(); // lines that belong to no flow, by name
    const id = this.still.querySelector("title").id;
    this.svg = draw(element("div"), "svg", {"aria-hidden": "true", class: "live"});
    this.tip = element("div", {class: "tip", hidden: ""});
    this.stage = element("div", {
      class: "stage", tabindex: "0", role: "slider", "aria-labelledby": id, "aria-describedby": "keys",
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "arrow keys read values",
    }, this.svg, this.tip);
    this.tools = element("div", {class: "tools", role: "group", "aria-labelledby": id});
    const title = element("p", {class: "name", "aria-hidden": "true"}, this.still.querySelector("title").textContent);
    const box = element("div", {class: "chart"}, element("div", {class: "bar"}, title, this.tools), ...this.keys(), this.stage);
    if (overTime(data.kind)) {
      this.stage.classList.add("wide");
      this.button("Zoom in", () => this.zoomBy(0.5));
      this.button("Zoom out", () => this.zoomBy(2));
      this.reset = this.button("All of it", () => setZoom(null));
    }
    const lines = [...new Set(data.series.filter(s => s.cell < 0).map(s => s.name))];
    if (lines.length > 1) for (const name of lines) {
      const b = this.button(name, () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        b.setAttribute("aria-pressed", String(!this.hidden.has(name)));
        this.draw();
      });
      b.setAttribute("aria-pressed", "true");
    }
    if (["rows", "curves", "time", "bars", "lines"].includes(data.kind)) {
      const words = data.kind === "bars" ? "Logarithmic heights" : "Linear scale", on = data.kind !== "bars";
      const b = this.button(words, () => {
        this.linear = !this.linear;
        b.setAttribute("aria-pressed", String(this.linear === on));
        this.draw();
      });
      b.setAttribute("aria-pressed", "false");
    }
    const frame = this.still.closest(".scroll");
    frame.before(box);
    figure.classList.add("explored");
    this.listen();
    new ResizeObserver(() => { if (this.stage.clientWidth !== this.width) this.draw(); }).observe(this.stage);
    this.draw();
  }

  // keys say what lines and marks stand for, each beside a sample of it.
  keys() {
    const m = this.model, keys = [];
    const key = (words, sample) => {
      const s = draw(element("span"), "svg", {width: 20, height: 12, "aria-hidden": "true"});
      sample(s);
      keys.push(element("span", {}, s, words));
    };
    const across = (words, stroke, width, dash) => key(words, s => this.line(s, "M0,6h20", stroke, width, {dash}));
    const upright = (words, dash) => key(words, s => this.line(s, "M10,0v12", "text", 1.4, {dash}));
    if (m.kind === "bars") { upright("p50"); upright("p99", "4 2"); }
    for (const [mark, words] of Object.entries(m.marks ?? {})) {
      if (m.series.some(s => s.marks?.some(v => v.includes(mark)))) key(words, s => this.point(s, {line: "text"}, 10, 6, mark));
    }
    if (m.kind === "time") { across("p99, faint where fewer than 10 samples lie beyond", "blue", 2.4); across("p50", "text", 1); }
    if (m.kind === "flow") {
      across("due", "axis", 1.4);
      across("ended ok", "blue", 2);
      across("ended otherwise", "vermillion", 1.8, "4 2");
      if (m.series.some(s => s.values[3].some(v => v > 0))) key("backlog, below", s => this.box(s, 0, 1, 20, 10, "purple", 0.7));
    }
    if (m.kind === "heat") key("one operation to most", s => [0.15, 0.4, 0.7, 1].forEach((v, i) => this.box(s, 5 * i, 1, 5, 10, "blue", v)));
    if (overTime(m.kind) && m.series.some(s => page.cells[s.cell].faults)) {
      key("fault", s => m.kind === "heat" ? this.line(s, "M4,0v12M16,0v12", "text", 1) : (this.box(s, 0, 0, 20, 12, "shade"), this.line(s, "M0,12L12,0M7,12L19,0M0,5L5,0M14,12L20,6", "axis", 0.7)));
      key("noticed", s => draw(s, "circle", {cx: 10, cy: 6, r: 3.2, style: `fill:${ink("paper")};stroke:${ink("text")};stroke-width:1.5`}));
      key("well again", s => draw(s, "circle", {cx: 10, cy: 6, r: 3.8, style: `fill:${ink("text")}`}));
    }
    if (overTime(m.kind) && m.series.some(s => page.cells[s.cell].warmup_s)) {
      key("warm-up", s => m.kind === "heat" ? this.line(s, "M10,0v12", "axis", 1, {dash: "2 2"}) : this.box(s, 0, 0, 20, 12, "shade"));
    }
    if (overTime(m.kind)) keys.push(element("span", {}, `each window is ${+m.width.toFixed(2)} s`));
    return keys.length ? [element("p", {class: "key"}, ...keys)] : [];
  }

  button(words, act) {
    const b = element("button", {type: "button"}, words);
    b.addEventListener("click", act);
    this.tools.append(b);
    return b;
  }

  // visible are the series of flows that are not switched off, with their places.
  visible() { return this.model.series.map((s, i) => ({...s, at: i})).filter(s => !off.has(s.cell) && !this.hidden.has(s.name)); }

  panelsOf(shown) {
    const m = this.model;
    if (m.kind === "rows") return shown.length ? [{title: "", series: shown}] : [];
    if (!m.panels) return shown.map(s => ({title: s.name, series: [s], hues: [0]}));
    const by = new Map(shown.map(s => [s.at, s]));
    return m.panels.map(p => {
      const kept = p.series.map((s, i) => [by.get(s), p.hues?.[i]]).filter(k => k[0]);
      return {title: p.title, at: m.panels.indexOf(p), series: kept.map(k => k[0]), hues: kept.map(k => k[1]), alone: p.series.length === 1};
    }).filter(p => p.series.length);
  }

  // scales are those of all panels, as far as shown series need them.
  scales(shown) {
    const m = this.model, range = {min: Infinity, max: 0}, add = v => {
      if (v > 0) { range.min = Math.min(range.min, v); range.max = Math.max(range.max, v); }
    };
    const whole = off.size === 0 && this.hidden.size === 0 && !zoom, latencies = s => {
      const t = zoom && m.width ? [Math.floor(zoom[0] / m.width), Math.ceil(zoom[1] / m.width)] : [0, undefined];
      return m.kind === "time" ? [...s.values[0].slice(...t), ...s.values[1].slice(...t)] : m.kind === "curves" ? s.values[0].slice(2) : m.kind === "lines" ? s.values[1] : s.quantiles;
    };
    const fitted = s => {
      let {min, max} = s;
      if (!whole || this.linear) for (const one of shown) latencies(one).forEach(add);
      if (!whole && range.max) { min = round125(range.min, false); max = round125(range.max, true); }
      if (this.linear) { min = 0; max = (range.max || max) * 1.05; }
      if (min >= max) max = min * 2 || 1;
      return scaleOf(this.linear ? "linear" : "log", min, max, s.unit);
    };
    const time = () => scaleOf("linear", ...(zoom ?? [0, m.x.max]), "s");
    switch (m.kind) {
    case "rows": return {x: fitted(m.x)};
    case "curves": return {x: scaleOf("nines", 1, m.x.max), y: fitted(m.y)};
    case "bars": return {x: scaleOf("log", m.x.min, m.x.max, "us")};
    case "lines": return {x: scaleOf("log", m.x.min, m.x.max, m.x.unit), y: fitted(m.y)};
    case "time": return {x: time(), y: fitted(m.y)};
    case "heat": return {x: time(), y: scaleOf("log", m.y.min, m.y.max, "us")};
    }
    let backlog = 0;
    for (const s of shown) for (const v of s.values[3]) backlog = Math.max(backlog, v);
    return {x: time(), y: scaleOf("linear", 0, m.y.max, "per_s"), backlog: backlog && scaleOf("linear", 0, backlog * 1.08, "n")};
  }

  draw() {
    const m = this.model, shown = this.visible(), w = this.width = this.stage.clientWidth;
    if (!w) return;
    this.svg.replaceChildren();
    this.panels = this.panelsOf(shown);
    this.scale = shown.length ? this.scales(shown) : {};
    this.places = m.kind === "lines" ? [...new Set(shown.flatMap(s => s.values[0]))].sort((a, b) => a - b) : null;
    if (this.reset) this.reset.disabled = !zoom;
    this.height = !this.panels.length ? 60 : m.kind === "rows" ? this.layRows(w) : this.layPanels(w);
    for (const [k, v] of Object.entries({viewBox: `0 0 ${w} ${this.height}`, width: w, height: this.height})) this.svg.setAttribute(k, v);
    if (!this.panels.length) {
      this.text(this.svg, "No flow is shown.", 8, 30);
    } else if (m.kind === "rows") this.drawRows();
    else for (const p of this.panels) this.drawPanel(p);
    this.over = draw(this.svg, "g");
    this.cursor = null;
    this.tip.hidden = true;
  }

  text(parent, s, x, y, {anchor, fill = "soft", bold, size = 12} = {}) {
    return draw(parent, "text", {x, y, "text-anchor": anchor, "font-size": size, "font-weight": bold && "bold", style: `fill:${ink(fill)}`}, s);
  }
  line(parent, d, stroke, width, {dash, opacity} = {}) {
    return draw(parent, "path", {d, style: `fill:none;stroke:${ink(stroke)};stroke-width:${width}`, "stroke-dasharray": dash, "stroke-opacity": opacity});
  }
  box(parent, x, y, width, height, fill, opacity) {
    return draw(parent, "rect", {x, y, width: Math.max(0, width), height: Math.max(0, height), style: `fill:${ink(fill)}`, "fill-opacity": opacity});
  }
  dash(d) { return d || (this.model.simulated ? "4 2" : undefined); }

  // layPanels places the panels in a grid and returns how high it is.
  layPanels(w) {
    const m = this.model, n = this.panels.length, wanted = n <= 1 ? 1 : n <= 4 ? 2 : n <= 9 ? 3 : 4;
    const lines = m.kind === "lines", named = lines || m.kind === "curves" && this.panels.some(p => !p.alone);
    const most = lines ? 3 : named ? 2 : 4;
    const columns = Math.max(1, Math.min(wanted, most, Math.floor(w / (lines ? 330 : named ? 420 : 230))));
    const left = m.kind === "bars" ? 4 : 56, gap = m.kind === "bars" ? 32 : 18;
    const roomy = w / columns > (lines ? 300 : 420), longest = Math.max(...this.panels.flatMap(p => p.series.map(s => widthOf(this.named(s, p)))));
    this.ends = named && roomy ? Math.min(Math.max(lines ? 110 : 170, 0.3 * w / columns), 20 + longest) : 0;
    const wide = (w - left - 8 - gap * (columns - 1)) / columns;
    const labels = this.panels.flatMap(p => this.faultsOf(p));
    const rows = !overTime(m.kind) || !labels.length ? 0 : 1;
    const key = named && !this.ends ? Math.max(...this.panels.map(p => p.series.filter(s => !s.look?.light).length)) * 17 : 0;
    const head = (m.kind === "bars" ? 38 : 22) + rows * 15 + key;
    const height = named ? 270 : m.kind === "flow" ? (n === 1 ? 260 : 170) : n === 1 ? 250 : m.kind === "heat" ? 140 : 120;
    this.panels.forEach((p, i) => {
      p.x = left + (i % columns) * (wide + gap);
      p.y = head + Math.floor(i / columns) * (height + head + 26);
      p.w = wide - this.ends;
      p.h = height;
      p.leftmost = i % columns === 0;
      p.head = head;
      p.room = wide;
    });
    return Math.ceil(n / columns) * (height + head + 26) + 14;
  }

  named(s, p) { // the name of a curve in a panel whose title says the rest
    return p.title ? s.name.replace(" " + p.title, "") : s.name;
  }

  faultsOf(p) { return page.cells[p.series[0].cell]?.faults ?? []; }

  at(p, scale = this.scale.y, top = p.y, height = p.h) {
    return [v => p.x + this.scale.x.to(v) * p.w, v => top + height - scale.to(v) * height];
  }

  frame(p, scale, top, height, x = true) {
    const g = p.group, [px, py] = this.at(p, scale, top, height);
    if (scale) for (const [v, s] of scale.marks(20 / height)) {
      this.line(g, `M${p.x},${py(v)}h${p.w}`, "grid", 1);
      if (p.leftmost) this.text(g, s, p.x - 6, py(v) + 4, {anchor: "end", size: 11.5});
    }
    const size = 11.5;
    let end = -1e9;
    for (const [v, s] of this.scale.x.marks(62 / p.w)) {
      const at = px(v), half = widthOf(s, size) / 2;
      this.line(g, `M${at},${top}v${height}`, "grid", 1);
      this.line(g, `M${at},${top + height}v4`, "axis", 1);
      const from = clamp(at - half, p.x - 4, p.x + p.w + 6 - 2 * half);
      if (x && from > end + 8) {
        this.text(g, s, from, top + height + 16, {size});
        end = from + 2 * half;
      }
    }
    this.line(g, `M${p.x},${top + height}h${p.w}`, "axis", 1);
  }

  drawPanel(p) {
    const m = this.model, s = p.series[0];
    p.group = draw(this.svg, "g");
    const clip = "clip-" + charts.length + "-" + this.still.querySelector("title").id + "-" + this.panels.indexOf(p);
    draw(draw(p.group, "clipPath", {id: clip}), "rect", {x: p.x, y: p.y - 30, width: p.w, height: p.h + 30});
    const top = p.y - p.head + 14;
    if (p.title) this.text(p.group, fit(p.title, p.room, 13, true), p.x, top, {fill: "text", bold: true, size: 13});
    p.inside = m.kind === "heat" ? null : draw(p.group, "g", {"clip-path": `url(#${clip})`});
    if (!p.inside) this.frame(p, this.scale.y, p.y, p.h);
    p.inside ??= draw(p.group, "g", {"clip-path": `url(#${clip})`});
    if (m.kind === "bars") this.drawBars(p, s, top);
    else if (m.kind === "curves") this.drawCurves(p);
    else if (m.kind === "lines") this.drawLines(p);
    else {
      const lower = m.kind === "flow" && this.scale.backlog ? 0.27 * p.h : 0;
      p.upper = p.h - (lower && lower + 10);
      if (m.kind !== "heat") this.shadeTimes(p, p.y, p.h);
      if (m.kind === "heat") this.drawHeat(p, s);
      else this.frame(p, this.scale.y, p.y, p.upper, !lower);
      if (lower) this.frame(p, this.scale.backlog, p.y + p.h - lower, lower);
      if (m.kind === "time") this.drawTimes(p, s);
      if (m.kind === "flow") this.drawFlow(p, s, lower);
      this.markTimes(p, top);
    }
    if (p === this.panels.at(-1)) {
      const axis = m.x.name || "latency";
      this.text(this.svg, axis, this.width - 8, this.height - 2, {anchor: "end"});
    }
  }

  drawBars(p, s, top) {
    const bins = s.values[0], q = s.quantiles, m = this.model, most = Math.max(...bins, 1);
    const y = this.linear ? scaleOf("linear", 0, most * 1.08) : scaleOf("log", 0.5, most * 1.3);
    const [px, py] = this.at(p, y), edge = i => m.x.min * 10 ** (i / m.per_decade);
    p.bin = edge;
    this.text(p.group, fit(m.quantiles.map((v, i) => `${name(v)} ${quantile(q[i], s.n, v)}`).join(" · ") + ` · n ${count(s.n)}`, p.room),
      p.x, top + 16);
    this.frame(p, null, p.y, p.h);
    let d = `M${p.x},${p.y + p.h}`;
    bins.forEach((v, i) => { d += `L${px(edge(i))},${py(Math.max(v, this.linear ? 0 : 0.5))}H${px(edge(i + 1))}`; });
    d += `L${px(edge(bins.length))},${p.y + p.h}Z`;
    draw(p.group, "path", {d, style: m.simulated ? `fill:none;stroke:${ink("blue")};stroke-width:1.3` : `fill:${ink("blue")}`,
      "fill-opacity": 0.55, "stroke-dasharray": this.dash()});
    m.quantiles.forEach((v, i) => this.line(p.group, `M${px(q[i])},${p.y}v${p.h}`, "text", 1.3,
      {dash: i ? "5 3" : undefined, opacity: resolved(s.n, v) ? undefined : 0.45}));
  }

  curve(s, px, py) { // the resolved part and the tail
    const v = s.values[0], last = v.length - 1;
    let solid = "", tail = "";
    v.forEach((y, i) => {
      const x = s.n ** (i / last), point = `${px(x).toFixed(1)},${py(y).toFixed(1)}`, ok = resolved(s.n, 1 - 1 / x);
      if (ok) { solid += (solid ? "L" : "M") + point; tail = "M" + point; } else tail += (tail ? "L" : "M") + point;
    });
    return [solid, tail, py(v[last]), px(s.n)];
  }

  drawCurves(p) {
    const [px, py] = this.at(p);
    this.frame(p, this.scale.y, p.y, p.h);
    if (p.alone) for (const s of this.visible()) if (s.at !== p.series[0].at) {
      const [solid, tail] = this.curve(s, px, py);
      this.line(p.inside, solid + tail, "rest", 1);
    }
    const ends = [];
    p.series.forEach((s, i) => {
      const hue = page.hues[p.hues[i]], [solid, tail, y, x] = this.curve(s, px, py);
      if (solid) this.line(p.inside, solid, hue.line, 2.2, {dash: this.dash(hue.dash)});
      this.line(p.inside, tail, hue.line, 1.3, {opacity: 0.5, dash: this.model.simulated ? "2 2" : undefined});
      ends.push({y, x, hue, s});
    });
    if (!p.alone) this.nameEnds(p, ends);
  }

  // nameEnds writes the names of lines beside the panel, or above it where there is no
  // room.
  nameEnds(p, ends) {
    if (!this.ends) return ends.forEach((e, i) => {
      const y = p.y - ends.length * 17 + i * 17 + 4;
      this.line(p.group, `M${p.x},${y}h26`, e.hue.line, 2.2, {dash: e.hue.dash});
      this.text(p.group, fit(this.named(e.s, p), p.w - 32), p.x + 32, y + 4, {fill: e.hue.label});
    });
    ends.sort((a, b) => a.y - b.y);
    let last = p.y - 8;
    for (const e of ends) last = e.at = Math.max(e.y, last + 15, p.y + 6);
    let next = p.y + p.h + 9;
    for (const e of [...ends].reverse()) next = e.at = Math.min(e.at, next - 15);
    for (const e of ends) {
      this.line(p.group, `M${e.x},${e.y}L${p.x + p.w + 12},${e.at}`, e.hue.line, 0.8, {opacity: 0.5});
      this.text(p.group, fit(this.named(e.s, p), this.ends - 18), p.x + p.w + 15, e.at + 4, {fill: e.hue.label});
    }
  }

  drawLines(p) {
    const m = this.model, [px, py] = this.at(p), ends = [];
    this.frame(p, this.scale.y, p.y, p.h);
    for (const r of m.rules ?? []) if (r.panel === p.at && (r.across ? r.at >= this.scale.y.min && r.at <= this.scale.y.max : true)) {
      const at = r.across ? py(r.at) : px(r.at), wide = widthOf(r.name, 11.5);
      this.line(p.inside, r.across ? `M${p.x},${at}h${p.w}` : `M${at},${p.y}v${p.h}`, r.across ? "axis" : "text", 1, {dash: r.across ? "4 3" : undefined});
      const [x, y] = r.across ? [p.x + 4, at < p.y + 20 ? at + 14 : at - 5] : [clamp(at - wide - 5, p.x + 2, p.x + p.w - wide), p.y + 12];
      this.box(p.inside, x - 2, y - 11, wide + 4, 14, "paper", 0.8);
      this.text(p.inside, r.name, x, y, {size: 11.5});
    }
    for (const s of p.series) {
      const points = s.values[0].map((x, i) => [px(x), py(s.values[1][i]), s.marks?.[i]]), through = points.filter(v => !v[2]?.includes(cross));
      const d = through.map((v, i) => `${i ? "L" : "M"}${v[0].toFixed(1)},${v[1].toFixed(1)}`).join("");
      this.line(p.inside, d, s.look.line, s.look.light ? 1.3 : 2, {dash: s.look.light ? "1.5 3" : this.dash(s.look.dash)});
      if (s.look.light) continue;
      for (const [x, y, mark] of points) this.point(p.group, s.look, x, y, mark);
      const last = points.at(-1);
      ends.push({x: last[0], y: last[1], hue: s.look, s});
    }
    this.nameEnds(p, ends);
  }

  // point marks a point in the shape of its line.
  point(parent, look, x, y, mark = "") {
    const fill = mark.includes(hollow) || this.model.simulated ? "paper" : look.line;
    const style = `stroke:${ink(look.line)};stroke-width:1.6;fill:${ink(fill)}${mark.includes(faint) ? ";opacity:.45" : ""}`;
    if (mark.includes(cross)) return this.line(parent, `M${x - 4},${y - 4}l8,8M${x - 4},${y + 4}l8,-8`, look.line, 1.7, {opacity: mark.includes(faint) ? 0.45 : undefined});
    if (!look.corners) return draw(parent, "circle", {cx: x, cy: y, r: 3.8, style});
    const corners = Array.from({length: look.corners}, (_, i) => (look.turn ?? 0) + 2 * Math.PI * i / look.corners);
    return draw(parent, "path", {d: "M" + corners.map(a => `${(x + 4.8 * Math.cos(a)).toFixed(1)},${(y - 4.8 * Math.sin(a)).toFixed(1)}`).join("L") + "Z", style});
  }

  shadeTimes(p, top, height) {
    const [px] = this.at(p), cell = page.cells[p.series[0].cell];
    const band = (from, to, fill, opacity) => {
      if (this.scale.x.min < to && from < this.scale.x.max) this.box(p.inside, px(from), top, px(to) - px(from), height, fill, opacity);
    };
    if (cell.warmup_s) band(0, cell.warmup_s, "shade");
    for (const f of this.faultsOf(p)) {
      band(f.from_s, f.to_s || this.scale.x.max, "shade");
      const from = px(f.from_s), to = px(f.to_s || this.scale.x.max);
      for (let x = from - height; x < to; x += 7) {
        const a = Math.max(x, from), b = Math.min(x + height, to);
        if (a < b) this.line(p.inside, `M${a},${top + height - (a - x)}L${b},${top + height - (b - x)}`, "rest", 0.6);
      }
      for (const at of [from, to]) this.line(p.inside, `M${at},${top}v${height}`, "axis", 1);
    }
  }

  markTimes(p, top) {
    const [px] = this.at(p), cell = page.cells[p.series[0].cell], heat = this.model.kind === "heat";
    const within = t => t >= this.scale.x.min && t <= this.scale.x.max;
    if (heat && cell.warmup_s && within(cell.warmup_s)) this.line(p.inside, `M${px(cell.warmup_s)},${p.y}v${p.h}`, "axis", 1, {dash: "2 2"});
    let end = p.x;
    for (const f of this.faultsOf(p)) {
      if (heat) for (const t of [f.from_s, f.to_s]) if (t && within(t)) this.line(p.inside, `M${px(t)},${p.y}v${p.h}`, "text", 1);
      if (f.from_s > this.scale.x.max || (f.to_s || Infinity) < this.scale.x.min) continue;
      const middle = (px(f.from_s) + px(f.to_s || this.scale.x.max)) / 2;
      const words = fit(f.name, p.w - (end - p.x), 11.5), half = widthOf(words, 11.5) / 2;
      const from = clamp(middle - half, end, p.x + p.w - 2 * half);
      if (from >= end) this.text(p.group, words, from, top + 15, {size: 11.5});
      end = from + 2 * half + 8;
      if (f.noticed_s && within(f.noticed_s)) {
        this.line(p.inside, `M${px(f.noticed_s)},${p.y}v${p.h}`, "text", 1.1, {dash: "3 3"});
        draw(p.group, "circle", {cx: px(f.noticed_s), cy: p.y + 4, r: 3.2, style: `fill:${ink("paper")};stroke:${ink("text")};stroke-width:1.5`});
      }
      if (f.well_s && within(f.well_s)) {
        this.line(p.inside, `M${px(f.well_s)},${p.y}v${p.h}`, "text", 1.1);
        draw(p.group, "circle", {cx: px(f.well_s), cy: p.y + 13, r: 3.8, style: `fill:${ink("text")}`});
      }
    }
  }

  // steps is the outline of windows; those without a value are gaps.
  steps(values, px, py, gap) {
    const w = this.model.width;
    let d = "", up = true;
    values.forEach((v, i) => {
      if (gap && v <= 0) { up = true; return; }
      if ((i + 1) * w < this.scale.x.min - w || i * w > this.scale.x.max + w) return;
      d += `${up ? "M" : "L"}${px(i * w).toFixed(1)},${py(v).toFixed(1)}H${px((i + 1) * w).toFixed(1)}`;
      up = false;
    });
    return d;
  }

  drawTimes(p, s) {
    const [px, py] = this.at(p, this.scale.y, p.y, p.h), [p50, p99, n] = s.values;
    const firm = p99.map((v, i) => resolved(n[i], 0.99) ? v : 0), weak = p99.map((v, i) => resolved(n[i], 0.99) ? 0 : v);
    this.line(p.inside, this.steps(p99, px, py, true), "blue", 1.1, {opacity: 0.6, dash: this.dash()});
    this.line(p.inside, this.steps(weak, px, py, true), "blue", 2, {opacity: 0.6, dash: this.dash()});
    this.line(p.inside, this.steps(firm, px, py, true), "blue", 2.2, {dash: this.dash()});
    this.line(p.inside, this.steps(p50, px, py, true), "text", 1, {dash: this.dash()});
  }

  drawFlow(p, s, lower) {
    const [px, py] = this.at(p, this.scale.y, p.y, p.upper), [due, ok, bad, backlog] = s.values;
    if (lower) {
      const [, by] = this.at(p, this.scale.backlog, p.y + p.h - lower, lower);
      const w = this.model.width, d = this.steps(backlog, px, by);
      if (d) {
        const from = Math.max(0, this.scale.x.min), to = Math.min(backlog.length * w, this.scale.x.max);
        draw(p.inside, "path", {d: `${d}L${px(to)},${p.y + p.h}L${px(from)},${p.y + p.h}Z`, style: `fill:${ink("purple")}`, "fill-opacity": 0.7});
      }
    }
    this.line(p.inside, this.steps(due, px, py), "axis", 1.1);
    this.line(p.inside, this.steps(ok, px, py), "blue", 1.9, {dash: this.dash()});
    if (Math.max(...bad) > 0) this.line(p.inside, this.steps(bad, px, py), "vermillion", 1.6, {dash: "4 2"});
  }

  drawHeat(p, s) {
    const m = this.model, href = this.pictures[s.at], [px] = this.at(p), all = s.values[0].length * m.width;
    if (!href) return;
    const bins = Math.ceil(Math.log10(m.y.max / m.y.min) * m.per_decade - 1e-9);
    const high = p.h * bins / m.per_decade / Math.log10(m.y.max / m.y.min);
    const span = this.scale.x.max - this.scale.x.min;
    const place = {x: p.x - this.scale.x.min / span * p.w, width: all / span * p.w, y: p.y + p.h - high, height: high};
    const id = "mask-" + this.still.querySelector("title").id + "-" + s.at;
    const mask = draw(p.inside, "mask", {id, maskUnits: "userSpaceOnUse", ...place});
    draw(mask, "image", {...place, href, preserveAspectRatio: "none", style: "image-rendering:pixelated"});
    draw(p.inside, "rect", {...place, mask: `url(#${id})`, style: `fill:${ink("blue")}`});
  }

  // Rows: one for each series, sorted by its second quantile, or as they come.
  layRows(w) {
    const p = this.panels[0], q = this.model.quantiles, narrow = w < 640;
    const listed = this.model.series, sorted = listed.every((s, i) => i === 0 || s.at === undefined);
    if (sorted && this.figure.closest("section").matches("#intervals, #trust")) {
      p.series.sort((a, b) => a.quantiles[1] - b.quantiles[1] || (a.name < b.name ? -1 : 1));
    }
    const names = Math.max(...listed.map(s => widthOf(s.name)));
    p.pitch = narrow ? 50 : 27;
    p.x = narrow ? 8 : Math.min(names, 260) + 18;
    p.columns = narrow ? 0 : 74;
    p.w = w - p.x - p.columns * (q.length + 1) - (narrow ? 22 : 12);
    p.y = narrow ? 28 : 24;
    p.h = p.pitch * p.series.length + 8;
    p.names = p.x - 18;
    return p.y + p.h + 38;
  }

  mark(parent, kind, x, y, stroke, opacity) {
    const style = `stroke:${ink(stroke)};stroke-width:1.8;fill:${kind === "dot" && !this.model.simulated ? ink(stroke) : ink("paper")}`;
    if (kind === "bar") return this.line(parent, `M${x},${y - 6}v12`, stroke, 1.9, {opacity});
    if (kind === "dot" && this.model.simulated) {
      return draw(parent, "rect", {x: x - 3.6, y: y - 3.6, width: 7.2, height: 7.2, style, "stroke-opacity": opacity});
    }
    return draw(parent, "circle", {cx: x, cy: y, r: 4.2, style, "stroke-opacity": opacity, "fill-opacity": kind === "dot" ? opacity : undefined});
  }

  drawRows() {
    const p = this.panels[0], m = this.model, q = m.quantiles, g = p.group = draw(this.svg, "g"), px = v => p.x + this.scale.x.to(v) * p.w;
    this.frame({...p, leftmost: false}, null, p.y, p.h);
    this.text(g, m.x.name, p.x + p.w, p.y + p.h + 32, {anchor: "end"});
    const right = i => p.x + p.w + p.columns * (i + 1) + 6;
    if (p.columns) q.forEach((v, i) => {
      this.text(g, name(v), right(i), 14, {anchor: "end"});
      this.mark(g, markers[i], right(i) - widthOf(name(v)) - 10, 10, "blue");
    });
    if (p.columns) this.text(g, "n", right(q.length), 14, {anchor: "end"});
    else q.reduce((x, v, i) => {
      this.mark(g, markers[i], x + 5, 10, "blue");
      this.text(g, name(v), x + 15, 14);
      return x + 30 + widthOf(name(v));
    }, p.x);
    p.series.forEach((s, i) => {
      const y = p.y + 4 + p.pitch * (i + (p.columns ? 0.5 : 0.72)), stroke = s.faint ? "axis" : "blue", v = s.quantiles;
      const soft = k => resolved(s.n, q[k]) ? undefined : 0.45;
      this.line(g, `M${p.x},${y}h${p.w}`, "grid", 1);
      if (p.columns) this.text(g, fit(s.name, p.names), p.x - 12, y + 4, {anchor: "end", fill: s.faint ? "soft" : "text"});
      else {
        const told = `${name(q[1])} ${quantile(v[1], s.n, q[1])}, n ${count(s.n)}`;
        this.text(g, fit(s.name, p.w - widthOf(told) - 8), p.x, y - 16, {fill: s.faint ? "soft" : "text"});
        this.text(g, told, p.x + p.w + 8, y - 16, {anchor: "end"});
      }
      for (let k = 1; k < v.length; k++) {
        this.line(g, `M${px(v[k - 1])},${y}H${px(v[k])}`, stroke, k > 1 ? 1.4 : 2.8, {opacity: soft(k), dash: soft(k) ? "3 3" : this.dash()});
      }
      for (let k = v.length - 1; k >= 0; k--) this.mark(g, markers[k], px(v[k]), y, stroke, soft(k));
      if (p.columns) {
        v.forEach((us, k) => this.text(g, quantile(us, s.n, q[k]), right(k), y + 4, {anchor: "end", fill: soft(k) || s.faint ? "soft" : "text"}));
        this.text(g, count(s.n), right(q.length), y + 4, {anchor: "end"});
      }
    });
  }

  // Reading. A cursor is a panel, a step of its x, and for heat maps a bin.
  stepsOf() {
    const m = this.model, p = this.panels[0];
    if (!p) return 0;
    if (m.kind === "rows") return p.series.length;
    if (m.kind === "curves") return 161;
    if (m.kind === "lines") return this.places.length;
    if (m.kind === "bars") return p.series[0].values[0].length;
    return Math.ceil(m.x.max / m.width - 1e-9);
  }

  xOf(i) {
    const m = this.model;
    return m.kind === "lines" ? this.places[i] : m.kind === "curves" ? m.x.max ** (i / 160) : m.kind === "bars" ? m.x.min * 10 ** ((i + 0.5) / m.per_decade) : (i + 0.5) * m.width;
  }

  limits() { // of the steps in sight
    const m = this.model, n = this.stepsOf();
    return overTime(m.kind) && zoom ? [Math.floor(zoom[0] / m.width + 1e-9), Math.min(n, Math.ceil(zoom[1] / m.width - 1e-9)) - 1] : [0, n - 1];
  }

  under(x, y) { // the cursor that lies under a point of the stage
    const m = this.model;
    let best = null, distance = Infinity;
    this.panels.forEach((p, i) => {
      const d = Math.hypot(Math.max(p.x - x, 0, x - p.x - p.w), Math.max(p.y - p.head - y || p.y - y, 0, y - p.y - p.h));
      if (d < distance) { distance = d; best = i; }
    });
    if (best === null) return null;
    const p = this.panels[best], t = clamp((x - p.x) / p.w, 0, 1);
    if (m.kind === "rows") return {panel: 0, step: clamp(Math.floor((y - p.y - 4) / p.pitch), 0, p.series.length - 1)};
    const v = this.scale.x.from(t), [first, last] = this.limits();
    const nearest = () => this.places.reduce((b, x, i) => Math.abs(Math.log(x / v)) < Math.abs(Math.log(this.places[b] / v)) ? i : b, 0);
    const step = m.kind === "lines" ? nearest() : m.kind === "curves" ? Math.round(160 * Math.log(v) / Math.log(m.x.max)) :
      m.kind === "bars" ? Math.floor(Math.log10(v / m.x.min) * m.per_decade) : Math.floor(v / m.width);
    const c = {panel: best, step: clamp(step, first, last), y: clamp(y, p.y, p.y + p.h)};
    if (m.kind === "heat") c.bin = Math.floor(Math.log10(this.scale.y.from(clamp(1 - (y - p.y) / p.h, 0, 1)) / m.y.min) * m.per_decade);
    return c;
  }

  // read returns what stands at a cursor: a head, lines, and points to mark.
  read(c) {
    const m = this.model, p = this.panels[c.panel], s = p.series[m.kind === "rows" ? c.step : 0], i = c.step;
    const window = () => seconds(i * m.width, Math.min((i + 1) * m.width, m.x.max));
    switch (m.kind) {
    case "rows": return {head: s.name, points: [], lines: [...m.quantiles.map((q, k) => [name(q), quantile(s.quantiles[k], s.n, q)]), ["n", count(s.n)]]};
    case "curves": {
      const x = this.xOf(i), q = 1 - 1 / x, lines = [], points = [];
      p.series.forEach((s, k) => {
        const v = s.values[0], last = v.length - 1, at = x > s.n * 1.0001 ? -1 : Math.round(last * Math.log(x) / Math.log(Math.max(s.n, 2)));
        const us = v[clamp(at, 0, last)];
        lines.push([this.named(s, p), at < 0 ? `– (n ${count(s.n)})` : `${quantile(us, s.n, q)}, n ${count(s.n)}`, p.alone ? "blue" : page.hues[p.hues[k]].line, at < 0 ? Infinity : us]);
        if (at >= 0) points.push([x, us, page.hues[p.hues[k]].line]);
      });
      lines.sort((a, b) => b[3] - a[3]);
      return {head: `${percent(q)}: one in ${digits(x)} is slower`, lines, points};
    }
    case "lines": {
      const at = this.places[i], lines = [], points = [];
      for (const s of p.series) {
        const k = s.values[0].indexOf(at);
        if (k < 0) continue;
        lines.push([s.name + (s.look.light ? ", first byte" : ""), s.text[k], s.look.line, s.values[1][k]]);
        points.push([at, s.values[1][k], s.look.line]);
      }
      lines.sort((a, b) => a[3] - b[3]);
      const place = m.x.unit === "bytes" ? size(at) : digits(at) + "/s";
      return {head: `${place}${p.title ? ", " + p.title : ""}`, lines: lines.length ? lines : [["nothing here", "–"]], points};
    }
    case "bars": {
      const v = s.values[0][i] ?? 0;
      return {head: p.title, points: [], lines: [[`${latency(p.bin(i))} to ${latency(p.bin(i + 1))}`, `${v > 0 && v < 1 ? "< 1" : count(v)} of ${count(s.n)} ${m.noun}`], ["share", share(v / s.n)]]};
    }
    case "time": {
      const [p50, p99, n] = s.values.map(v => v[i] ?? 0);
      return {head: p.title, points: [[this.xOf(i), p99, "blue"], [this.xOf(i), p50, "text"]].filter(v => v[1] > 0),
        lines: [["due", window()], ["p99", quantile(p99, n, 0.99)], ["p50", quantile(p50, n, 0.5)], ["n", count(n)], ...this.told(p, i)]};
    }
    case "flow": {
      const [due, ok, bad, backlog] = s.values.map(v => v[i] ?? 0);
      return {head: p.title, points: [], lines: [["time", window()], ["due", digits(due) + "/s"], ["ended ok", digits(ok) + "/s"],
        ["otherwise", digits(bad) + "/s"], ...(this.scale.backlog ? [["backlog", count(backlog)]] : []), ...this.told(p, i)]};
    }
    }
    const column = s.text[i] ?? "", first = column ? heatDigits.indexOf(column[0]) : 0;
    const level = b => heatDigits.indexOf(column[b - first + 1] ?? "A");
    let bin = c.bin ?? 0;
    if (c.bin === undefined) for (let b = first; b < first + column.length - 1; b++) if (level(b) > level(bin)) bin = b;
    const l = level(bin), sum = s.values[0][i] ?? 0, edge = b => m.y.min * 10 ** (b / m.per_decade);
    const found = l < 0 ? "0" : l > 20 ? "about " + count(+(20 * 1.17 ** (l - 20)).toPrecision(2)) : count(l);
    return {head: p.title, points: [[this.xOf(i), edge(bin + 0.5), "text"]],
      lines: [["due", window()], [`${latency(edge(bin))} to ${latency(edge(bin + 1))}`, `${found} of ${count(sum)} ${m.noun}`], ...this.told(p, i)]};
  }

  told(p, i) { // the faults of a moment
    const from = i * this.model.width, to = from + this.model.width, lines = [];
    const warmup = page.cells[p.series[0].cell].warmup_s;
    if (from < warmup) lines.push(["warm-up", "not measured"]);
    for (const f of this.faultsOf(p)) if (f.from_s < to && (f.to_s || Infinity) > from) lines.push([f.name, f.outcome]);
    return lines;
  }

  // show draws the cursor and says what it reads.
  show(c, beside) {
    this.cursor = c;
    this.over.replaceChildren();
    if (!c || !this.panels[c.panel]) { this.tip.hidden = true; return; }
    const m = this.model, r = this.read(c), p = this.panels[c.panel];
    let x, y;
    if (m.kind === "rows") {
      y = p.y + 4 + p.pitch * c.step;
      x = p.x + p.w / 2;
      this.box(this.over, 0, y, this.width, p.pitch, "text", 0.06);
    } else {
      for (const other of this.panels) {
        const at = x = other.x + this.scale.x.to(this.xOf(c.step)) * other.w;
        this.line(this.over, `M${at},${other.y}v${other.h}`, "text", 1, {opacity: other === p ? 0.8 : 0.3});
      }
      x = p.x + this.scale.x.to(this.xOf(c.step)) * p.w;
      y = c.y ?? p.y + 10;
      const height = m.kind === "flow" ? p.upper : p.h;
      for (const [vx, vy, stroke] of r.points) {
        const [px, py] = this.at(p, this.scale.y, p.y, height);
        draw(this.over, "circle", {cx: px(vx), cy: py(vy), r: 4, style: `fill:${ink("paper")};stroke:${ink(stroke)};stroke-width:2`});
      }
    }
    const rows = r.lines.map(([k, v, hue]) => {
      const key = element("span", {}, k);
      if (hue) key.style.borderLeft = `3px solid ${ink(hue)}`, key.style.paddingLeft = "6px";
      return element("div", {}, key, element("b", {}, v));
    });
    this.tip.replaceChildren(...(r.head ? [element("p", {}, r.head)] : []), ...rows);
    this.tip.hidden = false;
    const [bx, by] = beside ?? [x, y], w = this.tip.offsetWidth, h = this.tip.offsetHeight;
    this.tip.style.left = `${clamp(bx + 16 + w > this.width ? bx - w - 16 : bx + 16, 0, Math.max(0, this.width - w))}px`;
    this.tip.style.top = `${m.kind === "rows" ? y + p.pitch + h > this.height + 30 ? y - h - 4 : y + p.pitch + 4 : clamp(by - h / 2, 0, Math.max(0, this.height - h))}px`;
    const n = this.stepsOf();
    this.stage.setAttribute("aria-valuemax", String(n - 1));
    this.stage.setAttribute("aria-valuenow", String(c.step));
    this.stage.setAttribute("aria-valuetext", [r.head, ...r.lines.map(l => l[0] + " " + l[1])].filter(Boolean).join(", "));
  }

  listen() {
    const place = e => { const b = this.stage.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top]; };
    let from = null;
    this.stage.addEventListener("pointerdown", e => {
      if (e.button || !this.panels.length) return;
      const [x, y] = place(e);
      this.show(this.under(x, y), [x, y]);
      from = overTime(this.model.kind) && this.cursor ? {x, panel: this.panels[this.cursor.panel]} : null;
      if (from) this.stage.setPointerCapture(e.pointerId);
    });
    this.stage.addEventListener("pointermove", e => {
      const [x, y] = place(e);
      this.show(this.under(x, y), [x, y]);
      if (from && Math.abs(x - from.x) > 6) {
        const a = clamp(Math.min(x, from.x), from.panel.x, from.panel.x + from.panel.w), b = clamp(Math.max(x, from.x), from.panel.x, from.panel.x + from.panel.w);
        this.box(this.over, a, from.panel.y, b - a, from.panel.h, "text", 0.15);
      }
    });
    this.stage.addEventListener("pointerup", e => {
      const [x] = place(e), was = from;
      from = null;
      if (!was || Math.abs(x - was.x) < 8) return;
      const value = v => this.scale.x.from(clamp((v - was.panel.x) / was.panel.w, 0, 1));
      setZoom([Math.min(value(x), value(was.x)), Math.max(value(x), value(was.x))], this.model.width);
    });
    this.stage.addEventListener("pointercancel", () => { from = null; });
    this.stage.addEventListener("pointerleave", () => { if (document.activeElement !== this.stage) this.show(null); });
    this.stage.addEventListener("focus", () => { if (this.stage.matches(":focus-visible") && !this.cursor) this.move(0, 0); });
    this.stage.addEventListener("blur", () => this.show(null));
    this.stage.addEventListener("keydown", e => this.key(e));
  }

  move(steps, panels) {
    if (!this.panels.length) return;
    const [first, last] = this.limits(), c = this.cursor ?? {panel: 0, step: this.model.kind === "curves" ? 107 : first};
    const rows = this.model.kind === "rows";
    this.show({
      panel: rows ? 0 : clamp(c.panel + panels, 0, this.panels.length - 1),
      step: clamp(c.step + steps + (rows ? panels : 0), first, last),
    });
  }

  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const times = overTime(this.model.kind), pan = times && e.shiftKey;
    const acts = {
      ArrowLeft: () => pan ? this.pan(-0.25) : this.move(-1, 0), ArrowRight: () => pan ? this.pan(0.25) : this.move(1, 0),
      ArrowUp: () => this.move(0, -1), ArrowDown: () => this.move(0, 1),
      PageUp: () => this.move(-10, 0), PageDown: () => this.move(10, 0),
      Home: () => this.move(-1e9, 0), End: () => this.move(1e9, 0),
      Escape: () => { this.show(null); if (times) setZoom(null); },
    };
    if (times) Object.assign(acts, {"+": () => this.zoomBy(0.5), "=": () => this.zoomBy(0.5), "-": () => this.zoomBy(2), "0": () => setZoom(null)});
    if (!acts[e.key]) return;
    acts[e.key]();
    e.preventDefault();
  }

  zoomBy(factor) {
    const [a, b] = zoom ?? [0, this.model.x.max], middle = this.cursor ? clamp(this.xOf(this.cursor.step), a, b) : (a + b) / 2;
    setZoom([middle - (b - a) * factor / 2, middle + (b - a) * factor / 2], this.model.width);
  }
  pan(by) {
    if (zoom) setZoom([zoom[0] + by * (zoom[1] - zoom[0]), zoom[1] + by * (zoom[1] - zoom[0])], this.model.width);
  }
}

// setZoom shows some seconds in all charts over time, in whole windows of those that
// asked; null shows all.
function setZoom(span, width = 1) {
  const end = Math.max(...charts.filter(c => overTime(c.model.kind)).map(c => c.model.x.max));
  if (span) {
    const length = Math.min(end, Math.max(span[1] - span[0], 2 * width)), from = clamp(span[0], 0, end - length);
    span = [Math.floor(from / width + 1e-6) * width, Math.min(end, Math.ceil((from + length) / width - 1e-6) * width)];
    if (span[0] <= 0 && span[1] >= end) span = null;
  }
  zoom = span;
  for (const c of charts) if (overTime(c.model.kind)) c.draw();
}

for (const figure of document.querySelectorAll("figure")) {
  const data = figure.querySelector("script.data");
  if (data) charts.push(new Chart(figure, unpacked(JSON.parse(data.textContent))));
}
if (!charts.length) return;

// What switches flows on and off, in all charts at once.
const list = element("div", {class: "list", role: "group", "aria-label": "Flows shown in the charts"});
const summary = element("summary"), panel = element("details", {class: "switch"}, summary, list);
const buttons = page.cells.map((cell, i) => {
  const b = element("button", {type: "button", "aria-pressed": "true", title: "With Shift, show this one alone"}, cell.name);
  b.addEventListener("click", e => {
    if (e.shiftKey) {
      off.clear();
      page.cells.forEach((_, k) => { if (k !== i) off.add(k); });
    } else if (!off.delete(i)) off.add(i);
    switched();
  });
  list.append(b);
  return b;
});
const all = element("button", {type: "button", class: "all"}, "Show all");
all.addEventListener("click", () => { off.clear(); switched(); });
list.append(all);
function switched() {
  buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(!off.has(i))));
  summary.textContent = off.size ? `Charts show ${page.cells.length - off.size} of ${page.cells.length} flows` : "Choose the flows that charts show";
  all.disabled = off.size === 0;
  for (const c of charts) c.draw();
}
if (page.cells.length > 1 && charts.some(c => c.model.series.some(s => s.cell >= 0))) {
  switched();
  charts.find(c => c.model.series.some(s => s.cell >= 0)).figure.closest("section").before(panel);
}
document.querySelector("main").append(element("p", {id: "keys", hidden: ""},
  "Arrow keys read values and go from flow to flow; in charts over time plus and minus zoom, and Escape shows all."));
})();
