// The basket that is not paid. It lies in sessionStorage after every change: a reload loses nothing.

import { gross } from './money.js';

// newRID draws a UUID of version 7.
export function newRID() {
  const b = crypto.getRandomValues(new Uint8Array(16));
  let ms = Date.now();
  for (let i = 5; i >= 0; i--) {
    b[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  b[6] = 0x70 | (b[6] & 0x0f);
  b[8] = 0x80 | (b[8] & 0x3f);
  return Array.from(b, (x, i) => ([4, 6, 8, 10].includes(i) ? '-' : '') + x.toString(16).padStart(2, '0')).join('');
}

// now gives the store's time with its offset, and its day.
export function now() {
  const t = new Date();
  const two = (n) => String(n).padStart(2, '0');
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  const off = -t.getTimezoneOffset();
  const zone = (off < 0 ? '-' : '+') + two(Math.floor(Math.abs(off) / 60)) + ':' + two(Math.abs(off) % 60);
  return { at: `${day}T${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}${zone}`, day };
}

const empty = (training) => ({
  rid: newRID(), training, who: null, shopper: null, lines: [], coupons: [], points: null, confirmed: null, manager: '',
  quote: null, paying: null,
});

// basket is the one on the screen. who is the identifier, shopper what the node says of them; a coupon has
// its code and what the node says of it; paying is the receipt's bytes once they were sent.
export let basket = JSON.parse(sessionStorage.getItem('basket')) || empty(false);

export function keep() {
  sessionStorage.setItem('basket', JSON.stringify(basket));
}

export function open(training) {
  basket = empty(training);
  keep();
}

// change changes what is priced: the quote of before is void.
export function change(f) {
  f(basket);
  basket.quote = null;
  keep();
}

export const isEmpty = () => basket.lines.length === 0 && !basket.who && basket.coupons.length === 0;

export function addLine(item) {
  change((b) => {
    const id = Math.max(0, ...b.lines.map((l) => Number(l.line_id) || 0)) + 1;
    b.lines.push({ line_id: String(id), ...item });
  });
}

// usable are the coupons that go with the basket: one that was refused stays on the screen only.
export const usable = () => basket.coupons.filter((c) => !c.state || c.state === 'usable');

// sum is what the shelf says, less the till's own discounts, before offers.
export const sum = () => basket.lines.reduce((n, l) => n + gross(l) - Math.min(l.manual_discount?.amount || 0, gross(l)), 0);

// body is the basket as the node takes it.
export function body(currency) {
  const b = basket;
  const out = { rid: b.rid, currency, lines: b.lines };
  if (b.training) out.training = true;
  if (b.who) out.shopper = { identifier: b.who };
  if (usable().length) out.coupons = usable().map(({ code, entry }) => ({ code, entry }));
  if (b.points && b.points.mode !== 'none') out.points_to_spend = b.points;
  if (b.confirmed) out.confirmed = b.confirmed;
  if (b.manager) out.manager_code = b.manager;
  return out;
}

// take takes up a basket as it was put aside.
export function take(document) {
  const { lines, coupons = [], points_to_spend: points = null, confirmed = null, shopper, training = false } = document;
  basket = { ...empty(training), rid: document.rid, lines, coupons, points, confirmed, who: shopper?.identifier || null };
  keep();
}
