// The stages of a replay as numbers, packed as classifier/replay.py says, and as sheets of maps in
// the colours of tokens.css.

const PIXELS = ["input", "resized", "normalise"];
const ROW = 64; // units of a long row that stand beside each other
const GAP = 1; // cells between maps
const MOST_WIDE = 560; // px of a sheet
const MOST_PICTURE = 128; // px of pixels
const MOST_LARGE = 8; // px of a cell

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A stage's numbers as they lie in the body: its maps or its row, from 0 to 1 within the stage.
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const body = 4 + length;
  for (const stage of header.stages) {
    const count = stage.shown.reduce((product, side) => product * side, 1);
    const Kind = stage.type === "float32" ? Float32Array : Uint8Array;
    stage.raw = new Kind(buffer, body + stage.at, count);
    stage.value = (place) => (stage.type === "float32" ? stage.raw[place] : stage.min + stage.scale * stage.raw[place]);
  }
  return header;
}

// "#rrggbb" of tokens.css as numbers; the canvas is asked, which knows every way to write a colour.
function colour(name) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = token(name);
  return [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
}

// 256 colours from the least to the most of a stage: nothing is the ground, above it the accent
// grows, below it amber.
function palette(stage) {
  const [ground, above, below] = ["--sunken", "--accent", "--warn"].map(colour);
  const far = Math.max(Math.abs(stage.min), Math.abs(stage.max)) || 1;
  return Array.from({ length: 256 }, (_, step) => {
    const value = (stage.min + (step / 255) * (stage.max - stage.min)) / far;
    const share = Math.sqrt(Math.abs(value)); // small ones are seen too
    return ground.map((from, place) => from + share * ((value < 0 ? below : above)[place] - from));
  });
}

// Maps beside each other on one canvas; the pixels of a picture as one map in its colours.
export function sheet(stage) {
  const [count, height, width] = stage.shown.length === 3 ? stage.shown : fold(stage.shown[0]);
  const picture = PIXELS.includes(stage.kind) && [1, 3].includes(count);
  const maps = picture ? 1 : count;
  const across = Math.min(maps, Math.max(1, Math.ceil(Math.sqrt(maps * 2.6))));
  const down = Math.ceil(maps / across);
  const canvas = document.createElement("canvas");
  canvas.width = across * (width + GAP) - GAP;
  canvas.height = down * (height + GAP) - GAP;
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(canvas.width, canvas.height);
  const colours = palette(stage);
  const span = stage.max - stage.min || 1;
  const step = (place) => Math.round((255 * (stage.value(place) - stage.min)) / span);
  for (let map = 0; map < maps; map += 1) {
    const left = (map % across) * (width + GAP);
    const top = Math.floor(map / across) * (height + GAP);
    for (let cell = 0; cell < width * height; cell += 1) {
      const place = map * width * height + cell;
      if (place >= stage.raw.length) break;
      const shown = picture
        ? [0, 1, 2].map((channel) => step(cell + (channel % count) * width * height))
        : colours[step(place)];
      const at = 4 * ((top + Math.floor(cell / width)) * canvas.width + left + (cell % width));
      image.data.set([...shown, 255], at);
    }
  }
  pen.putImageData(image, 0, 0);
  const wide = picture ? MOST_PICTURE : MOST_WIDE;
  const larger = Math.max(1, Math.min(MOST_LARGE, Math.floor(wide / canvas.width)));
  canvas.style.width = `${larger * canvas.width}px`;
  canvas.setAttribute("role", "img");
  return canvas;
}

const fold = (units) => [1, Math.ceil(units / ROW), Math.min(units, ROW)];
