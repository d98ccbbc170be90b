// The light: how far up the chain answers reach, and how old what this node knows may be. The node's health is
// asked every two seconds; nothing waits for it.

import { ask, budgets, pause } from './node.js';
import { $ } from './screen.js';
import { waiting } from './sales.js';

const silent = 5000; // ms without an answer

// reach says which lamps burn. How the centre is heard a till knows from its store; a line that swallows what it
// is given looks up, so the age of the last answer counts too.
function reach(h) {
  if (!h) return { disk: false, store: false, centre: false, text: 'The node does not answer' };
  const up = h.upstream.last_answer_age_ms;
  const centre = h.upstream.centre;
  if (h.upstream.none) return { disk: true, store: false, centre: false, text: 'Own disk: this node is alone' };
  if (up === undefined || up > silent) return { disk: true, store: false, centre: false, text: 'Own disk: ' + (h.till ? 'the store' : 'the centre') + ' does not answer' };
  if (h.till && !(centre?.linked && centre.last_answer_age_ms !== undefined)) return { disk: true, store: true, centre: false, text: 'Store: the centre is away' };
  return { disk: true, store: true, centre: true, text: 'Centre' };
}

function span(ms) {
  if (ms < 60e3) return Math.round(ms / 1000) + ' s';
  return ms < 3600e3 ? Math.round(ms / 60e3) + ' min' : Math.round(ms / 3600e3) + ' h';
}

// old says of when the data here are: of the centre's last word, to whomever it came.
function old(h) {
  const ages = h ? [h.cache.last_answer_age_ms, h.upstream.centre?.last_answer_age_ms].filter((ms) => ms !== undefined) : [];
  return ages.length > 0 && 'data ' + span(Math.max(...ages)) + ' old';
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
  const parts = [r.text, old(h), h?.unposted.records && h.unposted.records + ' not posted yet', queue.length && queue.length + (queue.length > 1 ? ' receipts wait here' : ' receipt waits here'), refused && 'it is refused: ' + refused.refused];
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
      missed = -1;
    } catch {
      // silence is an answer here
    }
    if (h || missed > 0) show(h); // one answer may be late
    await pause(2000);
  }
}
