// What this tab remembers of its receipts, so that goods can come back without keying a rid; and the receipts
// that the node did not answer for, which follow. No card number is in the first.

import { Problem, commit } from './node.js';

const most = 50;
const read = (name) => JSON.parse(sessionStorage.getItem(name)) || [];
const write = (name, list) => sessionStorage.setItem(name, JSON.stringify(list));

export const remembered = () => read('sales');

export function remember(sale) {
  write('sales', [sale, ...remembered()].slice(0, most));
}

export const find = (text) => remembered().find((s) => s.rid === text || s.number === text);

// waiting are the receipts that follow: {path, rid, bytes, refused}.
export const waiting = () => read('waiting');

export function follow(path, rid, bytes) {
  write('waiting', [...waiting(), { path, rid, bytes, refused: '' }]);
}

// sendWaiting sends them once more, the same bytes. What was paid is a fact: a sale that is refused is sent
// as happened. What is refused then stays, for a person to look at.
export async function sendWaiting() {
  for (const w of waiting().filter((x) => !x.refused)) {
    let kept = null;
    try {
      kept = await commit(w.path, w.rid, w.bytes);
    } catch (e) {
      if (!(e instanceof Problem)) throw e;
      const happened = JSON.stringify({ ...JSON.parse(w.bytes), happened: true });
      const again = e.action === 'ask' && w.path === '/v1/receipts' && w.bytes !== happened;
      put(w.rid, again ? { bytes: happened } : { refused: e.message });
    }
    if (kept) write('waiting', waiting().filter((x) => x.rid !== w.rid));
  }
}

function put(rid, what) {
  write('waiting', waiting().map((x) => (x.rid === rid ? { ...x, ...what } : x)));
}
