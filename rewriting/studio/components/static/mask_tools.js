// Operations on a mask with one byte a pixel: brush strokes, lasso, regions of a press, holes, and the layer's grid.

// A straight piece of a stroke: every pixel whose centre is within the brush of the segment from a to b.
function paint(bits, { width, height }, [ax, ay], [bx, by], radius, on) {
  const reach = Math.max(radius, 0.5); // the thinnest brush still paints the pixel under it
  const x0 = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
  const x1 = Math.min(width - 1, Math.ceil(Math.max(ax, bx) + reach));
  const y0 = Math.max(0, Math.floor(Math.min(ay, by) - reach));
  const y1 = Math.min(height - 1, Math.ceil(Math.max(ay, by) + reach));
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy || 1;
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
      const [ex, ey] = [px - along * dx, py - along * dy];
      if (ex * ex + ey * ey <= reach * reach) bits[y * width + x] = on;
    }
  }
}

// Every pixel of which a closed line covers more than half.
function fillLasso(bits, { width, height }, points, on) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.fill();
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 0; i < bits.length; i++) if (data[4 * i + 3] > 127) bits[i] = on;
}

// The region of a press.  levels: at each pixel, the lowest size that covers it.
function fillRegion(bits, { levels, size, how }) {
  for (let i = 0; i < bits.length; i++) {
    const inside = levels[i] <= size;
    if (how === "new") bits[i] = inside ? 1 : 0;
    else if (inside) bits[i] = how === "add" ? 1 : 0;
  }
}

// Fill the unpainted areas that are not connected with the picture's edge.
function fillHoles(bits, width, height) {
  const outside = new Uint8Array(bits.length);
  const waiting = [];
  function visit(i) {
    if (bits[i] || outside[i]) return;
    outside[i] = 1;
    waiting.push(i);
  }
  for (let x = 0; x < width; x++) [x, (height - 1) * width + x].forEach(visit);
  for (let y = 0; y < height; y++) [y * width, y * width + width - 1].forEach(visit);
  while (waiting.length) {
    const i = waiting.pop();
    const x = i % width;
    if (x > 0) visit(i - 1);
    if (x < width - 1) visit(i + 1);
    if (i >= width) visit(i - width);
    if (i < bits.length - width) visit(i + width);
  }
  for (let i = 0; i < bits.length; i++) if (!outside[i]) bits[i] = 1;
}

// The painted share of each cell of the layer's grid, as `resize_mask` of masks.py has it: a triangle over two cells.
function shares({ width, height, bits }, cells) {
  const along = (length) => {
    const scale = Math.max(1, length / cells);
    return Array.from({ length: cells }, (_, cell) => {
      const middle = ((cell + 0.5) * length) / cells;
      const from = Math.max(0, Math.floor(middle - scale));
      const weights = [];
      for (let i = from; i < Math.min(length, Math.ceil(middle + scale)); i++) weights.push(Math.max(0, 1 - Math.abs(i + 0.5 - middle) / scale));
      const sum = weights.reduce((a, b) => a + b, 0);
      return { from, weights: weights.map((one) => one / sum) };
    });
  };
  const [across, down] = [along(width), along(height)];
  const rows = new Float32Array(height * cells);
  for (let y = 0; y < height; y++) {
    across.forEach(({ from, weights }, cell) => (rows[y * cells + cell] = weights.reduce((sum, w, i) => sum + w * bits[y * width + from + i], 0)));
  }
  const found = new Float32Array(cells * cells);
  down.forEach(({ from, weights }, row) => {
    for (let cell = 0; cell < cells; cell++) found[row * cells + cell] = weights.reduce((sum, w, i) => sum + w * rows[(from + i) * cells + cell], 0);
  });
  return found;
}
