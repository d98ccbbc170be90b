// Amounts are whole numbers of the currency's smallest unit; quantities are decimal strings. No float touches
// either.

// decimals gives how many digits of a currency stand behind the point.
export function decimals(currency) {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
  } catch {
    return 2;
  }
}

// say writes an amount: 1234 is 12.34.
export function say(amount, currency) {
  const n = decimals(currency);
  const digits = String(Math.abs(amount)).padStart(n + 1, '0');
  const whole = digits.slice(0, digits.length - n);
  return (amount < 0 ? '\u2212' : '') + whole + (n ? '.' + digits.slice(-n) : '');
}

// read reads an amount as a person keys it, with a point or a comma; null if it is none.
export function read(text, currency) {
  const n = decimals(currency);
  const m = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  if (!m || (m[2] || '').length > n) return null;
  return Number(m[1] + (m[2] || '').padEnd(n, '0'));
}

// quantity reads a quantity, to the form that the node wants; null if it is none.
export function quantity(text) {
  const m = /^0*(\d{1,7})(?:[.,](\d{1,3}))?$/.exec(text.trim());
  if (!m || !/[1-9]/.test(m[0])) return null;
  const rest = (m[2] || '').replace(/0+$/, '');
  return m[1] + (rest ? '.' + rest : '');
}

// gross is what a line costs before offers: its amount, or its price times its quantity, half rounded up.
export function gross(line) {
  if (line.amount !== undefined) return line.amount;
  const [whole, rest = ''] = line.quantity.split('.');
  const thousandths = BigInt(whole + rest.padEnd(3, '0'));
  return Number((BigInt(line.unit_price) * thousandths + 500n) / 1000n);
}
