// What is scanned or keyed: the node says what a code is. A scanner is a keyboard that types very fast and
// ends with Enter; it may be used in any state.

import { addLine, basket, change, keep } from './basket.js';
import { ask, budgets } from './node.js';
import { backOf } from './back.js';
import { drawGoods, known, learn } from './goods.js';
import { card, coupon } from './sale.js';
import { question } from './question.js';
import { quantity, read, say } from './money.js';
import { draw, note, problem, view } from './screen.js';

// scanned takes what came from the scan field or a scanner: "3*code" is three of it.
export async function scanned(text, entry) {
  const m = /^(\d[\d.,]*)\*(.+)$/.exec(text);
  const count = m ? quantity(m[1]) : '1';
  const code = m ? m[2].trim() : text.trim();
  if (!code || count === null) return note('Key a quantity, *, and a code.');
  problem(null);
  const what = await kindOf(code.replace(/^\][A-Za-z]\d/, ''), code, entry);
  if (what?.kind === 'card') await card(what.code, entry);
  else if (what?.kind === 'coupon') await coupon(what.code, entry);
  else if (what?.kind === 'receipt') await backOf(what.rid);
  else if (what?.kind === 'refused') problem(Object.assign(new Error(what.text), { action: 'ask' }));
  else if (what) await item(what, count, entry);
}

// kindOf says what a code is: goods known here, or what the node reads in it, or what the cashier says. sent is
// the code as the scanner sent it.
async function kindOf(code, sent, entry) {
  const here = known(code);
  if (here) return { ...here };
  if (/^\+\d+$/.test(code)) return { kind: 'card', code };
  try {
    const said = (await ask('POST', '/v1/scans', budgets.scan, { body: { code: sent, entry } })).body;
    const { item: is, quantity: weight, amount } = said;
    if (is) return { item: is.code, description: is.name, ...known(is.code), ...(weight ? { quantity: weight, unit: 'kg' } : { unit: is.unit }), amount };
    if (['card', 'coupon', 'receipt', 'refused'].includes(said.kind)) return { ...said, code };
  } catch {
    // A node that is silent does not keep the cashier from knowing.
  }
  const a = await question({
    title: 'What is ' + code + '?', scan: 'wait', answers: [{ value: 'item', label: 'Goods', main: true }, { value: 'card', label: 'A card' }, { value: 'coupon', label: 'A coupon' }],
  });
  return a && { kind: a.answer, code, item: code };
}

// item adds goods. A price that nobody knows the cashier keys.
async function item({ item: code, description = '', unit, quantity: weight, unit_price, amount }, count, entry) {
  if (count !== '1' && (amount !== undefined || weight)) return note('This label is of one piece: scan each.');
  const line = { item: code, description, quantity: weight || count, unit: amount === undefined ? unit || 'pc' : 'pc', unit_price, amount, entry };
  if (unit_price === undefined && amount === undefined) {
    const keyed = await askItem(line);
    if (!keyed) return;
    Object.assign(line, keyed);
  }
  addLine(line);
  learn(line);
  drawGoods();
  view.selected = basket.lines.at(-1).line_id;
  draw();
}

// keyGoods is for what has no code that scans.
export async function keyGoods() {
  const keyed = await askItem({ item: '', description: '', quantity: '1', unit: 'pc' }, true);
  if (keyed) await item(keyed, '1', 'keyed');
}

async function askItem(line, code = false) {
  const a = await question({
    title: code ? 'Key goods' : 'Price of ' + line.item, scan: 'wait',
    fields: [
      ...(code ? [{ name: 'code', label: 'Code', value: line.item, required: true }] : []),
      { name: 'price', label: 'Price, ' + view.currency, inputmode: 'decimal', required: true },
      { name: 'description', label: 'Description', value: line.description },
      { name: 'quantity', label: 'Quantity', inputmode: 'decimal', value: line.quantity },
      { name: 'unit', label: 'Unit', options: ['pc', 'kg', 'l', 'm'], value: line.unit },
    ],
    answers: [{ value: 'add', label: 'Add', main: true }],
  });
  if (!a) return null;
  const unit_price = read(a.price, view.currency);
  const count = quantity(a.quantity);
  if (unit_price === null) return void note('That is no price.');
  if (count === null || (a.unit === 'pc' && count.includes('.'))) return void note('That is no quantity of ' + a.unit + '.');
  return { item: code ? a.code.trim() : line.item, description: a.description.trim(), quantity: count, unit: a.unit, unit_price };
}

// changeLine changes the line that is marked, the last one if none is.
export async function changeLine() {
  const line = basket.lines.find((l) => l.line_id === view.selected) || basket.lines.at(-1);
  if (!line) return note('There is no line to change.');
  const a = await question({
    title: line.description || line.item,
    fields: [
      { name: 'quantity', label: 'Quantity, ' + line.unit, inputmode: 'decimal', value: line.quantity },
      { name: 'price', label: 'Price, ' + view.currency, inputmode: 'decimal', value: line.unit_price === undefined ? '' : say(line.unit_price, view.currency) },
      { name: 'off', label: 'Discount at the till', inputmode: 'decimal', value: line.manual_discount ? say(line.manual_discount.amount, view.currency) : '' },
    ],
    answers: [{ value: 'set', label: 'Change', main: true }, { value: 'remove', label: 'Remove the line' }],
  });
  if (!a) return;
  if (a.answer === 'remove') {
    change((b) => (b.lines = b.lines.filter((l) => l !== line)));
    view.selected = null;
    return draw();
  }
  const count = quantity(a.quantity);
  const price = a.price.trim() ? read(a.price, view.currency) : undefined;
  const off = a.off.trim() ? read(a.off, view.currency) : 0;
  if (count === null || price === null || off === null || (line.unit === 'pc' && count.includes('.'))) return note('That is no quantity or no amount.');
  change(() => {
    // A label's own amount would win over the price that was keyed.
    if (price !== undefined && price !== line.unit_price) Object.assign(line, { unit_price: price, price_override: true, amount: undefined });
    line.quantity = count;
    line.manual_discount = off ? { amount: off } : undefined;
  });
  draw();
}

// move marks the line above or below.
export function move(step) {
  const ids = basket.lines.map((l) => l.line_id);
  if (!ids.length) return;
  const at = view.selected === null ? ids.length : ids.indexOf(view.selected);
  view.selected = ids[Math.min(Math.max(at + step, 0), ids.length - 1)];
  draw();
}

export function removeCoupon(i) {
  const [c] = basket.coupons.splice(i, 1);
  if (!c.state || c.state === 'usable') change(() => {});
  keep();
  draw();
}
