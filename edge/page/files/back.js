// Goods that come back, and sales that are undone.

import { ask, budgets, commit, Problem } from './node.js';
import { newRID, now } from './basket.js';
import { find, follow, remembered } from './sales.js';
import { printedBack } from './slip.js';
import { question, tell } from './question.js';
import { quantity, read, say } from './money.js';
import { clock, draw, note, problem, view } from './screen.js';

const isRID = (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

// back asks for the receipt, then what is to become of it.
export async function back() {
  problem(null);
  const recent = remembered().filter((s) => s.training === view.training).slice(0, 5);
  const a = await question({
    title: 'Return or void', scan: 'take', text: 'Scan or key the receipt, or pick one of this till.',
    fields: [{ name: 'receipt', label: 'Receipt: number or rid', required: true }],
    answers: [{ value: 'keyed', label: 'Find', main: true }, ...recent.map((s, i) => ({ value: String(i), label: clock(s.at) + ', ' + say(s.total, s.currency) }))],
  });
  if (!a) return;
  await backOf(a.answer === 'keyed' ? a.receipt.trim() : recent[Number(a.answer)].rid);
}

// backOf goes on with a receipt: by its rid any till's and any store's, by its number one of this tab or till.
export async function backOf(text) {
  const sale = find(text) || (await byText(text));
  if (!sale) return;
  try {
    if (!sale.training) Object.assign(sale, await sold(sale));
  } catch (e) {
    if (e.slug === 'not-found') note('Nobody who could be asked knows it: it goes back as it stands.');
    else if (!(e instanceof Problem)) problem(e);
  }
  if (sale.void) return note('This sale is void: nothing of it can come back.');
  if (sale.lines && !sale.lines.some((l) => l.left !== '0')) return note('All of it has come back already.');
  const fields = sale.lines
    ? sale.lines.map((l) => ({ name: 'q' + l.line_id, label: `${l.description || l.item} (${l.quantity} sold${l.left && l.left !== l.quantity ? ', ' + l.left + ' left' : ''})`, inputmode: 'decimal', value: '', placeholder: '0' }))
    : [{ name: 'line', label: 'Line on the paper', inputmode: 'numeric' }, { name: 'pieces', label: 'Quantity', inputmode: 'decimal', value: '1' },
        { name: 'item', label: 'Its code, if the sale is of another till' }, { name: 'price', label: 'Its price, if so', inputmode: 'decimal' }];
  const a = await question({
    title: 'Receipt ' + sale.number, text: 'How much of each comes back?', fields,
    answers: [{ value: 'return', label: 'Give back', main: true }, { value: 'all', label: 'All of it' }, { value: 'void', label: 'Void the sale' }].filter((x) => sale.lines || x.value !== 'all'),
  });
  if (!a) return;
  if (a.answer === 'void') return undo(sale);
  const lines = sale.lines ? sale.lines.flatMap((l) => lineBack(l, a.answer === 'all' ? l.left || l.quantity : a['q' + l.line_id])) : lineKeyed(a);
  if (!lines.length || lines.includes(null)) return note(sale.lines ? 'Key a quantity for what comes back.' : 'Key the line and its quantity, and with a code its price.');
  await give(sale, lines);
}

function lineBack(l, text) {
  if (text.trim() === '' || text.trim() === '0') return [];
  const q = quantity(text);
  return [q && { line_id: l.line_id, item: l.item, description: l.description, quantity: q, unit: l.unit, unit_price: l.unit_price }];
}

function lineKeyed(a) {
  const q = quantity(a.pieces);
  const line = { line_id: a.line.trim(), quantity: q };
  if (a.item.trim()) Object.assign(line, { item: a.item.trim(), unit_price: read(a.price, view.currency) });
  return [q && line.line_id && line.unit_price !== null ? line : null];
}

// byText finds a receipt that this tab does not remember: by its rid, or in this till's journal by its number.
async function byText(text) {
  if (isRID(text)) return { rid: text.toLowerCase(), number: text.slice(0, 8), currency: view.currency, lines: null };
  try {
    const found = (await ask('GET', '/v1/receipts?number=' + encodeURIComponent(text), budgets.receipt)).body.receipts;
    const sale = found.find((r) => r.kind === 'sale');
    if (sale) return { rid: sale.rid, number: text, currency: view.currency, lines: null };
    note(found.length ? 'This is a ' + found[0].kind + ', not a sale.' : 'This till has no such number. Key the rid, the last line of the paper.');
  } catch (e) {
    problem(e);
  }
  return null;
}

// sold asks what a sale was and what of it is left, of any till.
async function sold(sale) {
  const s = (await ask('GET', '/v1/receipts/' + sale.rid + '/sale', budgets.sale)).body;
  if (!s.complete) note('The centre does not answer: what other stores took back is not known.');
  return { number: s.receipt_number || sale.number, currency: s.currency, lines: s.lines, void: s.void };
}

async function give(sale, lines) {
  const rid = newRID();
  const { at, day } = now();
  const doc = { rid, of: { rid: sale.rid }, at, business_date: day, currency: sale.currency, lines };
  if (view.training) doc.training = true;
  await send('/v1/returns', rid, doc, sale, 'Return of ' + sale.number);
}

async function undo(sale) {
  const rid = newRID();
  const { at, day } = now();
  const doc = { rid, at, business_date: day, reason: 'voided at the till' };
  if (view.training) doc.training = true;
  await send('/v1/receipts/' + sale.rid + '/void', rid, doc, sale, 'Void of ' + sale.number);
}

async function send(path, rid, doc, sale, title) {
  const bytes = JSON.stringify(doc);
  const names = new Map((sale.lines || []).map((l) => [l.line_id, l.description || l.item]));
  try {
    const kept = await commit(path, rid, bytes, () => note('One moment, trying again.'));
    if (!kept) follow(path, rid, bytes);
    problem(null);
    view.slip = printedBack(title, kept, sale.currency, names);
    draw();
    await tell(title, kept ? say(kept.total ?? 0, sale.currency) + ' ' + sale.currency + ' goes back to the shopper.' : 'The node does not answer: the paper waits here and follows.');
  } catch (e) {
    if (e.body?.left) e.message += ' Left: ' + e.body.left + '.';
    problem(e);
  }
}
