// Messages of this till, as they come: a toast, or the full screen. What was shown is marked. Text is only ever set
// as text.

import { ask, budgets, pause, signedOn, stream } from './node.js';
import { basket, isEmpty } from './basket.js';
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
const code = (m) => (m.code ? el('span', { class: 'code' }, 'Code ', el('strong', {}, m.code)) : null);

function mark(m) {
  ask('POST', '/v1/messages/' + encodeURIComponent(m.id) + '/shown', budgets.scan, {}).catch(() => shown.delete(m.id));
}

async function full(m) {
  let other = false; // another shopper's basket has begun
  const look = m.surface === 'shopper_display' ? onlyFor(basket, () => (other = true)) : () => {};
  while (isOpen()) await pause(300); // one question at a time
  look();
  if (!alive(m) || other) return;
  if (!m.needs_ack) mark(m);
  const text = el('span', { lang: m.language }, m.text);
  const read = await tell((surfaces[m.surface] || '') + (m.title || 'Message'), el('span', {}, text, m.code ? ' ' : '', code(m)));
  if (m.needs_ack && !read) return full(m); // something else came over it
  if (m.needs_ack) mark(m);
  focusScan();
}

// onlyFor ends what is shown when another basket than that of now has begun. The one of now may be empty: then the
// shopper has just paid.
function onlyFor({ rid, who }, end) {
  const paid = isEmpty();
  const whose = who?.value;
  return () => {
    if (isEmpty() || (whose && basket.who?.value === whose)) return;
    if (paid || basket.rid !== rid || basket.who?.value !== whose) end();
  };
}

// dismiss closes the newest toast.
export const dismiss = () => $('messages').lastElementChild?.querySelector('button').click();

function toast(m) {
  if (!alive(m)) return;
  const close = el('button', { class: 'small' }, 'Close');
  const text = el('span', { lang: m.language }, el('strong', {}, m.title || ''), ' ', m.text);
  const box = el('p', { class: 'toast' }, el('span', {}, surfaces[m.surface] || '', text, m.code ? ' ' : '', code(m)), close);
  const end = () => {
    box.remove();
    clearInterval(watch);
  };
  // What is for one shopper is nobody else's business: it goes when another's basket is on the screen.
  const watch = m.surface === 'shopper_display' && setInterval(onlyFor(basket, end), 300);
  close.addEventListener('click', () => {
    end();
    if (m.needs_ack) mark(m);
    focusScan();
  });
  $('messages').append(box);
  if (!m.needs_ack) mark(m);
  setTimeout(end, Math.min(new Date(m.expires_at) - new Date(), 2 ** 31 - 1));
}
