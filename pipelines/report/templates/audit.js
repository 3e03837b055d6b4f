"use strict";
document.documentElement.classList.add("with-script");
const findings = [...document.querySelectorAll("details.finding")];
const fields = [...document.querySelectorAll(".filters [data-by]")];
const search = document.getElementById("search");
const shown = document.getElementById("shown");
const text = new Map(findings.map(f => [f, f.querySelector("summary").textContent.toLowerCase()]));
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const finding of findings) {
    const fits = fields.every(field => !field.value || finding.dataset[field.dataset.by] === field.value)
      && words.every(word => text.get(finding).includes(word));
    finding.hidden = !fits;
    count += fits;
  }
  shown.textContent = `${count} of ${findings.length} shown`;
}
function choose(by, value) {
  for (const field of fields) field.value = field.dataset.by === by ? value : "";
  search.value = "";
  filter();
  document.getElementById("findings").scrollIntoView();
}
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.classList.contains("finding")) return;
  if (target.hidden) choose("", "");
  target.open = true;
  target.scrollIntoView();
}
for (const field of [...fields, search]) field.addEventListener("input", filter);
document.getElementById("clear").addEventListener("click", () => choose("", ""));
for (const button of document.querySelectorAll("[data-choose]"))
  button.addEventListener("click", event => { event.preventDefault(); choose(button.dataset.choose, button.dataset.value); });
addEventListener("hashchange", reveal);
filter();
reveal();
