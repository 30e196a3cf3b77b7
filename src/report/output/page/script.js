(() => {
  "use strict";
  const table = document.querySelector("table.result");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const texts = new Array(rows.length);
  const total = rows.length.toLocaleString("en");

  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      if (words.length && texts[at] === undefined) {
        texts[at] = Array.from(row.cells, (cell) => cell.textContent).join("\n").toLowerCase();
      }
      const is = words.every((word) => texts[at].includes(word));
      row.hidden = !is;
      if (is) count += 1;
    });
    const of = words.length ? count.toLocaleString("en") + " of " : "";
    shown.textContent = of + total + (rows.length === 1 ? " row" : " rows");
  };

  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const isNumber = head.classList.contains("n");
      const keys = new Map(rows.map((row) => {
        const cell = row.cells[column];
        if (cell.classList.contains("x")) return [row, null];
        const text = cell.dataset.v ?? cell.textContent;
        return [row, isNumber ? Number(text.replaceAll(",", "").replace("\u2212", "-").replace(" %", "")) : text];
      }));
      const order = Array.from(rows).sort((a, b) => {
        const x = keys.get(a), y = keys.get(b);
        if (x === null || y === null) return (x === null) - (y === null);
        const less = x < y ? -1 : x > y ? 1 : 0;
        return falls ? -less : less;
      });
      const all = document.createDocumentFragment();
      order.forEach((row) => all.append(row));
      body.append(all);
    });
  });

  filter.addEventListener("input", show);
  document.querySelector(".tools").hidden = false;
  show();
})();
