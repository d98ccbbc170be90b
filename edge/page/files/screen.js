// What is on the screen, drawn anew after every change. Text is only ever set as text.

import { basket, sum, isEmpty } from './basket.js';
import { gross, say } from './money.js';

// el makes an element.
export function el(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) {
    if (v !== '' && v !== undefined && v !== false) e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

export const $ = (id) => document.getElementById(id);

// view is what the screen shows beside the basket.
export const view = { currency: 'EUR', selected: null, slip: '', training: false, taught: false }; // taught: by the token

export const clock = (time) => new Date(time).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

const sources = { local: 'own disk', store: 'store', central: 'centre' };
const part = (cls, ...text) => el('span', { class: cls }, ...text);
const money = (amount) => say(amount, view.currency);

export function draw() {
  if (!isEmpty()) view.slip = ''; // the paper of before makes room
  document.body.classList.toggle('training', view.training);
  $('training').hidden = !view.training;
  $('slip').hidden = !view.slip;
  $('slip').textContent = view.slip;
  drawShopper();
  drawLines();
  drawBelow();
  drawTotal();
}

function drawShopper() {
  const { who, shopper } = basket;
  if (!who) {
    $('shopper').replaceChildren(part('quiet', view.slip ? 'The next scan opens a new basket.' : 'No card yet'));
    return;
  }
  const line = [el('strong', {}, shopper?.card_masked || '******' + who.value.slice(Math.max(who.value.length - 4, Math.ceil(who.value.length / 2))))];
  if (shopper?.tier) line.push(part('badge', shopper.tier));
  const points = shopper?.points || {};
  if (shopper?.fresh) line.push(part('points', 'a new card: points start with this receipt'));
  else if (points.available !== undefined) line.push(part('points', points.available + ' points'));
  else line.push(part('points', shopper ? 'points not known here' : 'asking\u2026'));
  if (points.pending) line.push(part('quiet', (points.pending > 0 ? '+' : '') + points.pending + ' on the way'));
  if (points.held) line.push(part('quiet', points.held + ' set aside'));
  if (points.debt) line.push(part('quiet', points.debt + ' owed'));
  const gifts = (shopper?.coupons || []).filter((c) => c.state === 'usable').length;
  if (gifts) line.push(part('badge', '\u{1F381} ' + gifts + (gifts > 1 ? ' coupons' : ' coupon')));
  if (shopper && !shopper.fresh) {
    const from = shopper.known === false ? 'nobody could say' : 'from ' + (sources[shopper.source] || shopper.source);
    line.push(part(shopper.stale ? 'old' : 'quiet', (shopper.stale ? '\u26A0 ' : '') + from + (shopper.as_of ? ', as of ' + clock(shopper.as_of) : '')));
  }
  $('shopper').replaceChildren(...line);
}

// place sorts promotions by where they stand: under one line, under the first of several with a sign at the
// others, or, when all lines share in it, behind the goods.
function place() {
  const under = new Map(), basketWide = [];
  const order = basket.lines.map((l) => l.line_id);
  for (const p of basket.quote?.promotions || []) {
    const ids = order.filter((id) => p.lines[id]);
    if (ids.length === order.length && ids.length > 1) basketWide.push(p);
    else ids.forEach((id, i) => under.set(id, [...(under.get(id) || []), i ? { sign: p } : { all: p }]));
  }
  return { under, basketWide };
}

function reason(p) {
  const text = [p.text];
  if (p.coupon) text.push('coupon ' + p.coupon);
  if (p.capped) text.push('cut by ' + p.capped.by.replace('_', ' '));
  return text.join(', ');
}

const offer = (p) => [part('what', reason(p)), part('amount', money(-p.amount))];

function drawLines() {
  const { under } = place();
  const byID = new Map((basket.quote?.lines || []).map((l) => [l.line_id, l]));
  const restricted = new Set(basket.quote?.age_check?.lines || []);
  const warned = new Map((basket.quote?.warnings || []).filter((w) => w.line_id).map((w) => [w.line_id, w.text]));
  $('lines').replaceChildren(...basket.lines.map((l) => {
    const quoted = byID.get(l.line_id);
    const pieces = l.unit === 'pc' ? l.quantity : l.quantity + ' ' + l.unit;
    const each = l.unit_price === undefined ? pieces : pieces + ' \u00D7 ' + money(l.unit_price);
    const head = el('button', { class: 'line', 'data-line': l.line_id, 'aria-current': l.line_id === view.selected ? 'true' : '' },
      part('what', l.description || l.item, restricted.has(l.line_id) ? part('badge', basket.quote.age_check.required + '+') : null),
      part('each', each), part('amount', money(quoted ? quoted.gross : gross(l))));
    const below = el('ul');
    for (const { all, sign } of under.get(l.line_id) || []) below.append(all ? el('li', {}, ...offer(all)) : el('li', {}, part('what', '\u2726 part of ' + sign.text)));
    const own = (quoted?.discounts || []).find((d) => d.promotion === 'pos');
    if (own) below.append(el('li', {}, part('what', 'Discount at the till'), part('amount', money(-own.amount))));
    if (warned.has(l.line_id)) below.append(el('li', {}, part('quiet', warned.get(l.line_id))));
    return el('li', {}, head, below.childElementCount ? below : null);
  }));
  const at = view.selected && $('lines').querySelector('[aria-current]');
  (at || $('lines').lastElementChild)?.scrollIntoView({ block: 'nearest' });
}

function drawBelow() {
  const list = (id, ...items) => {
    $(id).replaceChildren(...items);
    $(id).hidden = items.length === 0;
  };
  list('offers', ...place().basketWide.map((p) => el('li', {}, ...offer(p))));
  list('coupons', ...basket.coupons.map((c, i) => {
    const refused = c.state && c.state !== 'usable';
    return el('li', { class: refused ? 'refused' : '' },
      part('what', 'Coupon ' + (c.code_masked || c.code.slice(0, 2) + '***') + ': ' + (refused ? '\u2716 refused. ' : '') + (c.text || 'not calculated yet')),
      el('button', { class: 'small', 'data-coupon': String(i) }, 'Remove'));
  }));
  const near = (basket.quote?.why_not || []).filter((w) => w.upsell).slice(0, 2);
  const said = basket.quote?.texts?.cashier || [];
  list('near', ...said.map((text) => el('li', {}, part('what', text))), ...near.map((w) => el('li', {}, part('what', 'Nearly: ' + w.text + ', ' + w.cashier_text))));
}

// whyNoMore are the reasons for which no more points are spent.
const whyNoMore = {
  balance: 'there are no more', no_value: 'they buy nothing here', max_share: 'they may pay a part only', min_spend: 'the basket is too small', block: 'only in steps',
  needs_card: 'a card is needed', offline_not_allowed: 'no connection',
};

function drawTotal() {
  const q = basket.quote;
  if (isEmpty() || basket.lines.length === 0) {
    $('total').replaceChildren(part('quiet', 'Nothing to pay'));
    return;
  }
  if (!q) {
    $('total').replaceChildren(part('label', 'Shelf prices'), part('sum', money(sum()) + ' ' + view.currency), part('more', 'before offers: press Calculate'));
    return;
  }
  const more = [];
  if (q.totals.discount) more.push(part('good', 'saved ' + money(q.totals.discount)));
  if (q.points.to_spend) more.push(part('good', q.points.to_spend + ' points pay ' + money(q.totals.points_paid)));
  if (q.points.spend_reason) more.push(part('quiet', (q.points.to_spend ? 'no more points: ' : 'no points: ') + (whyNoMore[q.points.spend_reason] || q.points.spend_reason.replaceAll('_', ' '))));
  if (basket.who) more.push(part('good', '+' + q.points.to_earn + ' points'));
  if (q.stale && basket.who && !basket.shopper?.fresh) more.push(part('old', q.as_of ? '\u26A0 points as of ' + clock(q.as_of) : '\u26A0 points not known here'));
  if (q.age_check && q.age_check.state !== 'confirmed') more.push(part('old', '\u26A0 check age ' + q.age_check.required + '+'));
  $('total').replaceChildren(part('label', 'To pay'), part('sum', money(q.totals.to_pay) + ' ' + view.currency), part('more', ...more.flatMap((m, i) => (i ? [' \u00B7 ', m] : [m]))));
}

// problem shows what is wrong, in the cashier's words, and below them what an integrator wants to know.
const doing = {
  retry: 'Try again.', fix: 'Report it.', ask: '', continue_without: 'Go on.', stop: 'Call for help.',
};

export function problem(e) {
  if (!e) {
    $('problem').replaceChildren();
    return;
  }
  const parts = [el('strong', {}, e.message), ' ', doing[e.action] || ''];
  if (e.body) parts.push(el('small', {}, [e.slug, e.body.field, e.body.detail].filter(Boolean).join(' \u00B7 ')));
  $('problem').replaceChildren(el('p', { 'data-action': e.action || '' }, ...parts));
}

// note says something that is no problem.
export const note = (text) => problem(Object.assign(new Error(text), { action: '' }));

export function focusScan() {
  $('scan').focus();
}
