// A board's map: boxes are in pixels of the picture below them, so its size is theirs.

for (const figure of document.querySelectorAll(".map")) {
  const picture = figure.querySelector("img"), svg = figure.querySelector("svg");
  const fit = () => {
    if (picture.naturalWidth) svg.setAttribute("viewBox", `0 0 ${picture.naturalWidth} ${picture.naturalHeight}`);
  };
  picture?.addEventListener("load", fit);
  picture?.addEventListener("error", () => picture.remove());
  if (picture?.complete) fit();
}
