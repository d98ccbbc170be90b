// The light: how far up the chain answers reach, and how old what this node knows may be. The node's health is
// asked every two seconds; nothing waits for it.

import { ask, budgets, pause } from './node.js';
import { $ } from './screen.js';
import { waiting } from './sales.js';

const silent = 5000; // ms without an answer, or with a receipt that the centre does not post

let doubtful = 0; // until when a look-up that nobody could answer counts
let waited = 0; // receipts that the centre had not posted

// heardOf notes what a look-up says of the way up.
export function heardOf(shopper) {
  if (shopper.known === false) doubtful = Date.now() + 60e3;
  else if (shopper.source !== 'local') doubtful = 0;
}

// reach says which lamps burn. A till hears its store; that the centre is away it knows only by receipts that
// stay unposted, or by a look-up that nobody could answer.
function reach(h) {
  if (!h) return { disk: false, store: false, centre: false, text: 'The node does not answer' };
  const up = h.upstream.last_answer_age_ms;
  const late = h.unposted.oldest_age_ms || 0;
  if (h.upstream.none) return { disk: true, store: false, centre: false, text: 'Own disk: this node is alone' };
  if (up === undefined || up > silent) return { disk: true, store: false, centre: false, text: 'Own disk: ' + (h.till ? 'the store' : 'the centre') + ' does not answer' };
  if (late > silent) return { disk: true, store: true, centre: false, text: 'Store: the centre has not posted ' + h.unposted.records };
  if (Date.now() < doubtful) return { disk: true, store: true, centre: false, text: 'Store: the centre could not say' };
  return { disk: true, store: true, centre: true, text: 'Centre' };
}

function span(ms) {
  if (ms < 60e3) return Math.round(ms / 1000) + ' s';
  return ms < 3600e3 ? Math.round(ms / 60e3) + ' min' : Math.round(ms / 3600e3) + ' h';
}

function lamp(id, word, on) {
  const e = $(id);
  e.textContent = (on ? '\u25CF ' : '\u25CB ') + word;
  e.classList.toggle('on', on);
}

function show(h) {
  const r = reach(h);
  const till = !h || h.till;
  $('lamp-store').hidden = !till;
  lamp('lamp-disk', 'own disk', r.disk);
  lamp('lamp-store', 'store', r.store);
  lamp('lamp-centre', 'centre', till ? r.centre : r.store);
  if (h) $('place').textContent = h.till ? h.store + '-' + h.till : h.store + ' (a store\u2019s node: look-ups only)';
  const queue = waiting();
  const refused = queue.find((w) => w.refused);
  const parts = [r.text, h?.cache.last_answer_age_ms !== undefined && 'data ' + span(h.cache.last_answer_age_ms) + ' old', queue.length && queue.length + (queue.length > 1 ? ' receipts wait here' : ' receipt waits here'), refused && 'it is refused: ' + refused.refused];
  $('age').textContent = parts.filter(Boolean).join(' \u00B7 ');
  const word = r.text.split(':')[0];
  if ($('reach').textContent !== word) $('reach').textContent = word; // announced when it changes, not every two seconds
  $('light').dataset.reach = !r.disk ? 'none' : r.centre ? 'centre' : r.store ? 'store' : 'disk';
}

// watch goes on for as long as the page lives.
export async function watch() {
  for (let missed = 0; ; missed++) {
    let h = null;
    try {
      h = (await ask('GET', '/v1/health', budgets.health)).body;
      if (h.unposted.records < waited) doubtful = 0; // the centre posts
      waited = h.unposted.records;
      missed = -1;
    } catch {
      // silence is an answer here
    }
    if (h || missed > 0) show(h); // one answer may be late
    await pause(2000);
  }
}
