// One joint: all its slices side by side, each with the machine's box.

import { Look, clear, draw, emptyFigure, load } from "./view.js";

const place = document.getElementById("slices"), look = new Look();
const { roi, slices } = JSON.parse(place.dataset.pictures);

const figures = await Promise.all(slices.map(async (address, index) => {
  const figure = emptyFigure(280), picture = await load(address);
  if (roi && picture) draw(figure, picture, roi, look, `slice ${index + 1}`);
  else clear(figure, `slice ${index + 1}: not readable`);
  return figure;
}));
place.replaceChildren(...figures);
document.body.dataset.drawn = String(figures.length);

const begin = document.getElementById("begin");
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && begin && event.target === document.body) begin.click();
});
