// A sale: who, what, Calculate, age, hold, Pay.

import { ask, budgets, commit, Problem, Silence } from './node.js';
import { basket, body, change, isEmpty, keep, newRID, now, open, sum, usable } from './basket.js';
import { follow, remember } from './sales.js';
import { printed } from './slip.js';
import { question } from './question.js';
import { read, say } from './money.js';
import { draw, note, problem, view } from './screen.js';

// card attaches a card or phone to the basket, and asks who that is. The sale does not wait for it.
export async function card(value, entry) {
  const who = { kind: value.startsWith('+') ? 'phone' : 'card', value, entry };
  change((b) => Object.assign(b, { who, shopper: null }));
  draw();
  try {
    const shopper = (await ask('POST', '/v1/lookups', budgets.lookup, { body: { identifier: who, wait_ms: 150 } })).body;
    attach(who, shopper);
  } catch (e) {
    if (['invalid-field', 'payment-card-refused', 'card-bad-check-digit', 'phone-invalid'].includes(e.slug)) change((b) => Object.assign(b, { who: null }));
    else attach(who, e.slug === 'card-unknown' ? { fresh: true } : { known: false, stale: true });
    problem(e instanceof Silence ? Object.assign(e, { action: 'continue_without' }) : e);
  }
  for (const c of [...basket.coupons]) await lookUpCoupon(c); // one may want the card
  draw();
}

function attach(who, shopper) {
  if (basket.who !== who) return; // another card has come meanwhile
  basket.shopper = shopper;
  keep();
}

// coupon adds a code and asks whether it can be used. One that cannot stays on the screen with its reason.
export async function coupon(code, entry) {
  if (basket.coupons.some((c) => c.code === code)) return note('This coupon is in the basket already.');
  const c = { code, entry };
  basket.coupons.push(c);
  await lookUpCoupon(c);
  if (usable().includes(c)) change(() => {}); // one that is refused does not void the quote
  draw();
}

async function lookUpCoupon(c) {
  const b = basket;
  const about = { rid: b.rid, coupon: { code: c.code, entry: c.entry } };
  if (b.who) about.shopper = { identifier: b.who };
  if (b.manager) about.manager_code = b.manager;
  try {
    Object.assign(c, (await ask('POST', '/v1/coupon-lookups', budgets.coupon, { body: about })).body, { code: c.code });
  } catch (e) {
    if (e.slug === 'too-many-attempts' && (await askManager(e))) return lookUpCoupon(c);
    if (e instanceof Problem) change((x) => (x.coupons = x.coupons.filter((y) => y !== c)));
    problem(e);
  }
  keep();
}

async function askManager(e) {
  const before = basket.manager ? 'That is no manager\u2019s code. ' : '';
  const a = await question({
    title: 'Manager', text: before + e.message, fields: [{ name: 'code', label: 'Manager\u2019s code', type: 'password', required: true }],
    answers: [{ value: 'go', label: 'Allow', main: true }],
  });
  basket.manager = a ? a.code : '';
  keep();
  return Boolean(a);
}

let silent = false; // the node did not answer the last Calculate

// calculate asks for a quote and reports whether there is one. A coupon that turns out to be of no use is put
// aside, and the rest is calculated again.
export async function calculate() {
  problem(null);
  silent = false;
  if (!basket.lines.length) return void note('Nothing to calculate.');
  const of = basket;
  try {
    const sent = usable();
    const q = await quote();
    if (basket !== of) return false;
    sent.forEach((c, i) => Object.assign(c, q.coupons?.[i], { code: c.code }));
    of.quote = q;
    keep();
    if (sent.length !== usable().length) return await calculate();
  } catch (e) {
    if (e.slug === 'too-many-attempts' && (await askManager(e))) return calculate();
    silent = e instanceof Silence;
    problem(e);
    draw();
    return false;
  }
  draw();
  return true;
}

// shelf is the quote of a sale that the node has no word on: a till never refuses a sale.
const shelf = () => ({ lines: [], promotions: [], points: {}, totals: { to_pay: sum(), points_paid: 0 } });

