/** Sets an entry of a map that keeps the `max` youngest: those that were set last. */
export function setYoungest<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value!);
}
