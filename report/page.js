"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], found = [...body.rows], heads = [...table.tHead.rows].pop().cells;
  const key = (row, i) => i === 0 ? row.cells[0].textContent : row.cells[i].dataset.value;
  const order = (i, down) => (a, b) => {
    const x = key(a, i), y = key(b, i);
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    const d = i === 0 ? x.localeCompare(y, "en", {numeric: true}) : x - y;
    return down ? -d : d;
  };
  [...heads].forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      for (const other of heads) other.removeAttribute("aria-sort");
      if (was === "descending") return body.append(...found);
      const down = was === "ascending";
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...[...found].sort(order(i, down)));
    });
  });
}

// Another reference for the differences in tables.
(() => {
  const holder = document.getElementById("cells"), tables = document.querySelectorAll("table.compared");
  if (!holder || !tables.length) return;
  const page = JSON.parse(holder.textContent), flows = Object.keys(page.references);
  if (flows.length < 2) return;
  const digits = v => v >= 999.5 ? Math.round(v).toLocaleString("en-US") :
    v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v >= 0.9995 ? v.toFixed(2) : String(+v.toPrecision(3));
  const difference = (v, reference, resolved) => {
    const ratio = v / reference, times = digits(ratio) + " ×";
    const s = times === "1.00 ×" ? "=" : (ratio < page.alike && ratio > 1 / page.alike ? "≈ " : "") + times;
    return resolved ? s : `(${s})`;
  };
  const compare = flow => {
    const references = page.references[flow];
    for (const table of tables) {
      const rows = new Map([...table.tBodies[0].rows].map(r => [Number(r.dataset.cell), r]));
      for (const [cell, row] of rows) {
        const other = rows.get(references[cell]);
        row.classList.toggle("reference", other === row);
        [...row.cells].forEach((td, i) => {
          const small = td.querySelector("small"), ref = other.cells[i];
          if (!small) return;
          const known = other !== row && td.dataset.value !== undefined && ref.dataset.value > 0;
          const resolved = !td.classList.contains("faint") && !ref.classList.contains("faint");
          small.textContent = known ? difference(td.dataset.value, ref.dataset.value, resolved) : "";
        });
      }
    }
  };
  const select = document.createElement("select"), label = document.createElement("label");
  for (const flow of flows) select.append(new Option(page.names[flow], flow, false, flow === page.reference));
  select.addEventListener("change", () => compare(select.value));
  label.append("Compare with ", select);
  const line = document.createElement("p");
  line.className = "compare";
  line.append(label);
  document.querySelector("#glance .lead").after(line);
})();