// quote asks, and once more if nothing comes.
async function quote() {
  const more = { body: body(view.currency) };
  try {
    return (await ask('POST', '/v1/quotes', budgets.quote, more)).body;
  } catch (e) {
    if (e.action !== 'retry') throw e;
    return (await ask('POST', '/v1/quotes', budgets.quote, more)).body;
  }
}

export async function points() {
  if (!basket.who) return note('Points are spent with a card: scan it first.');
  const a = await question({
    title: 'Points to spend', text: basket.shopper?.points?.available === undefined ? 'How many there are is not known here.' : basket.shopper.points.available + ' points can be spent.',
    fields: [{ name: 'points', label: 'Other number', inputmode: 'numeric' }],
    answers: [{ value: 'none', label: 'None' }, { value: 'useful', label: 'As many as useful' }, { value: 'all', label: 'All' }, { value: 'exact', label: 'This number', main: true }],
  });
  if (!a) return;
  const exact = a.answer === 'exact';
  if (exact && !/^\d{1,12}$/.test(a.points)) return note('Key a whole number of points.');
  change((b) => (b.points = exact ? { mode: 'exact', points: Number(a.points) } : { mode: a.answer }));
  await calculate();
}

// askAge asks once, at the highest age, and reports whether the basket may be paid.
async function askAge(check) {
  const a = await question({
    title: 'Age ' + check.required + '+', text: 'Is the shopper at least ' + check.required + ' years old?',
    answers: [{ value: 'id_seen', label: 'Yes, ID seen' }, { value: 'looks_older', label: 'Yes, looks older' }, { value: 'no', label: 'No: take the goods out' }],
  });
  if (!a) return false;
  if (a.answer === 'no') {
    change((b) => (b.lines = b.lines.filter((l) => !check.lines.includes(l.line_id))));
    note('Taken out. Calculate again.');
    return false;
  }
  change((b) => (b.confirmed = { age: check.required, method: a.answer }));
  return calculate();
}

// hold sets points and coupons aside, just before payment. Nobody can say, or it is refused: they stay safe, the
// basket is calculated without them, and the shopper hears the new total first.
async function hold() {
  const q = basket.quote;
  const key = newRID();
  const about = { rid: basket.rid, points: q.points.to_spend };
  if (basket.who) about.shopper = { identifier: basket.who };
  const codes = q.coupons ? usable().filter((_, i) => q.promotions.some((p) => p.coupon === q.coupons[i].code_masked)) : [];
  if (codes.length) about.coupons = codes.map(({ code, entry }) => ({ code, entry }));
  if (basket.training) about.training = true;
  try {
    return (await ask('POST', '/v1/holds', budgets.hold, { body: about, key })).body.id;
  } catch (e) {
    const kept = e instanceof Problem ? null : await ask('GET', '/v1/holds/' + key, budgets.hold).catch(() => null);
    if (kept?.body.state === 'placed') return key;
    change((b) => {
      if (q.points.to_spend) b.points = null;
      else for (const c of codes) Object.assign(c, { state: 'needs_connection', text: e.message });
    });
    await calculate();
    problem(e);
    return null;
  }
}

// release gives a hold back. It ends by itself too.
function release(id) {
  ask('DELETE', '/v1/holds/' + id, budgets.hold).catch(() => {});
}

// pay takes the basket to its receipt.
export async function pay() {
  if (basket.paying) return finish();
  if (!basket.lines.length) return note('Nothing to pay.');
  if (!basket.quote && !(await calculate()) && !silent) return;
  const check = basket.quote?.age_check;
  if (check && check.state !== 'confirmed' && !(await askAge(check))) return draw();
  let held;
  if (basket.quote?.hold_needed && !(held = await hold())) return draw();
  const due = (basket.quote || shelf()).totals.to_pay;
  const tender = await askTender(due);
  if (!tender) {
    if (held && !basket.training) release(held);
    return;
  }
  const t = now();
  const receipt = {
    ...body(view.currency), receipt_number: number(t.at), at: t.at, business_date: t.day, tenders: [{ kind: tender.kind, amount: due }],
  };
  if (basket.quote) {
    const { digest, revision, engine, context } = basket.quote;
    Object.assign(receipt, { quote: { digest, revision, engine, context }, hold: held });
  } else Object.assign(receipt, { coupons: undefined, points_to_spend: undefined });
  basket.paying = { bytes: JSON.stringify(receipt), change: tender.change };
  keep(); // from here on this sale is these bytes
  await finish();
}

