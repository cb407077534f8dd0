"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const number = (text) => {
    const value = parseFloat(text.replace(/[~≈,\s]/g, ""));
    return Number.isNaN(value) ? null : value;
  };
  const letters = new Intl.Collator("en", { numeric: true });
  const keyed = (index) => (row) => {
    const text = row.cells[index].textContent.trim();
    return { row, text, value: number(text) };
  };
  // Numbers by value, then texts; what is neither known nor a number comes last either way.
  const compare = (sign) => (one, other) => {
    if (one.value === null && other.value === null) return sign * letters.compare(one.text, other.text);
    if (one.value === null || other.value === null) return one.value === null ? 1 : -1;
    return sign * (one.value - other.value || letters.compare(one.text, other.text));
  };

  const sortBy = (table, header) => {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of all("thead th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map(keyed(header.cellIndex)).sort(compare(ascending ? 1 : -1));
    body.append(...rows.map(({ row }) => row));
  };
  for (const table of all("table.sort")) {
    for (const header of all("thead th:not(.plain)", table)) {
      const button = document.createElement("button");
      button.append(...header.childNodes);
      header.append(button);
      header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sortBy(table, header));
    }
  }

  const box = document.getElementById("find");
  const said = document.getElementById("found");
  const entries = all("[data-find], .sort tbody tr").map((element) => ({
    element,
    text: (element.textContent + " " + (element.getAttribute("aria-label") || "")).toLowerCase(),
  }));
  const search = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = {};
    for (const { element, text } of entries) {
      const matches = words.every((word) => text.includes(word));
      element.classList.toggle("hide", !matches);
      const kind = element.dataset.find;
      if (kind) shown[kind] = (shown[kind] || 0) + (matches ? 1 : 0);
    }
    for (const group of all(".node")) {
      group.classList.toggle("hide", !group.querySelector("svg[data-find]:not(.hide)"));
    }
    const counted = ([kind, count]) => `${count} ${kind}${count === 1 ? "" : "s"}`;
    said.textContent = words.length ? Object.entries(shown).map(counted).join(", ") : "";
  };
  box.form.hidden = false;
  box.form.addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("input", search);
  if (box.value) search();

  for (const block of all("pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the command line of ${block.dataset.of}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.previousElementSibling.append(button);
  }

  addEventListener("beforeprint", () => {
    for (const details of all("details")) details.open = true;
  });
})();
