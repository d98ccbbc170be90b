// Messages of this till, as they come: a toast, or the full screen. What was shown is marked.

import { ask, budgets, pause, signedOn, stream } from './node.js';
import { isOpen, tell } from './question.js';
import { $, el, focusScan } from './screen.js';

const shown = new Set();
const surfaces = { cashier: '', shopper_display: 'For the shopper: ', receipt: 'On the paper: ' };

// listen goes on for as long as the page lives.
export async function listen() {
  let last = '';
  for (let wait = 1000; ; wait = Math.min(2 * wait, 15000)) {
    if (signedOn()) {
      const before = last;
      last = await stream('/v1/messages', last, show);
      if (last !== before) wait = 1000;
    }
    await pause(wait);
  }
}

async function show(m) {
  if (shown.has(m.id)) return;
  shown.add(m.id);
  if (m.style === 'full_screen') await full(m);
  else toast(m);
}

const alive = (m) => new Date(m.expires_at) > new Date();

function mark(m) {
  ask('POST', '/v1/messages/' + encodeURIComponent(m.id) + '/shown', budgets.scan, {}).catch(() => shown.delete(m.id));
}

async function full(m) {
  while (isOpen()) await pause(300); // one question at a time
  if (!alive(m)) return;
  if (!m.needs_ack) mark(m);
  const read = await tell((surfaces[m.surface] || '') + (m.title || 'Message'), m.text);
  if (m.needs_ack && !read) return full(m); // something else came over it
  if (m.needs_ack) mark(m);
  focusScan();
}

function toast(m) {
  if (!alive(m)) return;
  const close = el('button', { class: 'small' }, 'Close');
  const box = el('p', { class: 'toast' }, el('span', {}, surfaces[m.surface] || '', el('strong', {}, m.title || ''), ' ', m.text), close);
  const end = () => box.remove();
  close.addEventListener('click', () => {
    end();
    if (m.needs_ack) mark(m);
    focusScan();
  });
  $('messages').append(box);
  if (!m.needs_ack) mark(m);
  setTimeout(end, Math.min(new Date(m.expires_at) - new Date(), 2 ** 31 - 1));
}
