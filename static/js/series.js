// Draws the large charts of measured values with uPlot, in the place of what the server drew. Without this the page says the same.
(() => {
  "use strict";
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const height = () => (window.innerWidth <= 640 ? 200 : 260);

  const bytes = (value) => {
    for (const unit of ["B", "kB", "MB", "GB"]) {
      if (Math.abs(value) < 1000) return `${unit === "B" ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
      value /= 1000;
    }
    return `${value.toFixed(1)} TB`;
  };
  const lasting = (ms) => (ms === 0 ? "0 s" : ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`);
  const shown = (value, unit) => {
    if (value === null || value === undefined) return "–";
    if (unit === "bytes") return bytes(value);
    if (unit === "bytes/s") return `${bytes(value)}/s`;
    if (unit === "s") return lasting(value * 1000);
    const whole = Number.isInteger(value) || Math.abs(value) >= 1000;
    const text = whole ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : String(Number(value.toPrecision(3)));
    return unit ? `${text} ${unit}` : text;
  };

  // Times of 24 hours in the viewer's zone; a new day says its name.
  const two = (number) => String(number).padStart(2, "0");
  const clock = (seconds, step) => {
    const at = new Date(seconds * 1000);
    const day = at.toLocaleDateString("en", { day: "numeric", month: "short" });
    const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (step >= 86400 || (time === "00:00" && step >= 60)) return day;
    return step < 60 ? `${time}:${two(at.getSeconds())}` : time;
  };
  const whole = (seconds) => `${clock(seconds, 86400)} ${clock(seconds, 1)}`;

  const options = (box, told) => {
    const axis = { stroke: colour("--text-faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "11px system-ui, sans-serif" };
    const value = (_, number) => shown(number, told.unit);
    const edge = { stroke: "transparent", width: 0, points: { show: false }, value };
    return {
      width: box.clientWidth,
      height: height(),
      cursor: { drag: { x: true, y: false } },
      scales: {
        x: { time: true, range: (_, low, high) => (box.chart && high - low < (told.to - told.from) * 0.95 ? [low, high] : [told.from, told.to]) },
        y: { range: (_, low, high) => (told.unit === "%" ? [0, Math.max(100, high)] : [Math.min(0, low), high > 0 ? high * 1.05 : 1]) },
      },
      axes: [{ ...axis, values: (_, splits, index, space, step) => splits.map((split) => clock(split, step)) }, { ...axis, size: 72, values: (_, splits) => splits.map((split) => shown(split, told.unit)) }],
      series: [
        { label: "at", value: (_, seconds) => (seconds === null ? "–" : whole(seconds)) },
        { label: told.name, stroke: colour("--mark"), width: 1.75, value, spanGaps: false },
        { label: "lowest", ...edge },
        { label: "highest", ...edge },
      ],
      bands: [{ series: [3, 2], fill: `${colour("--mark")}26` }],
    };
  };

  const ask = async (box) => {
    const answer = await fetch(box.dataset.series, { headers: { Accept: "application/json" } });
    return answer.ok ? answer.json() : null;
  };

  const draw = (box, told) => {
    box.told = told;
    if (!told.columns[0].length) return;
    if (box.chart) box.chart.destroy();
    box.replaceChildren();
    box.classList.add("is-drawn");
    box.chart = new uPlot(options(box, told), told.columns, box);
  };

  const refresh = async (box) => {
    if (document.visibilityState !== "visible" || box.matches(":hover")) return;
    const told = await ask(box).catch(() => null);
    if (told) draw(box, told);
  };

  const begin = async (box) => {
    const told = await ask(box).catch(() => null);
    if (!told) return;
    draw(box, told);
    new ResizeObserver(() => box.chart && box.clientWidth && box.chart.setSize({ width: box.clientWidth, height: height() })).observe(box);
    const again = () => box.chart && draw(box, box.told);
    new MutationObserver(again).observe(document.documentElement, { attributes: true });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    if (Number(box.dataset.live)) setInterval(() => refresh(box), Number(box.dataset.live) * 1000);
  };

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-series]").forEach(begin));
})();
