// The paper: what a POS would print, 40 columns. Amounts are numbers, never cut out of a text.

import { clock } from './screen.js';
import { gross, say } from './money.js';

const width = 40;
const rule = '-'.repeat(width);

function row(left, right = '') {
  const room = width - right.length - 1;
  return left.length > room ? left.slice(0, room - 1) + '. ' + right : left.padEnd(width - right.length) + right;
}

const marked = (training, lines) => (training ? ['*** TRAINING ***', ...lines, '*** TRAINING ***'] : lines).join('\n');

// printed is the receipt of a sale; kept is what the node said of it, null if it follows.
export function printed(receipt, quote, kept, back) {
  const money = (n) => say(n, receipt.currency).replace('\u2212', '-');
  const out = [receipt.receipt_number, rule];
  const several = new Set();
  for (const l of receipt.lines) {
    out.push(row(l.description || l.item, ''), row('  ' + l.quantity + (l.unit === 'pc' ? '' : ' ' + l.unit), money(gross(l))));
    const priced = quote.lines.find((q) => q.line_id === l.line_id);
    const off = priced ? priced.discounts.find((d) => d.promotion === 'pos')?.amount : l.manual_discount?.amount;
    if (off) out.push(row('  Discount', money(-off)));
    for (const p of quote.promotions.filter((x) => x.lines[l.line_id])) {
      if (several.has(p)) continue;
      several.add(p);
      out.push(row('  ' + p.text, money(-p.amount)));
    }
  }
  const t = quote.totals;
  out.push(rule);
  if (t.points_paid) out.push(row('Points ' + quote.points.to_spend, money(-t.points_paid)));
  out.push(row('TOTAL ' + receipt.currency, money(t.to_pay)));
  for (const x of receipt.tenders) out.push(row(x.kind, money(x.amount)));
  if (back) out.push(row('Change', money(back)));
  out.push(rule, ...pointsOf(kept, receipt, quote));
  out.push(...(kept?.texts?.trailer || []).filter((text) => !text.includes('TRAINING')), receipt.rid);
  return marked(kept ? kept.training : receipt.training, out);
}

// pointsOf prints no balance that may be another by now.
function pointsOf(kept, receipt, quote) {
  if (!receipt.shopper) return [];
  const out = [];
  if (quote.as_of && !quote.stale) out.push(row('Points as of ' + clock(quote.as_of), String(quote.points.balance_before)));
  if (!kept) return [...out, 'Points follow'];
  if (kept.points.spent) out.push(row('Points spent', '-' + kept.points.spent));
  if (kept.points.earned) out.push(row('Points earned', '+' + kept.points.earned));
  return out;
}

// printedBack is the paper of a return or void.
export function printedBack(title, kept, currency, names) {
  const money = (n) => say(n, currency).replace('\u2212', '-');
  const out = [title, rule];
  for (const l of kept?.lines || []) {
    out.push(row(l.quantity + ' ' + (names.get(l.line_id) || 'line ' + l.line_id), money(-l.gross)));
    for (const d of l.discounts || []) out.push(row('  offer undone', money(d.amount)));
  }
  if (!kept) return marked(false, [...out, 'Points follow']);
  const paid = (kept.lines || []).reduce((n, l) => n + l.net - l.money_back, 0);
  if (paid) out.push(row('had been paid with points', money(paid)));
  out.push(rule, row('BACK ' + currency, money(kept.total ?? 0)));
  if (kept.points.taken_back) out.push(row('Points taken back', '-' + kept.points.taken_back));
  if (kept.points.given_back) out.push(row('Points given back', '+' + kept.points.given_back));
  if (kept.link && kept.link !== 'verified') out.push('Sale not known here: ' + kept.link);
  return marked(kept.training, out);
}
