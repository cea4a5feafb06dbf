// @ts-check
// Labels beside a scale: each as near to its own place as it can be, none over another.

/**
 * Places at least `gap` apart, in the order given.
 * @param {number[]} wanted sorted ascending
 * @param {number} gap
 * @param {number} low first place allowed
 * @param {number} high last place allowed; passed only when there is no room for all
 * @returns {number[]}
 */
export function spread(wanted, gap, low, high) {
  const places = [...wanted];
  for (let i = places.length - 1; i >= 0; i -= 1) places[i] = Math.min(places[i], i === places.length - 1 ? high : places[i + 1] - gap);
  for (let i = 0; i < places.length; i += 1) places[i] = Math.max(places[i], i === 0 ? low : places[i - 1] + gap);
  return places;
}