const number = (at) => [document.getElementById('place').textContent.split(' ')[0], at.slice(2, 19).replace(/[^0-9]/g, '')].join('-');

// spending says what the shopper pays with points, who hears it before paying the rest.
const spending = (q) => (q?.points.to_spend ? `${q.points.to_spend} points pay ${say(q.totals.points_paid, view.currency)}, this is the rest. ` : '');

async function askTender(due) {
  const a = await question({
    title: 'Pay ' + say(due, view.currency) + ' ' + view.currency,
    text: (basket.quote ? '' : 'The node does not answer: shelf prices, and points follow. ') + spending(basket.quote) + (view.training ? 'TRAINING: no money changes hands.' : 'Press a key when the money is there.'),
    fields: due > 0 ? [{ name: 'given', label: 'Cash given', inputmode: 'decimal', value: say(due, view.currency) }] : [],
    answers: [{ value: 'cash', label: 'Cash', main: true }, { value: 'card', label: 'Payment card' }, { value: 'voucher', label: 'Voucher' }],
  });
  if (!a) return null;
  const given = a.answer === 'cash' && due > 0 ? read(a.given, view.currency) : due;
  if (given === null || given < due) return void note('That is not enough.');
  return { kind: a.answer, change: given - due };
}

// finish sends the receipt's bytes until it is known to be kept. Only a refusal makes other bytes of them.
export async function finish() {
  const { bytes, change: back } = basket.paying;
  const receipt = JSON.parse(bytes);
  problem(null);
  note('Keeping the receipt\u2026');
  try {
    const kept = await commit('/v1/receipts', receipt.rid, bytes, () => note('One moment, trying again.'));
    if (!kept) follow('/v1/receipts', receipt.rid, bytes);
    done(receipt, kept, back);
  } catch (e) {
    await refused(e, receipt);
  }
}

function done(receipt, kept, back) {
  const quote = basket.quote || shelf();
  const { rid, receipt_number, at, currency, lines } = receipt;
  remember({ rid, number: receipt_number, at, currency, lines, training: view.training, total: quote.totals.to_pay });
  view.slip = printed(receipt, quote, kept, back);
  open(view.training);
  view.selected = null;
  problem(null);
  if (kept?.flagged) note('Kept, and flagged: its numbers are not what the rules give.');
  if (!kept) note('The node does not answer. The receipt waits here and follows: print "points follow".');
  draw();
}

// refused is a definite no. What was paid is a fact: the cashier says which of the two it is.
async function refused(e, receipt) {
  if (e.body?.quote) {
    const was = receipt.tenders[0].amount;
    const is = e.body.quote.totals.to_pay;
    const a = await question({
      title: 'The total has changed', text: `${say(was, view.currency)} before, ${say(is, view.currency)} now. ${e.message}`,
      answers: [{ value: 'new', label: 'Pay the new total', main: true }, { value: 'happened', label: 'The money has changed hands' }], back: '', scan: 'wait',
    });
    if (a?.answer === 'happened') {
      basket.paying.bytes = JSON.stringify({ ...receipt, happened: true });
      keep();
      return finish();
    }
    reopen(receipt);
    if (await calculate()) await pay();
    return;
  }
  reopen(receipt);
  draw();
  problem(e);
}

// reopen makes the basket one that is not paid again.
function reopen(receipt) {
  if (receipt.hold && !basket.training) release(receipt.hold);
  change((b) => Object.assign(b, { paying: null }));
}

// train goes to training and back; the two do not mix in one basket.
export function train() {
  if (view.taught) return note('This token is for training: nothing that it sells is posted.');
  if (!isEmpty()) return note('Finish this basket first: training and selling do not mix.');
  view.training = !view.training;
  view.slip = '';
  open(view.training);
  draw();
}
