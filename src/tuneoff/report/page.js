// Draws the page's figures in the colours of the reader's theme, and again when the theme or the choice changes.
"use strict";
const NARROW = 560;
const figures = JSON.parse(document.getElementById("figures").textContent);

function painted(value, style) {
  if (typeof value === "string")
    return value.startsWith("@") ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
  if (Array.isArray(value)) return value.map((item) => painted(item, style));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item, style)]));
  return value;
}

function chosen(name) {
  const radio = document.querySelector(`input[name="${name}"]:checked`);
  return radio ? Number(radio.value) : 0;
}

function draw(name) {
  const place = document.getElementById("plot-" + name);
  const view = figures[name][chosen(name)];
  if (!place || !view) return;
  const { data, layout } = painted(view.figure, getComputedStyle(document.documentElement));
  if (place.clientWidth < NARROW) // names of beaten arms would lie on one another
    data.filter((trace) => trace.meta === "tested").forEach((trace) => { trace.mode = "markers"; });
  Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
}

function drawAll() {
  Object.keys(figures).forEach(draw);
}

document.querySelectorAll("fieldset.views input").forEach((radio) =>
  radio.addEventListener("change", () => draw(radio.name)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
